//! The coordinator: sends requests to their remediators, at once for people (fix queue) and on
//! schedule for auto-response (remediation queue).

mod decision;

use std::collections::HashMap;

use aws_sdk_sqs::types::Message;
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument;

pub use decision::{Decider, Next};

use crate::aws::AwsError;
use crate::finding::Actor;
use crate::finding::auto_response::{Hold, Switch, Wanted};
use crate::finding::table::{Table, TableError};
use crate::ids::{AccountId, FindingId};
use crate::notice::Notice;
use crate::queue::{
    Disposition, LOOKED_AT_RECEIVES, QueueHandler, QueueMessage, QueueUrl, Queues, Receive, parse_body,
    sent_at,
};
use crate::remediation::{RemediationRequest, RemediationTask, RemediatorKind, ViolationType};
use crate::schedule::ScheduledRule;

/// What the coordinator calls beside the table's actions.
pub const ACTIONS: &[&str] = &[
    "events:DescribeRule",
    "events:DisableRule",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
];

/// While a remediator is at it, its request stays in the queue, unseen. Seconds.
const VISIBILITY: i32 = 180;

/// Recording "off" and disabling the rule are two calls; in between they may disagree.
const SWITCHING: SignedDuration = SignedDuration::from_secs(5);

/// What a run has passed on, when, and by which message. That message itself is left when it comes
/// again, as a queue may deliver it twice and its remediator may yet need it; another that says the
/// same is let go, unless it was sent after that.
type PassedOn = HashMap<(FindingId, ViolationType), (Timestamp, Option<String>)>;

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
    /// What becomes of a request.
    pub decider: Decider,
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
    /// "Off" is recorded.
    Off,
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
        match self.pass_on_for_a_person(request).await {
            Ok(()) => Disposition::Done,
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

impl Coordinator {
    /// A person's request, if its finding still waits for it. What an undo puts back comes from
    /// the finding, not from whoever may send to the queue.
    async fn pass_on_for_a_person(&self, mut request: RemediationRequest) -> Result<(), CoordinatorError> {
        if request.asked_at.is_some() || !request.undo.is_empty() {
            let id = request.finding(&self.home);
            let finding = self.table.get(&id).await?.map(|record| record.finding);
            let Some(finding) = finding.filter(|finding| finding.waits_for(&request, &self.home)) else {
                crate::decision::line(
                    Some(&id),
                    &Actor::of(&request),
                    "letGo",
                    "nobody waits for it any more",
                );
                return Ok(());
            };
            if !request.undo.is_empty() {
                request.undo = finding.removed;
            }
        }
        let task = RemediationTask { sqs_url: None, receipt_handle: None, message_body: request };
        Ok(self.dispatch(&task).await?)
    }

    /// A scheduled run: drains the remediation queue while `may_go_on`. When the wanted state
    /// cannot be read, nothing is done.
    pub async fn run(&self, may_go_on: impl Fn() -> bool) -> Result<Run, CoordinatorError> {
        let (mut dispatched, mut passed_on) = (0, HashMap::new());
        while may_go_on() {
            // Read every time: "off" stops a run that has begun.
            let recorded = self.table.auto_response().await?;
            if let Some(off) = recorded.wanted.filter(|wanted| wanted.switch == Switch::Off) {
                return self.stay_off(off).await;
            }
            if let Some(hold) = recorded.hold {
                self.ask(&hold).await?;
                return Ok(Run::Waiting);
            }
            let room = self.blast_radius - dispatched;
            if room == 0 {
                return self.hold(dispatched).await;
            }
            let at_most = room.min(10).cast_signed();
            let how = Receive { at_most, wait: 1, visibility: Some(VISIBILITY) };
            let messages = self.queues.receive(&self.remediation_queue, how).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let span = tracing::info_span!("message", request_id = message.message_id());
                dispatched += u32::from(self.pass_on(&message, &mut passed_on).instrument(span).await?);
            }
        }
        Ok(Run::Drained { dispatched })
    }

    /// "Off" is recorded. A rule that is on all the same was switched on by somebody else, unless
    /// it is just being switched off; a late trigger of a rule that is off means nothing.
    async fn stay_off(&self, off: Wanted) -> Result<Run, CoordinatorError> {
        let now = Timestamp::now();
        if now.duration_since(off.at) < SWITCHING || self.schedule.state().await? == Switch::Off {
            return Ok(Run::Off);
        }
        self.schedule.set(Switch::Off).await?;
        let detail = "somebody else had switched the schedule on";
        crate::decision::line(None, &Actor::AutoResponse, "switchedBack", detail);
        let notice = Notice::SwitchedBack { at: now, off_by: off.by, off_since: off.at };
        self.queues.send(&self.queues.events, &notice).await?;
        Ok(Run::SwitchedBack)
    }

    /// Passes one request on; whether it was. What cannot be read is parked, and the rest of the
    /// batch goes on.
    async fn pass_on(&self, message: &Message, passed_on: &mut PassedOn) -> Result<bool, CoordinatorError> {
        let queue = &self.remediation_queue;
        let receipt_handle = message.receipt_handle().unwrap_or_default();
        let own = QueueMessage::from(message);
        let request: RemediationRequest = match serde_json::from_str(&own.body) {
            Ok(RemediationRequest { undo, .. }) if !undo.is_empty() => {
                return self.park(&own, receipt_handle, "only people may undo, and not by this queue").await;
            }
            // Here nobody is asked for: whoever may send must not speak in a person's name.
            Ok(request) if own.receive_count <= LOOKED_AT_RECEIVES => request,
            Ok(_) => return self.park(&own, receipt_handle, "its remediation keeps failing").await,
            Err(error) => {
                return self.park(&own, receipt_handle, &format!("not a remediation request: {error}")).await;
            }
        };
        let request = RemediationRequest { requested_by: None, asked_at: None, ..request };
        let (now, key) = (Timestamp::now(), (request.finding(&self.home), request.violation_type));
        let next = match passed_on.get(&key) {
            Some((_, passed_on)) if passed_on.as_deref() == message.message_id() => Next::Leave,
            Some((at, _)) if sent_at(message).is_some_and(|sent_at| sent_at <= *at) => {
                Next::LetGo("another that says the same has just been passed on")
            }
            _ => self.decider.decide(&request, sent_at(message), now).await?,
        };
        match next {
            Next::PassOn => {}
            Next::LetGo(reason) => {
                crate::decision::line(Some(&key.0), &Actor::of(&request), "letGo", reason);
                self.queues.delete(queue.as_str(), receipt_handle).await?;
                own.measure_age(queue);
                return Ok(false);
            }
            Next::Leave => return Ok(false),
        }
        passed_on.insert(key, (now, message.message_id().map(str::to_owned)));
        let task = RemediationTask {
            sqs_url: Some(queue.to_string()),
            receipt_handle: Some(receipt_handle.to_owned()),
            message_body: request,
        };
        self.dispatch(&task).await?;
        own.measure_age(queue);
        Ok(true)
    }

    async fn park(
        &self,
        message: &QueueMessage,
        receipt_handle: &str,
        reason: &str,
    ) -> Result<bool, CoordinatorError> {
        self.queues.park(&self.remediation_queue, message, reason).await?;
        self.queues.delete(self.remediation_queue.as_str(), receipt_handle).await?;
        Ok(false)
    }

    async fn dispatch(&self, task: &RemediationTask) -> Result<(), AwsError> {
        let queue = match task.message_body.violation_type.remediator() {
            RemediatorKind::SecurityGroup => &self.security_group_queue,
            RemediatorKind::S3Bucket => &self.s3_bucket_queue,
        };
        self.queues.send(queue, task).await?;
        let request = &task.message_body;
        let (finding, by) = (request.finding(&self.home), Actor::of(request));
        crate::decision::line(Some(&finding), &by, "dispatched", request.violation_type);
        Ok(())
    }

    /// The cap is reached: asks people, if anything is left to ask about.
    async fn hold(&self, dispatched: u32) -> Result<Run, CoordinatorError> {
        if self.queues.waiting(&self.remediation_queue).await? == 0 {
            return Ok(Run::Drained { dispatched });
        }
        let hold = Hold { at: Timestamp::now(), dispatched };
        if self.table.hold(&hold).await? {
            let detail = format!("{dispatched} requests in one run: people are asked whether to go on");
            crate::decision::line(None, &Actor::AutoResponse, "held", detail);
            self.ask(&hold).await?;
        }
        Ok(Run::Held { dispatched })
    }

    /// Asks people, unless they have been: whoever recorded the hold may have died before.
    async fn ask(&self, hold: &Hold) -> Result<(), CoordinatorError> {
        if self.table.is_posted(&Notice::held_key(hold.at)).await? {
            return Ok(());
        }
        let waiting = self.queues.waiting(&self.remediation_queue).await?;
        let notice = Notice::Held { at: hold.at, dispatched: hold.dispatched, waiting };
        Ok(self.queues.send(&self.queues.events, &notice).await?)
    }
}
