//! The buttons of a digest: **Show all**, page by page, and **Fix all…**.

use std::collections::BTreeSet;

use slack_morphism::prelude::*;

use super::{CommandError, DigestActions};
use crate::contracts::job::Job;
use crate::finding::digest::FixAll;
use crate::finding::event::HistoryEvent;
use crate::ids::{AccountId, DigestId, PlanListId};
use crate::slack::Content;
use crate::slack::authorisation::Reach;
use crate::slack::blocks::note;
use crate::slack::digest_view::{fix_all_submission, fix_all_view, show_all_view};
use crate::slack::request::BlockAction;

/// The delay of a second job that begins **Fix all**, in case the process dies before it sends the first.
/// Seconds.
const IN_ANY_CASE: u32 = 30;

/// Opens the list. It is done within the request, because a trigger id is good for three seconds.
pub(super) async fn show_all(
    digests: &DigestActions,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let Ok(id) = action.value.parse() else {
        return Ok(Some(unknown()));
    };
    let view = page(digests, &id, 0).await?;
    digests.slack.open_view(&action.trigger_id, view).await?;
    Ok(None)
}

/// A button to another page was pressed in the list: that page replaces this one.
pub(super) async fn turned(
    digests: &DigestActions,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let (id, from) = action.value.split_once(' ').unwrap_or_default();
    let (Ok(id), Some(modal)) = (id.parse(), &action.modal) else {
        return Ok(Some(unknown()));
    };
    let view = page(digests, &id, from.parse().unwrap_or_default()).await?;
    digests.slack.update_view(modal, view).await?;
    Ok(None)
}

async fn page(
    digests: &DigestActions,
    id: &DigestId,
    from: usize,
) -> Result<SlackModalView, CommandError> {
    let (entries, is_whole) = digests.table.entries_of(id).await?;
    Ok(show_all_view(id, &entries, from, is_whole))
}

/// Whether the operator may have findings of an account fixed by **Fix all**: not in an account where it
/// takes two.
fn may(digests: &DigestActions, reach: Option<&Reach>, account: &AccountId) -> bool {
    reach.is_some_and(|reach| reach.covers(account))
        && !digests.two_person_accounts.contains(account)
}

/// Opens the question before **Fix all**. Its numbers are those of the message: counting thousands of
/// findings would take longer than a trigger id is good for.
pub(super) async fn ask_fix_all(
    digests: &DigestActions,
    action: &BlockAction,
    reach: Option<&Reach>,
) -> Result<Option<Content>, CommandError> {
    let Some((id, list)) = action.value.split_once(' ') else {
        // A button of version 0.1 names no list.
        return redraw(digests, &action.value).await;
    };
    let (Ok(id), Ok(list)) = (id.parse::<DigestId>(), list.parse::<PlanListId>()) else {
        return Ok(Some(unknown()));
    };
    let Some(contents) = digests.table.list_contents(&list).await? else {
        return redraw(digests, id.as_str()).await;
    };
    let may = |account: &AccountId| may(digests, reach, account);
    // The number of unconfirmed plans is counted at each drawing, and may differ from the list's.
    let mut counts = contents.counts;
    if let Some(digest) = digests.table.digest(&id).await? {
        counts.unconfirmed = digest.counts.unconfirmed;
    }
    let view = fix_all_view(&id, &list, &counts, digests.blast_radius, may);
    digests.slack.open_view(&action.trigger_id, view).await?;
    Ok(None)
}

/// Has a digest drawn again whose button names no known list.
async fn redraw(digests: &DigestActions, id: &str) -> Result<Option<Content>, CommandError> {
    let Ok(digest) = id.parse::<DigestId>() else {
        return Ok(Some(unknown()));
    };
    digests
        .queues
        .send(&digests.queues.events, &Job::Draw { digest })
        .await?;
    Ok(Some(note(
        "Nothing was done: what this button stood for is not known any more. The digest is being drawn anew; press *Fix all…* there again.",
    )))
}

/// The question was answered with yes: the notifier goes through the list, slice by slice.
pub(super) async fn fix_all(
    digests: &DigestActions,
    event: &SlackInteractionViewSubmissionEvent,
    reach: Option<&Reach>,
) -> Result<Option<Content>, CommandError> {
    let Some((id, list)) = fix_all_submission(&event.view) else {
        return Ok(Some(unknown()));
    };
    let Some(contents) = digests.table.list_contents(&list).await? else {
        return Ok(Some(unknown()));
    };
    let (user, at) = (&event.user.id, digests.history.clock.now());
    let meant = |account: &AccountId| may(digests, reach, account);
    let findings = contents.counts.to_fix_in(meant);
    let accounts: BTreeSet<AccountId> = contents
        .counts
        .to_fix
        .keys()
        .filter(|account| meant(account))
        .cloned()
        .collect();
    if findings == 0 {
        return Ok(Some(note(
            "There is nothing left to fix in this digest that you may have fixed this way.",
        )));
    }
    let first = Job::FixAll {
        digest: id.clone(),
        slice: 0,
        done: 0,
        under_way: Vec::new(),
        failures: 0,
    };
    let events = &digests.queues.events;
    // This job is for the case that the process dies right after the yes is stored. Otherwise it finds the
    // slice done.
    digests
        .queues
        .send_later(events, &first, IN_ANY_CASE)
        .await?;
    let wanted = FixAll {
        by: user.to_string(),
        at,
        accounts,
        ended: false,
        list: Some(list),
    };
    if !digests.table.ask_fix_all(&id, &wanted).await? {
        return Ok(Some(note(
            "Somebody is having all of them fixed already; the digest's message tells how it goes.",
        )));
    }
    digests
        .history
        .remember(user, HistoryEvent::FixAllAsked { findings })
        .await;
    for notice in [first, Job::Draw { digest: id }] {
        if let Err(error) = digests.queues.send(events, &notice).await {
            tracing::warn!(%error, "fixing all begins, or is shown, a little later");
        }
    }
    Ok(None)
}

fn unknown() -> Content {
    note(
        "This carries no digest that I know. Nothing was done; `/dd findings` lists what there is.",
    )
}
