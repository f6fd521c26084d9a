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
        /// Why.
        reason: String,
    },
    /// A run of auto-response has reached its cap and waits for an answer.
    Held {
        /// When it stopped; names the hold in the answer.
        at: Timestamp,
        /// How many requests it had passed on.
        dispatched: u32,
        /// About how many messages are waiting.
        waiting: u64,
        /// What it would go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<PlanListId>,
    },
    /// The scheduled rule was on though "off" is recorded; it was switched off again.
    SwitchedBack {
        /// When.
        at: Timestamp,
        /// Who had switched it off, as a Slack user id.
        off_by: String,
        /// When they had.
        off_since: Timestamp,
    },
    /// "Off" could not be carried out when it was said, and is now.
    CarriedOut {
        /// When it was said.
        at: Timestamp,
        /// Who had said it.
        by: String,
    },
    /// "On" is recorded, and the scheduled rule is disabled: only a person enables it.
    SwitchedOffElsewhere {
        /// When "on" was said.
        at: Timestamp,
        /// Who had said it.
        by: String,
    },
    /// Somebody switched auto-response.
    Switched {
        /// When.
        at: Timestamp,
        /// Which way.
        switch: Switch,
        /// Who, as a Slack user id.
        by: String,
        /// Whether AWS has done as it was told.
        #[serde(default = "carried_out")]
        carried_out: bool,
    },
}

/// Of versions before 0.2, which announced what was carried out only.
fn carried_out() -> bool {
    true
}

impl Notice {
    /// What people are asked about a hold.
    pub fn held_key(at: Timestamp) -> String {
        format!("held {at}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Queues stand below what functions tell each other, and write this notice themselves.
    #[test]
    fn what_a_queue_says_of_a_parked_message_is_a_notice() {
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
