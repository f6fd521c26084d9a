//! On Lambda: `_HANDLER` names the function, the same code handles its events.

mod permissions;

use std::collections::HashMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use axum::response::Response;
use http::Method;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use lambda_runtime_api_client::PooledClient;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::command::endpoint::router;
use crate::controls::Service;
use crate::controls::evaluation::RuleKind;
use crate::controls::evaluation::rule_event::RuleEvent;
use crate::functions::rule::RuleFunction;
use crate::metrics;
use crate::queue::dead_letters::ORIGINAL_ID;
use crate::queue::{QueueHandler, QueueMessage, QueueUrl, Queues};
use crate::wiring::Wiring;

/// The time before Lambda's deadline at which a scheduled run stops.
const MARGIN: Duration = Duration::from_secs(10);

/// The functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Takes Slack's requests, by HTTPS.
    Slack,
    /// Takes the events queue.
    Notifier,
    /// Takes the schedule and the fix queue.
    Coordinator,
    /// Makes fixes and undos of the resources of one service.
    Remediator(Service),
    /// Judges by a rule of ours.
    Rule(RuleKind),
}

impl Function {
    /// Every function.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Slack, Self::Notifier, Self::Coordinator]
            .into_iter()
            .chain(Service::ALL.map(Self::Remediator))
            .chain(RuleKind::ALL.map(Self::Rule))
    }

    /// The name, as `_HANDLER` has it: `ec2-remediator`.
    pub fn name(self) -> String {
        match self {
            Self::Slack => "slack".to_owned(),
            Self::Notifier => "notifier".to_owned(),
            Self::Coordinator => "coordinator".to_owned(),
            Self::Remediator(service) => service.remediator(),
            Self::Rule(rule) => format!("{}-rule", rule.name()),
        }
    }

    /// Whether the function has the name, or had it in version 0.1.
    fn is_called(self, name: &str) -> bool {
        let older = |service: Service| format!("{}-remediator", service.older_name());
        self.name() == name || matches!(self, Self::Remediator(service) if older(service) == name)
    }
}

/// `_HANDLER` names no function.
#[derive(Debug, Clone, thiserror::Error)]
#[error("_HANDLER is {0:?}: expected one of {known}", known = names())]
pub struct UnknownFunction(String);

fn names() -> String {
    Function::all()
        .map(Function::name)
        .collect::<Vec<_>>()
        .join(", ")
}

impl FromStr for Function {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, UnknownFunction> {
        Self::all()
            .find(|function| function.is_called(name))
            .ok_or_else(|| UnknownFunction(name.to_owned()))
    }
}

/// Tells Lambda why the function cannot start, so that its log and the console say so too.
/// [Initialization error](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-initerror)
pub async fn report_start_failure(error: &anyhow::Error) {
    const KIND: &str = "Defendable.CannotStart";
    let body = json!({"errorMessage": format!("{error:#}"), "errorType": KIND, "stackTrace": []});
    let request = lambda_runtime_api_client::build_request()
        .method(Method::POST)
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", KIND)
        .body(lambda_runtime_api_client::body::Body::from(
            body.to_string(),
        ))
        .expect("a request of constants is valid");
    if let Err(error) = PooledClient::builder().build().call(request).await {
        tracing::error!(%error, "cannot tell Lambda");
    }
}

/// Serves one function until Lambda ends the process.
pub async fn serve(function: Function, wiring: &Wiring) -> Result<()> {
    let queues = &wiring.settings.queues;
    let served = match function {
        Function::Slack => {
            let flush = axum::middleware::map_response(async |response: Response| {
                metrics::flush();
                response
            });
            lambda_http::run(router(wiring.endpoint()).layer(flush)).await
        }
        Function::Notifier => queue_function(wiring, &[&queues.events], wiring.notifier()).await,
        Function::Coordinator => coordinator(wiring).await,
        Function::Remediator(service) => {
            let queues: Vec<&QueueUrl> = queues.remediators[&service].all().collect();
            queue_function(wiring, &queues, wiring.remediator(service)).await
        }
        Function::Rule(kind) => rule(&wiring.rule_function(kind)?).await,
    };
    served
        .map_err(anyhow::Error::from_boxed)
        .context("the Lambda runtime failed")
}

