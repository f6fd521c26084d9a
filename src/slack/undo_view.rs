//! The modal that says what an undo opens again, and asks why.

use slack_morphism::prelude::*;

use super::blocks::section;
use super::finding_message::{changes_list, headline};
use super::modal::{about, finding, reason, reason_input};
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
    about(finding, CALLBACK_ID, "Undo a fix", "Undo", blocks)
}

/// Reads the modal: the finding, and why. `None` where it is not filled in.
pub fn undo_submission(view: &SlackStatefulView) -> Option<(FindingId, String)> {
    Some((finding(view)?, reason(view)?))
}
