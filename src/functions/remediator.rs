//! The remediators' handler: one task, one effect, one report.

mod consent;
mod outcome;
mod report;

use self::consent::{Consent, Look};
use self::outcome::{Applied, NotNow, settle, settle_undo};
use crate::aws::{AwsError, AwsErrorKind};
use crate::clock::Clock;
use crate::contracts::{Arriving, Attempt, Outcome, RemediationRequest, RemediationTask};
use crate::controls::{Change, Direction, Prepared, Remediations, Service};
use crate::coordinator::{CONTESTED, Decider, Next};
use crate::finding::decision;
use crate::finding::{Actor, FIX_TIMEOUT};
use crate::ids::{AccountId, FindingId, Resource};
use crate::queue::{Disposition, QueueHandler, QueueMessage, Queues};
use crate::store::TableError;

/// The IAM actions of a remediator, beside those of its remediations.
pub const ACTIONS: &[&str] = &["dynamodb:GetItem", "sqs:DeleteMessage", "sqs:SendMessage"];

/// The number of times that a remediation plans again because somebody else changed the resource meanwhile.
const ATTEMPTS: usize = 3;

/// The reason why auto-response waits where AWS could not be asked.
const UNASKED: &str = "AWS could not be asked whether it is public";

/// A remediator function.
#[derive(Debug, Clone)]
pub struct Remediator {
    /// The service whose resources it changes.
    pub service: Service,
    /// Plans and makes changes.
    pub remediations: Remediations,
    /// The client of queues: deletes requests, sends reports.
    pub queues: Queues,
    /// Decides whether auto-response may (still) act.
    pub decider: Decider,
    /// The clock.
    pub clock: Clock,
    /// The account of requests that name none.
    pub home: AccountId,
}

