//! The weekly report: whether it is wanted, and when it is due.

use jiff::Timestamp;
use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;

use crate::contracts::Switch;
use crate::finding::auto_response::Wanted;

/// The time at which a report last fell due: on a Monday at 08:00 UTC, after the report was wanted. Whether it
/// was posted is not known here.
pub fn due(wanted: Option<&Wanted>, now: Timestamp) -> Option<Timestamp> {
    let wanted = wanted.filter(|wanted| wanted.switch == Switch::On)?;
    let due = due_at(now)?;
    (due > wanted.at).then_some(due)
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
    fn the_report_is_due_on_the_monday_after_it_was_requested() {
        // The 5th of January 2026 is a Monday.
        let due = |wanted: &str, now: &str| {
            let wanted = Wanted {
                switch: Switch::On,
                by: "U0ALICE".to_owned(),
                at: at(wanted),
            };
            super::due(Some(&wanted), at(now))
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
        assert_eq!(super::due(None, monday), None);
    }
}
