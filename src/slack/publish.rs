//! Brings a finding's Slack message up to date: posts it, edits it, replies in its thread.
//!
//! Whoever publishes holds a lease on the message, so that two never post it twice, and shows
//! the newest version before giving the lease back. A publisher that dies leaves `shown` behind
//! the finding; the next delivery of the same queue message, or a notice to show it, catches up.

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackTs};

use super::blocks::note;
use super::client::{Slack, SlackError};
use super::finding_message::finding_message;
use super::text::{actor, prose};
use crate::finding::table::{Record, Shown, Table, TableError};
use crate::ids::FindingId;

/// How a publication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Slack shows the finding as it is.
    Shown,
    /// Somebody else is editing the message, and will show the newest version.
    Busy,
}

/// Why a publication failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Slack.
    #[error(transparent)]
    Slack(#[from] SlackError),
}

/// Brings the message of the finding `id` up to date.
pub async fn publish(table: &Table, slack: &Slack, id: &FindingId) -> Result<Published, PublishError> {
    let Some(record) = table.lease(id, Timestamp::now()).await? else {
        return Ok(Published::Busy);
    };
    let shown = show_newest(table, slack, record).await;
    if shown.is_err() {
        table.release(id, None).await?;
    }
    shown
}

async fn show_newest(table: &Table, slack: &Slack, mut record: Record) -> Result<Published, PublishError> {
    loop {
        while !record.is_shown() {
            let shown = show_step(slack, &record).await?;
            let Some(newer) = table.set_shown(&record.finding.id, &shown).await? else {
                return Ok(Published::Shown);
            };
            record = newer;
        }
        match table.release(&record.finding.id, Some(record.version)).await? {
            None => return Ok(Published::Shown),
            Some(newer) => record = newer,
        }
    }
}

/// One call that brings Slack closer to the finding.
async fn show_step(slack: &Slack, record: &Record) -> Result<Shown, SlackError> {
    let Record { finding, version, shown } = record;
    let shown = match shown {
        Some(shown) if shown.episode == finding.episode => shown,
        previous => return post(slack, record, previous.as_ref()).await,
    };
    let (channel, ts) = (SlackChannelId::from(shown.channel.clone()), SlackTs::from(shown.ts.clone()));
    if shown.version != *version {
        let content = finding_message(finding, shown.previous.as_deref());
        return match slack.update(&channel, &ts, &content).await {
            // Somebody deleted it: people need a message all the same.
            Err(error) if error.is_message_gone() => {
                tracing::warn!(%error, finding_id = %finding.id, "the message is gone, posting another");
                let posted = post(slack, record, None).await?;
                Ok(Shown { previous: shown.previous.clone(), ..posted })
            }
            updated => updated.map(|()| Shown { version: *version, ..shown.clone() }),
        };
    }
    if let Some(reply) = finding.thread.get(shown.replies) {
        let by = reply.by.as_ref().map_or_else(String::new, |by| format!("{} ", actor(by)));
        slack.post(&channel, &note(&format!("{by}{}", prose(&reply.text, 2500))), Some(&ts)).await?;
    }
    Ok(Shown { replies: shown.replies + 1, ..shown.clone() })
}

async fn post(slack: &Slack, record: &Record, previous: Option<&Shown>) -> Result<Shown, SlackError> {
    let previous = match previous {
        // A missing link must not keep the news from people.
        Some(shown) => slack.permalink(&shown.channel.clone().into(), &shown.ts.clone().into()).await.ok(),
        None => None,
    };
    let ts =
        slack.post(slack.channel(), &finding_message(&record.finding, previous.as_deref()), None).await?;
    Ok(Shown {
        channel: slack.channel().to_string(),
        ts: ts.to_string(),
        episode: record.finding.episode,
        version: record.version,
        replies: 0,
        previous,
    })
}
