//! The log line of every decision, wherever it is made: what somebody did to a finding, or to
//! Defendable, and what came of it.
//!
//! ```json
//! {"timestamp": "2026-11-25T02:00:00Z", "level": "INFO", "target": "decision", "message": "decision",
//!  "finding_id": "f-3fa9c01b22de", "actor": "U0ALICE", "outcome": "fixAsked", "detail": "asked for a fix",
//!  "span": {"name": "request", "request_id": "0b0e…"}}
//! ```
//!
//! `request_id` is the id that Slack's request got (a refusal tells it to the sender), or the
//! SQS message's id. `outcome` is the name of the event in the history, where the same is kept for
//! 400 days; or what the history does not keep: `dispatched`, `letGo` and `notDone`, for requests that the
//! coordinator and the remediators carry out or not, `held` and `switchedBack`.

use std::fmt;

use crate::finding::Actor;
use crate::finding::event::{Entry, HistoryEvent};
use crate::ids::FindingId;
use crate::metrics::{Counted, count_finding};

/// Tells the log and the metrics of an entry of the history.
pub(crate) fn tell(entry: &Entry) {
    line(
        entry.finding.as_ref(),
        &entry.by,
        outcome(entry).as_deref().unwrap_or_default(),
        &entry.event,
    );
    counted(&entry.event).into_iter().for_each(count_finding);
}

/// Tells the log of a decision; the history has those that changed something, or were refused.
pub(crate) fn line(
    finding: Option<&FindingId>,
    by: &Actor,
    outcome: &str,
    detail: impl fmt::Display,
) {
    let actor = match by {
        Actor::User(id) => id,
        Actor::AutoResponse => "auto-response",
        Actor::External => "elsewhere",
        Actor::Tag => "tag",
    };
    let finding_id = finding.map(tracing::field::display);
    tracing::info!(target: "decision", finding_id, actor, outcome, %detail, "decision");
}

/// The metric that counts an event, where one does.
fn counted(event: &HistoryEvent) -> Option<Counted> {
    match event {
        HistoryEvent::Found => Some(Counted::Opened),
        HistoryEvent::Fixed { .. } => Some(Counted::Fixed),
        HistoryEvent::Ignored { .. } => Some(Counted::Ignored),
        HistoryEvent::Complied
        | HistoryEvent::FixAsked
        | HistoryEvent::FixFailed { .. }
        | HistoryEvent::NotAgreed { .. }
        | HistoryEvent::OpenedBeyondIgnore { .. }
        | HistoryEvent::Deleted
        | HistoryEvent::Unignored
        | HistoryEvent::IgnoreEnded
        | HistoryEvent::Untagged
        | HistoryEvent::UndoAsked { .. }
        | HistoryEvent::Undone { .. }
        | HistoryEvent::UndoFailed { .. }
        | HistoryEvent::ApprovalAsked { .. }
        | HistoryEvent::Approved { .. }
        | HistoryEvent::Declined { .. }
        | HistoryEvent::FixAllAsked { .. }
        | HistoryEvent::WeeklyReport { .. }
        | HistoryEvent::Switched { .. }
        | HistoryEvent::WentOn
        | HistoryEvent::Retried { .. }
        | HistoryEvent::Discarded { .. }
        | HistoryEvent::Refused { .. } => None,
    }
}

/// The event's name.
fn outcome(entry: &Entry) -> Option<String> {
    let event = serde_json::to_value(&entry.event).ok()?;
    event.get("deed")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_log_line_has_the_name_that_the_history_has() {
        let (at, by) = (Timestamp::now(), Actor::AutoResponse);
        let entry = Entry {
            at,
            by,
            event: HistoryEvent::FixAsked,
            finding: None,
            resource: None,
            standing: None,
            times: 0,
        };
        assert_eq!(outcome(&entry).as_deref(), Some("fixAsked"));
    }
}
