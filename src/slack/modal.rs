//! The parts that modals share. Most are about a finding; those to ignore and to undo ask for a reason.

use slack_morphism::prelude::*;

use super::blocks::plain;
use crate::finding::Finding;

const REASON: &str = "reason";
const REASON_LIMIT: u64 = 500;

/// A modal about a finding.
pub(super) fn about(
    finding: &Finding,
    callback_id: &str,
    title: &str,
    submit: &str,
    blocks: Vec<SlackBlock>,
) -> SlackModalView {
    SlackModalView::new(plain(title, 24), blocks)
        .with_callback_id(callback_id.into())
        .with_private_metadata(finding.id.to_string())
        .with_submit(plain(submit, 24))
        .with_close(plain("Cancel", 24))
}

/// An input with its label.
pub(super) fn input(block_id: &str, label: &str, element: SlackInputBlockElement) -> SlackBlock {
    SlackInputBlock::new(plain(label, 150), element)
        .with_block_id(block_id.into())
        .into()
}

/// The input for a reason.
pub(super) fn reason_input() -> SlackBlock {
    let reason = SlackBlockPlainTextInputElement::new()
        .with_action_id(REASON.into())
        .with_multiline(true)
        .with_min_length(3)
        .with_max_length(REASON_LIMIT)
        .with_placeholder(plain("The reason, e.g. the number of a ticket", 150));
    input(REASON, "Why?", reason.into())
}

/// The callback id of a submitted modal.
pub fn callback_id(view: &SlackStatefulView) -> Option<&str> {
    modal(view)?.callback_id.as_ref().map(|id| id.0.as_str())
}

/// The private metadata of a submitted modal.
pub fn metadata(view: &SlackStatefulView) -> Option<&str> {
    modal(view)?.private_metadata.as_deref()
}

/// The reason that the person typed; `None` where it is empty.
pub(super) fn reason(view: &SlackStatefulView) -> Option<String> {
    let reason: String = value(view, REASON)?
        .value
        .as_ref()?
        .chars()
        .take(REASON_LIMIT as usize)
        .collect();
    (!reason.trim().is_empty()).then_some(reason)
}

/// The value of an input, whose block id and action id are the same.
pub(super) fn value<'a>(
    view: &'a SlackStatefulView,
    name: &str,
) -> Option<&'a SlackViewStateValue> {
    let values = &view.state_params.state.as_ref()?.values;
    values
        .get(&SlackBlockId(name.to_owned()))?
        .get(&SlackActionId::from(name))
}

fn modal(view: &SlackStatefulView) -> Option<&SlackModalView> {
    match &view.view {
        SlackView::Modal(modal) => Some(modal),
        SlackView::Home(_) => None,
    }
}
