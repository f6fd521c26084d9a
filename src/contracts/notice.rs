//! Notices: what functions tell people. They arrive on the events queue, and the notifier posts them:
//! functions that may not touch Slack reach people this way.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Switch;
use crate::ids::PlanListId;

/// `{"notice": "parked", "queue": "defendable-remediation", …}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "notice",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Notice {
    /// A message could not be handled and lies in a dead-letter queue.
    Parked {
        /// The queue that it came from.
        queue: String,
        /// The id that it had when it was first sent.
        message_id: String,
        /// The id that it had when it was parked, where it has been a dead letter before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parked_as: Option<String>,
        /// The reason, for people.
        reason: String,
    },
    /// A run of auto-response has reached its cap and waits for an answer.
    Held {
        /// The time at which the run stopped; it names the hold in the answer.
        at: Timestamp,
        /// The number of requests that the run had passed on.
        dispatched: u32,
        /// About the number of messages that wait.
        waiting: u64,
        /// The list of plans that the run would go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<PlanListId>,
    },
    /// The scheduled rule was on though "off" is recorded; it was switched off again.
    SwitchedBack {
        /// The time at which it was switched off again.
        at: Timestamp,
        /// The Slack user id of the person who had switched it off.
        off_by: String,
        /// The time at which that person had switched it off.
        off_since: Timestamp,
    },
    /// AWS did not switch the rule off when "off" was said, and has done so now.
    CarriedOut {
        /// The time at which "off" was said.
        at: Timestamp,
        /// The Slack user id of the person who said it.
        by: String,
    },
    /// "On" is recorded, and the scheduled rule is disabled: only a person enables it.
    SwitchedOffElsewhere {
        /// The time at which "on" was said.
        at: Timestamp,
        /// The Slack user id of the person who said it.
        by: String,
    },
    /// Somebody switched auto-response.
    Switched {
        /// The time at which it was switched.
        at: Timestamp,
        /// The state to which it was switched.
        switch: Switch,
        /// The Slack user id of the person who switched it.
        by: String,
        /// Whether AWS has switched the rule.
        #[serde(default = "carried_out")]
        carried_out: bool,
    },
}

/// The default for notices of version 0.1, which announced only what AWS had done.
fn carried_out() -> bool {
    true
}

impl Notice {
    /// The key of the message that asks about a hold.
    pub fn held_key(at: Timestamp) -> String {
        format!("held {at}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_of_version_0_1_was_carried_out() {
        let at = "2026-01-01T00:00:00Z";
        let notice: Notice =
            serde_json::from_value(serde_json::json!({"notice": "switched", "at": at,
            "switch": "on", "by": "U0ALICE"}))
            .unwrap();
        assert!(matches!(
            notice,
            Notice::Switched {
                carried_out: true,
                ..
            }
        ));
        assert_eq!(Notice::held_key(at.parse().unwrap()), format!("held {at}"));
    }

    /// Queues stand below what functions tell each other, and write this notice themselves.
    #[test]
    fn a_report_of_a_parked_message_is_a_notice() {
        for parked_as in [None, Some("second".to_owned())] {
            let (queue, message_id, reason) =
                ("events".to_owned(), "first".to_owned(), "why".to_owned());
            let parked = crate::queue::Parked {
                queue: queue.clone(),
                message_id: message_id.clone(),
                parked_as: parked_as.clone(),
                reason: reason.clone(),
            };
            let notice = Notice::Parked {
                queue,
                message_id,
                parked_as,
                reason,
            };
            assert_eq!(
                serde_json::to_value(parked).unwrap(),
                serde_json::to_value(notice).unwrap()
            );
        }
    }
}
