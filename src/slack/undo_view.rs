//! The modal that says what an undo opens again, and asks why.

use slack_morphism::prelude::*;

use super::action;
use super::blocks::{section, sections};
use super::finding_words::headline;
use super::modal::{about, metadata, reason, reason_input};
use super::text::{escape, prose};
use crate::finding::Finding;
use crate::ids::{FindingId, PlanDigest};

/// The modal's callback id.
pub const CALLBACK_ID: &str = "undo";

/// The modal for a finding.
pub fn undo_view(finding: &Finding) -> SlackModalView {
    let put_back = finding.to_put_back();
    let lines = put_back
        .iter()
        .map(|change| format!("• {}", prose(&change.reopens(), 200)));
    let mut blocks = vec![section(&escape(&headline(finding)))];
    blocks.extend(sections(
        std::iter::once("*After the undo*".to_owned()).chain(lines),
    ));
    blocks.extend([
        section(
            "What is put back is then ignored for 24 hours, so that auto-response leaves it alone.",
        ),
        reason_input(),
    ]);
    let plan = finding.undo_plan().map(|plan| plan.digest());
    let metadata = plan.map_or_else(
        || finding.id.to_string(),
        |plan| action::value(&finding.id, &plan),
    );
    about(finding, CALLBACK_ID, "Undo a fix", "Undo", blocks).with_private_metadata(metadata)
}

/// The values of a submitted modal.
#[derive(Debug, PartialEq, Eq)]
pub struct UndoSubmission {
    /// The finding.
    pub finding: FindingId,
    /// The plan that the modal showed. Absent in what versions before 0.2 had opened.
    pub plan: Option<PlanDigest>,
    /// The reason, as the person typed it.
    pub reason: String,
}

/// Reads the modal; `None` where it is not filled in.
pub fn undo_submission(view: &SlackStatefulView) -> Option<UndoSubmission> {
    let metadata = metadata(view)?;
    let (finding, plan) = action::read_value(metadata)
        .or_else(|| Some((metadata.split(' ').next()?.parse().ok()?, None)))?;
    Some(UndoSubmission {
        finding,
        plan,
        reason: reason(view)?,
    })
}
