//! The order of findings in a list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Finding;
use crate::controls::Severity;

/// Sorts findings for a list: the worst first, and of one severity those first that have been open the longest.
pub fn worst_first(findings: &mut [Finding]) {
    findings.sort_by_cached_key(|finding| {
        (
            Reverse(finding.severity),
            finding.episode.opened_at,
            finding.id.clone(),
        )
    });
}

/// The number of findings of each severity that one of them has, the worst first.
pub fn by_severity<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<(Severity, u64)> {
    let mut numbers = BTreeMap::new();
    for finding in findings {
        *numbers.entry(finding.severity).or_default() += 1;
    }
    numbers.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{at, open};

    fn finding(id: &str, severity: Severity, opened: i64) -> Finding {
        let mut finding = Finding {
            id: id.parse().unwrap(),
            severity,
            ..open()
        };
        finding.episode.opened_at = at(opened);
        finding
    }

    #[test]
    fn the_worst_come_first_and_of_these_the_oldest() {
        let mut findings = [
            finding("f-000000000001", Severity::Low, 1),
            finding("f-000000000002", Severity::Critical, 5),
            finding("f-000000000003", Severity::High, 2),
            finding("f-000000000004", Severity::Critical, 4),
        ];
        worst_first(&mut findings);
        let ids = findings.each_ref().map(|finding| finding.id.as_str());
        let last = |number| format!("f-00000000000{number}");
        assert_eq!(ids, [4, 2, 3, 1].map(last));
        assert_eq!(
            by_severity(&findings),
            [
                (Severity::Critical, 2),
                (Severity::High, 1),
                (Severity::Low, 1)
            ]
        );
    }
}
