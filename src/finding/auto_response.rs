//! The wanted state of auto-response, with who and when, and a run's hold.
//!
//! AWS obeys the EventBridge rule; this record is what people said last. A scheduled run that
//! finds "off" recorded does nothing, even if somebody enabled the rule.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::contracts::Switch;
use crate::ids::PlanListId;

/// A hold: a run stopped at the blast-radius cap, and no run goes on until a person answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The time at which the run stopped; it names the hold.
    pub at: Timestamp,
    /// The number of requests that the run had passed on.
    pub dispatched: u32,
    /// The list of plans that auto-response would go on with: a yes is to these plans only.
    #[serde(default)]
    pub list: Option<PlanListId>,
}

/// The recorded state of auto-response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoResponse {
    /// The state that was last wanted; `None` where nobody has said anything yet.
    #[serde(default)]
    pub wanted: Option<Wanted>,
    /// The time at which the scheduled rule was switched as wanted. Absent while it has not been.
    #[serde(default)]
    pub carried_out: Option<Timestamp>,
    /// The hold that nobody has answered.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// The yes to the last hold.
    #[serde(default)]
    pub goes_on: Option<GoesOn>,
}

/// How long a yes to a hold lasts.
const GOES_ON: SignedDuration = SignedDuration::from_hours(24);

/// A yes to a hold: for a day, the plans in its list count against no cap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoesOn {
    /// The list that the question showed.
    pub list: PlanListId,
    /// The time at which the run had stopped. The yes does not cover what was opened after it.
    pub stopped_at: Timestamp,
    /// The time at which people said yes.
    pub since: Timestamp,
}

impl AutoResponse {
    /// The yes to the last hold, while it lasts.
    pub fn goes_on(&self, now: Timestamp) -> Option<&GoesOn> {
        self.goes_on
            .as_ref()
            .filter(|yes| now.duration_since(yes.since) < GOES_ON)
    }
}

/// The name of the deployment among those who switch auto-response: its setting is `enable_auto_response`.
pub const BY_DEPLOYMENT: &str = "deployment";

/// The state that somebody wants of auto-response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The state that is wanted.
    pub switch: Switch,
    /// The Slack user, or [`BY_DEPLOYMENT`].
    pub by: String,
    /// The time at which it was said.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::at;

    #[test]
    fn consent_to_go_on_lasts_for_a_day() {
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
