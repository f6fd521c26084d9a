//! Keeps a digest's message up to date, without an edit for every finding that enters it.
//!
//! Whoever changes a digest draws it, unless it has just been drawn: then it asks for it to be
//! drawn a little later, by a notice, if nobody has asked yet. Drawing takes that back first, so
//! that whatever changes while it counts is asked for again: the last change is always drawn.

use jiff::Timestamp;
use slack_morphism::prelude::SlackChannelId;

use super::digest_message::digest_message;
use super::finding_message::mentioning;
use super::publish::{PublishError, Published, Publisher};
use crate::finding::digest::Digest;
use crate::finding::severity::Severity;
use crate::ids::DigestId;
use crate::notice::Notice;

/// How much later. Seconds.
const LATER: u32 = 4;

/// A digest has changed.
pub async fn changed(
    publisher: &Publisher,
    id: &DigestId,
    channel: &SlackChannelId,
) -> Result<(), PublishError> {
    let now = Timestamp::now();
    match publisher.table.begin_drawing(id, &channel.0, false, now).await? {
        Some(digest) => draw(publisher, id, &digest, now).await,
        None => ask(publisher, id, now).await,
    }
}

async fn ask(publisher: &Publisher, id: &DigestId, now: Timestamp) -> Result<(), PublishError> {
    if publisher.table.ask_for_drawing(id, now).await? {
        let queues = &publisher.queues;
        queues.send_later(&queues.events, &Notice::Draw { digest: id.clone() }, LATER).await?;
    }
    Ok(())
}

/// Draws a digest now.
pub async fn draw_now(publisher: &Publisher, id: &DigestId) -> Result<Published, PublishError> {
    let now = Timestamp::now();
    let Some(known) = publisher.table.digest(id).await? else { return Ok(Published::Shown) };
    match publisher.table.begin_drawing(id, &known.channel, true, now).await? {
        Some(digest) => draw(publisher, id, &digest, now).await.map(|()| Published::Shown),
        None => Ok(Published::Busy),
    }
}

async fn draw(
    publisher: &Publisher,
    id: &DigestId,
    digest: &Digest,
    begun: Timestamp,
) -> Result<(), PublishError> {
    let drawn = draw_message(publisher, id, digest).await;
    let ts = drawn.as_ref().ok().map(String::as_str);
    publisher.table.end_drawing(id, ts, begun).await?;
    drawn.map(drop)
}

async fn draw_message(publisher: &Publisher, id: &DigestId, digest: &Digest) -> Result<String, PublishError> {
    let fix_all = digest.fix_all.as_ref().map(|fix_all| fix_all.at);
    let tally = publisher.table.tally(id, fix_all).await?;
    let content = digest_message(id, digest, &tally);
    let (channel, slack) = (SlackChannelId::from(digest.channel.clone()), &publisher.slack);
    if let Some(ts) = &digest.ts {
        match slack.update(&channel, &ts.clone().into(), &content).await {
            Err(error) if error.is_message_gone() => {
                tracing::warn!(%error, digest_id = %id, "the digest's message is gone, posting another");
            }
            updated => return Ok(updated.map(|()| ts.clone())?),
        }
    }
    let worst = tally.worst.first().map(|entry| entry.severity);
    let content = match &publisher.mention {
        Some(group) if worst == Some(Severity::Critical) && digest.ts.is_none() => mentioning(content, group),
        _ => content,
    };
    let (ts, _) = publisher.post_where_it_can(&channel, &content).await?;
    Ok(ts.to_string())
}
