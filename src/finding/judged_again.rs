//! When a rule was last asked to judge everything again, and by which settings of the account.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::table::{Table, TableError, applied};
use crate::aws::bucket::PublicAccessBlock;
use crate::ids::RuleName;

fn key(rule: &RuleName) -> String {
    format!("JUDGED_AGAIN#{rule}")
}

/// What is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgedAgain {
    /// When the rules were last asked to judge again.
    pub at: Timestamp,
    /// What the account blocked when that was last looked at.
    pub block: PublicAccessBlock,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    judged_again: JudgedAgain,
}

impl Table {
    /// When that was; `None` before the first time.
    pub async fn judged_again(&self, rule: &RuleName) -> Result<Option<JudgedAgain>, TableError> {
        let item: Option<Item> = self.get_item(key(rule), "JUDGED_AGAIN".to_owned()).await?;
        Ok(item.map(|item| item.judged_again))
    }

    /// Notes it.
    pub async fn note_judged_again(
        &self,
        rule: &RuleName,
        judged: JudgedAgain,
    ) -> Result<(), TableError> {
        let update = self
            .update(key(rule), "JUDGED_AGAIN")
            .update_expression("SET judgedAgain = :judged")
            .expression_attribute_values(":judged", to_attribute_value(judged)?);
        applied(update).await.map(drop)
    }
}
