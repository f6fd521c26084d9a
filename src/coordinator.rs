//! The coordinator: sends requests to their remediators, at once for people (fix queue) and on
//! schedule for auto-response (remediation queue).

mod decision;
mod drain;
mod hold;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::Message;
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument;

pub use decision::{CONTESTED, Decider, Next, next};

use self::drain::Drain;
use crate::aws::AwsError;
use crate::clock::Clock;
use crate::contracts::Switch;
use crate::contracts::notice::Notice;
use crate::contracts::{Arriving, RemediationReport, RemediationRequest, RemediationTask};
use crate::controls::{Service, ViolationType};
use crate::finding::Actor;
use crate::finding::auto_response::{AutoResponse, BY_DEPLOYMENT, Wanted};
use crate::ids::{AccountId, FindingId};
use crate::queue::{
    Disposition, LOOKED_AT_RECEIVES, QueueHandler, QueueMessage, QueueUrl, Queues, Receive, sent_at,
};
use crate::schedule::ScheduledRule;
use crate::store::{Table, TableError};

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
    /// The remediators' queues.
    pub remediator_queues: BTreeMap<Service, QueueUrl>,
    /// Findings, and what people want of auto-response.
    pub table: Table,
    /// The switch that AWS obeys.
    pub schedule: ScheduledRule,
    /// The most requests that one run passes on before it asks.
    pub blast_radius: u32,
    /// What was deployed: it counts until somebody says otherwise.
    pub deployed: Switch,
    /// The clock.
    pub clock: Clock,
    /// The account of requests that name none.
    pub home: AccountId,
    /// Decides about each request.
    pub decider: Decider,
}