/// A function that several queues may trigger; an invocation has messages of one of them.
async fn queue_function(
    wiring: &Wiring,
    sources: &[&QueueUrl],
    handler: impl QueueHandler,
) -> Result<(), Error> {
    let (queues, handler) = (wiring.queues(), &handler);
    let queues = &queues;
    let handle = async |event: LambdaEvent<SqsEvent>| {
        let source = source(sources, &event.payload);
        let response = batch(queues, source, handler, event.payload).await;
        metrics::flush();
        Ok::<_, Error>(response)
    };
    run(service_fn(handle)).await
}

/// The queue that the messages are from: the first one where the event does not say.
fn source<'a>(sources: &[&'a QueueUrl], event: &SqsEvent) -> &'a QueueUrl {
    let arn = event
        .records
        .first()
        .and_then(|record| record.event_source_arn.as_deref());
    let name = arn.and_then(|arn| arn.rsplit(':').next());
    let named = sources.iter().find(|queue| Some(queue.name()) == name);
    named.unwrap_or(&sources[0])
}

async fn batch(
    queues: &Queues,
    queue: &QueueUrl,
    handler: &impl QueueHandler,
    event: SqsEvent,
) -> SqsBatchResponse {
    let messages: Vec<QueueMessage> = event
        .records
        .into_iter()
        .map(|record| QueueMessage {
            id: record.message_id.unwrap_or_default(),
            original_id: record
                .message_attributes
                .get(ORIGINAL_ID)
                .and_then(|attribute| attribute.string_value.clone()),
            receive_count: attribute(&record.attributes, "ApproximateReceiveCount").unwrap_or(1),
            sent_at: attribute(&record.attributes, "SentTimestamp")
                .and_then(|sent| Timestamp::from_millisecond(sent).ok()),
            receipt_handle: record.receipt_handle.unwrap_or_default(),
            body: record.body.unwrap_or_default(),
        })
        .collect();
    let failed = queues.handle_batch(queue, handler, &messages).await;
    let failures = failed.into_iter().map(|id| {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = id;
        failure
    });
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failures.collect();
    response
}

fn attribute<T: FromStr>(attributes: &HashMap<String, String>, name: &str) -> Option<T> {
    attributes.get(name)?.parse().ok()
}

/// The coordinator's two triggers: the fix queue, and what has no records is the schedule.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
enum CoordinatorEvent {
    FixQueue(SqsEvent),
    Schedule,
}

impl TryFrom<Value> for CoordinatorEvent {
    type Error = serde_json::Error;

    /// A batch that cannot be read is an error, so that it comes again. Were it taken for the schedule, it
    /// would be lost.
    fn try_from(event: Value) -> Result<Self, serde_json::Error> {
        match event.get("Records") {
            Some(_) => serde_json::from_value(event).map(Self::FixQueue),
            None => Ok(Self::Schedule),
        }
    }
}

async fn coordinator(wiring: &Wiring) -> Result<(), Error> {
    let (queues, coordinator) = (&wiring.queues(), &wiring.coordinator());
    let fix_queue = &wiring.settings.queues.fix;
    let handle = async |event: LambdaEvent<CoordinatorEvent>| {
        let left = event
            .context
            .deadline()
            .duration_since(std::time::SystemTime::now())
            .unwrap_or_default();
        match event.payload {
            CoordinatorEvent::FixQueue(batch_event) => {
                let response = batch(queues, fix_queue, coordinator, batch_event).await;
                metrics::flush();
                Ok(serde_json::to_value(response)?)
            }
            CoordinatorEvent::Schedule => {
                let deadline = Instant::now() + left.saturating_sub(MARGIN);
                let run = coordinator.run(|| Instant::now() < deadline).await?;
                tracing::info!(?run, "scheduled run");
                metrics::count_scheduled_run();
                metrics::flush();
                Ok::<_, Error>(Value::Null)
            }
        }
    };
    run(service_fn(handle)).await
}

async fn rule(rule: &RuleFunction) -> Result<(), Error> {
    let handle = async |event: LambdaEvent<RuleEvent>| {
        rule.handle(&event.payload)
            .await
            .map(|_| ())
            .map_err(Error::from)
    };
    run(service_fn(handle)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_batch_is_not_taken_for_the_schedule() {
        let read = |event: Value| serde_json::from_value::<CoordinatorEvent>(event);
        let scheduled =
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        assert!(matches!(read(scheduled), Ok(CoordinatorEvent::Schedule)));
        let batch = |body: Value| json!({"Records": [{"messageId": "1", "receiptHandle": "r", "body": body}]});
        assert!(
            matches!(read(batch(json!("{}"))), Ok(CoordinatorEvent::FixQueue(batch)) if batch.records.len() == 1)
        );
        assert!(read(batch(json!(7))).is_err());
    }
}
