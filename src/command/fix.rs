//! `/dd fix <id>` and the **Fix** button.

use jiff::Timestamp;
use slack_morphism::prelude::SlackUserId;

use super::{Answer, CommandError, SlackFunction, refused};
use crate::finding::{Actor, Finding, Refusal, Wish};
use crate::fix::{Asked, ask_for_fix};
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

/// What is worth telling whoever asked is returned.
pub(super) async fn clicked(
    function: &SlackFunction,
    id: &FindingId,
    user: &SlackUserId,
    even_ignored: bool,
) -> Result<Option<Content>, CommandError> {
    wish(function, id, user, Wish::Fix { even_ignored }).await
}

/// Somebody wants a fix or an undo: at once, or where it takes two, after another's yes.
pub(super) async fn wish(
    function: &SlackFunction,
    id: &FindingId,
    user: &SlackUserId,
    wish: Wish,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), Timestamp::now());
    if !function.two_person_accounts.is_empty() {
        // What waits for another's yes has nothing else to bring up its buttons.
        function.publisher.show_later(id).await?;
    }
    let ask = |finding: &Finding| match function.two_person_accounts.contains(&finding.resource.account) {
        true => finding.approval_asked(by.clone(), wish.clone(), now),
        false => finding.asked(by.clone(), &wish, now),
    };
    conclude(function, id, ask).await
}

/// Asks, shows what came of it, and returns what is worth telling.
pub(super) async fn conclude(
    function: &SlackFunction,
    id: &FindingId,
    ask: impl Fn(&Finding) -> Result<Finding, Refusal>,
) -> Result<Option<Content>, CommandError> {
    let asked = ask_for_fix(&function.table, &function.queues, &function.fix_queue, id, ask).await?;
    if asked.record().is_some() {
        function.publish(id).await;
    }
    Ok(match asked {
        Asked::UnderWay(record) if record.finding.shows_waiting().is_some() => Some(note(
            ":busts_in_silhouette: In this account it takes two. Another operator approves or declines in the finding's message.",
        )),
        Asked::UnderWay(_) => None,
        Asked::NotQueued(record) => {
            let what = record.map_or_else(|| id.to_string(), |record| headline(&record.finding));
            Some(note(&format!(
                ":warning: It could not be queued, so nothing was done: {}. Press the button again in a minute.",
                escape(&what)
            )))
        }
        Asked::Refused(Some(Refusal::Ignored { by, reason })) => Some(ask_again(id, &by, &reason)),
        Asked::Refused(refusal) => Some(refused(id, refusal.as_ref())),
    })
}

/// What is ignored is fixed after a second yes only.
fn ask_again(id: &FindingId, by: &Actor, reason: &str) -> Content {
    let text = format!("{} is ignored by {}: {}", code(id.as_str()), actor(by), prose(reason, 500));
    message(&text, vec![section(&text), actions(vec![fix_ignored_button(id, by, reason)])])
}
