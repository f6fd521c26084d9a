//! `/dd undo <id>` and the **Undo…** button with its modal.

use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, CommandError, FindingActions, fix, refused};
use crate::finding::ActionRequest;
use crate::ids::FindingId;
use crate::slack::Content;
use crate::slack::blocks::note;
use crate::slack::undo_view::{undo_submission, undo_view};

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "undo",
    usage: "undo <id>",
    does: "put back what a fix took away in the last seven days, as its *Undo…* button does",
    who: Who::Operators,
    choices: &[],
    read: |words| with_id(words, Command::Undo),
};

pub(super) async fn ask(
    findings: &FindingActions,
    id: &FindingId,
    trigger: &SlackTriggerId,
) -> Answer {
    let asked = || {
        note(&format!(
            "Tell me why in the window that opened, and the fix of `{id}` is undone."
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
    if let Err(refusal) = record.finding.can_undo(findings.clock.now()) {
        return Ok(Some(refused(id, Some(&refusal))));
    }
    findings
        .slack
        .open_view(trigger, undo_view(&record.finding))
        .await?;
    Ok(None)
}

pub(super) async fn submitted(
    findings: &FindingActions,
    event: &SlackInteractionViewSubmissionEvent,
) -> Result<Option<Content>, CommandError> {
    let Some(submission) = undo_submission(&event.view) else {
        return Ok(Some(note(
            "Nothing is undone: the window did not say why. Press *Undo…* again and fill it in.",
        )));
    };
    let request = ActionRequest::Undo {
        plan: submission.plan,
        reason: submission.reason,
    };
    let id = findings.resolve(&submission.finding).await?;
    fix::request(findings, &id, &event.user.id, request).await
}
