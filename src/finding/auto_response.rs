//! The wanted state of auto-response, with who and when, and a run's hold.
//!
//! AWS obeys the EventBridge rule; this record is what people said last. A scheduled run that
//! finds "off" recorded does nothing, whoever flipped the rule.

use aws_sdk_dynamodb::types::ReturnValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::table::{Table, TableError, conditional, text};
use crate::aws::AwsError;

const KEY: &str = "AUTO_RESPONSE";

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Violations are fixed on schedule.
    On,
    /// Violations wait.
    Off,
}

impl Switch {
    /// `on` or `off`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// A run that stopped at the blast-radius cap; nothing runs until somebody answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// When it stopped.
    pub at: Timestamp,
    /// How many requests it had passed on.
    pub dispatched: u32,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutoResponse {
    /// What people want; `None` when nobody has said anything yet.
    #[serde(default)]
    pub wanted: Option<Wanted>,
    /// A hold that nobody has answered.
    #[serde(default)]
    pub hold: Option<Hold>,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// On or off.
    pub switch: Switch,
    /// The Slack user.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Table {
    /// What is recorded; nothing, where nobody has said anything yet.
    pub async fn auto_response(&self) -> Result<AutoResponse, TableError> {
        let recorded = self.get_item(KEY.to_owned(), KEY.to_owned()).await?;
        Ok(recorded.unwrap_or(AutoResponse { wanted: None, hold: None }))
    }

    /// Records what somebody said, which also answers a hold.
    pub async fn want(&self, wanted: &Wanted) -> Result<(), TableError> {
        let update = self.auto_response_update().update_expression("SET wanted = :wanted REMOVE #hold");
        let update = update.expression_attribute_values(":wanted", to_attribute_value(wanted)?).send().await;
        update.map(drop).map_err(|error| AwsError::from_sdk("dynamodb:UpdateItem", error).into())
    }

    /// Records that a run stopped; `false` when one is recorded already.
    pub async fn hold(&self, hold: &Hold) -> Result<bool, TableError> {
        let update = self
            .auto_response_update()
            .update_expression("SET #hold = :hold")
            .condition_expression("attribute_not_exists(#hold)")
            .expression_attribute_values(":hold", to_attribute_value(hold)?)
            .return_values(ReturnValue::AllNew);
        let held =
            conditional::<serde::de::IgnoredAny, _>(update.send().await.map(|updated| updated.attributes))?;
        Ok(held.is_some())
    }

    /// Answers the hold of `at`: the next run goes on. `false` when it is answered already.
    pub async fn release_hold(&self, at: Timestamp) -> Result<bool, TableError> {
        let update = self
            .auto_response_update()
            .update_expression("REMOVE #hold")
            .condition_expression("#hold.#at = :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", to_attribute_value(at)?)
            .return_values(ReturnValue::AllNew);
        let released =
            conditional::<serde::de::IgnoredAny, _>(update.send().await.map(|updated| updated.attributes))?;
        Ok(released.is_some())
    }

    fn auto_response_update(
        &self,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.dynamodb
            .update_item()
            .table_name(&self.name)
            .key("pk", text(KEY))
            .key("sk", text(KEY))
            // "hold" is one of DynamoDB's reserved words.
            .expression_attribute_names("#hold", "hold")
    }
}
