//! Reports of a remediator.

use jiff::Timestamp;

use super::Work;
use crate::contracts::{Attempt, Outcome, RemediationReport, RemediationRequest, ReportDetail};
use crate::controls::{Change, IGNORE_TAG};

impl Work {
    /// The report of an attempt with an outcome.
    pub(super) fn report(
        &self,
        attempt: Attempt,
        outcome: Outcome,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> RemediationReport {
        let (request, resource) = (self.request().clone(), &self.resource);
        RemediationReport {
            remediation_source: request.violation_type.remediation().service().remediator(),
            resource_id: resource.id.clone(),
            resource_type: resource.resource_type.clone(),
            action: action(&request, &outcome, &changes).to_owned(),
            action_complete_time: now,
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
