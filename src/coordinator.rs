//! The coordinator: sends requests to their remediators, at once for people (fix queue) and on
//! schedule for auto-response (remediation queue).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use jiff::Timestamp;

use crate::aws::AwsError;
use crate::finding::auto_response::{Hold, Switch};
use crate::finding::table::{Table, TableError};
use crate::finding::{Finding, State, StateName};
use crate::ids::{AccountId, FindingId};
use crate::notice::Notice;
use crate::queue::{Disposition, QueueHandler, QueueMessage, QueueUrl, Queues, parse_body};
use crate::remediation::{RemediationRequest, RemediationTask, RemediatorKind, ViolationType};
use crate::schedule::ScheduledRule;

/// What the coordinator calls beside the table's actions.
pub const ACTIONS: &[&str] = &[
    "events:DisableRule",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
];

/// While a remediator is at it, its request stays in the queue, unseen. Seconds.
const VISIBILITY: i32 = 180;

/// The coordinator function.
#[derive(Debug, Clone)]
pub struct Coordinator {
    /// All that it sends and receives.
    pub queues: Queues,
    /// Violations that wait for auto-response.
    pub remediation_queue: QueueUrl,
    /// The security-group remediator's queue.
    pub security_group_queue: QueueUrl,
    /// The bucket remediator's queue.
    pub s3_bucket_queue: QueueUrl,
    /// Findings, and what people want of auto-response.
    pub table: Table,
    /// The switch that AWS obeys.
    pub schedule: ScheduledRule,
    /// The most requests that one run passes on before it asks.
    pub blast_radius: u32,
    /// The account of requests that name none.
    pub home: AccountId,
}

/// Why a run did not happen, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The wanted state cannot be read, or a finding.
    #[error(transparent)]
    Table(#[from] TableError),
    /// AWS.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// How a scheduled run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// The queue is empty, or time is up.
    Drained {
        /// How many requests were passed on.
        dispatched: u32,
    },
    /// The cap was reached; people have been asked.
    Held {
        /// How many requests were passed on.
        dispatched: u32,
    },
    /// An earlier run's question has not been answered.
    Waiting,
    /// "Off" is recorded; the rule was switched off again.
    SwitchedBack,
}

