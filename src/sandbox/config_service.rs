//! AWS Config's wire protocol (JSON 1.1, `X-Amz-Target: StarlingDoveService.…`) for the calls
//! that we make, and its notifications to SNS.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::FutureExt;
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::history_item::historic;
use crate::controls::evaluation::ANNOTATION_LIMIT;
use crate::ids::AccountId;

/// The newest items of a resource that the History API keeps here.
const HISTORY: usize = 20;

/// The stand-in.
pub(super) struct ConfigService {
    address: SocketAddr,
    account: AccountId,
    topic_arn: String,
    sns: aws_sdk_sns::Client,
    state: Mutex<Records>,
}

type ResourceKey = (String, String);

#[derive(Default)]
struct Records {
    rules: BTreeMap<String, HashMap<ResourceKey, EvaluationResult>>,
    tokens: HashMap<String, String>,
    history: HashMap<ResourceKey, Vec<Value>>,
    /// Rules that are to judge everything again.
    again: BTreeSet<String>,
}

#[derive(Clone)]
struct EvaluationResult {
    compliance_type: String,
    annotation: Option<String>,
    ordering: f64,
    recorded_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvaluations {
    #[serde(default)]
    evaluations: Vec<Evaluation>,
    result_token: String,
    #[serde(default)]
    test_mode: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Evaluation {
    compliance_resource_type: String,
    compliance_resource_id: String,
    compliance_type: String,
    annotation: Option<String>,
    ordering_timestamp: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetHistory {
    resource_type: String,
    resource_id: String,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StartEvaluation {
    config_rule_names: Vec<String>,
}

/// An error as the service answers it: its name and what it says.
struct ServiceError(&'static str, String);

impl ConfigService {
    /// Listens, and answers from then on.
    pub(super) async fn start(
        listen: SocketAddr,
        account: AccountId,
        topic_arn: String,
        sns: aws_sdk_sns::Client,
    ) -> Result<Arc<Self>> {
        let listener = TcpListener::bind(listen).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {listen} (--config-service)"))?;
        let address = listener.local_addr()?;
        let service = Arc::new(Self {
            address,
            account,
            topic_arn,
            sns,
            state: Mutex::default(),
        });
        let app = Router::new()
            .route("/", post(answer))
            .with_state(Arc::clone(&service));
        // It answers until the process ends.
        drop(tokio::spawn(
            async move { axum::serve(listener, app).await },
        ));
        tracing::info!(%address, "AWS Config's stand-in answers");
        Ok(service)
    }

    /// Where to send AWS Config's calls.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a rule known, with no results yet.
    pub(super) fn add_rule(&self, rule: &str) {
        self.state().rules.entry(rule.to_owned()).or_default();
    }

    /// A result token for one invocation of a rule.
    pub(super) fn token(&self, rule: &str) -> String {
        let token = uuid::Uuid::new_v4().to_string();
        self.state().tokens.insert(token.clone(), rule.to_owned());
        token
    }

    /// Keeps an item for the History API.
    pub(super) fn record(&self, item: &Value) {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let mut state = self.state();
        let history = state
            .history
            .entry((text("resourceType"), text("resourceId")))
            .or_default();
        history.insert(0, historic(item));
        history.truncate(HISTORY);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Records> {
        self.state
            .lock()
            .expect("nothing panics while it holds the records")
    }

    async fn put_evaluations(&self, request: PutEvaluations) -> Result<Value, ServiceError> {
        if request.evaluations.len() > 100 {
            return Err(ServiceError(
                "ValidationException",
                "at most 100 evaluations".to_owned(),
            ));
        }
        let rule = self.state().tokens.remove(&request.result_token);
        let rule = rule.ok_or_else(|| {
            ServiceError(
                "InvalidResultTokenException",
                "unknown result token".to_owned(),
            )
        })?;
        for evaluation in request.evaluations.iter().filter(|_| !request.test_mode) {
            let annotated = evaluation
                .annotation
                .as_ref()
                .map_or(1, |text| text.chars().count());
            if !(1..=ANNOTATION_LIMIT).contains(&annotated)
                || evaluation.compliance_type == "INSUFFICIENT_DATA"
            {
                return Err(ServiceError(
                    "InvalidParameterValueException",
                    "a wrong evaluation".to_owned(),
                ));
            }
            if let Some((old, new)) = self.note(&rule, evaluation) {
                self.notify(&rule, evaluation, old.as_ref(), &new).await;
            }
        }
        Ok(json!({"FailedEvaluations": []}))
    }

    /// Notes a result; returns old and new where compliance changed.
    fn note(
        &self,
        rule: &str,
        evaluation: &Evaluation,
    ) -> Option<(Option<EvaluationResult>, EvaluationResult)> {
        let new = EvaluationResult {
            compliance_type: evaluation.compliance_type.clone(),
            annotation: evaluation.annotation.clone(),
            ordering: evaluation.ordering_timestamp,
            recorded_at: Timestamp::now(),
        };
        let mut state = self.state();
        let results = state.rules.entry(rule.to_owned()).or_default();
        let key = (
            evaluation.compliance_resource_type.clone(),
            evaluation.compliance_resource_id.clone(),
        );
        let old = results.get(&key).cloned();
        if old.as_ref().is_some_and(|old| old.ordering > new.ordering) {
            return None;
        }
        if new.compliance_type == "NOT_APPLICABLE" {
            results.remove(&key);
        } else {
            results.insert(key, new.clone());
        }
        let changed = match &old {
            Some(old) => old.compliance_type != new.compliance_type,
            None => new.compliance_type != "NOT_APPLICABLE",
        };
        changed.then_some((old, new))
    }

    async fn notify(
        &self,
        rule: &str,
        evaluation: &Evaluation,
        old: Option<&EvaluationResult>,
        new: &EvaluationResult,
    ) {
        let region = self.topic_arn.split(':').nth(3).unwrap_or_default();
        let (resource_type, resource_id) = (
            &evaluation.compliance_resource_type,
            &evaluation.compliance_resource_id,
        );
        let result = |result: &EvaluationResult| {
            let recorded = format!("{:.3}", result.recorded_at);
            json!({
                "evaluationResultIdentifier": {
                    "evaluationResultQualifier":
                        {"configRuleName": rule, "resourceType": resource_type, "resourceId": resource_id},
                    "orderingTimestamp": recorded,
                },
                "complianceType": result.compliance_type, "resultRecordedTime": recorded,
                "configRuleInvokedTime": recorded, "annotation": result.annotation, "resultToken": null,
            })
        };
        let message = json!({
            "awsAccountId": self.account, "configRuleName": rule,
            "configRuleARN": format!("arn:aws:config:{region}:{}:config-rule/config-rule-{rule}", self.account),
            "resourceType": resource_type, "resourceId": resource_id, "awsRegion": region,
            "newEvaluationResult": result(new), "oldEvaluationResult": old.map(result),
            "notificationCreationTime": format!("{:.3}", Timestamp::now() + SignedDuration::from_millis(1)),
            "messageType": "ComplianceChangeNotification", "recordVersion": "1.0",
        });
        let subject = format!(
            "[AWS Config:{region}] {} {resource_type}",
            evaluation.compliance_type
        );
        let subject: String = subject.chars().take(99).collect();
        let sent = self
            .sns
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(subject)
            .message(message.to_string())
            .send()
            .boxed();
        if let Err(error) = sent.await {
            tracing::error!(error = %aws_sdk_sns::error::DisplayErrorContext(&error), "cannot publish a compliance change");
        }
    }

    fn start_evaluation(&self, request: StartEvaluation) -> Result<Value, ServiceError> {
        let mut state = self.state();
        if let Some(unknown) = request
            .config_rule_names
            .iter()
            .find(|rule| !state.rules.contains_key(*rule))
        {
            return Err(ServiceError(
                "NoSuchConfigRuleException",
                format!("no rule {unknown}"),
            ));
        }
        state.again.extend(request.config_rule_names);
        Ok(json!({}))
    }

    /// The rules that are to judge everything again, once.
    pub(super) fn take_again(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.state().again)
    }

    fn history(&self, request: &GetHistory) -> Result<Value, ServiceError> {
        let state = self.state();
        let items = state
            .history
            .get(&(request.resource_type.clone(), request.resource_id.clone()));
        let items = items.ok_or_else(|| {
            ServiceError(
                "ResourceNotDiscoveredException",
                "never recorded".to_owned(),
            )
        })?;
        let items: Vec<_> = items.iter().take(request.limit.unwrap_or(10)).collect();
        Ok(json!({"configurationItems": items}))
    }

    fn compliance_by_rule(&self, wanted: &Value) -> Value {
        let state = self.state();
        let rules = state.rules.iter().filter_map(|(rule, results)| {
            let breaches = results
                .values()
                .filter(|result| result.compliance_type == "NON_COMPLIANT")
                .count();
            let mut compliance = json!({"ComplianceType": match (results.is_empty(), breaches) {
                (true, _) => "INSUFFICIENT_DATA",
                (false, 0) => "COMPLIANT",
                (false, _) => "NON_COMPLIANT",
            }});
            if breaches > 0 {
                compliance["ComplianceContributorCount"] =
                    json!({"CappedCount": breaches.min(25), "CapExceeded": breaches > 25});
            }
            let is_wanted = wanted
                .as_array()
                .is_none_or(|types| types.contains(&compliance["ComplianceType"]));
            is_wanted.then(|| json!({"ConfigRuleName": rule, "Compliance": compliance}))
        });
        json!({"ComplianceByConfigRules": rules.collect::<Vec<_>>()})
    }
}

async fn answer(
    State(service): State<Arc<ConfigService>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    tracing::debug!(operation, "AWS Config's stand-in is called");
    let answered = match operation {
        "PutEvaluations" => match parse(&body) {
            Ok(request) => service.put_evaluations(request).await,
            Err(error) => Err(error),
        },
        "GetResourceConfigHistory" => parse(&body).and_then(|request| service.history(&request)),
        "StartConfigRulesEvaluation" => {
            parse(&body).and_then(|request| service.start_evaluation(request))
        }
        "DescribeConfigurationRecorderStatus" => {
            Ok(json!({"ConfigurationRecordersStatus": [{"name": "default", "recording": true}]}))
        }
        "DescribeComplianceByConfigRule" => parse::<Value>(&body)
            .map(|request| service.compliance_by_rule(&request["ComplianceTypes"])),
        other => Err(ServiceError(
            "UnknownOperationException",
            format!("the stand-in does not know {other:?}"),
        )),
    };
    let (status, body) = match answered {
        Ok(body) => (StatusCode::OK, body),
        Err(ServiceError(name, message)) => (
            StatusCode::BAD_REQUEST,
            json!({"__type": name, "message": message}),
        ),
    };
    (
        status,
        [(header::CONTENT_TYPE, "application/x-amz-json-1.1")],
        body.to_string(),
    )
        .into_response()
}

fn parse<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, ServiceError> {
    serde_json::from_slice(body)
        .map_err(|error| ServiceError("ValidationException", error.to_string()))
}
