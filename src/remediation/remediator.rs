//! The remediators' handler: one task, one effect, one report.

use std::fmt;

use jiff::Timestamp;

use super::contracts::{
    Attempt, Outcome, RemediationReport, RemediationRequest, RemediationTask, ReportDetail,
};
use super::{Change, IGNORE_TAG, Remediations, RemediatorKind, UndoError, ViolationType};
use crate::aws::{AwsError, AwsErrorKind};
use crate::coordinator::{Decider, Next};
use crate::decision;
use crate::finding::auto_response::Switch;
use crate::finding::table::TableError;
use crate::finding::{Actor, FIX_TIMEOUT};
use crate::ids::{AccountId, Resource};
use crate::metrics::{FixFailure, count_fix_failure};
use crate::queue::{Disposition, QueueHandler, QueueMessage, Queues, parse_body};

/// What a remediator calls beside its remediations' own actions.
pub const ACTIONS: &[&str] = &["dynamodb:GetItem", "sqs:DeleteMessage", "sqs:SendMessage"];

/// How often a remediation plans again because somebody else changed the resource meanwhile.
const ATTEMPTS: usize = 3;

/// A remediator function.
#[derive(Debug, Clone)]
pub struct Remediator {
    /// Which one.
    pub kind: RemediatorKind,
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
        let kind = task.message_body.violation_type;
        if kind.remediator() != self.kind {
            return Disposition::Park(format!("{kind} is not for this remediator"));
        }
        let resource = task.message_body.resource(&self.home);
        if kind.resource_type() != resource.resource_type.as_str() {
            return Disposition::Park(format!(
                "{kind} is not about resources of type {}",
                resource.resource_type
            ));
        }
        let request = &task.message_body;
        match self.objection(&task).await {
            Ok(None) => {}
            Ok(Some(reason)) => {
                self.tell_not_done(request, reason);
                if !request.undo.is_empty() {
                    return Disposition::Done;
                }
                return match self.report_clean(task, &resource).await {
                    Ok(()) => Disposition::Done,
                    Err(error) => Disposition::Retry(error.to_string()),
                };
            }
            Err(error) => return Disposition::Retry(error.to_string()),
        }
        let attempt = Attempt::begin();
        let settled = match request.undo.as_slice() {
            [] => match self.exemption(request, &resource).await {
                Ok(Some(reason)) => Ok((Outcome::LeftAlone { reason }, Vec::new())),
                Ok(None) => settle(self.remediate(&task, &resource, &attempt).await),
                Err(error) => settle(Err(error)),
            },
            removed => settle_undo(self.remediations.put_back(&resource, removed).await),
        };
        let (outcome, changes) = match settled {
            Ok(settled) => settled,
            // Auto-response's request is still in its queue and comes back from there, past the
            // coordinator's checks: people may have said "off" or "ignore" meanwhile.
            Err(error) if task.sqs_url.is_some() => {
                tracing::warn!(%error, resource = %resource.id, %kind, "not now: the request comes back");
                return Disposition::Done;
            }
            Err(error) => return Disposition::Retry(error.to_string()),
        };
        let finding_id = request.finding(&self.home);
        tracing::info!(%finding_id, resource = %resource.id, %kind, ?outcome, changes = changes.len(), "remediated");
        match self.conclude(task, &resource, attempt, outcome, changes).await {
            Ok(()) => Disposition::Done,
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

/// What an attempt means: an end to report, or an error after which to try again.
fn settle(applied: Result<Vec<Change>, AwsError>) -> Result<(Outcome, Vec<Change>), AwsError> {
    match applied {
        Ok(changes) if changes.is_empty() => Ok((Outcome::NothingToDo, changes)),
        Ok(changes) => Ok((Outcome::Fixed, changes)),
        Err(error) => match error.kind {
            AwsErrorKind::Transient | AwsErrorKind::Conflict => Err(error),
            AwsErrorKind::NotFound => Ok((Outcome::Gone, Vec::new())),
            AwsErrorKind::AccessDenied => {
                count_fix_failure(FixFailure::AccessDenied);
                let advice =
                    format!("Allow {} to the remediator's role, then press Fix again.", error.operation);
                Ok((Outcome::Failed { reason: error.to_string(), advice }, Vec::new()))
            }
            AwsErrorKind::Other => {
                count_fix_failure(FixFailure::Other);
                let advice = "Fix it by hand in the AWS console, or press Fix again.".to_owned();
                Ok((Outcome::Failed { reason: error.to_string(), advice }, Vec::new()))
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
        Err(UndoError::Differs(what)) => {
            (what, "Put it back by hand where you still want it, or leave it fixed.".to_owned())
        }
        Err(UndoError::Aws(error)) => match error.kind {
            AwsErrorKind::Transient | AwsErrorKind::Conflict => return Err(error),
            AwsErrorKind::NotFound => {
                ("the resource is gone".to_owned(), "There is nothing to put anything back into.".to_owned())
            }
            AwsErrorKind::AccessDenied => {
                let advice = format!(
                    "Allow {} to the remediator's role and in the account, then press Undo again.",
                    error.operation
                );
                (error.to_string(), advice)
            }
            AwsErrorKind::Other => (error.to_string(), "Put it back by hand in the AWS console.".to_owned()),
        },
    };
    Ok((Outcome::Failed { reason, advice }, in_place))
}

impl Remediator {
    /// Why a task must not be done, though the coordinator passed it on: it may have waited, or come
    /// a second time, while people said "off", or "ignore", or pressed **Fix** or **Undo**.
    async fn objection(&self, task: &RemediationTask) -> Result<Option<&'static str>, TableError> {
        let (request, now) = (&task.message_body, Timestamp::now());
        if request.asked_at.is_some_and(|asked_at| now.duration_since(asked_at) >= FIX_TIMEOUT) {
            // The finding says so, and people decide by what it says.
            return Ok(Some("it has been given up"));
        }
        if task.sqs_url.is_none() && !self.is_waited_for(request).await? {
            return Ok(Some("nobody waits for it any more"));
        }
        // What auto-response had begun is asked for again past its queue.
        let asked_again = request.asked_at.is_some() && request.requested_by.is_none();
        if task.sqs_url.is_none() && !asked_again {
            return Ok(None);
        }
        let recorded = self.decider.table.auto_response().await?;
        if recorded.wanted.is_some_and(|wanted| wanted.switch == Switch::Off) {
            return Ok(Some("auto-response is off"));
        }
        if asked_again {
            let wanted = self.decider.is_wanted_by_another_rule(request, now).await?;
            return Ok(wanted.then_some("it is left as it is by another rule's finding"));
        }
        Ok(match self.decider.decide(request, None, now).await? {
            Next::PassOn => None,
            Next::LetGo(reason) => Some(reason),
            Next::Leave => Some("somebody is at it"),
        })
    }

    fn tell_not_done(&self, request: &RemediationRequest, reason: &str) {
        let finding = request.finding(&self.home);
        decision::line(Some(&finding), &Actor::of(request), "notDone", reason);
    }

    /// Whether the finding waits for what a person asked.
    async fn is_waited_for(&self, request: &RemediationRequest) -> Result<bool, TableError> {
        if request.asked_at.is_none() && request.undo.is_empty() {
            // DD-AWS's requests do not say.
            return Ok(true);
        }
        let record = self.decider.table.get(&request.finding(&self.home)).await?;
        Ok(record.is_some_and(|record| record.finding.waits_for(request, &self.home)))
    }

    /// What may not be changed may still be looked at: an earlier delivery may have changed it, and
    /// died before it could report. Where there is something to do, auto-response's request stays in
    /// its queue, and a person's is over.
    async fn report_clean(&self, task: RemediationTask, resource: &Resource) -> Result<(), AwsError> {
        let kind = task.message_body.violation_type;
        match self.remediations.prepare(kind, resource).await {
            Ok(prepared) if prepared.changes().is_empty() => {
                self.conclude(task, resource, Attempt::begin(), Outcome::NothingToDo, Vec::new()).await
            }
            Err(error) if error.kind != AwsErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Why auto-response leaves the resource as it is. A person who asks has seen the tag's reason.
    async fn exemption(
        &self,
        request: &RemediationRequest,
        resource: &Resource,
    ) -> Result<Option<String>, AwsError> {
        if request.requested_by.is_some() {
            return Ok(None);
        }
        let about = self.remediations.about(resource).await?;
        Ok(about.ignored_because().map(str::to_owned))
    }

    /// Plans from the live resource and changes exactly that. When somebody changes the resource
    /// meanwhile, plans again.
    async fn remediate(
        &self,
        task: &RemediationTask,
        resource: &Resource,
        attempt: &Attempt,
    ) -> Result<Vec<Change>, AwsError> {
        let request = &task.message_body;
        let mut attempts = 0..ATTEMPTS;
        loop {
            let prepared = self.remediations.prepare(request.violation_type, resource).await?;
            if prepared.changes().is_empty() && attempts.start == 0 {
                return Ok(Vec::new());
            }
            // Looking may have taken long, and people may have said "off", or "ignore".
            let objection = match request.requested_by {
                None => self.objection(task).await.map_err(|error| meanwhile(&error))?,
                Some(_) => None,
            };
            let changes = if objection.is_some() { Vec::new() } else { prepared.changes().to_vec() };
            // After a conflict this takes our own announcement back, even if nothing is left.
            if objection.is_none() || attempts.start > 0 {
                let begun = self.report(request.clone(), resource, attempt.clone(), Outcome::Begun, changes);
                self.queues.send(&self.queues.events, &begun).await?;
            }
            if let Some(objection) = objection {
                self.tell_not_done(request, objection);
                return Err(meanwhile(&objection));
            }
            match prepared.apply().await {
                Err(error) if error.kind == AwsErrorKind::Conflict && attempts.next().is_some() => {
                    tracing::info!(%error, resource = %resource.id, "changed meanwhile, planning again");
                }
                applied => return applied,
            }
        }
    }

    async fn conclude(
        &self,
        task: RemediationTask,
        resource: &Resource,
        attempt: Attempt,
        outcome: Outcome,
        changes: Vec<Change>,
    ) -> Result<(), AwsError> {
        // It tells when it was done.
        let report = self.report(task.message_body, resource, attempt, outcome, changes);
        if let (Some(queue), Some(receipt_handle)) = (&task.sqs_url, &task.receipt_handle) {
            self.queues.delete(queue, receipt_handle).await?;
        }
        self.queues.send(&self.queues.events, &report).await
    }

    fn report(
        &self,
        request: RemediationRequest,
        resource: &Resource,
        attempt: Attempt,
        outcome: Outcome,
        changes: Vec<Change>,
    ) -> RemediationReport {
        RemediationReport {
            remediation_source: match self.kind {
                RemediatorKind::SecurityGroup => "security-group-remediator".to_owned(),
                RemediatorKind::S3Bucket => "s3-bucket-remediator".to_owned(),
            },
            resource_id: resource.id.clone(),
            resource_type: resource.resource_type.clone(),
            action: action(&request, &changes).to_owned(),
            action_complete_time: Timestamp::now(),
            aws_account_id: resource.account.clone(),
            message: message(&outcome, &changes),
            detail: Some(ReportDetail { outcome, attempt, changes, request }),
        }
    }
}

/// What keeps auto-response from the change that it has prepared. When the request comes back it is
/// looked at anew.
fn meanwhile(objection: &impl fmt::Display) -> AwsError {
    AwsError::transient("the last look before the change", Some("Objection"), &objection.to_string())
}

fn action(request: &RemediationRequest, changes: &[Change]) -> &'static str {
    let undo = !request.undo.is_empty();
    match request.violation_type {
        _ if changes.is_empty() => "None",
        ViolationType::Ec2SgProhibitedPort if undo => "AuthorizeSecurityGroupIngress",
        ViolationType::Ec2SgProhibitedPort => "RevokeSecurityGroupIngress",
        ViolationType::S3BucketPublicAcl => "PutBucketAcl",
        ViolationType::S3BucketPublicPolicy => match changes.last() {
            Some(Change::DeletePolicy { .. }) if !undo => "DeleteBucketPolicy",
            _ => "PutBucketPolicy",
        },
    }
}

fn message(outcome: &Outcome, changes: &[Change]) -> String {
    match outcome {
        Outcome::Begun | Outcome::Fixed => {
            changes.iter().map(Change::to_string).collect::<Vec<_>>().join("; ")
        }
        Outcome::Undone => changes.iter().map(Change::reopens).collect::<Vec<_>>().join("; "),
        Outcome::NothingToDo => "nothing to do: the resource is clean".to_owned(),
        Outcome::Gone => "nothing to do: the resource is gone".to_owned(),
        Outcome::LeftAlone { reason } => format!("nothing done: the tag {IGNORE_TAG} says {reason}"),
        Outcome::Failed { reason, advice } => format!("{reason}. {advice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: AwsErrorKind) -> AwsError {
        AwsError { kind, ..AwsError::other("ec2:RevokeSecurityGroupIngress", "Code", "words") }
    }

    #[test]
    fn errors_are_told_apart() {
        assert!(settle(Err(error(AwsErrorKind::Transient))).is_err());
        assert!(settle(Err(error(AwsErrorKind::Conflict))).is_err());
        assert_eq!(settle(Err(error(AwsErrorKind::NotFound))).unwrap().0, Outcome::Gone);
        assert_eq!(settle(Ok(Vec::new())).unwrap().0, Outcome::NothingToDo);
        let (outcome, _) = settle(Err(error(AwsErrorKind::AccessDenied))).unwrap();
        assert!(matches!(outcome, Outcome::Failed { advice, .. } if advice.contains("Allow ec2:Revoke")));
    }

    #[test]
    fn an_undo_that_failed_halfway_says_what_is_in_place() {
        let changes = vec![Change::DeletePolicy { policy: "{}".to_owned() }];
        let failed = |kind| settle_undo((changes.clone(), Err(error(kind).into())));
        assert!(failed(AwsErrorKind::Transient).is_err() && failed(AwsErrorKind::Conflict).is_err());
        let (outcome, in_place) = failed(AwsErrorKind::AccessDenied).unwrap();
        assert!(matches!(outcome, Outcome::Failed { advice, .. } if advice.contains("press Undo again")));
        assert_eq!(in_place, changes);
        assert_eq!(settle_undo((changes.clone(), Ok(()))).unwrap(), (Outcome::Undone, changes));
    }
}
