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
use super::operator::Operator;
use crate::aws::AwsError;
use crate::clock::Clock;
use crate::ids::DigestId;
use crate::queue::Queues;
use crate::store::{Table, TableError};

/// The time for which a drawing that was asked for has surely not begun.
const SURELY_TO_COME: Duration = Duration::from_secs(3);

/// The digests for whose drawing this process has asked, and when. While a drawing has not begun it includes
/// every change, so that the digest's item need not be written for each.
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
    /// The client of queues, for what is shown later.
    pub queues: Queues,
    /// The clock.
    pub clock: Clock,
    /// The user group that messages of the worst findings mention.
    pub mention: Option<SlackUserGroupId>,
    /// The operators: requests for approval mention the user groups among them.
    pub operators: Vec<Operator>,
    /// A lock for each channel. The findings of a batch ask for a place one at a time, since their
    /// conditional writes would fail one another.
    pub(super) placing: Arc<Mutex<HashMap<SlackChannelId, Arc<tokio::sync::Mutex<()>>>>>,
    /// The time at which Slack last did not take a message.
    pub(super) failed_at: Arc<Mutex<Option<Instant>>>,
    /// Whether it draws digests itself. Lambda freezes a function that has answered; a drawing that goes on
    /// minutes later would replace a newer one.
    pub(super) draws: bool,
    /// Digests for whose drawing this process has just asked.
    pub(super) asked: AskedFor,
}

/// The result of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Slack shows the finding as it is.
    Shown,
    /// Somebody else is editing the message, and will show the newest version.
    Busy,
}

/// The reason why a publication failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Slack refused a call, or did not answer.
    #[error(transparent)]
    Slack(#[from] SlackError),
    /// SQS refused a call, or did not answer.
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
        operators: Vec<Operator>,
    ) -> Self {
        let (placing, asked) = (Arc::default(), AskedFor::default());
        Self {
            table,
            slack,
            queues,
            clock,
            mention,
            operators,
            placing,
            failed_at: Arc::default(),
            draws: true,
            asked,
        }
    }

    /// A publisher that leaves the drawing of digests to the notifier.
    pub fn without_drawing(self) -> Self {
        Self {
            draws: false,
            ..self
        }
    }

    /// Posts in the default channel where the route's channel is not known to Slack, or the app is not a
    /// member of it.
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
