//! Queue messages: each is done, to be retried, or parked, and leaves its queue only then.

pub mod dead_letters;
mod receive;

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use aws_sdk_sqs::types::QueueAttributeName;
use futures::FutureExt;
use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;

pub use receive::{Receive, sent_at};
use tracing::Instrument;

use crate::aws::AwsError;
use crate::metrics;
use crate::queue::dead_letters::{ORIGINAL_ID, REASON, attribute};

/// The URL of an SQS queue, `https://sqs.us-east-1.amazonaws.com/123456789012/defendable-events`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueUrl(String);

/// The mistake in a text that is not a queue's URL.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0:?} is not the URL of an SQS queue")]
pub struct InvalidQueueUrl(String);

impl std::str::FromStr for QueueUrl {
    type Err = InvalidQueueUrl;

    fn from_str(text: &str) -> Result<Self, InvalidQueueUrl> {
        let invalid = || InvalidQueueUrl(text.chars().take(120).collect());
        let url = url::Url::parse(text).map_err(|_| invalid())?;
        let named = url
            .path_segments()
            .and_then(|mut parts| parts.next_back())
            .is_some_and(|name| !name.is_empty());
        if matches!(url.scheme(), "http" | "https") && named {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid())
        }
    }
}

impl QueueUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The queue's name: the last part of its URL.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The URL of the queue's dead-letter queue: its name with `-dead-letters` at the end.
    pub fn dead_letters(&self) -> Self {
        Self(format!("{}-dead-letters", self.0))
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message as a handler sees it, on Lambda and from our own consumers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// SQS's id of the message.
    pub id: String,
    /// The id of the first message, where this one was a dead letter that was retried.
    pub original_id: Option<String>,
    /// The text that was sent.
    pub body: String,
    /// The time at which this message was sent: a dead letter that is retried is sent again.
    pub sent_at: Option<Timestamp>,
    /// The number of deliveries, this one included.
    pub receive_count: u32,
    /// The receipt handle of this delivery.
    pub receipt_handle: String,
}

/// The IAM actions of every function that a queue triggers: failed messages come back after a pause, messages
/// that cannot be handled are parked.
pub const ACTIONS: &[&str] = &["sqs:ChangeMessageVisibility", "sqs:SendMessage"];

/// The longest pause before a failed message comes back. Seconds.
const LONGEST_BACKOFF: i32 = 120;

/// The longest pause of a message that waits for another process. Seconds.
const LONGEST_WAIT: i32 = 10;

/// Up to this delivery a message waits a short time for another process; the remaining deliveries have to
/// last for an outage.
const WAITS: u32 = 20;

/// The number of deliveries after which a message is parked. With the pauses between them this bridges an
/// outage of an hour or two. SQS's own redrive comes one delivery later, for messages that kill their
/// receiver.
pub const MAX_RECEIVES: u32 = 60;

/// The same for the remediation queue, where every run takes up again what waits for a fix under way, or
/// for the answer to a hold.
pub const LOOKED_AT_RECEIVES: u32 = 500;

/// The result of handling a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Its effect is durable, or it has none: it is deleted.
    Done,
    /// It may succeed later: it stays in the queue.
    Retry(String),
    /// Another process works at it, or died at it: it comes back soon.
    Wait(String),
    /// It can never succeed: it is moved to the dead-letter queue with this reason, and people are told.
    Park(String),
}

/// A function that a queue triggers.
pub trait QueueHandler: Send + Sync {
    /// Handles one message. Messages of a batch are handled side by side.
    fn handle(&self, message: &QueueMessage) -> impl Future<Output = Disposition> + Send;
}

/// The notice of a parked message. The notifier reads it as
/// [`Notice::Parked`](crate::contracts::notice::Notice::Parked).
///
/// ```json
/// {"notice": "parked", "queue": "defendable-remediation", "messageId": "0b0e…", "reason": "not a report"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "notice", rename = "parked", rename_all = "camelCase")]
pub struct Parked {
    /// The name of the queue that it came from.
    pub queue: String,
    /// The id that it had when it was first sent.
    pub message_id: String,
    /// The id that it had when it was parked, where it has been a dead letter before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked_as: Option<String>,
    /// The reason why it could not be handled.
    pub reason: String,
}

/// The client of queues: sends messages, and parks those that cannot be handled.
#[derive(Debug, Clone)]
pub struct Queues {
    /// SQS's client.
    pub sqs: aws_sdk_sqs::Client,
    /// The events queue, which takes what the notifier is to do or to tell.
    pub events: QueueUrl,
}

impl Queues {
    /// Sends a JSON body; returns once SQS has it.
    pub async fn send(&self, queue: &QueueUrl, body: &impl Serialize) -> Result<(), AwsError> {
        self.send_later(queue, body, 0).await
    }

