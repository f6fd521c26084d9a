//! A finding with what belongs to it in the table, and what Slack shows of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Actor, Finding, State};
use crate::ids::{DigestId, FindingId, PlanDigest};

/// Where Slack shows a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shown {
    /// By a message of its own.
    Posted(Posted),
    /// By a line of a digest.
    Listed(Listed),
}

/// What a digest shows of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// The digest.
    pub digest: DigestId,
    /// The episode that it is of.
    pub episode: u32,
    /// The version of the finding that it shows.
    pub version: u64,
}

/// What a finding's own message shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Posted {
    /// The channel of the message.
    pub channel: String,
    /// The message's timestamp, which is its id.
    pub ts: String,
    /// The episode that the message is of.
    pub episode: u32,
    /// The version of the finding that it shows.
    pub version: u64,
    /// How many of the thread's replies have been posted.
    pub replies: usize,
    /// The link to the message of the episode before.
    #[serde(default)]
    pub previous: Option<String>,
    /// The channel of the finding's route when it was posted. The message is elsewhere where the app could not
    /// post there. Absent in records of version 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Whether it has mentioned the user group.
    #[serde(default)]
    pub called: bool,
    /// The digest that lists the finding too, where the finding has left one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestId>,
}

/// The plans that are stored for a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptPlans {
    pub(super) plans: Vec<PlanDigest>,
    /// The time at which the first of them was stored.
    pub(super) at: Timestamp,
}

/// A finding with what belongs to it in the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The finding.
    pub finding: Finding,
    /// The number of times that it has been written.
    pub version: u64,
    /// The version that last changed what Slack shows.
    #[serde(default)]
    pub(super) news: Option<u64>,
    /// The version that wrote `news`. Version 0.1 did not write it: each of its records counts as news.
    #[serde(default)]
    news_of: Option<u64>,
    /// The plans that have been stored for it.
    #[serde(default)]
    pub(super) kept_plans: Option<KeptPlans>,
    /// The id under which version 0.2 keeps the finding, where this is the record of version 0.1.
    #[serde(default)]
    pub(super) moved_to: Option<FindingId>,
    /// What Slack shows.
    #[serde(default)]
    pub shown: Option<Shown>,
}

impl Record {
    /// The version that last changed what Slack shows.
    pub fn news(&self) -> u64 {
        self.news
            .filter(|_| self.news_of == Some(self.version))
            .unwrap_or(self.version)
    }

    /// Whether Slack shows the finding as it is.
    pub fn is_shown(&self) -> bool {
        match &self.shown {
            // The finding opened and was over before it was shown: there is nothing to show.
            None => matches!(
                self.finding.state,
                State::Fixed {
                    by: Actor::External,
                    ..
                }
            ),
            Some(Shown::Posted(posted)) => {
                posted.version == self.news()
                    && posted.episode == self.finding.episode.number
                    && posted.replies >= self.finding.episode.thread.len()
            }
            Some(Shown::Listed(listed)) => {
                listed.version == self.news() && listed.episode == self.finding.episode.number
            }
        }
    }
}

/// The result of a change.
#[derive(Debug)]
pub enum Changed<E> {
    /// Written; the record as it is now.
    Yes(Box<Record>),
    /// Nothing to write; the record as it is, if there is one.
    No(Option<Box<Record>>, E),
}

impl<E> Changed<E> {
    /// The record as it is now, if there is one.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Yes(record) => Some(record),
            Self::No(record, _) => record.as_deref(),
        }
    }
}
