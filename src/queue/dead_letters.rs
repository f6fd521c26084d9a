//! Dead letters: what nobody could handle, why, and back into its queue.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use futures::FutureExt;
use tokio::time::timeout_at;

use crate::aws::AwsError;
use crate::ids::MessageId;
use crate::queue::{QueueUrl, Queues};

/// The attribute of a parked message that says why.
pub const REASON: &str = "reason";

/// The attribute with the id that the message had when it was first sent.
pub const ORIGINAL_ID: &str = "originalMessageId";

/// The AWS actions of listing and retrying dead letters.
pub const ACTIONS: &[&str] = &["sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"];

/// How long a listed dead letter is invisible: not at all, so that a retry or a discard finds what the list shows.
const LISTED: i32 = 0;

/// How long a dead letter is invisible that is being retried, so that the next look finds others. Seconds.
const RETRYING: i32 = 5;

/// The same of one that is looked at, and is to be seen again by the next person who looks. Seconds.
const LOOKED_AT: i32 = 2;

/// A long poll asks all of SQS's servers: a short one may miss the few that there are. Seconds.
const LONG_POLL: i32 = 1;

/// How long the last step of a retry may take after its end.
const GRACE: Duration = Duration::from_millis(500);

/// A message in a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id that it had when it was first sent.
    pub id: String,
    /// The reason why it was parked.
    pub reason: String,
    /// The message itself.
    pub body: String,
    receipt_handle: String,
}

/// The result of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// SQS showed no more.
    OfAll,
    /// Time was up: there may be more, of which some cannot be seen for a few seconds.
    OfSome,
}

impl From<Message> for DeadLetter {
    fn from(message: Message) -> Self {
        let attribute = |name: &str| {
            let value = message
                .message_attributes()
                .and_then(|attributes| attributes.get(name)?.string_value());
            value.map(str::to_owned)
        };
        // A message that SQS has moved by itself has no reason with it.
        let by_sqs = || {
            "SQS set it aside: it was delivered many times, and each time the function ended before it could say why"
                .to_owned()
        };
        Self {
            id: attribute(ORIGINAL_ID)
                .or(message.message_id.clone())
                .unwrap_or_default(),
            reason: attribute(REASON).unwrap_or_else(by_sqs),
            body: message.body.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
        }
    }
}

/// A text attribute of a message.
pub fn attribute(text: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(text);
    value.build().expect("an attribute with a type is complete")
}

impl Queues {
    /// Some dead letters of `queue`, at most ten. One that was parked twice, because nobody heard that it
    /// was parked, is one.
    pub async fn dead_letters(&self, queue: &QueueUrl) -> Result<Vec<DeadLetter>, AwsError> {
        let mut letters = self.receive_dead_letters(queue, LISTED, LONG_POLL).await?;
        let mut seen = HashSet::new();
        letters.retain(|letter| seen.insert(letter.id.clone()));
        Ok(letters)
    }

    /// Sends the dead letters of `queue` back until some time, each to where `route` says and under its
    /// first id; returns how many, and how that ended. Giving up between the two steps sends one twice at
    /// the next retry, which does no harm.
    pub async fn retry_dead_letters(
        &self,
        queue: &QueueUrl,
        route: impl Fn(String) -> (QueueUrl, String),
        until: Instant,
    ) -> (usize, Result<Retry, AwsError>) {
        let mut sent_back = 0;
        let sending = self.send_back(queue, route, until, &mut sent_back);
        let ended = timeout_at((until + GRACE).into(), sending).await;
        let slow = || {
            AwsError::transient(
                "the retry of dead letters",
                None,
                "SQS does not answer in time",
            )
        };
        (sent_back, ended.unwrap_or_else(|_| Err(slow())))
    }

    async fn send_back(
        &self,
        queue: &QueueUrl,
        route: impl Fn(String) -> (QueueUrl, String),
        until: Instant,
        sent_back: &mut usize,
    ) -> Result<Retry, AwsError> {
        let mut seen = HashSet::new();
        let mut poll = LONG_POLL;
        while Instant::now() < until {
            let mut letters = self.receive_dead_letters(queue, RETRYING, poll).await?;
            poll = 0;
            // What is here again already has failed again.
            letters.retain(|letter| seen.insert(letter.id.clone()));
            if letters.is_empty() {
                return Ok(Retry::OfAll);
            }
            for letter in letters {
                if Instant::now() >= until {
                    return Ok(Retry::OfSome);
                }
                let (target, body) = route(letter.body);
                let sent = self
                    .sqs
                    .send_message()
                    .queue_url(target.as_str())
                    .message_body(body)
                    .message_attributes(ORIGINAL_ID, attribute(&letter.id));
                sent.send()
                    .boxed()
                    .await
                    .map_err(|error| AwsError::from_sdk("sqs:SendMessage", error))?;
                *sent_back += 1;
                self.delete(queue.dead_letters().as_str(), &letter.receipt_handle)
                    .await?;
            }
        }
        Ok(Retry::OfSome)
    }

    /// The dead letters of `queue` with an id, as far as they are seen before `until`: one that was parked twice,
    /// because nobody heard that it was parked, is two. Others that are looked at are invisible for a moment.
    pub async fn find_dead_letters(
        &self,
        queue: &QueueUrl,
        id: &MessageId,
        until: Instant,
    ) -> Result<Vec<DeadLetter>, AwsError> {
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        while Instant::now() < until {
            let letters = self
                .receive_dead_letters(queue, LOOKED_AT, LONG_POLL)
                .await?;
            let before = seen.len();
            for letter in letters {
                let is_new = seen.insert(letter.receipt_handle.clone());
                if is_new && letter.id == id.as_str() {
                    found.push(letter);
                }
            }
            if seen.len() == before || !found.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// Deletes a dead letter of `queue` that was found.
    pub async fn discard(&self, queue: &QueueUrl, letter: &DeadLetter) -> Result<(), AwsError> {
        self.delete(queue.dead_letters().as_str(), &letter.receipt_handle)
            .await
    }

    async fn receive_dead_letters(
        &self,
        queue: &QueueUrl,
        visibility: i32,
        poll: i32,
    ) -> Result<Vec<DeadLetter>, AwsError> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(queue.dead_letters().as_str())
            .max_number_of_messages(10)
            .visibility_timeout(visibility)
            .wait_time_seconds(poll)
            .message_attribute_names("All")
            .send()
            .boxed()
            .await;
        let received = received.map_err(|error| AwsError::from_sdk("sqs:ReceiveMessage", error))?;
        Ok(received
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(DeadLetter::from)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_keeps_its_first_id_and_its_reason() {
        let parked = Message::builder()
            .message_id("second")
            .message_attributes(ORIGINAL_ID, attribute("first"))
            .message_attributes(REASON, attribute("not json"));
        let letter = DeadLetter::from(parked.build());
        assert_eq!(
            (letter.id.as_str(), letter.reason.as_str()),
            ("first", "not json")
        );
        let redriven = DeadLetter::from(Message::builder().message_id("only").build());
        assert_eq!(
            (redriven.id.as_str(), redriven.reason.as_str()),
            (
                "only",
                "SQS set it aside: it was delivered many times, and each time the function ended before it could say why"
            )
        );
    }
}
