//! Reports that come after their episode has ended. What they took away is stored, and can be put back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::HistoryEvent;
use super::{Actor, Finding, UNDO_WINDOW};
use crate::contracts::{Outcome, ReportDetail};
use crate::controls::Change;

/// What was taken away in an episode that had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LateRemoval {
    /// The changes that were made.
    pub changes: Vec<Change>,
    /// The person who had asked for the fix.
    pub by: Actor,
    /// The time at which it was taken away.
    pub at: Timestamp,
}

/// The number of reports of earlier episodes that are kept.
const REPORTS: usize = 50;

impl Finding {
    /// Keeps the reports of an episode that ends, so that none of them counts again.
    pub(super) fn remember_reports(&mut self) {
        self.earlier_reports.append(&mut self.episode.reports);
        let surplus = self.earlier_reports.len().saturating_sub(REPORTS);
        self.earlier_reports.drain(..surplus);
    }

    /// The finding after a report of an earlier episode. `None` where the fix took nothing away, or the
    /// report is known.
    pub(super) fn reported_late(&self, detail: &ReportDetail, at: Timestamp) -> Option<Self> {
        let report = (detail.request.violation_type, at);
        let is_known = self.earlier_reports.contains(&report)
            || self
                .late
                .iter()
                .any(|late| late.at == at && late.changes == detail.changes);
        if detail.outcome != Outcome::Fixed || detail.changes.is_empty() || is_known {
            return None;
        }
        let (changes, by) = (detail.changes.clone(), Actor::of(&detail.request));
        let mut finding = self.clone();
        finding
            .late
            .retain(|late| at.duration_since(late.at) < UNDO_WINDOW);
        finding.record(at, by.clone(), HistoryEvent::fixed(&changes));
        let done: Vec<String> = changes.iter().map(Change::done).collect();
        finding.tell(
            None,
            format!("A report of an earlier fix came late: {}.", done.join("; ")),
        );
        finding.count_repeats(&changes, at);
        finding.removed_at = finding.removed_at.max(Some(at));
        finding.late.push(LateRemoval { changes, by, at });
        Some(finding)
    }
}
