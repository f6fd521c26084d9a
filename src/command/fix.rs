//! `/dd fix <id>` and the **Fix** button.

use jiff::Timestamp;
use slack_morphism::prelude::SlackUserId;

use super::{Answer, CommandError, SlackFunction, refused};
use crate::finding::table::{Changed, Record};
use crate::finding::{Actor, Finding, Refusal};
use crate::ids::FindingId;
use crate::slack::Content;
use crate::slack::blocks::{actions, message, note, section};
use crate::slack::finding_message::{fix_ignored_button, headline};
use crate::slack::text::{actor, code, escape, prose};

pub(super) async fn run(function: &SlackFunction, id: &FindingId, user: &SlackUserId) -> Answer {
    let done = || {
        note(&format!(
            ":hourglass_flowing_sand: Fixing `{id}`. Its message in the channel tells how it goes."
        ))
    };
    Ok(clicked(function, id, user, false).await?.unwrap_or_else(done))
}

/// Moves the finding to Fixing by a conditional write, which only one of many clicks wins, then
/// sends the requests. What is worth telling whoever asked is returned.
pub(super) async fn clicked(
    function: &SlackFunction,
    id: &FindingId,
    user: &SlackUserId,
    even_ignored: bool,
) -> Result<Option<Content>, CommandError> {
    let now = Timestamp::now();
    let ask = |finding: &Finding| finding.fix_asked(Actor::User(user.to_string()), even_ignored, now);
    match function.table.change_existing(id, ask).await? {
        Changed::Yes(record) => send(function, &record).await,
        Changed::No(_, Some(Refusal::Ignored { by, reason })) => Ok(Some(ask_again(id, &by, &reason))),
        Changed::No(_, refusal) => Ok(Some(refused(id, refusal.as_ref()))),
    }
}

/// What is ignored is fixed after a second yes only.
fn ask_again(id: &FindingId, by: &Actor, reason: &str) -> Content {
    let text = format!("{} is ignored by {}: {}", code(id.as_str()), actor(by), prose(reason, 500));
    message(&text, vec![section(&text), actions(vec![fix_ignored_button(id, by, reason)])])
}

async fn send(function: &SlackFunction, record: &Record) -> Result<Option<Content>, CommandError> {
    let finding = &record.finding;
    let requests = finding.fix_requests();
    let sends = requests.iter().map(|request| function.queues.send(&function.fix_queue, request));
    let (sent, ()) = tokio::join!(futures::future::try_join_all(sends), function.publish(&finding.id));
    let Err(error) = sent else {
        tracing::info!(finding_id = %finding.id, requests = requests.len(), "a fix was asked for");
        return Ok(None);
    };
    tracing::error!(%error, finding_id = %finding.id, "cannot queue a fix");
    let now = Timestamp::now();
    function.table.change_existing(&finding.id, |finding| Ok(finding.fix_not_queued(now))).await?;
    function.publish(&finding.id).await;
    Ok(Some(note(&format!(
        ":warning: The fix could not be queued, so nothing was done: {}. Press Fix again in a minute.",
        escape(&headline(finding))
    ))))
}
