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
    /// A finding's message may be behind the finding.
    Show {
        /// Which finding.
        finding: FindingId,
    },
    /// A digest's message may be behind its findings.
    Draw {
        /// Which digest.
        digest: DigestId,
    },
    /// The next slice of fixing every finding of a digest.
    FixAll {
        /// Which digest.
        digest: DigestId,
        /// The number of the slice, from 0.
        slice: u32,
        /// How many entries of the list have had their turn.
        #[serde(default)]
        done: usize,
        /// Those whose fixes are under way.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        under_way: Vec<FindingId>,
        /// How many slices before this one have failed, one after the other.
        #[serde(default)]
        failures: u32,
    },
    /// A resource may have changed: what a fix would change, how bad it is, what its tags say.
    Look {
        /// Which finding.
        finding: FindingId,
        /// Since when: a look that was later has seen it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// An undo has been given up, or is just being: who asked for it is told.
    UndoGivenUp {
        /// Of which finding.
        finding: FindingId,
    },
    /// CloudTrail may know by now who opened it.
    WhoOpened {
        /// Which finding.
        finding: FindingId,
        /// Of which episode.
        episode: u32,
        /// How often it has been asked before.
        looks: usize,
    },
    /// Somebody asked for the report.
    Report {
        /// When.
        at: Timestamp,
        /// Who, as a Slack user id.
        by: String,
        /// Where it goes, as a channel's id.
        channel: String,
    },
    /// A minute has passed: let ignores expire and look after fixes.
    Housekeeping {},
}

/// The tags of jobs.
const TAGS: [&str; 8] = [
    "show",
    "draw",
    "fixAll",
    "look",
    "undoGivenUp",
    "whoOpened",
    "report",
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
        for tag in TAGS {
            assert!(jobs.contains(&format!("`{tag}`")), "{tag}: {jobs}");
            assert!(!notices.contains(&format!("`{tag}`")), "{tag}: {notices}");
        }
    }
}
