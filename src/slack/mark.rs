//! Marks: they find a message again that was posted, but whose timestamp was not stored.
//!
//! A publisher may die, or lose Slack's answer, between the post and the note of its timestamp in
//! the findings table. Slack takes no key that would make a second post of the same harmless, so
//! each post carries a mark, the
//! [`block_id`](https://docs.slack.dev/reference/block-kit/blocks/section-block) of its first block,
//! and the next publisher looks for that first.

use hex::encode;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use slack_morphism::prelude::{SlackBlock, SlackChannelId, SlackTs};

use super::Content;
use super::client::Slack;
use super::error::SlackError;
use crate::ids::{DigestId, FindingId};

/// A message's mark, such as `f-3fa9c01b22de/2`: unique, and the same for every publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// The mark of a finding's own message in one of its episodes.
    pub fn finding(id: &FindingId, episode: u32) -> Self {
        Self(format!("{id}/{episode}"))
    }

    /// The mark of reply number `reply` in that message's thread.
    pub fn reply(id: &FindingId, episode: u32, reply: usize) -> Self {
        Self(format!("{id}/{episode}/{reply}"))
    }

    /// The mark of the reply that mentions the user group.
    pub fn call(id: &FindingId, episode: u32) -> Self {
        Self(format!("{id}/{episode}/call"))
    }

    /// The mark of a digest's message.
    pub fn digest(id: &DigestId) -> Self {
        Self(id.to_string())
    }

    /// The mark of a message about no finding, by the key of its claim.
    pub fn notice(key: &str) -> Self {
        Self(encode(Sha256::digest(key)))
    }

    /// The content with the mark as the id of its first block.
    pub fn put_on(&self, content: &Content) -> Content {
        let mut marked = content.clone();
        if let Some(first) = marked.blocks.iter_mut().flatten().next()
            && let Ok(mut json) = serde_json::to_value(&*first)
        {
            json["block_id"] = self.0.clone().into();
            *first = serde_json::from_value(json).unwrap_or_else(|_| first.clone());
        }
        marked
    }

    /// Whether the content has this mark.
    pub fn is_on(&self, content: &Content) -> bool {
        let id =
            |block: &SlackBlock| Some(serde_json::to_value(block).ok()?.get("block_id")?.clone());
        let first = content.blocks.iter().flatten().next().and_then(id);
        first.is_some_and(|id| id == self.0.as_str())
    }
}

impl Slack {
    /// Posts content with a mark, and returns the message's timestamp. Where an earlier publisher may have
    /// posted it since `unsure`, looks for that message first, and edits it.
    pub async fn post_marked(
        &self,
        channel: &SlackChannelId,
        content: &Content,
        thread: Option<&SlackTs>,
        mark: &Mark,
        unsure: Option<Timestamp>,
    ) -> Result<SlackTs, SlackError> {
        if let Some(since) = unsure
            && let Some(ts) = self.find(channel, thread, mark, since).await?
        {
            tracing::info!(?mark, "found a message that nobody had noted");
            if thread.is_none() {
                // The message may show an earlier version of the finding. Its mark stays, for the next
                // publisher may die too.
                self.update(channel, &ts, &mark.put_on(content)).await?;
            }
            return Ok(ts);
        }
        self.post(channel, &mark.put_on(content), thread).await
    }

    /// The message that has the mark already. None also where the app may not read the channel; then a
    /// message can be posted twice.
    async fn find(
        &self,
        channel: &SlackChannelId,
        thread: Option<&SlackTs>,
        mark: &Mark,
        since: Timestamp,
    ) -> Result<Option<SlackTs>, SlackError> {
        match self.messages_since(channel, thread, since).await {
            Ok(messages) => {
                let ours = messages
                    .into_iter()
                    .find(|message| mark.is_on(&message.content));
                Ok(ours.map(|message| message.origin.ts))
            }
            Err(error) if error.is_channel_closed() => Err(error),
            Err(error) if error.is_refusal() || error.is_unreadable() => {
                tracing::warn!(%error, "cannot look for a message that may be there already");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::blocks::note;

    #[test]
    fn a_mark_is_found_on_what_it_was_put_on_only() {
        let (mark, other) = (Mark::notice("held 1"), Mark::notice("held 2"));
        let marked = mark.put_on(&note("words"));
        assert!(mark.is_on(&marked) && !other.is_on(&marked) && !mark.is_on(&note("words")));
        assert_eq!(marked.text, note("words").text);
    }

    #[test]
    fn marks_keep_within_a_block_id() {
        // https://docs.slack.dev/reference/block-kit/blocks/section-block
        assert!(Mark::notice(&"k".repeat(5000)).0.len() <= 255);
    }
}
