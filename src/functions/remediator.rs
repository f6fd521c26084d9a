//! The remediators' handler: one task, one effect, one report.

use std::fmt;

use jiff::Timestamp;

use crate::aws::{AwsError, AwsErrorKind};
use crate::contracts::{
    Attempt, Outcome, RemediationReport, RemediationRequest, RemediationTask, ReportDetail,
};
use crate::controls::{
    AgreedPlan, Change, Direction, IGNORE_TAG, Prepared, Remediations, Service, UndoError,
};
use crate::coordinator::{CONTESTED, Decider, Next};
use crate::finding::decision;
use crate::finding::{Actor, Covers, FIX_TIMEOUT, Finding};
use crate::ids::{AccountId, FindingId, Resource};
use crate::metrics::{FixFailure, count_fix_failure};
use crate::queue::{Disposition, QueueHandler, QueueMessage, Queues, parse_body};
use crate::store::TableError;

/// What a remediator calls beside its remediations' own actions.
pub const ACTIONS: &[&str] = &["dynamodb:GetItem", "sqs:DeleteMessage", "sqs:SendMessage"];

/// How often a remediation plans again because somebody else changed the resource meanwhile.
const ATTEMPTS: usize = 3;

/// A remediator function.
#[derive(Debug, Clone)]
pub struct Remediator {
    /// Whose resources it changes.
    pub service: Service,
    /// Plans and effects.
    pub remediations: Remediations,
    /// Where source messages are deleted and reports go.
    pub queues: Queues,
    /// Whether auto-response may (still) act.
    pub decider: Decider,
    /// The account of requests that name none.
    pub home: AccountId,
}

