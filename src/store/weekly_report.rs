//! Whether the weekly report is wanted.

use serde::Deserialize;

use super::table::{Table, TableError};
use crate::finding::auto_response::Wanted;

const KEY: &str = "WEEKLY_REPORT";

#[derive(Deserialize)]
struct ReportItem {
    #[serde(default)]
    wanted: Option<Wanted>,
}

impl Table {
    /// The last word on the weekly report; `None` where nobody has said anything yet.
    pub async fn weekly_report(&self) -> Result<Option<Wanted>, TableError> {
        let item: Option<ReportItem> = self.get_item(KEY, KEY).await?;
        Ok(item.and_then(|item| item.wanted))
    }

    /// Stores whether the report is wanted.
    pub async fn want_weekly_report(&self, wanted: &Wanted) -> Result<(), TableError> {
        let update = self
            .update(KEY, KEY)
            .does("SET wanted = :wanted")
            .value("wanted", wanted);
        update.make().await.map(drop)
    }
}