impl QueueHandler for Coordinator {
    /// A person's fix goes on at once, whatever the state of auto-response.
    async fn handle(&self, message: &QueueMessage) -> Disposition {
        let request: RemediationRequest = match parse_body("remediation request", message) {
            Ok(request) => request,
            Err(park) => return park,
        };
        let task = RemediationTask { sqs_url: None, receipt_handle: None, message_body: request };
        match self.dispatch(&task).await {
            Ok(()) => Disposition::Done,
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

impl Coordinator {
    /// A scheduled run: drains the remediation queue for at most `budget`. When the wanted state
    /// cannot be read, nothing is done.
    pub async fn run(&self, budget: Duration) -> Result<Run, CoordinatorError> {
        let deadline = Instant::now() + budget;
        let recorded = self.table.auto_response().await?;
        if let Some(off) = recorded.wanted.filter(|wanted| wanted.switch == Switch::Off) {
            self.schedule.set(Switch::Off).await?;
            let notice = Notice::SwitchedBack { at: Timestamp::now(), off_by: off.by, off_since: off.at };
            self.queues.send(&self.queues.events, &notice).await?;
            return Ok(Run::SwitchedBack);
        }
        if recorded.hold.is_some() {
            return Ok(Run::Waiting);
        }
        self.drain(deadline).await
    }

    async fn drain(&self, deadline: Instant) -> Result<Run, CoordinatorError> {
        let (mut dispatched, mut seen) = (0, HashSet::new());
        while Instant::now() < deadline {
            let room = self.blast_radius - dispatched;
            if room == 0 {
                return self.hold(dispatched).await;
            }
            let messages = self.receive(room).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                dispatched += u32::from(self.pass_on(&message, &mut seen).await?);
            }
        }
        Ok(Run::Drained { dispatched })
    }

    async fn receive(&self, room: u32) -> Result<Vec<Message>, AwsError> {
        let received = self
            .queues
            .sqs
            .receive_message()
            .queue_url(self.remediation_queue.as_str())
            .max_number_of_messages(room.min(10).cast_signed())
            .visibility_timeout(VISIBILITY)
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await;
        let received = received.map_err(|error| AwsError::from_sdk("sqs:ReceiveMessage", error))?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Passes one request on; whether it was. What cannot be read is parked, and the rest of the
    /// batch goes on.
    async fn pass_on(
        &self,
        message: &Message,
        seen: &mut HashSet<(FindingId, ViolationType)>,
    ) -> Result<bool, CoordinatorError> {
        let queue = &self.remediation_queue;
        let receipt_handle = message.receipt_handle().unwrap_or_default();
        let own = QueueMessage {
            id: message.message_id().unwrap_or_default().to_owned(),
            body: message.body().unwrap_or_default().to_owned(),
            receive_count: 1,
        };
        let request: RemediationRequest = match serde_json::from_str(&own.body) {
            Ok(request) => request,
            Err(error) => {
                self.queues.park(queue, &own, &format!("not a remediation request: {error}")).await?;
                self.queues.delete(queue.as_str(), receipt_handle).await?;
                return Ok(false);
            }
        };
        let finding = request.finding(&self.home);
        let skip = match self.table.get(&finding).await? {
            _ if !seen.insert((finding.clone(), request.violation_type)) => {
                Some("it has just been passed on")
            }
            Some(record) => why_skip(&record.finding, sent_at(message), Timestamp::now()),
            None => None,
        };
        if let Some(reason) = skip {
            tracing::info!(finding_id = %finding, reason, "skipped a request");
            self.queues.delete(queue.as_str(), receipt_handle).await?;
            return Ok(false);
        }
        let task = RemediationTask {
            sqs_url: Some(queue.to_string()),
            receipt_handle: Some(receipt_handle.to_owned()),
            message_body: request,
        };
        self.dispatch(&task).await?;
        Ok(true)
    }

    async fn dispatch(&self, task: &RemediationTask) -> Result<(), AwsError> {
        let queue = match task.message_body.violation_type.remediator() {
            RemediatorKind::SecurityGroup => &self.security_group_queue,
            RemediatorKind::S3Bucket => &self.s3_bucket_queue,
        };
        self.queues.send(queue, task).await?;
        tracing::info!(
            resource = %task.message_body.target_resource_id,
            violation_type = %task.message_body.violation_type,
            requested_by = task.message_body.requested_by,
            "dispatched"
        );
        Ok(())
    }

    /// The cap is reached: asks people, if anything is left to ask about.
    async fn hold(&self, dispatched: u32) -> Result<Run, CoordinatorError> {
        let waiting = self.queues.waiting(&self.remediation_queue).await?;
        if waiting == 0 {
            return Ok(Run::Drained { dispatched });
        }
        let hold = Hold { at: Timestamp::now(), dispatched };
        if self.table.hold(&hold).await? {
            let notice = Notice::Held { at: hold.at, dispatched, waiting };
            self.queues.send(&self.queues.events, &notice).await?;
        }
        Ok(Run::Held { dispatched })
    }
}

/// Why auto-response leaves a finding alone, if it does.
fn why_skip(finding: &Finding, sent_at: Option<Timestamp>, now: Timestamp) -> Option<&'static str> {
    match &finding.state {
        State::Ignored { .. } if finding.state_name(now) == StateName::Ignored => Some("it is ignored"),
        State::Fixed { at, .. } if sent_at.is_some_and(|sent_at| sent_at <= *at) => {
            Some("it was fixed after this was sent")
        }
        State::Open { .. } | State::Fixing { .. } | State::Fixed { .. } | State::Ignored { .. } => None,
    }
}

fn sent_at(message: &Message) -> Option<Timestamp> {
    let sent = message.attributes()?.get(&MessageSystemAttributeName::SentTimestamp)?;
    Timestamp::from_millisecond(sent.parse().ok()?).ok()
}
