//! When a rule was last asked to judge everything again, and by which settings of the account.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::table::{Table, TableError};
use crate::aws::bucket::PublicAccessBlock;
use crate::ids::RuleName;

fn key(rule: &RuleName) -> String {
    format!("JUDGED_AGAIN#{rule}")
}

/// When a rule was last asked to judge everything again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JudgedAgain {
    /// When the rule was asked.
    pub at: Timestamp,
    /// What the account blocked when that was last looked at.
    pub block: PublicAccessBlock,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JudgedItem {
    judged_again: JudgedAgain,
}

impl Table {
    /// When that was; `None` before the first time.
    pub async fn judged_again(&self, rule: &RuleName) -> Result<Option<JudgedAgain>, TableError> {
        let item: Option<JudgedItem> = self.get_item(key(rule), "JUDGED_AGAIN").await?;
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
            .does("SET judgedAgain = :judged")
            .value("judged", judged);
        update.make().await.map(drop)
    }
}
