//! The rule functions: AWS Config invokes one with a configuration item; it judges the item, queues the
//! violations, and puts the evaluation.

use std::sync::Arc;

use aws_sdk_config::types::{self, ResourceType as ConfigResourceType};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::FutureExt;
use jiff::Timestamp;
use serde_json::json;

use crate::aws::{Aws, AwsError};
use crate::clock::Clock;
use crate::contracts::RemediationRequest;
use crate::contracts::job::Job;
use crate::controls::evaluation::aws_answer::AwsAnswer;
use crate::controls::evaluation::rule_event::{InvalidRuleEvent, RuleEvent, Subject};
use crate::controls::evaluation::{
    ComplianceType, ConfigurationItem, Evaluation, EvaluationError, RuleDefaults, RuleKind,
    RuleParameters, Violation,
};
use crate::controls::ignored_because;
use crate::ids::{AccountId, InvalidId, Region};
use crate::queue::{QueueUrl, Queues};

/// The IAM actions of a rule function.
pub const ACTIONS: &[&str] = &[
    "config:GetResourceConfigHistory",
    "config:PutEvaluations",
    "sqs:SendMessage",
];

/// The delay of the job to look at a finding, so that AWS Config's notification of a change, which takes
/// about a second, is shown first. Seconds.
const AFTER_THE_NEWS: u32 = 2;

/// A rule function.
#[derive(Debug, Clone)]
pub struct RuleFunction {
    /// The rule.
    pub rule: RuleKind,
    /// The defaults of the rule's parameters.
    pub defaults: RuleDefaults,
    /// The queue of violations, unless the rule's parameter `sqsUrl` names another.
    pub remediation_queue: QueueUrl,
    /// The events queue, for jobs to look at a finding.
    pub events_queue: QueueUrl,
    /// The account and region where the function runs, for items that name none.
    pub home: (AccountId, Region),
    /// The clock.
    pub clock: Clock,
    /// AWS's clients, which tell of buckets that look public and of prefix lists.
    pub aws: Arc<Aws>,
    /// AWS Config's client.
    pub config: aws_sdk_config::Client,
    /// SQS's client.
    pub sqs: aws_sdk_sqs::Client,
}