impl QueueHandler for Remediator {
    /// Permission, announcement, effect, the source message's deletion, report. A crash between two steps
    /// leads to a redelivery that finds the resource as it is and goes on from there; what was
    /// taken away is in the announcement.
    async fn handle(&self, message: &QueueMessage) -> Disposition {
        let task: RemediationTask = match parse_body("remediation task", message) {
            Ok(task) => task,
            Err(park) => return park,
        };
        let job = match self.job(task) {
            Ok(job) => job,
            Err(reason) => return Disposition::Park(reason),
        };
        match self.objection(&job).await {
            Ok(None) => {}
            Ok(Some(reason)) => {
                Self::tell_not_done(&job, reason);
                if !job.request().undo.is_empty() {
                    return Disposition::Done;
                }
                return match self.report_clean(job).await {
                    Ok(()) => Disposition::Done,
                    Err(error) => Disposition::Retry(error.to_string()),
                };
            }
            Err(error) => return Disposition::Retry(error.to_string()),
        }
        let attempt = Attempt::begin();
        let (outcome, changes) = match self.attempt(&job, &attempt).await {
            Ok(settled) => settled,
            // Auto-response's request is still in its queue and comes back from there, past the
            // coordinator's checks: people may have said "off" or "ignore" meanwhile.
            Err(error) if job.task.sqs_url.is_some() => {
                tracing::warn!(%error, finding_id = %job.finding, "not now: the request comes back");
                return Disposition::Done;
            }
            Err(error) => return Disposition::Retry(error.to_string()),
        };
        let kind = job.request().violation_type;
        tracing::info!(finding_id = %job.finding, %kind, ?outcome, changes = changes.len(), "remediated");
        match self.conclude(job, attempt, outcome, changes).await {
            Ok(()) => Disposition::Done,
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

/// A task with what follows from it.
struct Job {
    task: RemediationTask,
    resource: Resource,
    finding: FindingId,
}

impl Job {
    fn request(&self) -> &RemediationRequest {
        &self.task.message_body
    }
}

/// What may be changed.
struct Consent {
    /// The plan to which somebody said yes. None: all that violates, which is auto-response's standing
    /// consent.
    agreed: Option<AgreedPlan>,
    /// Whether nobody asked for this fix.
    is_automatic: bool,
    /// What is ignored, and stays.
    left: Option<Covers>,
    /// The finding as it is on record, if there is one.
    finding: Option<Finding>,
}

impl Consent {
    fn is_wanted(&self, change: &Change) -> bool {
        !self.leaves_to_people(change) && self.left.as_ref().is_none_or(|left| !left.covers(change))
    }

    /// Whether it takes a person's own hands, or one who asks for this fix: auto-response's standing consent
    /// does not cover it, nor does a yes to go on, which names findings and not what is left out of them.
    fn leaves_to_people(&self, change: &Change) -> bool {
        change.is_by_hand() || (self.is_automatic && change.is_left_to_people())
    }

    /// Whether auto-response is to leave this to people: the finding may not know yet that it is open
    /// again.
    fn is_contested(&self, prepared: &Prepared) -> bool {
        let now = Timestamp::now();
        self.finding
            .as_ref()
            .is_some_and(|finding| finding.is_contested_by(prepared.changes(), now))
    }

    /// The changes that nobody agreed to.
    fn beyond<'a>(&self, live: impl Iterator<Item = &'a Change>) -> Vec<Change> {
        let wanted = live.filter(|change| self.is_wanted(change));
        self.agreed
            .as_ref()
            .map_or_else(Vec::new, |agreed| agreed.beyond(wanted))
    }
}

/// How an attempt to fix ended.
enum Applied {
    /// These were changed, or none needed to be.
    Changed(Vec<Change>),
    /// Nothing was, for these were not agreed to.
    NotAgreed(Vec<Change>),
    /// Nothing was, for these are left to people.
    LeftToPeople(Vec<Change>),
}

impl Applied {
    fn changed(changes: Vec<Change>, left: Vec<Change>) -> Self {
        if changes.is_empty() && !left.is_empty() {
            Self::LeftToPeople(left)
        } else {
            Self::Changed(changes)
        }
    }
}

/// What a look showed.
struct Look {
    /// What the task would change.
    own: Prepared,
    /// What nobody agreed to.
    new: Vec<Change>,
    /// What beside that is left to people.
    left: Vec<Change>,
}

/// What an attempt means: an end to report, or an error after which to try again.
fn settle(applied: Result<Applied, AwsError>) -> Result<(Outcome, Vec<Change>), AwsError> {
    match applied {
        Ok(Applied::LeftToPeople(left)) => Ok((Outcome::LeftToPeople, left)),
        Ok(Applied::Changed(changes)) if changes.is_empty() => Ok((Outcome::NothingToDo, changes)),
        Ok(Applied::Changed(changes)) => Ok((Outcome::Fixed, changes)),
        Ok(Applied::NotAgreed(new)) => Ok((Outcome::NotAgreed, new)),
        Err(error) => match error.kind {
            AwsErrorKind::Transient | AwsErrorKind::Conflict => Err(error),
            AwsErrorKind::NotFound => Ok((Outcome::Gone, Vec::new())),
            AwsErrorKind::AccessDenied => {
                count_fix_failure(FixFailure::AccessDenied);
                let advice = format!(
                    "Allow {} to the remediator's role, then press Fix again.",
                    error.operation
                );
                Ok((
                    Outcome::Failed {
                        reason: error.to_string(),
                        advice,
                    },
                    Vec::new(),
                ))
            }
            AwsErrorKind::Other => {
                count_fix_failure(FixFailure::Other);
                let advice = "Fix it by hand in the AWS console, or press Fix again.".to_owned();
                Ok((
                    Outcome::Failed {
                        reason: error.to_string(),
                        advice,
                    },
                    Vec::new(),
                ))
            }
        },
    }
}

/// What an attempt to put back means, likewise.
fn settle_undo(
    (in_place, put_back): (Vec<Change>, Result<(), UndoError>),
) -> Result<(Outcome, Vec<Change>), AwsError> {
    let (reason, advice) = match put_back {
        Ok(()) => return Ok((Outcome::Undone, in_place)),
        Err(UndoError::Differs(what)) => (
            what,
            "Put it back by hand where you still want it, or leave it fixed.".to_owned(),
        ),
        Err(UndoError::Aws(error)) => match error.kind {
            AwsErrorKind::Transient | AwsErrorKind::Conflict => return Err(error),
            AwsErrorKind::NotFound => (
                "the resource is gone".to_owned(),
                "There is nothing to put anything back into.".to_owned(),
            ),
            AwsErrorKind::AccessDenied => {
                let advice = format!(
                    "Allow {} to the remediator's role and in the account, then press Undo again.",
                    error.operation
                );
                (error.to_string(), advice)
            }
            AwsErrorKind::Other => (
                error.to_string(),
                "Put it back by hand in the AWS console.".to_owned(),
            ),
        },
    };
    Ok((Outcome::Failed { reason, advice }, in_place))
}

impl Remediator {
    /// Whether the task is for us, and speaks of one thing.
    fn job(&self, task: RemediationTask) -> Result<Job, String> {
        let request = &task.message_body;
        let (kind, resource) = (request.violation_type, request.resource(&self.home));
        if kind.remediation().service() != self.service {
            return Err(format!("{kind} is not for this remediator"));
        }
        if kind.resource_type() != resource.resource_type.as_str() {
            return Err(format!(
                "{kind} is not about resources of type {}",
                resource.resource_type
            ));
        }
        let finding = request
            .finding(&self.home)
            .map_err(|error| error.to_string())?;
        Ok(Job {
            task,
            resource,
            finding,
        })
    }

    /// Why a task must not be done, though the coordinator passed it on: it may have waited, or come
    /// a second time, while people said "off", or "ignore", or pressed **Fix** or **Undo**.
    async fn objection(&self, job: &Job) -> Result<Option<&'static str>, TableError> {
        let (request, now) = (job.request(), Timestamp::now());
        if request
            .asked_at
            .is_some_and(|asked_at| now.duration_since(asked_at) >= FIX_TIMEOUT)
        {
            // The finding says so, and people decide by what it says.
            return Ok(Some("it has been given up"));
        }
        if job.task.sqs_url.is_none() {
            // Without a plan it is not done either, and people are told so.
            let is_waited_for = request.plan.is_none() || self.is_waited_for(job).await?;
            return Ok((!is_waited_for).then_some("nobody waits for it any more"));
        }
        if self.decider.table.auto_response_is_off().await? {
            return Ok(Some("auto-response is off"));
        }
        Ok(
            match self
                .decider
                .decide(&job.finding, &job.resource, None, now)
                .await?
            {
                Next::PassOn => None,
                Next::LetGo(reason) => Some(reason),
                Next::Leave => Some("somebody is at it"),
            },
        )
    }

    fn tell_not_done(job: &Job, reason: &str) {
        decision::line(
            Some(&job.finding),
            &Actor::of(job.request()),
            "notDone",
            reason,
        );
    }

    /// Whether the finding waits for what a person asked.
    async fn is_waited_for(&self, job: &Job) -> Result<bool, TableError> {
        let record = self.decider.table.get(&job.finding).await?;
        Ok(record.is_some_and(|record| record.finding.waits_for(job.request(), &self.home)))
    }

    /// What may be changed; `None` where a person asks and it is not known to what they agreed, or where
    /// that is a plan of something else.
    async fn consent(&self, job: &Job) -> Result<Option<Consent>, TableError> {
        let (request, control) = (job.request(), job.request().violation_type.control());
        let direction = if request.undo.is_empty() {
            Direction::Fix
        } else {
            Direction::Undo
        };
        let agreed = match &request.plan {
            Some(digest) => {
                let agreed = self.decider.table.plan(digest).await?;
                let Some(agreed) =
                    agreed.filter(|plan| plan.is_for(&job.resource, control, direction))
                else {
                    return Ok(None);
                };
                Some(agreed)
            }
            None if job.task.sqs_url.is_some() => None,
            None => return Ok(None),
        };
        let now = Timestamp::now();
        let record = self.decider.record(&job.finding, &job.resource).await?;
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
        job: &Job,
        attempt: &Attempt,
    ) -> Result<(Outcome, Vec<Change>), AwsError> {
        let consent = self.consent(job).await.map_err(|error| meanwhile(&error))?;
        let Some(consent) = consent else {
            return Ok((Outcome::NotAgreed, Vec::new()));
        };
        let removed = job.request().undo.as_slice();
        if removed.is_empty() {
            return match self.exemption(job).await {
                Ok(Some(reason)) => Ok((Outcome::LeftAlone { reason }, Vec::new())),
                Ok(None) => settle(self.remediate(job, attempt, &consent).await),
                Err(error) => settle(Err(error)),
            };
        }
        if !consent
            .agreed
            .as_ref()
            .is_some_and(|agreed| agreed.beyond(removed).is_empty())
        {
            return Ok((Outcome::NotAgreed, Vec::new()));
        }
        settle_undo(self.remediations.put_back(&job.resource, removed).await)
    }

    /// What may not be changed may still be looked at: an earlier delivery may have changed it, and
    /// died before it could report. Where there is something to do, auto-response's request stays in
    /// its queue, and a person's is over.
    async fn report_clean(&self, job: Job) -> Result<(), AwsError> {
        match self
            .remediations
            .prepare(job.request().violation_type, &job.resource)
            .await
        {
            Ok(prepared) if prepared.changes().is_empty() => {
                self.conclude(job, Attempt::begin(), Outcome::NothingToDo, Vec::new())
                    .await
            }
            Err(error) if error.kind != AwsErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Why auto-response leaves the resource as it is. A person who asks has seen the tag's reason.
    async fn exemption(&self, job: &Job) -> Result<Option<String>, AwsError> {
        if job.request().requested_by.is_some() {
            return Ok(None);
        }
        let about = self.remediations.about(&job.resource).await?;
        Ok(about.ignored_because().map(str::to_owned))
    }

    /// Plans from the live resource and changes exactly that, if all of it was agreed to. When somebody
    /// changes the resource meanwhile, plans again.
    async fn remediate(
        &self,
        job: &Job,
        attempt: &Attempt,
        consent: &Consent,
    ) -> Result<Applied, AwsError> {
        let mut attempts = 0..ATTEMPTS;
        loop {
            let Look { own, new, left } = self.look(job, consent).await?;
            if own.changes().is_empty() && new.is_empty() && attempts.start == 0 {
                return Ok(Applied::changed(Vec::new(), left));
            }
            // Looking may have taken long, and people may have said "off", or "ignore".
            let objection = match job.request().requested_by {
                None if consent.is_contested(&own) => Some(CONTESTED),
                None if own.doubt().is_some() => {
                    Some("AWS could not be asked whether it is public")
                }
                None => self
                    .objection(job)
                    .await
                    .map_err(|error| meanwhile(&error))?,
                Some(_) => None,
            };
            let goes_on = objection.is_none() && new.is_empty();
            let changes = if goes_on {
                own.changes().to_vec()
            } else {
                Vec::new()
            };
            // After a conflict this takes our own announcement back, even if nothing is left.
            if goes_on || attempts.start > 0 {
                let begun = self.report(job, attempt.clone(), Outcome::Begun, changes);
                self.queues.send(&self.queues.events, &begun).await?;
            }
            if let Some(objection) = objection {
                Self::tell_not_done(job, objection);
                return Err(meanwhile(&objection));
            }
            if !new.is_empty() {
                return Ok(Applied::NotAgreed(new));
            }
            match self.apply(job, consent, own).await {
                Err(error) if error.kind == AwsErrorKind::Conflict && attempts.next().is_some() => {
                    tracing::info!(%error, resource = %job.resource.id, "changed meanwhile, planning again");
                }
                applied => return applied.map(|changes| Applied::changed(changes, left)),
            }
        }
    }

    /// What this task would change, and what nobody agreed to. A person's yes is to the control as a
    /// whole: where any part of it has grown, no part is changed. What it would change is looked at last.
    async fn look(&self, job: &Job, consent: &Consent) -> Result<Look, AwsError> {
        let kind = job.request().violation_type;
        let mut new = Vec::new();
        if consent.agreed.is_some() {
            for other in kind.control().kinds().filter(|other| *other != kind) {
                let prepared = self.remediations.prepare(other, &job.resource).await?;
                new.extend(consent.beyond(prepared.changes().iter()));
            }
        }
        let own = self.remediations.prepare(kind, &job.resource).await?;
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

    /// Looks once more, for announcing took time, and changes what was announced: what somebody has
    /// opened since is not agreed to, and what they have written must not be written over. AWS leaves a
    /// window between this look and the change.
    async fn apply(
        &self,
        job: &Job,
        consent: &Consent,
        own: Prepared,
    ) -> Result<Vec<Change>, AwsError> {
        if own.changes().is_empty() {
            return Ok(Vec::new());
        }
        let Look {
            own: again, new, ..
        } = self.look(job, consent).await?;
        if !again.changes_the_same(&own) || !new.is_empty() {
            return Err(AwsError::conflict(
                "the last look before the change",
                "the resource has changed",
            ));
        }
        self.remediations.apply(&job.resource, again).await
    }

    async fn conclude(
        &self,
        job: Job,
        attempt: Attempt,
        outcome: Outcome,
        changes: Vec<Change>,
    ) -> Result<(), AwsError> {
        // It tells when it was done.
        let report = self.report(&job, attempt, outcome, changes);
        let stays = matches!(&report.detail, Some(detail) if detail.outcome == Outcome::NotAgreed);
        if !stays {
            self.delete_request(&job).await?;
        }
        self.queues.send(&self.queues.events, &report).await
    }

    /// Takes auto-response's request out of its queue.
    async fn delete_request(&self, job: &Job) -> Result<(), AwsError> {
        match (&job.task.sqs_url, &job.task.receipt_handle) {
            (Some(queue), Some(receipt_handle)) => self.queues.delete(queue, receipt_handle).await,
            _ => Ok(()),
        }
    }

    fn report(
        &self,
        job: &Job,
        attempt: Attempt,
        outcome: Outcome,
        changes: Vec<Change>,
    ) -> RemediationReport {
        let (request, resource) = (job.request().clone(), &job.resource);
        RemediationReport {
            remediation_source: self.service.remediator(),
            resource_id: resource.id.clone(),
            resource_type: resource.resource_type.clone(),
            action: action(&request, &outcome, &changes).to_owned(),
            action_complete_time: Timestamp::now(),
            aws_account_id: resource.account.clone(),
            message: message(&outcome, &changes),
            detail: Some(ReportDetail {
                outcome,
                attempt,
                changes,
                request,
            }),
        }
    }
}

/// What keeps auto-response from the change that it has prepared. When the request comes back it is
/// looked at anew.
fn meanwhile(objection: &impl fmt::Display) -> AwsError {
    AwsError::transient(
        "the last look before the change",
        Some("Objection"),
        &objection.to_string(),
    )
}

fn action(request: &RemediationRequest, outcome: &Outcome, changes: &[Change]) -> &'static str {
    let changes_nothing =
        changes.is_empty() || matches!(outcome, Outcome::NotAgreed | Outcome::LeftToPeople);
    let remediation = request.violation_type.remediation();
    match request.undo.is_empty() {
        _ if changes_nothing => "None",
        true => remediation.call(changes),
        false => remediation.undo_call(),
    }
}

fn message(outcome: &Outcome, changes: &[Change]) -> String {
    match outcome {
        Outcome::Begun | Outcome::Fixed => changes
            .iter()
            .map(Change::to_string)
            .collect::<Vec<_>>()
            .join("; "),
        Outcome::Undone => changes
            .iter()
            .map(Change::reopens)
            .collect::<Vec<_>>()
            .join("; "),
        Outcome::NothingToDo => "nothing to do: the resource is clean".to_owned(),
        Outcome::Gone => "nothing to do: the resource is gone".to_owned(),
        Outcome::NotAgreed => {
            let new: Vec<String> = changes.iter().map(Change::to_string).collect();
            format!("nothing done: not agreed to: {}", new.join("; "))
        }
        Outcome::LeftToPeople => {
            let left: Vec<String> = changes.iter().map(Change::to_string).collect();
            format!("nothing done: left to people: {}", left.join("; "))
        }
        Outcome::LeftAlone { reason } => {
            format!("nothing done: the tag {IGNORE_TAG} says {reason}")
        }
        Outcome::Failed { reason, advice } => format!("{reason}. {advice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::WholePolicy;

    fn error(kind: AwsErrorKind) -> AwsError {
        AwsError {
            kind,
            ..AwsError::other("ec2:RevokeSecurityGroupIngress", "Code", "words")
        }
    }

    #[test]
    fn errors_are_told_apart() {
        assert!(settle(Err(error(AwsErrorKind::Transient))).is_err());
        assert!(settle(Err(error(AwsErrorKind::Conflict))).is_err());
        assert_eq!(
            settle(Err(error(AwsErrorKind::NotFound))).unwrap().0,
            Outcome::Gone
        );
        assert_eq!(
            settle(Ok(Applied::changed(Vec::new(), Vec::new())))
                .unwrap()
                .0,
            Outcome::NothingToDo
        );
        assert_eq!(
            settle(Ok(Applied::NotAgreed(Vec::new()))).unwrap().0,
            Outcome::NotAgreed
        );
        let left = vec![Change::DeletePolicy(WholePolicy {
            policy: "{}".to_owned(),
        })];
        let settled = settle(Ok(Applied::changed(Vec::new(), left.clone()))).unwrap();
        assert_eq!(settled, (Outcome::LeftToPeople, left));
        let (outcome, _) = settle(Err(error(AwsErrorKind::AccessDenied))).unwrap();
        assert!(
            matches!(outcome, Outcome::Failed { advice, .. } if advice.contains("Allow ec2:Revoke"))
        );
    }

    #[test]
    fn an_undo_that_failed_halfway_says_what_is_in_place() {
        let changes = vec![Change::DeletePolicy(WholePolicy {
            policy: "{}".to_owned(),
        })];
        let failed = |kind| settle_undo((changes.clone(), Err(error(kind).into())));
        assert!(
            failed(AwsErrorKind::Transient).is_err() && failed(AwsErrorKind::Conflict).is_err()
        );
        let (outcome, in_place) = failed(AwsErrorKind::AccessDenied).unwrap();
        assert!(
            matches!(outcome, Outcome::Failed { advice, .. } if advice.contains("press Undo again"))
        );
        assert_eq!(in_place, changes);
        assert_eq!(
            settle_undo((changes.clone(), Ok(()))).unwrap(),
            (Outcome::Undone, changes)
        );
    }
}