    /// Sends a JSON body that arrives `delay` seconds later, at most
    /// [900](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
    pub async fn send_later(
        &self,
        queue: &QueueUrl,
        body: &impl Serialize,
        seconds: u32,
    ) -> Result<(), AwsError> {
        let body = serde_json::to_string(body).map_err(|error| {
            AwsError::other("sqs:SendMessage", "Unserializable", error.to_string())
        })?;
        let send = self
            .sqs
            .send_message()
            .queue_url(queue.as_str())
            .message_body(body);
        let sent = send
            .delay_seconds(seconds.min(900).cast_signed())
            .send()
            .boxed()
            .await;
        sent.map(drop)
            .map_err(|error| AwsError::from_sdk("sqs:SendMessage", error))
    }

    /// Deletes a message. A receipt handle that has expired, or of a message that is gone, is
    /// no error: redelivery finds nothing left to do.
    pub async fn delete(&self, queue: &str, receipt_handle: &str) -> Result<(), AwsError> {
        let deleted = self
            .sqs
            .delete_message()
            .queue_url(queue)
            .receipt_handle(receipt_handle)
            .send()
            .boxed()
            .await;
        match deleted.map_err(|error| AwsError::from_sdk("sqs:DeleteMessage", error)) {
            Err(error)
                if matches!(
                    error.code.as_str(),
                    "ReceiptHandleIsInvalid" | "InvalidParameterValue"
                ) =>
            {
                tracing::warn!(%error, "the message's receipt handle has expired");
                Ok(())
            }
            deleted => deleted.map(drop),
        }
    }

    /// About how many messages wait in a queue.
    pub async fn waiting(&self, queue: &QueueUrl) -> Result<u64, AwsError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(queue.as_str())
            .attribute_names(name.clone())
            .send()
            .boxed()
            .await;
        let answer = answer.map_err(|error| AwsError::from_sdk("sqs:GetQueueAttributes", error))?;
        let waiting = answer
            .attributes
            .and_then(|attributes| attributes.get(&name)?.parse().ok());
        waiting.ok_or_else(|| {
            AwsError::other(
                "sqs:GetQueueAttributes",
                "NoCount",
                "SQS did not say how many wait",
            )
        })
    }

    /// Handles a batch from `queue`. Returns the ids of the messages that stay in it. They come back after 2,
    /// 4, 8 … seconds, by the number of their deliveries; sooner where they only wait for another process.
    pub async fn handle_batch<H: QueueHandler>(
        &self,
        queue: &QueueUrl,
        handler: &H,
        messages: &[QueueMessage],
    ) -> Vec<String> {
        let handled = messages.iter().map(|message| async move {
            let span =
                tracing::info_span!("message", request_id = message.id, queue = queue.name());
            let disposition = isolated(handler.handle(message)).instrument(span).await;
            let pause = pause(&disposition, message.receive_count);
            let stays = match disposition {
                Disposition::Done => {
                    message.measure_age(queue);
                    false
                }
                Disposition::Retry(reason) | Disposition::Wait(reason)
                    if message.receive_count < MAX_RECEIVES =>
                {
                    tracing::warn!(
                        queue = queue.name(),
                        message_id = message.id,
                        reason,
                        "retrying a message"
                    );
                    true
                }
                Disposition::Retry(reason) | Disposition::Wait(reason) => {
                    let reason = format!("{reason} (after {} deliveries)", message.receive_count);
                    !self.try_park(queue, message, &reason).await
                }
                Disposition::Park(reason) => !self.try_park(queue, message, &reason).await,
            };
            stays.then_some((message, pause))
        });
        let stay: Vec<_> = join_all(handled).await.into_iter().flatten().collect();
        let pauses = stay
            .iter()
            .map(|(message, pause)| self.come_back(queue, message, *pause));
        for error in join_all(pauses).await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, queue = queue.name(), "a message comes back no sooner than it would by itself");
        }
        stay.into_iter()
            .map(|(message, _)| message.id.clone())
            .collect()
    }

    /// Makes a message that is still in its queue visible again, in so many seconds.
    pub async fn come_back(
        &self,
        queue: &QueueUrl,
        message: &QueueMessage,
        seconds: i32,
    ) -> Result<(), AwsError> {
        let changed = self
            .sqs
            .change_message_visibility()
            .queue_url(queue.as_str())
            .receipt_handle(&message.receipt_handle)
            .visibility_timeout(seconds)
            .send()
            .boxed()
            .await;
        changed
            .map(drop)
            .map_err(|error| AwsError::from_sdk("sqs:ChangeMessageVisibility", error))
    }

    /// Parks a message. Returns whether that succeeded.
    async fn try_park(&self, queue: &QueueUrl, message: &QueueMessage, reason: &str) -> bool {
        let parked = self.park(queue, message, reason).await;
        if let Err(error) = &parked {
            tracing::error!(queue = queue.name(), message_id = message.id, %error, "cannot park a message");
        }
        parked.is_ok()
    }

    /// Sends a notice, then moves a message to the dead-letter queue of `queue`, with the reason and its
    /// first id as attributes. In this order no message is parked of which people are not told. They are told
    /// once, also where it takes several attempts.
    pub async fn park(
        &self,
        queue: &QueueUrl,
        message: &QueueMessage,
        reason: &str,
    ) -> Result<(), AwsError> {
        tracing::error!(
            queue = queue.name(),
            message_id = message.id,
            reason,
            "parking a message"
        );
        let notice = Parked {
            queue: queue.name().to_owned(),
            message_id: message.original_id.as_ref().unwrap_or(&message.id).clone(),
            parked_as: message.original_id.as_ref().map(|_| message.id.clone()),
            reason: reason.to_owned(),
        };
        self.send(&self.events, &notice).await?;
        let parked = self
            .sqs
            .send_message()
            .queue_url(queue.dead_letters().as_str())
            .message_body(&message.body)
            .message_attributes(REASON, attribute(&crate::text::cut(reason, 1000)))
            .message_attributes(
                ORIGINAL_ID,
                attribute(message.original_id.as_ref().unwrap_or(&message.id)),
            );
        parked
            .send()
            .boxed()
            .await
            .map(drop)
            .map_err(|error| AwsError::from_sdk("sqs:SendMessage", error))
    }
}

