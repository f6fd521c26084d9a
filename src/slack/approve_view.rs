//! The modal that shows a request whole, and asks for another operator's yes: for an undo, for a fix that is
//! too long for the finding's message, and for `/dd approve`.

use slack_morphism::prelude::*;

use super::action;
use super::blocks::{section, sections};
use super::finding_words::headline;
use super::modal::{about, metadata};
use super::text::{escape, prose};
use crate::controls::{AgreedPlan, Direction};
use crate::finding::{ActionRequest, Finding};
use crate::ids::{FindingId, PlanDigest};

/// The modal's callback id.
pub const CALLBACK_ID: &str = "approve";

/// The modal for a request and the plan that it is for, which it lists whole.
pub fn approve_view(
    finding: &Finding,
    request: &ActionRequest,
    agreed: &AgreedPlan,
) -> SlackModalView {
    let heading = match agreed.direction {
        Direction::Fix => "Fix will",
        Direction::Undo => "After the undo",
    };
    let lines = agreed.changes.iter().map(|change| match agreed.direction {
        Direction::Fix => change.to_string(),
        Direction::Undo => change.reopens(),
    });
    let mut blocks = vec![section(&format!(
        "*{}*\n{heading}",
        escape(&headline(finding))
    ))];
    blocks.extend(sections(
        lines.map(|line| format!("• {}", prose(&line, 200))),
    ));
    let title = format!("Approve the {}", request.word());
    let view = about(finding, CALLBACK_ID, &title, "Approve", blocks);
    view.with_private_metadata(action::value(&finding.id, &agreed.digest()))
}

/// The finding of an answered question, and the plan that was agreed to.
pub fn approve_submission(view: &SlackStatefulView) -> Option<(FindingId, PlanDigest)> {
    let (finding, plan) = action::read_value(metadata(view)?)?;
    Some((finding, plan?))
}
