//! Receiving from queues.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use futures::FutureExt;
use jiff::Timestamp;

use super::{QueueMessage, QueueUrl, Queues};
use crate::aws::AwsError;
use crate::queue::dead_letters::ORIGINAL_ID;

/// How messages are received from a queue.
#[derive(Debug, Clone, Copy)]
pub struct Receive {
    /// The most messages: SQS gives ten.
    pub at_most: i32,
    /// How long to wait for the first. Seconds; a long poll asks all of SQS's servers, where a short
    /// one may miss the few messages that there are.
    pub wait: i32,
    /// How long nobody else sees them. Seconds; the queue's own where absent.
    pub visibility: Option<i32>,
}

impl From<&Message> for QueueMessage {
    /// A message that was received with its `ApproximateReceiveCount`.
    fn from(message: &Message) -> Self {
        let count = MessageSystemAttributeName::ApproximateReceiveCount;
        let received = message
            .attributes()
            .and_then(|attributes| attributes.get(&count)?.parse().ok());
        Self {
            id: message.message_id().unwrap_or_default().to_owned(),
            original_id: message
                .message_attributes()
                .and_then(|attributes| attributes.get(ORIGINAL_ID)?.string_value())
                .map(str::to_owned),
            body: message.body().unwrap_or_default().to_owned(),
            sent_at: sent_at(message),
            receive_count: received.unwrap_or(1),
            receipt_handle: message.receipt_handle().unwrap_or_default().to_owned(),
        }
    }
}

/// When a message that was received with its `SentTimestamp` was sent.
pub fn sent_at(message: &Message) -> Option<Timestamp> {
    let sent = message
        .attributes()?
        .get(&MessageSystemAttributeName::SentTimestamp)?;
    Timestamp::from_millisecond(sent.parse().ok()?).ok()
}

impl Queues {
    /// Receives messages, each with all that [`QueueMessage`] and [`sent_at`] read.
    pub async fn receive(&self, queue: &QueueUrl, how: Receive) -> Result<Vec<Message>, AwsError> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(queue.as_str())
            .max_number_of_messages(how.at_most)
            .wait_time_seconds(how.wait)
            .set_visibility_timeout(how.visibility)
            .message_attribute_names(ORIGINAL_ID)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .boxed()
            .await;
        let received = received.map_err(|error| AwsError::from_sdk("sqs:ReceiveMessage", error))?;
        Ok(received.messages.unwrap_or_default())
    }
}
