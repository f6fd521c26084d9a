//! `/dd undo <id>` and the **Undo…** button with its modal.

use jiff::Timestamp;
use slack_morphism::prelude::*;

use super::{Answer, CommandError, SlackFunction, refused};
use crate::finding::table::{Changed, Record};
use crate::finding::{Actor, Finding};
use crate::ids::FindingId;
use crate::slack::Content;
use crate::slack::blocks::note;
use crate::slack::finding_message::headline;
use crate::slack::text::escape;
use crate::slack::undo_view::{undo_submission, undo_view};

pub(super) async fn ask(function: &SlackFunction, id: &FindingId, trigger: &SlackTriggerId) -> Answer {
    let asked = || note(&format!("Tell me why in the window that opened, and the fix of `{id}` is undone."));
    Ok(open(function, id, trigger).await?.unwrap_or_else(asked))
}

/// Opens the modal; this stays in the request because a trigger lasts three seconds.
pub(super) async fn open(
    function: &SlackFunction,
    id: &FindingId,
    trigger: &SlackTriggerId,
) -> Result<Option<Content>, CommandError> {
    let Some(record) = function.table.get(id).await? else { return Ok(Some(refused(id, None))) };
    if let Err(refusal) = record.finding.can_undo(Timestamp::now()) {
        return Ok(Some(refused(id, Some(&refusal))));
    }
    function.slack.open_view(trigger, undo_view(&record.finding)).await?;
    Ok(None)
}

pub(super) async fn submitted(
    function: &SlackFunction,
    event: &SlackInteractionViewSubmissionEvent,
) -> Result<Option<Content>, CommandError> {
    let Some(submission) = undo_submission(&event.view) else {
        return Ok(Some(note(
            "Nothing is undone: the window did not say why. Press *Undo…* again and fill it in.",
        )));
    };
    let (now, user) = (Timestamp::now(), event.user.id.to_string());
    let ask = |finding: &Finding| {
        finding.undo_asked(Actor::User(user.clone()), submission.seen, submission.reason.clone(), now)
    };
    match function.table.change_existing(&submission.finding, ask).await? {
        Changed::Yes(record) => send(function, &record).await,
        Changed::No(_, refusal) => Ok(Some(refused(&submission.finding, refusal.as_ref()))),
    }
}

async fn send(function: &SlackFunction, record: &Record) -> Result<Option<Content>, CommandError> {
    let finding = &record.finding;
    let Some(request) = finding.undo_request() else { return Ok(None) };
    let send = function.queues.send(&function.fix_queue, &request);
    let (sent, ()) = tokio::join!(send, function.publish(&finding.id));
    let Err(error) = sent else {
        tracing::info!(finding_id = %finding.id, "an undo was asked for");
        return Ok(None);
    };
    tracing::error!(%error, finding_id = %finding.id, "cannot queue an undo");
    let now = Timestamp::now();
    function.table.change_existing(&finding.id, |finding| Ok(finding.undo_not_queued(now))).await?;
    function.publish(&finding.id).await;
    Ok(Some(note(&format!(
        ":warning: The undo could not be queued, so nothing was done: {}. Press Undo again in a minute.",
        escape(&headline(finding))
    ))))
}
