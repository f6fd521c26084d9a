//! Draws the messages of digests: not once for every finding, but for all that came meanwhile.
//!
//! The process that changes a digest draws it, unless it has just been drawn. Then it sends a job to draw it
//! a little later, if none has been sent yet. A drawing takes that note back before it counts, so that a
//! change during the counting sends a job again: the last change is always drawn.

use std::time::Instant;

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackTs};

use super::Content;
use super::blocks::note;
use super::digest_message::digest_message;
use super::error::SlackError;
use super::finding_message::mentioning;
use super::mark::Mark;
use super::publisher::{PublishError, Published, Publisher};
use crate::contracts::job::Job;
use crate::controls::Severity;
use crate::finding::StateName;
use crate::finding::digest::{Digest, Drawn, Entry, Tally};
use crate::finding::plan_list;
use crate::ids::{DigestId, PlanListId};
use crate::store::Holder;

/// The least pause before a drawing by a job. Seconds.
const LATER: u32 = 4;

/// The least pause after a person has done something. Seconds.
const SOON: u32 = 1;

/// The text beside the mention in a digest's thread.
const SOME_ARE: &str = "Among the findings of this digest there are critical ones now.";

/// Draws a digest that has changed, or sends a job that draws it later.
pub async fn changed(
    publisher: &Publisher,
    id: &DigestId,
    channel: &SlackChannelId,
) -> Result<(), PublishError> {
    if publisher.asked.is_to_come(id) {
        return Ok(());
    }
    let (now, holder) = (publisher.clock.now(), Holder::new());
    let mine = match publisher.draws {
        true => {
            publisher
                .table
                .begin_drawing(id, &channel.0, &holder, false, now)
                .await?
        }
        false => None,
    };
    if let Some(digest) = mine {
        match draw(publisher, id, &holder, &digest).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::warn!(%error, digest_id = %id, "cannot draw a digest now"),
        }
    }
    ask(publisher, id, channel, now).await
}

async fn ask(
    publisher: &Publisher,
    id: &DigestId,
    channel: &SlackChannelId,
    now: Timestamp,
) -> Result<(), PublishError> {
    let asked_at = Instant::now();
    let Some(next) = publisher.table.ask_for_drawing(id, &channel.0, now).await? else {
        return Ok(());
    };
    let pause = u32::try_from(next.duration_since(now).as_secs()).unwrap_or_default();
    // A person who has done something waits to see it.
    let later = if publisher.draws { LATER } else { SOON };
    let (queues, job) = (&publisher.queues, Job::Draw { digest: id.clone() });
    queues
        .send_later(&queues.events, &job, later.max(pause))
        .await?;
    if publisher.draws {
        publisher.asked.note(id, asked_at);
    }
    Ok(())
}

/// Draws a digest now.
pub async fn draw_now(publisher: &Publisher, id: &DigestId) -> Result<Published, PublishError> {
    let (now, holder) = (publisher.clock.now(), Holder::new());
    let Some(known) = publisher.table.digest(id).await? else {
        return Ok(Published::Shown);
    };
    match publisher
        .table
        .begin_drawing(id, &known.channel, &holder, true, now)
        .await?
    {
        Some(digest) => draw(publisher, id, &holder, &digest)
            .await
            .map(|()| Published::Shown),
        None => Ok(Published::Busy),
    }
}

async fn draw(
    publisher: &Publisher,
    id: &DigestId,
    holder: &Holder,
    digest: &Digest,
) -> Result<(), PublishError> {
    let drawn = draw_message(publisher, id, digest).await;
    publisher
        .table
        .end_drawing(id, holder, drawn.as_ref().ok(), publisher.clock.now())
        .await?;
    drawn.map(drop)
}

async fn draw_message(
    publisher: &Publisher,
    id: &DigestId,
    digest: &Digest,
) -> Result<Drawn, PublishError> {
    let fix_all = digest.fix_all.as_ref().map(|fix_all| fix_all.at);
    let begun = publisher.clock.now();
    let mut tally = publisher.table.tally(id, fix_all).await?;
    let list = keep_list(publisher, digest, &mut tally).await?;
    let counting = publisher.clock.now().duration_since(begun);
    let content = digest_message(id, digest, &tally, list.as_ref());
    let worst = tally.worst.first();
    let call = publisher.mention.as_ref().filter(|_| {
        let is_critical =
            |entry: &Entry| entry.severity == Severity::Critical && entry.state == StateName::Open;
        !digest.called && worst.is_some_and(is_critical)
    });
    let called = digest.called || call.is_some();
    let (channel, ts) = match edited(publisher, &Mark::digest(id), digest, &content).await? {
        Some((channel, ts)) => {
            if let Some(group) = call {
                // An edit notifies nobody.
                publisher
                    .slack
                    .post(&channel, &mentioning(note(SOME_ARE), group), Some(&ts))
                    .await?;
            }
            (channel, ts)
        }
        None => {
            let content = call.map_or_else(
                || content.clone(),
                |group| mentioning(content.clone(), group),
            );
            // The process that drew it before may have died before it stored the message's timestamp.
            let (mark, unsure) = (
                Mark::digest(id),
                digest.ts.is_none().then_some(digest.begun_at),
            );
            let home = digest.channel.clone().into();
            let (ts, channel) = publisher
                .post_where_it_can(&home, &content, &mark, unsure)
                .await?;
            (channel, ts)
        }
    };
    let over = StateName::ALL.into_iter().filter(|state| state.is_over());
    let all_over = over.map(|state| tally.count(state)).sum::<u64>() == tally.total;
    Ok(Drawn {
        channel: channel.to_string(),
        ts: ts.to_string(),
        called,
        counts: tally.counts,
        list,
        counting,
        all_over,
    })
}

/// Stores the list of plans that **Fix all** agrees to, before its button is shown.
async fn keep_list(
    publisher: &Publisher,
    digest: &Digest,
    tally: &mut Tally,
) -> Result<Option<PlanListId>, PublishError> {
    let mut entries = std::mem::take(&mut tally.to_fix);
    if entries.is_empty()
        || digest
            .fix_all
            .as_ref()
            .is_some_and(|fix_all| !fix_all.ended)
    {
        return Ok(None);
    }
    entries.sort();
    let id = plan_list::id_of(&entries);
    if digest.list.as_ref() == Some(&id) && publisher.table.list_contents(&id).await?.is_some() {
        return Ok(Some(id));
    }
    Ok(Some(
        publisher.table.keep_list(entries, &tally.counts).await?,
    ))
}

/// Edits the message and returns its place; `None` where there is none (any more).
async fn edited(
    publisher: &Publisher,
    mark: &Mark,
    digest: &Digest,
    content: &Content,
) -> Result<Option<(SlackChannelId, SlackTs)>, SlackError> {
    let Some(ts) = &digest.ts else {
        return Ok(None);
    };
    let (channel, ts) = (
        SlackChannelId::from(digest.channel.clone()),
        SlackTs::from(ts.clone()),
    );
    match publisher
        .slack
        .update(&channel, &ts, &mark.put_on(content))
        .await
    {
        Ok(()) => Ok(Some((channel, ts))),
        Err(error) if error.is_message_gone() => {
            tracing::warn!(%error, "a digest's message is gone, posting another");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
