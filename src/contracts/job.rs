//! Jobs: what functions ask the notifier to do, by the events queue.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{DigestId, FindingId};

/// `{"notice": "show", "finding": "f-3fa9c01b22de"}`. In JSON jobs have the tag that
/// [notices](super::notice::Notice) have, as in version 0.1: messages of either version may be in the queue
/// during an upgrade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "notice",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Job {
    /// Bring a finding's message up to date.
    Show {
        /// The finding.
        finding: FindingId,
    },
    /// Draw a digest's message.
    Draw {
        /// The digest.
        digest: DigestId,
    },
    /// Ask for the fixes of the next slice of a digest.
    FixAll {
        /// The digest.
        digest: DigestId,
        /// The number of the slice, from 0.
        slice: u32,
        /// The number of entries of the list that are done.
        #[serde(default)]
        done: usize,
        /// The findings whose fixes are under way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        under_way: Vec<FindingId>,
        /// The number of slices right before this one that failed.
        #[serde(default)]
        failures: u32,
    },
    /// Look at a resource, and bring the finding's plan, severity and tags up to date.
    Look {
        /// The finding.
        finding: FindingId,
        /// The time at which the look was asked for: a look that was later does for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// Tell the person who asked for an undo that it has been given up.
    UndoGivenUp {
        /// The finding.
        finding: FindingId,
    },
    /// Ask CloudTrail whose call broke the rule.
    WhoOpened {
        /// The finding.
        finding: FindingId,
        /// The episode.
        episode: u32,
        /// The number of times that CloudTrail has been asked before.
        looks: usize,
    },
    /// Draw the report and post it.
    Report {
        /// The time at which it was asked for.
        at: Timestamp,
        /// The Slack user id of the person who asked for it.
        by: String,
        /// The id of the channel where it is posted.
        channel: String,
    },
    /// Compare the account's Public Access Block, and have AWS Config judge buckets again where it was lowered.
    JudgeAgain {},
    /// Keep house, every minute: end ignores, look after fixes.
    Housekeeping {},
}

/// The tags of jobs.
const TAGS: [&str; 9] = [
    "show",
    "draw",
    "fixAll",
    "look",
    "undoGivenUp",
    "whoOpened",
    "report",
    "judgeAgain",
    "housekeeping",
];

impl Job {
    /// Whether a tag is that of a job, and not of a notice.
    pub fn is_tag(tag: &str) -> bool {
        TAGS.contains(&tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::notice::Notice;

    /// Serde names the variants that it knows where it is given none of them.
    fn variants<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> String {
        let unknown = serde_json::from_str::<T>(r#"{"notice": "none"}"#);
        unknown.unwrap_err().to_string()
    }

    #[test]
    fn the_tags_of_jobs_and_of_notices_are_told_apart() {
        let (jobs, notices) = (variants::<Job>(), variants::<Notice>());
        assert_eq!(jobs.matches('`').count(), 2 * (TAGS.len() + 1), "{jobs}");
        assert!(!Job::is_tag("parked"));
        for tag in TAGS {
            assert!(Job::is_tag(tag));
            assert!(jobs.contains(&format!("`{tag}`")), "{tag}: {jobs}");
            assert!(!notices.contains(&format!("`{tag}`")), "{tag}: {notices}");
        }
    }
}
