//! `/dd ignore <id>`, the **Ignore…** button with its modal, and **Stop ignoring**.

use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, CommandError, FindingActions, fix, refused};
use crate::finding::{Actor, Covers, Finding, Refusal, StateName};
use crate::ids::FindingId;
use crate::slack::Content;
use crate::slack::blocks::note;
use crate::slack::ignore_view::{ignore_submission, ignore_view};

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "ignore",
    usage: "ignore <id>",
    does: "leave a finding as it is for a while, as its *Ignore* button does",
    who: Who::Operators,
    choices: &[],
    read: |words| with_id(words, Command::Ignore),
};

/// The delay of the requests of a finding whose ignore ends: a request that arrives before the change of
/// state would be deleted. Seconds.
const UNIGNORED_SOON: u32 = 5;

pub(super) async fn ask(
    findings: &FindingActions,
    id: &FindingId,
    trigger: &SlackTriggerId,
) -> Answer {
    let asked = || {
        note(&format!(
            "Tell me for how long and why in the window that opened, and `{id}` is ignored."
        ))
    };
    Ok(open(findings, id, trigger).await?.unwrap_or_else(asked))
}

/// Opens the modal. It is done within the request, because a trigger id is good for three seconds.
pub(super) async fn open(
    findings: &FindingActions,
    id: &FindingId,
    trigger: &SlackTriggerId,
) -> Result<Option<Content>, CommandError> {
    let Some(record) = findings.table.get(id).await? else {
        return Ok(Some(refused(id, None)));
    };
    match record.finding.state_name(findings.clock.now()) {
        StateName::Fixed => return Ok(Some(refused(id, Some(&Refusal::Fixed)))),
        StateName::Deleted => return Ok(Some(refused(id, Some(&Refusal::Deleted)))),
        StateName::Open | StateName::Fixing | StateName::Ignored | StateName::Undoing => {}
    }
    findings
        .slack
        .open_view(trigger, ignore_view(&record.finding))
        .await?;
    Ok(None)
}

pub(super) async fn submitted(
    findings: &FindingActions,
    event: &SlackInteractionViewSubmissionEvent,
) -> Result<Option<Content>, CommandError> {
    let Some(submission) = ignore_submission(&event.view) else {
        return Ok(Some(note(
            "Nothing is ignored: the window did not say for how long and why. Press *Ignore…* again and fill in both.",
        )));
    };
    let (now, user) = (findings.clock.now(), event.user.id.to_string());
    let until = submission.duration.end(now);
    let id = findings.resolve(&submission.finding).await?;
    let seen = match &submission.plan {
        Some(plan) => match findings.table.plan(plan).await? {
            Some(plan) => Some(plan),
            None => return Ok(Some(refused(&id, Some(&Refusal::PlanNotKnown)))),
        },
        None => None,
    };
    let ignore = |finding: &Finding| {
        if seen
            .as_ref()
            .is_some_and(|plan| plan.resource != finding.resource)
        {
            return Err(Refusal::PlanNotKnown);
        }
        let covers = match &seen {
            Some(plan) => Covers::of(&plan.changes),
            None => finding.covers_unseen()?,
        };
        finding.ignored(
            Actor::User(user.clone()),
            now,
            until,
            submission.reason.clone(),
            covers,
        )
    };
    let told = findings.decide(&id, ignore).await?;
    // What was opened since the window was opened is not ignored.
    fix::look_again(findings, &id).await?;
    Ok(told)
}

/// An open finding goes back to where auto-response looks: while it was ignored, its requests
/// were let go.
pub(super) async fn unignore(
    findings: &FindingActions,
    id: &FindingId,
    user: &SlackUserId,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), findings.clock.now());
    if let Some(record) = findings.table.get(id).await?
        && let Ok(open) = record.finding.unignored(&by, now)
    {
        // First, and late enough to be looked at when the finding says so: a crash in between
        // loses nothing.
        for request in open.auto_requests() {
            findings
                .fix_requests
                .queues
                .send_later(&findings.remediation_queue, &request, UNIGNORED_SOON)
                .await?;
        }
    }
    findings
        .decide(id, |finding| finding.unignored(&by, now))
        .await
}
