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
use crate::controls::RemediatorKind;
use crate::controls::evaluation::RuleKind;
use crate::controls::evaluation::rule_event::RuleEvent;
use crate::functions::rule::RuleFunction;
use crate::metrics;
use crate::queue::dead_letters::ORIGINAL_ID;
use crate::queue::{QueueHandler, QueueMessage, QueueUrl, Queues};
use crate::wiring::Wiring;

/// How long before Lambda's deadline a scheduled run stops.
const MARGIN: Duration = Duration::from_secs(10);

/// The seven functions, by the name in `_HANDLER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Function {
    /// Slack's requests, by HTTPS.
    Slack,
    /// What arrives on the events queue.
    Notifier,
    /// The schedule and the fix queue.
    Coordinator,
    /// Security groups.
    SecurityGroupRemediator,
    /// Buckets.
    S3BucketRemediator,
    /// The rule on ports.
    RestrictedPortsRule,
    /// The rule on buckets.
    S3PublicAccessRule,
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
        Function::Notifier => queue_function(wiring, &queues.events, wiring.notifier()).await,
        Function::Coordinator => coordinator(wiring).await,
        Function::SecurityGroupRemediator => {
            let remediator = wiring.remediator(RemediatorKind::SecurityGroup);
            queue_function(wiring, &queues.security_group, remediator).await
        }
        Function::S3BucketRemediator => {
            let remediator = wiring.remediator(RemediatorKind::S3Bucket);
            queue_function(wiring, &queues.s3_bucket, remediator).await
        }
        Function::RestrictedPortsRule => {
            rule(&wiring.rule_function(RuleKind::RestrictedPorts)?).await
        }
        Function::S3PublicAccessRule => {
            rule(&wiring.rule_function(RuleKind::S3PublicAccess)?).await
        }
    };
    served
        .map_err(anyhow::Error::from_boxed)
        .context("the Lambda runtime failed")
}

async fn queue_function(
    wiring: &Wiring,
    queue: &QueueUrl,
    handler: impl QueueHandler,
) -> Result<(), Error> {
    let (queues, handler) = (wiring.queues(), &handler);
    let queues = &queues;
    let handle = async |event: LambdaEvent<SqsEvent>| {
        let response = batch(queues, queue, handler, event.payload).await;
        metrics::flush();
        Ok::<_, Error>(response)
    };
    run(service_fn(handle)).await
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

    /// A batch that cannot be read is an error, so that it comes again: taken for the schedule, it
    /// would be answered, and lost.
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
    fn a_batch_that_cannot_be_read_is_not_taken_for_the_schedule() {
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
