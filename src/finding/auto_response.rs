//! The wanted state of auto-response, with who and when, and a run's hold.
//!
//! AWS obeys the EventBridge rule; this record is what people said last. A scheduled run that
//! finds "off" recorded does nothing, even if somebody enabled the rule.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::table::{Table, TableError, applied};
use crate::aws::AwsError;
use crate::contracts::Switch;
use crate::ids::PlanListId;

const KEY: &str = "AUTO_RESPONSE";

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

impl Table {
    /// What is recorded; nothing, where nobody has said anything yet.
    pub async fn auto_response(&self) -> Result<AutoResponse, TableError> {
        let recorded = self.get_item(KEY.to_owned(), KEY.to_owned()).await?;
        Ok(recorded.unwrap_or_default())
    }

    /// Whether auto-response may not act. A record that cannot be read counts as "off".
    pub async fn auto_response_is_off(&self) -> Result<bool, TableError> {
        match self.auto_response().await {
            Ok(recorded) => Ok(recorded
                .wanted
                .is_none_or(|wanted| wanted.switch == Switch::Off)),
            Err(TableError::Shape(error)) => {
                tracing::error!(%error, "what is wanted of auto-response cannot be read: it counts as off");
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Records what somebody said, which also answers a hold. It is yet to be carried out.
    pub async fn want(&self, wanted: &Wanted) -> Result<(), TableError> {
        let update = self
            .auto_response_update()
            .update_expression("SET wanted = :wanted REMOVE #hold, carriedOut, goesOn")
            .expression_attribute_values(":wanted", to_attribute_value(wanted)?);
        update
            .send()
            .boxed()
            .await
            .map(drop)
            .map_err(|error| AwsError::from_sdk("dynamodb:UpdateItem", error).into())
    }

    /// Records what the deployment says, where nobody has said anything; whether it was that.
    pub async fn want_first(&self, wanted: &Wanted) -> Result<bool, TableError> {
        let update = self
            .auto_response_update_without_hold()
            .update_expression("SET wanted = :wanted")
            .condition_expression("attribute_not_exists(wanted)")
            .expression_attribute_values(":wanted", to_attribute_value(wanted)?);
        applied(update).await
    }

    /// The scheduled rule is as it was wanted `at`. What is wanted since then is yet to be carried out.
    pub async fn carried_out(&self, at: Timestamp) -> Result<(), TableError> {
        let update = self
            .auto_response_update_without_hold()
            .update_expression("SET carriedOut = :now")
            .condition_expression("wanted.#at = :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", to_attribute_value(at)?)
            .expression_attribute_values(":now", to_attribute_value(Timestamp::now())?);
        applied(update).await.map(drop)
    }

    /// Records that a run stopped; `false` when one is recorded already.
    pub async fn hold(&self, hold: &Hold) -> Result<bool, TableError> {
        let update = self
            .auto_response_update()
            .update_expression("SET #hold = :hold REMOVE goesOn")
            .condition_expression("attribute_not_exists(#hold)")
            .expression_attribute_values(":hold", to_attribute_value(hold)?);
        applied(update).await
    }

    /// Answers the hold of `at`: the next run goes on with the hold's list. `false` when it is answered
    /// already, or is another.
    pub async fn release_hold(
        &self,
        at: Timestamp,
        list: Option<PlanListId>,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let update = self
            .auto_response_update()
            .condition_expression("#hold.#at = :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", to_attribute_value(at)?);
        let update = match list {
            Some(list) => update
                .update_expression("SET goesOn = :yes REMOVE #hold")
                .expression_attribute_values(
                    ":yes",
                    to_attribute_value(GoesOn {
                        list,
                        stopped_at: at,
                        since: now,
                    })?,
                ),
            None => update.update_expression("REMOVE #hold, goesOn"),
        };
        applied(update).await
    }

    fn auto_response_update(&self) -> UpdateItemFluentBuilder {
        // "hold" is one of DynamoDB's reserved words.
        self.auto_response_update_without_hold()
            .expression_attribute_names("#hold", "hold")
    }

    fn auto_response_update_without_hold(&self) -> UpdateItemFluentBuilder {
        self.update(KEY, KEY)
    }
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
