//! `/dd approve <id>` and its button: the second operator approves, in an account where it takes two.

use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, CommandError, FindingActions, fix, refused};
use crate::finding::{Actor, Finding, Refusal};
use crate::ids::{FindingId, PlanDigest};
use crate::slack::Content;
use crate::slack::approve_view::{approve_submission, approve_view};
use crate::slack::blocks::note;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "approve",
    usage: "approve <id>",
    does: "agree to what another operator asks for, where it takes two",
    who: Who::Operators,
    choices: &[],
    read: |words| with_id(words, Command::Approve),
};

pub(super) async fn run(
    findings: &FindingActions,
    id: &FindingId,
    user: &SlackUserId,
    trigger: &SlackTriggerId,
) -> Answer {
    let asked =
        || note("Read what it would do in the window that opened, and press *Approve* there.");
    Ok(review(findings, id, user, trigger)
        .await?
        .unwrap_or_else(asked))
}

/// The button was pressed. A button without a plan opens the modal that shows the whole plan.
pub(super) async fn clicked(
    findings: &FindingActions,
    id: &FindingId,
    seen: Option<&PlanDigest>,
    user: &SlackUserId,
    trigger: &SlackTriggerId,
) -> Result<Option<Content>, CommandError> {
    match seen {
        Some(_) => approve(findings, id, seen, user).await,
        None => review(findings, id, user, trigger).await,
    }
}

/// Opens the modal that shows the whole request.
async fn review(
    findings: &FindingActions,
    id: &FindingId,
    user: &SlackUserId,
    trigger: &SlackTriggerId,
) -> Result<Option<Content>, CommandError> {
    let Some(record) = findings.table.get(id).await? else {
        return Ok(Some(refused(id, None)));
    };
    let finding = &record.finding;
    let Some(approval) = finding.waiting(findings.clock.now()) else {
        return Ok(Some(refused(id, Some(&Refusal::NotWaiting))));
    };
    if approval.asked_by == Actor::User(user.to_string()) {
        return Ok(Some(refused(id, Some(&Refusal::OwnRequest))));
    }
    let agreed = match approval.request.plan() {
        Some(plan) => findings.table.plan(plan).await?,
        None => None,
    };
    let Some(agreed) = agreed else {
        return Ok(Some(refused(id, Some(&Refusal::PlanNotKnown))));
    };
    findings
        .slack
        .open_view(trigger, approve_view(finding, &approval.request, &agreed))
        .await?;
    Ok(None)
}

/// The modal was submitted: the operator approves.
pub(super) async fn submitted(
    findings: &FindingActions,
    event: &SlackInteractionViewSubmissionEvent,
) -> Result<Option<Content>, CommandError> {
    let Some((id, plan)) = approve_submission(&event.view) else {
        return Ok(Some(note(
            "Nothing is approved: the window carried no plan. Press *Approve* again.",
        )));
    };
    let id = findings.resolve(&id).await?;
    approve(findings, &id, Some(&plan), &event.user.id).await
}

/// Carries out the request in the name of the operator who asked.
async fn approve(
    findings: &FindingActions,
    id: &FindingId,
    seen: Option<&PlanDigest>,
    user: &SlackUserId,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), findings.clock.now());
    let agreed = match seen {
        Some(plan) => findings.table.plan(plan).await?,
        None => None,
    };
    let approve = |finding: &Finding| finding.approved(&by, seen, agreed.as_ref(), now);
    fix::conclude(findings, id, &by, approve).await
}
