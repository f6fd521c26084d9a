//! The modal that says what an undo opens again, and asks why.

use jiff::Timestamp;
use slack_morphism::prelude::*;

use super::blocks::section;
use super::finding_message::{changes_list, headline};
use super::modal::{about, metadata, reason, reason_input};
use super::text::escape;
use crate::finding::Finding;
use crate::ids::FindingId;
use crate::remediation::Change;

/// The modal's callback id.
pub const CALLBACK_ID: &str = "undo";

/// The modal for a finding.
pub fn undo_view(finding: &Finding) -> SlackModalView {
    let blocks = vec![
        section(&escape(&headline(finding))),
        section(&format!("*After the undo*\n{}", changes_list(finding.removed.iter().map(Change::reopens)))),
        section("The finding is then ignored for 24 hours, so that auto-response leaves it alone."),
        reason_input(),
    ];
    let of = finding.fixed_at().map_or_else(String::new, |at| at.to_string());
    about(finding, CALLBACK_ID, "Undo a fix", "Undo", blocks)
        .with_private_metadata(format!("{} {of}", finding.id))
}

/// What somebody filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct UndoSubmission {
    /// The finding.
    pub finding: FindingId,
    /// When the fix was that the modal showed.
    pub seen: Timestamp,
    /// Why.
    pub reason: String,
}

/// Reads the modal; `None` where it is not filled in.
pub fn undo_submission(view: &SlackStatefulView) -> Option<UndoSubmission> {
    let (id, seen) = metadata(view)?.split_once(' ')?;
    Some(UndoSubmission { finding: id.parse().ok()?, seen: seen.parse().ok()?, reason: reason(view)? })
}
