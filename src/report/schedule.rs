//! The weekly report: whether somebody wants it, and when it is due.

use futures::FutureExt;
use jiff::Timestamp;
use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use crate::aws::AwsError;
use crate::contracts::Switch;
use crate::finding::auto_response::Wanted;
use crate::finding::table::{Table, TableError};

const KEY: &str = "WEEKLY_REPORT";

/// The recorded state of the weekly report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyReport {
    /// What somebody said last; nothing was said yet where absent.
    #[serde(default)]
    pub wanted: Option<Wanted>,
}

impl WeeklyReport {
    /// The report that is due now, by when it fell due: on a Monday at 08:00 UTC, after somebody
    /// wanted it.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let wanted = self
            .wanted
            .as_ref()
            .filter(|wanted| wanted.switch == Switch::On)?;
        let due = due_at(now)?;
        (due > wanted.at).then_some(due)
    }
}

impl Table {
    /// What is recorded about the weekly report.
    pub async fn weekly_report(&self) -> Result<WeeklyReport, TableError> {
        Ok(self
            .get_item(KEY.to_owned(), KEY.to_owned())
            .await?
            .unwrap_or_default())
    }

    /// Records what somebody said about it.
    pub async fn want_weekly_report(&self, wanted: &Wanted) -> Result<(), TableError> {
        let update = self.update(KEY, KEY);
        let update = update.update_expression("SET wanted = :wanted");
        let update = update
            .expression_attribute_values(":wanted", to_attribute_value(wanted)?)
            .send()
            .boxed()
            .await;
        update
            .map(drop)
            .map_err(|error| AwsError::from_sdk("dynamodb:UpdateItem", error).into())
    }
}

/// The last Monday, 08:00 UTC, before `now`.
fn due_at(now: Timestamp) -> Option<Timestamp> {
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let back = i64::from(today.weekday().since(Weekday::Monday));
    let monday = today.checked_sub(jiff::Span::new().days(back)).ok()?;
    let of = |date: jiff::civil::Date| {
        let moment = date
            .to_datetime(time(8, 0, 0, 0))
            .to_zoned_datetime(TimeZone::UTC)
            .ok()?;
        Some(moment.timestamp())
    };
    match of(monday)? {
        due if due <= now => Some(due),
        _ => of(monday.checked_sub(jiff::Span::new().days(7)).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn it_falls_due_on_mondays_after_it_was_wanted() {
        // The 5th of January 2026 is a Monday.
        let due = |wanted: &str, now: &str| {
            let wanted = Wanted {
                switch: Switch::On,
                by: "U0ALICE".to_owned(),
                at: at(wanted),
            };
            WeeklyReport {
                wanted: Some(wanted),
            }
            .due(at(now))
        };
        let monday = at("2026-01-05T08:00:00Z");
        assert_eq!(
            due("2026-01-02T12:00:00Z", "2026-01-05T08:00:00Z"),
            Some(monday)
        );
        assert_eq!(
            due("2026-01-02T12:00:00Z", "2026-01-09T23:00:00Z"),
            Some(monday)
        );
        assert_eq!(due("2026-01-02T12:00:00Z", "2026-01-05T07:59:00Z"), None);
        assert_eq!(due("2026-01-05T09:00:00Z", "2026-01-11T23:59:00Z"), None);
        assert_eq!(WeeklyReport::default().due(monday), None);
    }
}
