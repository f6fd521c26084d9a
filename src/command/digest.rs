//! The buttons of a digest: **Show all**, page by page, and **Fix all…**.

use std::collections::BTreeSet;

use jiff::Timestamp;
use slack_morphism::prelude::*;

use super::{CommandError, SlackFunction};
use crate::finding::digest::FixAll;
use crate::finding::history::Deed;
use crate::ids::{AccountId, DigestId, FindingId};
use crate::notice::Notice;
use crate::slack::Content;
use crate::slack::authorisation::Reach;
use crate::slack::blocks::note;
use crate::slack::digest_view::{PAGE, fix_all_submission, fix_all_view, show_all_submission, show_all_view};
use crate::slack::request::BlockAction;

/// When fixing all begins though nobody was left to begin it. Seconds.
const IN_ANY_CASE: u32 = 30;

/// Opens the list; this stays in the request because a trigger lasts three seconds.
pub(super) async fn show_all(
    function: &SlackFunction,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let Ok(id) = action.value.parse() else { return Ok(Some(unknown())) };
    let view = page(function, &id, None).await?;
    function.slack.open_view(&action.trigger_id, view).await?;
    Ok(None)
}

/// The next page takes the place of this one.
pub(super) async fn next_page(
    function: &SlackFunction,
    view: &SlackStatefulView,
) -> Result<Option<SlackModalView>, CommandError> {
    match show_all_submission(view) {
        Some((id, behind)) => page(function, &id, Some(&behind)).await.map(Some),
        None => Ok(None),
    }
}

async fn page(
    function: &SlackFunction,
    id: &DigestId,
    behind: Option<&FindingId>,
) -> Result<SlackModalView, CommandError> {
    let (members, more) = function.table.members(id, behind, PAGE).await?;
    Ok(show_all_view(id, &members, more))
}

/// Whether somebody can have an account's findings fixed all at once: not where it takes two.
fn may(function: &SlackFunction, reach: Option<&Reach>, account: &AccountId) -> bool {
    reach.is_some_and(|reach| reach.covers(account)) && !function.two_person_accounts.contains(account)
}

/// Asks before anything is fixed, and names the number, as the message last counted it: counting
/// thousands would take longer than the trigger lasts.
pub(super) async fn ask_fix_all(
    function: &SlackFunction,
    action: &BlockAction,
    reach: Option<&Reach>,
) -> Result<Option<Content>, CommandError> {
    let Ok(id) = action.value.parse::<DigestId>() else { return Ok(Some(unknown())) };
    let Some(digest) = function.table.digest(&id).await? else { return Ok(Some(unknown())) };
    let may = |account: &AccountId| may(function, reach, account);
    let view = fix_all_view(&id, &digest.counts, function.blast_radius, may);
    function.slack.open_view(&action.trigger_id, view).await?;
    Ok(None)
}

/// The notifier goes through them, slice by slice.
pub(super) async fn fix_all(
    function: &SlackFunction,
    event: &SlackInteractionViewSubmissionEvent,
    reach: Option<&Reach>,
) -> Result<Option<Content>, CommandError> {
    let Some(id) = fix_all_submission(&event.view) else { return Ok(Some(unknown())) };
    let Some(digest) = function.table.digest(&id).await? else { return Ok(Some(unknown())) };
    let (user, at) = (&event.user.id, Timestamp::now());
    let meant = |account: &AccountId| may(function, reach, account);
    let findings = digest.counts.to_fix_in(meant);
    let accounts: BTreeSet<AccountId> =
        digest.counts.to_fix.keys().filter(|account| meant(account)).cloned().collect();
    if findings == 0 {
        return Ok(Some(note(
            "There is nothing left to fix in this digest that you may have fixed this way.",
        )));
    }
    let first =
        Notice::FixAll { digest: id.clone(), slice: 0, behind: None, under_way: Vec::new(), failures: 0 };
    let events = &function.queues.events;
    // In case we die right after it is recorded; otherwise it comes too late to do anything.
    function.queues.send_later(events, &first, IN_ANY_CASE).await?;
    let wanted = FixAll { by: user.to_string(), at, accounts, ended: false };
    if !function.table.ask_fix_all(&id, &wanted).await? {
        return Ok(Some(note(
            "Somebody is having all of them fixed already; the digest's message tells how it goes.",
        )));
    }
    function.remember(user, Deed::FixAllAsked { findings }).await;
    for notice in [first, Notice::Draw { digest: id }] {
        if let Err(error) = function.queues.send(events, &notice).await {
            tracing::warn!(%error, "fixing all begins, or is shown, a little later");
        }
    }
    Ok(None)
}

fn unknown() -> Content {
    note("This carries no digest that I know. Nothing was done; `/dd findings` lists what there is.")
}
