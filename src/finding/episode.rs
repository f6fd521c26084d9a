//! One episode of a finding: from when a resource breaks the rule until it breaks it again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::announcement::Announcement;
use super::attribution::Attribution;
use super::{Actor, Approval, Failure, Ignore, Reply};
use crate::contracts::Attempt;
use crate::controls::{Change, ViolationType};

/// What is known of one episode of a finding. A new episode replaces all of it; what outlasts an episode
/// is in [`Finding`](super::Finding). The table keeps its fields beside the finding's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Episode {
    /// How often the resource has broken the rule, from 1; each time has a Slack message of its own.
    #[serde(rename = "episode")]
    pub number: u32,
    /// When AWS Config recorded that the resource breaks the rule.
    pub opened_at: Timestamp,
    /// The principal whose call broke the rule, where CloudTrail names one.
    #[serde(default, rename = "opener")]
    pub attribution: Option<Attribution>,
    /// A request of one operator that waits for the yes of a second one.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// The operator who approved what is under way, or was done last, where that took two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Actor>,
    /// The ignore of a part of what is open, while the rest is not ignored.
    #[serde(default)]
    pub left: Option<Ignore>,
    /// Ignores that last beside the newest one, each with an end of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Ignore>,
    /// What fixes took away, in full.
    pub removed: Vec<Change>,
    /// What remediators announced that they would take away, and have not reported yet.
    pub begun: Vec<Announcement>,
    /// The attempts that have ended, the newest ones.
    #[serde(default)]
    pub ended: Vec<Attempt>,
    /// What was taken away and put back, and when: news from before that time is old.
    #[serde(default)]
    pub undone: Vec<(Change, Timestamp)>,
    /// When the undo was asked for that has not reported yet, also after it was given up.
    #[serde(default)]
    pub undo_asked_at: Option<Timestamp>,
    /// The last undo, where it failed.
    #[serde(default)]
    pub undo_failure: Option<Failure>,
    /// The kinds of violation that have been remediated.
    #[serde(rename = "mended")]
    pub remediated: BTreeSet<ViolationType>,
    /// The reports that counted: a repeated one does not count again.
    pub reports: Vec<(ViolationType, Timestamp)>,
    /// The replies in the message's thread, oldest first.
    pub thread: Vec<Reply>,
}

impl Episode {
    /// Episode `number`, of which nothing is known but when it began.
    pub(super) fn new(number: u32, opened_at: Timestamp) -> Self {
        Self {
            number,
            opened_at,
            attribution: None,
            approval: None,
            approved_by: None,
            left: None,
            beside: Vec::new(),
            removed: Vec::new(),
            begun: Vec::new(),
            ended: Vec::new(),
            undone: Vec::new(),
            undo_asked_at: None,
            undo_failure: None,
            remediated: BTreeSet::new(),
            reports: Vec::new(),
            thread: Vec::new(),
        }
    }

    /// The part that people see in Slack.
    pub(super) fn seen(&self) -> Self {
        Self {
            begun: Vec::new(),
            ended: Vec::new(),
            undone: Vec::new(),
            undo_asked_at: None,
            remediated: BTreeSet::new(),
            reports: Vec::new(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_dynamo::{AttributeValue, Item};

    use crate::finding::Finding;
    use crate::finding::tests::open;

    #[test]
    fn an_episode_is_kept_beside_the_finding_s_own_fields() {
        let item: Item = serde_dynamo::to_item(open()).unwrap();
        for name in [
            "episode", "openedAt", "removed", "mended", "thread", "opener",
        ] {
            assert!(item.contains_key(name), "{name}: {item:?}");
        }
        assert_eq!(item["episode"], AttributeValue::N("1".to_owned()));
        let read: Finding = serde_dynamo::from_item(item).unwrap();
        assert_eq!(read, open());
    }
}
