//! Keeps a digest's message up to date, without an edit for every finding that enters it.
//!
//! Whoever changes a digest draws it, unless it has just been drawn: then it asks for it to be
//! drawn a little later, by a notice, if nobody has asked yet. Drawing takes that back first, so
//! that whatever changes while it counts is asked for again: the last change is always drawn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use slack_morphism::prelude::SlackChannelId;

use super::digest_message::digest_message;
use super::finding_message::mentioning;
use super::publish::{PublishError, Published, Publisher};
use crate::finding::digest::{Digest, DigestMessage};
use crate::finding::severity::Severity;
use crate::ids::DigestId;
use crate::notice::Notice;

/// How much later. Seconds.
const LATER: u32 = 4;

/// For so long after it was asked for, a drawing is sure to be yet to begin.
const SURELY_TO_COME: Duration = Duration::from_secs(3);

/// When this process asked for which digest's drawing: while that is yet to begin, whatever changes
/// is in it, and the digest's item, which a storm makes hot enough, is spared.
#[derive(Debug, Clone, Default)]
pub(super) struct AskedFor(Arc<Mutex<HashMap<DigestId, Instant>>>);

impl AskedFor {
    fn is_to_come(&self, id: &DigestId) -> bool {
        self.asked().get(id).is_some_and(|at| at.elapsed() < SURELY_TO_COME)
    }

    fn note(&self, id: &DigestId) {
        let mut asked = self.asked();
        asked.retain(|_, at| at.elapsed() < SURELY_TO_COME);
        asked.insert(id.clone(), Instant::now());
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<DigestId, Instant>> {
        self.0.lock().expect("nothing panics while it holds them")
    }
}

/// A digest has changed.
pub async fn changed(
    publisher: &Publisher,
    id: &DigestId,
    channel: &SlackChannelId,
) -> Result<(), PublishError> {
    if publisher.asked.is_to_come(id) {
        return Ok(());
    }
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
        publisher.asked.note(id);
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
    publisher.table.end_drawing(id, drawn.as_ref().ok(), begun).await?;
    drawn.map(drop)
}

async fn draw_message(
    publisher: &Publisher,
    id: &DigestId,
    digest: &Digest,
) -> Result<DigestMessage, PublishError> {
    let fix_all = digest.fix_all.as_ref().map(|fix_all| fix_all.at);
    let tally = publisher.table.tally(id, fix_all).await?;
    let content = digest_message(id, digest, &tally);
    let (channel, slack) = (SlackChannelId::from(digest.channel.clone()), &publisher.slack);
    if let Some(ts) = &digest.ts {
        match slack.update(&channel, &ts.clone().into(), &content).await {
            Err(error) if error.is_message_gone() => {
                tracing::warn!(%error, digest_id = %id, "the digest's message is gone, posting another");
            }
            updated => {
                updated?;
                return Ok(DigestMessage { channel: digest.channel.clone(), ts: ts.clone() });
            }
        }
    }
    let worst = tally.worst.first().map(|entry| entry.severity);
    let content = match &publisher.mention {
        Some(group) if worst == Some(Severity::Critical) && digest.ts.is_none() => mentioning(content, group),
        _ => content,
    };
    let (ts, channel) = publisher.post_where_it_can(&channel, &content).await?;
    Ok(DigestMessage { channel: channel.to_string(), ts: ts.to_string() })
}
