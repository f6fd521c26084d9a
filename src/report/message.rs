//! The texts of the report: beside the picture, and for screen readers.

use super::{Figures, FixedBy};
use crate::slack::text::{age, code, count, when};
use crate::text::cut;

/// The number of rules that the text names.
const RULES: usize = 10;

/// The text above the picture, as mrkdwn.
pub(super) fn words(figures: &Figures) -> String {
    let now = figures.open.last().copied().unwrap_or_default();
    let before = figures.open.first().copied().unwrap_or_default();
    let FixedBy {
        people,
        automatic,
        elsewhere,
    } = figures.fixed_by;
    let mut lines = vec![
        format!("*The last 30 days*, until {}", when(figures.until)),
        format!(
            "• {} now, {before} thirty days ago",
            count(now, "open finding")
        ),
        format!("• {people} fixed by people, {automatic} by auto-response, {elsewhere} by others"),
    ];
    let mut rules: Vec<_> = figures.times.iter().collect();
    rules.sort_by_key(|(_, times)| std::cmp::Reverse(times.fixes));
    lines.extend(rules.iter().take(RULES).map(|(rule, times)| {
        format!(
            "• {}: {}, half within {}, nine of ten within {}",
            code(rule.as_str()),
            count(times.fixes as u64, "fix"),
            age(times.median.as_secs()),
            age(times.ninetieth.as_secs())
        )
    }));
    lines.join("\n")
}

/// The text for screen readers, of at most 1,000 characters
/// ([files.getUploadURLExternal](https://docs.slack.dev/reference/methods/files.getUploadURLExternal)).
pub(super) fn alt(figures: &Figures) -> String {
    let FixedBy {
        people,
        automatic,
        elsewhere,
    } = figures.fixed_by;
    let open: Vec<String> = figures.open.iter().map(u64::to_string).collect();
    cut(
        &format!(
            "Open findings at the end of each of the last 30 days: {}. Fixed by people: {people}, by auto-response: {automatic}, by others: {elsewhere}.",
            open.join(", ")
        ),
        1000,
    )
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::report::FixTimes;

    #[test]
    fn the_text_of_the_report_has_the_figures_of_its_picture() {
        let times = FixTimes {
            fixes: 1,
            median: SignedDuration::from_mins(7),
            ninetieth: SignedDuration::from_hours(30),
        };
        let figures = Figures {
            until: Timestamp::UNIX_EPOCH,
            open: vec![4, 1],
            times: [("r".parse().unwrap(), times)].into(),
            fixed_by: FixedBy {
                people: 1,
                automatic: 0,
                elsewhere: 0,
            },
        };
        let words = words(&figures);
        assert!(
            words.contains("1 open finding now, 4 thirty days ago"),
            "{words}"
        );
        assert!(
            words.contains("`r`: 1 fix, half within 7 min, nine of ten within 1 d"),
            "{words}"
        );
        assert!(
            alt(&figures)
                .starts_with("Open findings at the end of each of the last 30 days: 4, 1.")
        );
    }
}
