//! The last time at which AWS Config was asked to judge a rule's resources again, and the account's settings
//! then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::table::{Table, TableError};
use crate::aws::bucket::PublicAccessBlock;
use crate::ids::RuleName;

fn key(rule: &RuleName) -> String {
    format!("JUDGED_AGAIN#{rule}")
}

/// The last time at which AWS Config was asked to judge a rule's resources again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgedAgain {
    /// The time at which AWS Config was asked, or at which the rule was first seen.
    pub at: Timestamp,
    /// The account's Public Access Block at the last look.
    pub block: PublicAccessBlock,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JudgedItem {
    judged_again: JudgedAgain,
}

impl Table {
    /// The last time for a rule; `None` before the first.
    pub async fn judged_again(&self, rule: &RuleName) -> Result<Option<JudgedAgain>, TableError> {
        let item: Option<JudgedItem> = self.get_item(key(rule), "JUDGED_AGAIN").await?;
        Ok(item.map(|item| item.judged_again))
    }

    /// Stores the last time for a rule.
    pub async fn note_judged_again(
        &self,
        rule: &RuleName,
        judged: JudgedAgain,
    ) -> Result<(), TableError> {
        let update = self
            .update(key(rule), "JUDGED_AGAIN")
            .does("SET judgedAgain = :judged")
            .value("judged", judged);
        update.make().await.map(drop)
    }
}