impl QueueMessage {
    /// Measures how long the message had waited until it was handled.
    pub(crate) fn measure_age(&self, queue: &QueueUrl) {
        self.sent_at
            .iter()
            .for_each(|sent_at| metrics::measure_age(queue.name(), *sent_at));
    }
}

/// The pause before a message comes back that has been delivered so often. Seconds.
fn pause(disposition: &Disposition, receive_count: u32) -> i32 {
    let is_soon = matches!(disposition, Disposition::Wait(_)) && receive_count <= WAITS;
    let longest = if is_soon {
        LONGEST_WAIT
    } else {
        LONGEST_BACKOFF
    };
    2_i32.saturating_pow(receive_count).min(longest)
}

/// Keeps the panic of a handler to its message, so that the rest of the batch is handled. Handlers share
/// clients, and small states whose locks nothing panics with.
async fn isolated(handled: impl Future<Output = Disposition>) -> Disposition {
    let handled = AssertUnwindSafe(handled).catch_unwind().await;
    handled.unwrap_or_else(|_| {
        Disposition::Retry("the handler panicked, its log says where".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_url_knows_its_name_and_dead_letters() {
        let queue: QueueUrl = "https://sqs.us-east-1.amazonaws.com/123456789012/events"
            .parse()
            .unwrap();
        assert_eq!(queue.name(), "events");
        assert_eq!(queue.dead_letters().name(), "events-dead-letters");
        for text in [
            "",
            "events",
            "https://sqs.us-east-1.amazonaws.com/",
            "ftp://x/y",
        ] {
            assert!(text.parse::<QueueUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_outage_of_an_hour_parks_nothing() {
        let wait = Disposition::Wait("somebody else is editing the message".to_owned());
        for disposition in [Disposition::Retry("Slack is down".to_owned()), wait.clone()] {
            let pauses: i32 = (1..MAX_RECEIVES)
                .map(|receives| pause(&disposition, receives))
                .sum();
            assert!(pauses > 3600, "{disposition:?}: {pauses} s");
        }
        assert_eq!(
            pause(&wait, WAITS),
            LONGEST_WAIT,
            "a dead process is noticed soon"
        );
        assert_eq!(pause(&wait, WAITS + 1), LONGEST_BACKOFF);
    }

    struct PanicsAt(&'static str);

    impl QueueHandler for PanicsAt {
        async fn handle(&self, message: &QueueMessage) -> Disposition {
            assert_ne!(message.id, self.0);
            Disposition::Done
        }
    }

    #[tokio::test]
    async fn a_panic_costs_none_of_the_batch() {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version_latest()
            .build();
        let events: QueueUrl = "http://localhost:1/1/events".parse().unwrap();
        let queues = Queues {
            sqs: aws_sdk_sqs::Client::from_conf(config),
            events,
        };
        let message = |id: &str| QueueMessage {
            id: id.to_owned(),
            original_id: None,
            body: String::new(),
            sent_at: None,
            receive_count: 1,
            receipt_handle: String::new(),
        };
        let batch = ["a", "poisoned", "b"].map(message);
        let stay = queues
            .handle_batch(&queues.events, &PanicsAt("poisoned"), &batch)
            .await;
        assert_eq!(stay, ["poisoned"]);
    }
}
