//! The publisher: the clients and locks that publishing a finding and drawing a digest share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackTs, SlackUserGroupId};

use super::Content;
use super::client::Slack;
use super::error::SlackError;
use super::mark::Mark;
use crate::aws::AwsError;
use crate::clock::Clock;
use crate::ids::DigestId;
use crate::queue::Queues;
use crate::store::{Table, TableError};

/// For so long after it was asked for, a drawing is sure to be yet to begin.
const SURELY_TO_COME: Duration = Duration::from_secs(3);

/// When this process asked for which digest's drawing: while that is yet to begin, whatever changes
/// is in it, and the digest's item, which a storm makes hot enough, is spared.
#[derive(Debug, Clone, Default)]
pub(super) struct AskedFor(Arc<Mutex<HashMap<DigestId, Instant>>>);

impl AskedFor {
    pub(super) fn is_to_come(&self, id: &DigestId) -> bool {
        self.asked()
            .get(id)
            .is_some_and(|at| at.elapsed() < SURELY_TO_COME)
    }

    pub(super) fn note(&self, id: &DigestId, asked_at: Instant) {
        let mut asked = self.asked();
        asked.retain(|_, at| at.elapsed() < SURELY_TO_COME);
        asked.insert(id.clone(), asked_at);
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<DigestId, Instant>> {
        self.0.lock().expect("nothing panics while it holds them")
    }
}

/// Shows findings in Slack.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// The findings.
    pub table: Table,
    /// The client that posts and edits.
    pub slack: Slack,
    /// For what has to be shown later.
    pub queues: Queues,
    /// The clock.
    pub clock: Clock,
    /// Whom the worst findings call.
    pub mention: Option<SlackUserGroupId>,
    /// One at a time asks where a finding goes in a channel: those of a batch would only win the
    /// race for the channel's places one after the other.
    pub(super) placing: Arc<Mutex<HashMap<SlackChannelId, Arc<tokio::sync::Mutex<()>>>>>,
    /// When Slack last did not take what it was given.
    pub(super) failed_at: Arc<Mutex<Option<Instant>>>,
    /// Whether it draws digests itself. Lambda freezes a function that has answered: what it goes
    /// on with minutes later would be drawn over what is newer.
    pub(super) draws: bool,
    /// Digests for whose drawing this process has just asked.
    pub(super) asked: AskedFor,
}

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
    /// A queue.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Publisher {
    /// A publisher.
    pub fn new(
        table: Table,
        slack: Slack,
        queues: Queues,
        clock: Clock,
        mention: Option<SlackUserGroupId>,
    ) -> Self {
        let (placing, asked) = (Arc::default(), AskedFor::default());
        Self {
            table,
            slack,
            queues,
            clock,
            mention,
            placing,
            failed_at: Arc::default(),
            draws: true,
            asked,
        }
    }

    /// One that leaves digests to the handler of the events queue.
    pub fn without_drawing(self) -> Self {
        Self {
            draws: false,
            ..self
        }
    }

    /// A channel that a route names but that Slack does not know, or where we are no member, must
    /// not keep the news from people.
    pub(super) async fn post_where_it_can(
        &self,
        channel: &SlackChannelId,
        content: &Content,
        mark: &Mark,
        unsure: Option<Timestamp>,
    ) -> Result<(SlackTs, SlackChannelId), SlackError> {
        match self
            .slack
            .post_marked(channel, content, None, mark, unsure)
            .await
        {
            Err(error) if error.is_channel_closed() && channel != self.slack.channel() => {
                tracing::error!(%error, channel = %channel.0, "a route leads nowhere: invite the app to the channel");
                let home = self.slack.channel();
                Ok((
                    self.slack
                        .post_marked(home, content, None, mark, unsure)
                        .await?,
                    home.clone(),
                ))
            }
            posted => Ok((posted?, channel.clone())),
        }
    }
}
