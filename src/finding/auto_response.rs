//! The wanted state of auto-response, with who and when, and a run's hold.
//!
//! AWS obeys the EventBridge rule; this record is what people said last. A scheduled run that
//! finds "off" recorded does nothing, even if somebody enabled the rule.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::contracts::Switch;
use crate::ids::PlanListId;

/// A run that stopped at the blast-radius cap; nothing runs until somebody answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// When the run stopped.
    pub at: Timestamp,
    /// How many requests it had passed on.
    pub dispatched: u32,
    /// What auto-response would go on with: to that, and nothing else, people say yes.
    #[serde(default)]
    pub list: Option<PlanListId>,
}

/// The recorded state of auto-response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoResponse {
    /// What people want; `None` when nobody has said anything yet.
    #[serde(default)]
    pub wanted: Option<Wanted>,
    /// When the scheduled rule was last brought to what is wanted. Absent while that is yet to be done.
    #[serde(default)]
    pub carried_out: Option<Timestamp>,
    /// A hold that nobody has answered.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// What people let the last hold go on with.
    #[serde(default)]
    pub goes_on: Option<GoesOn>,
}

/// For this long a yes to "go on" lasts.
const GOES_ON: SignedDuration = SignedDuration::from_hours(24);

/// A yes to going on after a hold: what is in its list counts against no cap, for a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoesOn {
    /// The list that the question showed.
    pub list: PlanListId,
    /// When the run had stopped. What was opened since, also again, is not meant.
    pub stopped_at: Timestamp,
    /// When people said yes.
    pub since: Timestamp,
}

impl AutoResponse {
    /// The yes to going on, while it lasts.
    pub fn goes_on(&self, now: Timestamp) -> Option<&GoesOn> {
        self.goes_on
            .as_ref()
            .filter(|yes| now.duration_since(yes.since) < GOES_ON)
    }
}

/// Who said what is wanted, where that was no person: the deployment, by `enable_auto_response`.
pub const BY_DEPLOYMENT: &str = "deployment";

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// On or off.
    pub switch: Switch,
    /// The Slack user, or [`BY_DEPLOYMENT`].
    pub by: String,
    /// When it was switched.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::at;

    #[test]
    fn a_yes_to_going_on_lasts_for_a_day() {
        let list = format!("l-{}", "0".repeat(64)).parse().unwrap();
        let yes = GoesOn {
            list,
            stopped_at: at(0),
            since: at(60),
        };
        let recorded = AutoResponse {
            goes_on: Some(yes.clone()),
            ..AutoResponse::default()
        };
        let day = 24 * 3600;
        assert_eq!(recorded.goes_on(at(60 + day - 1)), Some(&yes));
        assert_eq!(recorded.goes_on(at(60 + day)), None);
    }
}
