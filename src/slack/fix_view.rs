//! The modal that shows a plan whole, where it is too long for a confirm dialog, and asks.

use slack_morphism::prelude::*;

use super::action;
use super::blocks::{section, sections};
use super::finding_words::headline;
use super::modal::{about, metadata};
use super::text::{escape, prose};
use crate::finding::Finding;
use crate::ids::{FindingId, PlanDigest};

/// The modal's callback id.
pub const CALLBACK_ID: &str = "fix";

/// The modal for a finding; `None` where no plan is known. A modal takes
/// [100 blocks](https://docs.slack.dev/reference/block-kit/blocks) of 3,000 characters: room for 1,000
/// rules, which is the most that a security group has.
pub fn fix_view(finding: &Finding) -> Option<SlackModalView> {
    let plan = finding.fix_plan()?.digest();
    let changes = finding.to_fix();
    let lines = changes
        .iter()
        .map(|(_, change)| format!("• {}", prose(&change.to_string(), 200)));
    let mut blocks = vec![section(&format!(
        "*{}*\nFix will",
        escape(&headline(finding))
    ))];
    blocks.extend(sections(lines));
    let view = about(finding, CALLBACK_ID, "Fix a finding", "Fix", blocks);
    Some(view.with_private_metadata(action::value(&finding.id, &plan)))
}

/// The finding of an answered question, and the plan that was agreed to.
pub fn fix_submission(view: &SlackStatefulView) -> Option<(FindingId, PlanDigest)> {
    let (finding, plan) = action::read_value(metadata(view)?)?;
    Some((finding, plan?))
}