impl QueueHandler for Remediator {
    /// Carries out a task: asks whether it may, announces the changes, makes them, deletes the request,
    /// reports. After a crash between two steps the task is delivered again, finds the resource as it is, and
    /// goes on from there; what was taken away is in the announcement.
    async fn handle(&self, message: &QueueMessage) -> Disposition {
        let task = match RemediationTask::read(&message.body, &self.home) {
            Ok(task) => task,
            Err(error) => return Disposition::Park(format!("not a remediation task: {error}")),
        };
        let work = match self.work(task) {
            Ok(work) => work,
            Err(reason) => return Disposition::Park(reason),
        };
        match self.objection(&work).await {
            Ok(None) => {}
            Ok(Some(reason)) => {
                Self::tell_not_done(&work, reason);
                if !work.request().undo.is_empty() {
                    return Disposition::Done;
                }
                return match self.report_clean(work).await {
                    Ok(()) => Disposition::Done,
                    Err(error) => Disposition::Retry(error.to_string()),
                };
            }
            Err(error) => return Disposition::Retry(error.to_string()),
        }
        let attempt = Attempt::begin();
        let (outcome, changes) = match self.attempt(&work, &attempt).await {
            Ok(settled) => settled,
            // Auto-response's request is still in its queue and comes back from there, past the
            // coordinator's checks: people may have said "off" or "ignore" meanwhile.
            Err(error) if work.task.sqs_url.is_some() => {
                tracing::warn!(%error, finding_id = %work.finding, "not now: the request comes back");
                return Disposition::Done;
            }
            Err(error) => return Disposition::Retry(error.to_string()),
        };
        let kind = work.request().violation_type;
        tracing::info!(finding_id = %work.finding, %kind, ?outcome, changes = changes.len(), "remediated");
        match self.conclude(work, attempt, outcome, changes).await {
            Ok(()) => Disposition::Done,
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

/// A task, with its resource and finding.
struct Work {
    task: RemediationTask,
    resource: Resource,
    finding: FindingId,
}

impl Work {
    fn request(&self) -> &RemediationRequest {
        &self.task.message_body
    }
}

impl Remediator {
    /// Checks that a task is for this remediator, and that its parts speak of one resource.
    fn work(&self, task: RemediationTask) -> Result<Work, String> {
        let request = &task.message_body;
        let (kind, resource) = (request.violation_type, request.resource());
        if kind.remediation().service() != self.service {
            return Err(format!("{kind} is not for this remediator"));
        }
        if kind.resource_type() != resource.resource_type.as_str() {
            return Err(format!(
                "{kind} is not about resources of type {}",
                resource.resource_type
            ));
        }
        let finding = request.finding().map_err(|error| error.to_string())?;
        Ok(Work {
            task,
            resource,
            finding,
        })
    }

    /// The reason why a task must not be carried out, though the coordinator passed it on: while it waited,
    /// or came a second time, people may have said "off" or "ignore", or pressed **Fix** or **Undo**.
    async fn objection(&self, work: &Work) -> Result<Option<&'static str>, TableError> {
        let (request, now) = (work.request(), self.clock.now());
        if request
            .asked_at
            .is_some_and(|asked_at| now.duration_since(asked_at) >= FIX_TIMEOUT)
        {
            // The finding says that it was given up, and people decide by that.
            return Ok(Some("it has been given up"));
        }
        if work.task.sqs_url.is_none() {
            // A task without a plan is not carried out either, and people are told.
            let is_waited_for = request.plan.is_none() || self.is_waited_for(work).await?;
            return Ok((!is_waited_for).then_some("nobody waits for it any more"));
        }
        if self.decider.table.auto_response_is_off().await? {
            return Ok(Some("auto-response is off"));
        }
        Ok(
            match self
                .decider
                .decide(&work.finding, &work.resource, None, now)
                .await?
            {
                Next::PassOn => None,
                Next::LetGo(reason) => Some(reason),
                Next::Leave => Some("somebody is at it"),
            },
        )
    }

    fn tell_not_done(work: &Work, reason: &str) {
        decision::line(
            Some(&work.finding),
            &Actor::of(work.request()),
            "notDone",
            reason,
        );
    }

    /// Whether the finding waits for what a person asked.
    async fn is_waited_for(&self, work: &Work) -> Result<bool, TableError> {
        let record = self.decider.table.get(&work.finding).await?;
        Ok(record.is_some_and(|record| record.finding.waits_for(work.request())))
    }

    /// The consent to the task; `None` where a person asks and the plan is not stored, or is a plan of
    /// something else.
    async fn consent(&self, work: &Work) -> Result<Option<Consent>, TableError> {
        let (request, control) = (work.request(), work.request().violation_type.control());
        let direction = if request.undo.is_empty() {
            Direction::Fix
        } else {
            Direction::Undo
        };
        let agreed = match &request.plan {
            Some(digest) => {
                let agreed = self.decider.table.plan(digest).await?;
                let Some(agreed) =
                    agreed.filter(|plan| plan.is_for(&work.resource, control, direction))
                else {
                    return Ok(None);
                };
                Some(agreed)
            }
            None if work.task.sqs_url.is_some() => None,
            None => return Ok(None),
        };
        let now = self.clock.now();
        let record = self.decider.record(&work.finding, &work.resource).await?;
        let finding = record.map(|record| record.finding);
        let left = finding.as_ref().and_then(|finding| finding.covered(now));
        Ok(Some(Consent {
            agreed,
            is_automatic: request.requested_by.is_none(),
            left,
            finding,
        }))
    }

    /// Carries out what was agreed to, and nothing else.
    async fn attempt(
        &self,
        work: &Work,
        attempt: &Attempt,
    ) -> Result<(Outcome, Vec<Change>), NotNow> {
        let Some(consent) = self.consent(work).await? else {
            return Ok((Outcome::NotAgreed, Vec::new()));
        };
        let removed = work.request().undo.as_slice();
        if removed.is_empty() {
            return match self.exemption(work).await {
                Ok(Some(reason)) => Ok((Outcome::LeftAlone { reason }, Vec::new())),
                Ok(None) => settle(self.remediate(work, attempt, &consent).await),
                Err(error) => settle(Err(error.into())),
            };
        }
        if !consent
            .agreed
            .as_ref()
            .is_some_and(|agreed| agreed.beyond(removed).is_empty())
        {
            return Ok((Outcome::NotAgreed, Vec::new()));
        }
        Ok(settle_undo(
            self.remediations.put_back(&work.resource, removed).await,
        )?)
    }

    /// Reports a resource that is clean, though the task must not be carried out: an earlier delivery may
    /// have changed it, and died before it reported. Where there is something to do, auto-response's request
    /// stays in its queue, and a person's is over.
    async fn report_clean(&self, work: Work) -> Result<(), AwsError> {
        match self
            .remediations
            .prepare(work.request().violation_type, &work.resource)
            .await
        {
            Ok(prepared) if prepared.changes().is_empty() => {
                self.conclude(work, Attempt::begin(), Outcome::NothingToDo, Vec::new())
                    .await
            }
            Err(error) if error.kind != AwsErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The tag's reason why auto-response leaves the resource as it is. It does not hold for a person, who
    /// has seen the reason.
    async fn exemption(&self, work: &Work) -> Result<Option<String>, AwsError> {
        if work.request().requested_by.is_some() {
            return Ok(None);
        }
        let about = self.remediations.about(&work.resource).await?;
        Ok(about.ignored_because().map(str::to_owned))
    }

    /// Plans from the live resource and makes exactly these changes, if all of them were agreed to. Where
    /// somebody changes the resource meanwhile, it plans again.
    async fn remediate(
        &self,
        work: &Work,
        attempt: &Attempt,
        consent: &Consent,
    ) -> Result<Applied, NotNow> {
        let mut attempts = 0..ATTEMPTS;
        loop {
            let Look { own, new, left } = self.look(work, consent).await?;
            if own.changes().is_empty() && new.is_empty() && attempts.start == 0 {
                return Ok(Applied::changed(Vec::new(), left));
            }
            // The look may have taken long, and people may have said "off" or "ignore" meanwhile.
            let objection = match work.request().requested_by {
                None if consent.is_contested(&own, self.clock.now()) => Some(CONTESTED),
                None if own.doubt().is_some() => Some(UNASKED),
                None => self.objection(work).await?,
                Some(_) => None,
            };
            let goes_on = objection.is_none() && new.is_empty();
            let changes = if goes_on {
                own.changes().to_vec()
            } else {
                Vec::new()
            };
            // After a conflict this replaces the earlier announcement, also where nothing is left.
            if goes_on || attempts.start > 0 {
                let begun = work.report(attempt.clone(), Outcome::Begun, changes, self.clock.now());
                self.queues.send(&self.queues.events, &begun).await?;
            }
            if let Some(objection) = objection {
                Self::tell_not_done(work, objection);
                return Err(NotNow::Objection(objection));
            }
            if !new.is_empty() {
                return Ok(Applied::NotAgreed(new));
            }
            match self.apply(work, consent, own).await {
                Err(error) if error.is_conflict() && attempts.next().is_some() => {
                    tracing::info!(%error, resource = %work.resource.id, "changed meanwhile, planning again");
                }
                applied => return applied.map(|changes| Applied::changed(changes, left)),
            }
        }
    }

    /// Looks at what the task would change, and at what nobody agreed to. A person's yes is to the control as
    /// a whole: where one part has grown, no part is changed. The task's own part is looked at last.
    async fn look(&self, work: &Work, consent: &Consent) -> Result<Look, AwsError> {
        let kind = work.request().violation_type;
        let mut new = Vec::new();
        if consent.agreed.is_some() {
            for other in kind.control().kinds().filter(|other| *other != kind) {
                let prepared = self.remediations.prepare(other, &work.resource).await?;
                new.extend(consent.beyond(prepared.changes().iter()));
            }
        }
        let own = self.remediations.prepare(kind, &work.resource).await?;
        new.extend(consent.beyond(own.changes().iter()));
        let left = own
            .changes()
            .iter()
            .filter(|change| consent.leaves_to_people(change))
            .cloned()
            .collect();
        Ok(Look {
            own: own.only(|change| consent.is_wanted(change)),
            new,
            left,
        })
    }

    /// Looks once more, because announcing took time, and makes the changes that were announced: what
    /// somebody has opened since was not agreed to, and what somebody has written must not be overwritten.
    /// AWS leaves a window between this look and the change.
    async fn apply(
        &self,
        work: &Work,
        consent: &Consent,
        own: Prepared,
    ) -> Result<Vec<Change>, NotNow> {
        if own.changes().is_empty() {
            return Ok(Vec::new());
        }
        let Look {
            own: again, new, ..
        } = self.look(work, consent).await?;
        if !again.changes_the_same(&own) || !new.is_empty() {
            return Err(NotNow::Changed);
        }
        if consent.is_automatic && again.doubt().is_some() {
            Self::tell_not_done(work, UNASKED);
            return Err(NotNow::Objection(UNASKED));
        }
        Ok(self.remediations.apply(&work.resource, again).await?)
    }

    async fn conclude(
        &self,
        work: Work,
        attempt: Attempt,
        outcome: Outcome,
        changes: Vec<Change>,
    ) -> Result<(), AwsError> {
        // The report's time is that of the change.
        let report = work.report(attempt, outcome, changes, self.clock.now());
        let stays = matches!(&report.detail, Some(detail) if detail.outcome == Outcome::NotAgreed);
        if !stays {
            self.delete_request(&work).await?;
        }
        self.queues.send(&self.queues.events, &report).await
    }

    /// Takes auto-response's request out of its queue.
    async fn delete_request(&self, work: &Work) -> Result<(), AwsError> {
        match (&work.task.sqs_url, &work.task.receipt_handle) {
            (Some(queue), Some(receipt_handle)) => self.queues.delete(queue, receipt_handle).await,
            _ => Ok(()),
        }
    }
}