/// The reason why an invocation failed. Lambda tries twice more, then sends the event to the events queue.
#[derive(Debug, thiserror::Error)]
pub enum RuleFunctionError {
    /// The event cannot be judged.
    #[error(transparent)]
    Event(#[from] InvalidRuleEvent),
    /// The rule could not judge.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The item, or its completion, is not JSON of the documented shape.
    #[error("the configuration item cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The item names something that is no AWS id.
    #[error("the configuration item is wrong: {0}")]
    Id(#[from] InvalidId),
    /// The item's capture time is not RFC 3339.
    #[error("the configuration item's capture time is wrong: {0}")]
    Time(#[from] jiff::Error),
    /// The event has no result token, so that there is nowhere to put the evaluation.
    #[error("the rule event has no resultToken")]
    NoResultToken,
    /// AWS Config has no history of an oversized item.
    #[error("AWS Config has no history of {0}, whose item is oversized")]
    NoHistory(String),
    /// An AWS call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Logs the names of parameters that the rule does not know.
fn warn_of_unknown(parameters: &RuleParameters, knows: &[&str]) {
    let unknown: Vec<&str> = parameters.unknown(knows).collect();
    if !unknown.is_empty() {
        tracing::warn!(parameters = ?unknown, "the rule has parameters that change nothing");
    }
}

impl RuleFunction {
    /// Judges the item of one invocation. Violations are queued first, so that none is lost when
    /// the evaluation is put and the function then dies; a repeat finds nothing left to fix.
    pub async fn handle(&self, event: &RuleEvent) -> Result<Evaluation, RuleFunctionError> {
        let parameters = event.parameters()?;
        let rule = self.defaults.rule(self.rule);
        warn_of_unknown(&parameters, rule.parameters());
        match event.subject()? {
            Subject::Oversized(summary) if summary.exists() => {
                let history = self.history(&summary).await?;
                self.judge(event, &parameters, &serde_json::from_str(&history)?)
                    .await
            }
            Subject::Item(item) | Subject::Oversized(item) => {
                self.judge(event, &parameters, &item).await
            }
        }
    }

    async fn judge(
        &self,
        event: &RuleEvent,
        parameters: &RuleParameters,
        item: &ConfigurationItem<'_>,
    ) -> Result<Evaluation, RuleFunctionError> {
        let token = event
            .result_token
            .as_deref()
            .ok_or(RuleFunctionError::NoResultToken)?;
        let excuses = self.rule.control().definition().excused_by();
        if excuses.contains(&item.resource_type.as_ref()) {
            self.queues()
                .send(&self.events_queue, &Job::JudgeAgain {})
                .await?;
        }
        let evaluation = self.evaluation(event, parameters, item).await?;
        self.queue_violations(event, parameters, item, &evaluation)
            .await?;
        self.put(token, item, &evaluation).await?;
        tracing::info!(
            resource_id = evaluation.resource_id,
            compliance_type = ?evaluation.compliance_type,
            annotation = evaluation.annotation,
            violations = evaluation.violations.len(),
            "evaluated"
        );
        Ok(evaluation)
    }

    /// Judges an item, and asks AWS where that can change the verdict.
    async fn evaluation(
        &self,
        event: &RuleEvent,
        parameters: &RuleParameters,
        item: &ConfigurationItem<'_>,
    ) -> Result<Evaluation, RuleFunctionError> {
        let judge = |item: &ConfigurationItem<'_>, answer: &AwsAnswer| {
            self.defaults
                .evaluate_by(self.rule, parameters, item, event.event_left_scope, answer)
        };
        let rule = self.defaults.rule(self.rule);
        let by_item = judge(item, &AwsAnswer::default());
        if !rule.has_to_ask(&by_item) {
            return Ok(by_item?);
        }
        let (account, region) = self.place(event, item)?;
        let place = (&account, &region);
        let answer = rule.ask(&self.aws, place, item, &by_item).await?;
        let judged = judge(item, &answer);
        // What was read may be no violation, and the rest is not known.
        if let Err(EvaluationError::Unread { .. }) = judged
            && let Some(live) = rule.complete(&self.aws, place, item).await?
        {
            return Ok(judge(&serde_json::from_str(&live)?, &answer)?);
        }
        Ok(judged?)
    }

    async fn queue_violations(
        &self,
        event: &RuleEvent,
        parameters: &RuleParameters,
        item: &ConfigurationItem<'_>,
        evaluation: &Evaluation,
    ) -> Result<(), RuleFunctionError> {
        let all = || evaluation.violations.iter();
        let requests = self.requests(event, item, evaluation, all())?;
        // What is opened beside the rest, or a tag, may not change the compliance type, and AWS Config sends
        // nothing then. So the notifier is asked to look.
        self.ask_for_a_look(&requests).await?;
        if ignored_because(&item.tags()).is_some() {
            // A tagged resource is never fixed automatically.
            return Ok(());
        }
        let automatic = all().filter(|violation| !violation.is_left_to_people);
        let requests = self.requests(event, item, evaluation, automatic)?;
        let queue = parameters
            .text("sqsUrl")
            .unwrap_or(self.remediation_queue.as_str());
        // SendMessageBatch takes ten entries.
        for batch in requests.chunks(10) {
            let entries = batch.iter().enumerate().map(|(index, request)| {
                let body = serde_json::to_string(request)?;
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(body);
                Ok(entry
                    .build()
                    .expect("an entry with id and body is complete"))
            });
            let entries = entries.collect::<Result<Vec<_>, serde_json::Error>>()?;
            let sent = self
                .sqs
                .send_message_batch()
                .queue_url(queue)
                .set_entries(Some(entries))
                .send()
                .boxed()
                .await;
            let sent = sent.map_err(|error| AwsError::from_sdk("sqs:SendMessageBatch", error))?;
            if let Some(failed) = sent.failed().first() {
                let reason = failed.message().unwrap_or_default();
                return Err(AwsError::transient(
                    "sqs:SendMessageBatch",
                    Some(failed.code()),
                    reason,
                )
                .into());
            }
        }
        Ok(())
    }

    fn queues(&self) -> Queues {
        Queues {
            sqs: self.sqs.clone(),
            events: self.events_queue.clone(),
        }
    }

    async fn ask_for_a_look(
        &self,
        requests: &[RemediationRequest],
    ) -> Result<(), RuleFunctionError> {
        let Some(request) = requests.first() else {
            return Ok(());
        };
        let Ok(finding) = request.finding() else {
            return Ok(());
        };
        let job = Job::Look {
            finding,
            at: Some(self.clock.now()),
        };
        // The notification of AWS Config is shown first.
        Ok(self
            .queues()
            .send_later(&self.events_queue, &job, AFTER_THE_NEWS)
            .await?)
    }

    /// The account and region of the item's resource.
    fn place(
        &self,
        event: &RuleEvent,
        item: &ConfigurationItem<'_>,
    ) -> Result<(AccountId, Region), InvalidId> {
        let (home_account, home_region) = &self.home;
        let account = item.account().or(event.account_id.as_deref());
        let account = account.map_or_else(|| Ok(home_account.clone()), str::parse)?;
        let region = item
            .aws_region
            .as_deref()
            .map_or_else(|| Ok(home_region.clone()), str::parse)?;
        Ok((account, region))
    }

    fn requests<'a>(
        &self,
        event: &RuleEvent,
        item: &ConfigurationItem<'_>,
        evaluation: &Evaluation,
        violations: impl Iterator<Item = &'a Violation>,
    ) -> Result<Vec<RemediationRequest>, InvalidId> {
        let (account, region) = self.place(event, item)?;
        let rule = event
            .config_rule_name
            .as_deref()
            .unwrap_or(match self.rule {
                RuleKind::RestrictedPorts => "restricted-ports",
                RuleKind::S3PublicAccess => "s3-public-access",
            });
        let requests = violations.map(|violation| {
            Ok(RemediationRequest {
                raised_by_rule: rule.parse()?,
                target_resource_type: evaluation.resource_type.parse()?,
                target_resource_id: evaluation.resource_id.parse()?,
                aws_region: region.clone(),
                violation_type: violation.violation_type,
                violation_details: violation.details.clone(),
                aws_account_id: account.clone(),
                requested_by: None,
                finding_id: None,
                asked_at: None,
                plan: None,
                undo: Vec::new(),
            })
        });
        requests.collect()
    }

    async fn put(
        &self,
        token: &str,
        item: &ConfigurationItem<'_>,
        evaluation: &Evaluation,
    ) -> Result<(), RuleFunctionError> {
        let captured = match item.configuration_item_capture_time.as_deref() {
            Some(time) => time.parse()?,
            None => self.clock.now(),
        };
        let put = types::Evaluation::builder()
            .compliance_resource_type(&evaluation.resource_type)
            .compliance_resource_id(&evaluation.resource_id)
            .compliance_type(match evaluation.compliance_type {
                ComplianceType::Compliant => types::ComplianceType::Compliant,
                ComplianceType::NonCompliant => types::ComplianceType::NonCompliant,
                ComplianceType::NotApplicable => types::ComplianceType::NotApplicable,
            })
            .annotation(&evaluation.annotation)
            .ordering_timestamp(aws_sdk_config::primitives::DateTime::from_millis(
                captured.as_millisecond(),
            ))
            .build()
            .expect("an evaluation with type, id, compliance and time is complete");
        let answer = self
            .config
            .put_evaluations()
            .evaluations(put)
            .result_token(token)
            .send()
            .boxed()
            .await;
        let answer = answer.map_err(|error| AwsError::from_sdk("config:PutEvaluations", error))?;
        if answer.failed_evaluations().is_empty() {
            Ok(())
        } else {
            Err(AwsError::transient(
                "config:PutEvaluations",
                None,
                "AWS Config did not take the evaluation",
            )
            .into())
        }
    }

    /// The newest item of the History API, as JSON: at least as new as the summary.
    async fn history(&self, summary: &ConfigurationItem<'_>) -> Result<String, RuleFunctionError> {
        let answer = self
            .config
            .get_resource_config_history()
            .resource_type(ConfigResourceType::from(summary.resource_type.as_ref()))
            .resource_id(summary.resource_id.as_ref())
            .limit(1)
            .send()
            .boxed()
            .await
            .map_err(|error| AwsError::from_sdk("config:GetResourceConfigHistory", error))?;
        let item = answer
            .configuration_items()
            .first()
            .ok_or_else(|| RuleFunctionError::NoHistory(summary.resource_id.to_string()))?;
        let captured = item
            .configuration_item_capture_time()
            .map(|time| time.to_millis().unwrap_or_default());
        let captured = captured.map(Timestamp::from_millisecond).transpose()?;
        Ok(json!({
            "resourceType": summary.resource_type,
            "resourceId": summary.resource_id,
            "accountId": item.account_id(),
            "awsRegion": item.aws_region(),
            "configurationItemStatus": item.configuration_item_status().map_or("OK", |status| status.as_str()),
            "configurationItemCaptureTime": captured,
            "configuration": item.configuration(),
            "supplementaryConfiguration": item.supplementary_configuration(),
            "tags": item.tags(),
        })
        .to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use super::*;

    /// Lines of the log, in memory.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_names_parameters_that_change_nothing() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let parameters = [("prohibitedPort", "22"), ("sqsUrl", "https://sqs")];
        tracing::subscriber::with_default(subscriber, || {
            warn_of_unknown(&parameters.into_iter().collect(), &["sqsUrl"]);
            warn_of_unknown(&RuleParameters::default(), &["sqsUrl"]);
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("WARN"), "{text}");
        assert!(text.contains(r#"parameters=["prohibitedPort"]"#), "{text}");
    }
}