/// The reason why a run did not happen, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The record of auto-response, or a finding, cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// AWS refused a call, or did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// The result of a scheduled run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// The queue is empty, or time is up.
    Drained {
        /// The number of requests that were passed on.
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
    /// Passes a person's request on at once, whatever the state of auto-response.
    async fn handle(&self, message: &QueueMessage) -> Disposition {
        let request = match RemediationRequest::read(&message.body, &self.home) {
            Ok(request) => request,
            Err(error) => return Disposition::Park(format!("not a remediation request: {error}")),
        };
        let id = match request.finding() {
            Ok(id) => id,
            Err(foreign) => return Disposition::Park(foreign.to_string()),
        };
        match self.pass_on_for_a_person(id, request).await {
            Ok(()) => Disposition::Done,
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

impl Coordinator {
    /// Passes a person's request on, if its finding still waits for it. A request that names no plan is not
    /// passed on: the finding shows the plan, and asks. What an undo puts back is taken from the finding, not
    /// from the message.
    async fn pass_on_for_a_person(
        &self,
        id: FindingId,
        mut request: RemediationRequest,
    ) -> Result<(), CoordinatorError> {
        let let_go = |request: &RemediationRequest, why: &str| {
            crate::finding::decision::line(Some(&id), &Actor::of(request), "letGo", why);
        };
        if request.plan.is_none() {
            let_go(&request, "it does not say which plan was agreed to");
            let report = RemediationReport::without_plan("coordinator", request, self.clock.now());
            return Ok(self.queues.send(&self.queues.events, &report).await?);
        }
        let finding = self.table.get(&id).await?.map(|record| record.finding);
        let Some(finding) = finding.filter(|finding| finding.waits_for(&request)) else {
            let_go(&request, "nobody waits for it any more");
            return Ok(());
        };
        if !request.undo.is_empty() {
            request.undo = finding.to_put_back();
        }
        let task = RemediationTask {
            sqs_url: None,
            receipt_handle: None,
            message_body: request,
        };
        Ok(self.dispatch(&id, &task).await?)
    }

    /// The record of auto-response. Where nobody has said anything, the deployed state is recorded first. A
    /// record that cannot be read counts as "off" (`None`), and no rule is changed.
    async fn recorded(&self) -> Result<Option<AutoResponse>, CoordinatorError> {
        match self.table.auto_response().await {
            Ok(AutoResponse { wanted: None, .. }) => {
                let by = BY_DEPLOYMENT.to_owned();
                let wanted = Wanted {
                    switch: self.deployed,
                    by,
                    at: self.clock.now(),
                };
                if self.table.want_first(&wanted).await? {
                    // The deployment has set the rule. A rule that differs was switched elsewhere.
                    self.table.carried_out(wanted.at).await?;
                }
                Ok(Some(self.table.auto_response().await?))
            }
            Ok(recorded) => Ok(Some(recorded)),
            Err(TableError::Shape(error)) => {
                tracing::error!(%error, "what is wanted of auto-response cannot be read: it counts as off");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A scheduled run: drains the remediation queue while `may_go_on`. Where the record of auto-response
    /// cannot be read, it does nothing.
    pub async fn run(&self, may_go_on: impl Fn() -> bool) -> Result<Run, CoordinatorError> {
        let mut drain = Drain::default();
        while may_go_on() {
            // The record is read for every batch, so that "off" stops a run that has begun.
            let Some(recorded) = self.recorded().await? else {
                return Ok(Run::Off);
            };
            let goes_on = recorded.goes_on(self.clock.now()).cloned();
            let Some(wanted) = recorded.wanted else {
                return Ok(Run::Off);
            };
            if wanted.switch == Switch::Off {
                return self.stay_off(wanted, recorded.carried_out.is_some()).await;
            }
            if recorded.carried_out.is_none() {
                // The process that switched the rule on died before it stored that.
                self.table.carried_out(wanted.at).await?;
            }
            if let Some(hold) = recorded.hold {
                self.ask(&hold).await?;
                return Ok(Run::Waiting);
            }
            drain.read_list(&self.table, goes_on).await?;
            let room = self.blast_radius.saturating_sub(drain.counted);
            if room == 0 && drain.listed.is_empty() {
                return self.hold(&drain).await;
            }
            let at_most = if drain.listed.is_empty() {
                room.min(10)
            } else {
                10
            }
            .cast_signed();
            let how = Receive {
                at_most,
                wait: 1,
                visibility: Some(VISIBILITY),
            };
            let messages = self.queues.receive(&self.remediation_queue, how).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let span = tracing::info_span!("message", request_id = message.message_id());
                self.pass_on(&message, &mut drain).instrument(span).await?;
            }
        }
        if drain.left_over {
            return self.hold(&drain).await;
        }
        Ok(Run::Drained {
            dispatched: drain.dispatched,
        })
    }

    /// Acts on a run while "off" is recorded. An enabled rule was enabled by somebody else, unless it is just
    /// being disabled, or could not be. A disabled rule may have sent a late trigger, which means nothing.
    async fn stay_off(&self, off: Wanted, was_carried_out: bool) -> Result<Run, CoordinatorError> {
        let now = self.clock.now();
        if was_carried_out && now.duration_since(off.at) < SWITCHING {
            return Ok(Run::Off);
        }
        if self.schedule.state().await? == Switch::Off {
            if !was_carried_out {
                self.table.carried_out(off.at).await?;
            }
            return Ok(Run::Off);
        }
        self.schedule.set(Switch::Off).await?;
        self.table.carried_out(off.at).await?;
        let (detail, notice) = if was_carried_out {
            let notice = Notice::SwitchedBack {
                at: now,
                off_by: off.by,
                off_since: off.at,
            };
            ("the schedule had been switched on elsewhere", notice)
        } else {
            (
                "the schedule could not be switched off before",
                Notice::CarriedOut {
                    at: off.at,
                    by: off.by,
                },
            )
        };
        crate::finding::decision::line(None, &Actor::AutoResponse, "switchedBack", detail);
        self.queues.send(&self.queues.events, &notice).await?;
        Ok(Run::SwitchedBack)
    }

    /// Passes one request on, deletes it, or leaves it in the queue. A request that cannot be read is parked,
    /// and the rest of the batch goes on.
    async fn pass_on(&self, message: &Message, drain: &mut Drain) -> Result<(), CoordinatorError> {
        let queue = &self.remediation_queue;
        let receipt_handle = message.receipt_handle().unwrap_or_default();
        let own = QueueMessage::from(message);
        let request = match RemediationRequest::read(&own.body, &self.home) {
            Ok(RemediationRequest { undo, .. }) if !undo.is_empty() => {
                return self
                    .park(
                        &own,
                        receipt_handle,
                        "only people may undo, and not by this queue",
                    )
                    .await;
            }
            // The request's person and plan are not believed: a sender to this queue must not speak in a
            // person's name.
            Ok(request) if own.receive_count <= LOOKED_AT_RECEIVES => request,
            Ok(_) => {
                return self
                    .park(&own, receipt_handle, "its remediation keeps failing")
                    .await;
            }
            Err(error) => {
                return self
                    .park(
                        &own,
                        receipt_handle,
                        &format!("not a remediation request: {error}"),
                    )
                    .await;
            }
        };
        let id = match request.finding() {
            Ok(id) => id,
            Err(foreign) => return self.park(&own, receipt_handle, &foreign.to_string()).await,
        };
        let (now, resource) = (self.clock.now(), request.resource());
        let key = (id.clone(), request.violation_type);
        let record = self.decider.record(&id, &resource).await?;
        let finding = record.as_ref().map(|record| &record.finding);
        let next = match drain.passed_on.get(&key) {
            Some((_, passed_on)) if passed_on.as_deref() == message.message_id() => Next::Leave,
            Some((at, _)) if sent_at(message).is_some_and(|sent_at| sent_at <= *at) => {
                Next::LetGo("another that says the same has just been passed on")
            }
            _ => finding.map_or(Next::PassOn, |finding| next(finding, sent_at(message), now)),
        };
        match next {
            Next::PassOn => {}
            Next::LetGo(reason) => {
                crate::finding::decision::line(Some(&id), &Actor::AutoResponse, "letGo", reason);
                self.queues.delete(queue.as_str(), receipt_handle).await?;
                own.measure_age(queue);
                return Ok(());
            }
            Next::Leave => return Ok(()),
        }
        let plan = drain.agreed(&self.table, finding).await?;
        if plan.is_none() && drain.counted >= self.blast_radius {
            // The request waits for the answer to the next hold.
            drain.left_over = true;
            return Ok(());
        }
        drain
            .passed_on
            .insert(key, (now, message.message_id().map(str::to_owned)));
        drain.counted += u32::from(plan.is_none());
        drain.dispatched += 1;
        let task = RemediationTask {
            sqs_url: Some(queue.to_string()),
            receipt_handle: Some(receipt_handle.to_owned()),
            message_body: RemediationRequest {
                requested_by: None,
                asked_at: None,
                plan,
                ..request
            },
        };
        self.dispatch(&id, &task).await?;
        own.measure_age(queue);
        Ok(())
    }

    async fn park(
        &self,
        message: &QueueMessage,
        receipt_handle: &str,
        reason: &str,
    ) -> Result<(), CoordinatorError> {
        self.queues
            .park(&self.remediation_queue, message, reason)
            .await?;
        Ok(self
            .queues
            .delete(self.remediation_queue.as_str(), receipt_handle)
            .await?)
    }

    async fn dispatch(&self, finding: &FindingId, task: &RemediationTask) -> Result<(), AwsError> {
        let service = task.message_body.violation_type.remediation().service();
        let queue = &self.remediator_queues[&service];
        self.queues.send(queue, task).await?;
        let request = &task.message_body;
        crate::finding::decision::line(
            Some(finding),
            &Actor::of(request),
            "dispatched",
            request.violation_type,
        );
        Ok(())
    }
}
