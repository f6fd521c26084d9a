//! The modal that asks how long and why a finding is to be ignored.

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::*;

use super::blocks::{plain, section};
use super::finding_message::headline;
use super::text::escape;
use crate::finding::Finding;
use crate::ids::FindingId;

/// The modal's callback id.
pub const CALLBACK_ID: &str = "ignore";

const DURATION: &str = "duration";
const REASON: &str = "reason";
const REASON_LIMIT: u64 = 500;

/// How long to ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoreDuration {
    /// 1, 7 or 30 days.
    Days(i64),
    /// Until somebody says otherwise.
    Forever,
}

const DURATIONS: [(&str, &str, IgnoreDuration); 4] = [
    ("1d", "1 day", IgnoreDuration::Days(1)),
    ("7d", "7 days", IgnoreDuration::Days(7)),
    ("30d", "30 days", IgnoreDuration::Days(30)),
    ("forever", "Until I say otherwise", IgnoreDuration::Forever),
];

impl IgnoreDuration {
    /// When it is over.
    pub fn end(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Days(days) => Some(now + SignedDuration::from_hours(24 * days)),
            Self::Forever => None,
        }
    }
}

/// What somebody filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct IgnoreSubmission {
    /// The finding.
    pub finding: FindingId,
    /// How long.
    pub duration: IgnoreDuration,
    /// Why.
    pub reason: String,
}

/// The modal for a finding.
pub fn ignore_view(finding: &Finding) -> SlackModalView {
    let options =
        DURATIONS.map(|(value, label, _)| SlackBlockChoiceItem::new(plain(label, 75), value.to_owned()));
    let duration = SlackBlockStaticSelectElement::new()
        .with_action_id(DURATION.into())
        .with_initial_option(options[1].clone())
        .with_options(options.to_vec());
    let reason = SlackBlockPlainTextInputElement::new()
        .with_action_id(REASON.into())
        .with_multiline(true)
        .with_min_length(3)
        .with_max_length(REASON_LIMIT)
        .with_placeholder(plain("For whoever wonders later, e.g. a ticket", 150));
    let blocks = vec![
        section(&escape(&headline(finding))),
        input(DURATION, "For how long?", duration.into()),
        input(REASON, "Why?", reason.into()),
    ];
    SlackModalView::new(plain("Ignore a finding", 24), blocks)
        .with_callback_id(CALLBACK_ID.into())
        .with_private_metadata(finding.id.to_string())
        .with_submit(plain("Ignore", 24))
        .with_close(plain("Cancel", 24))
}

fn input(block_id: &str, label: &str, element: SlackInputBlockElement) -> SlackBlock {
    SlackInputBlock::new(plain(label, 150), element).with_block_id(block_id.into()).into()
}

/// Why a submitted modal cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubmission {
    /// It is another modal.
    #[error("it is not the modal for ignoring")]
    NotOurs,
    /// How long, or why, is missing.
    #[error("it does not say for how long and why")]
    Incomplete,
}

/// Reads the modal.
pub fn read_submission(view: &SlackStatefulView) -> Result<IgnoreSubmission, InvalidSubmission> {
    let SlackView::Modal(modal) = &view.view else { return Err(InvalidSubmission::NotOurs) };
    if modal.callback_id != Some(CALLBACK_ID.into()) {
        return Err(InvalidSubmission::NotOurs);
    }
    filled_in(modal, view).ok_or(InvalidSubmission::Incomplete)
}

fn filled_in(modal: &SlackModalView, view: &SlackStatefulView) -> Option<IgnoreSubmission> {
    let values = &view.state_params.state.as_ref()?.values;
    let value = |name: &str| values.get(&SlackBlockId(name.to_owned()))?.get(&SlackActionId::from(name));
    let selected = &value(DURATION)?.selected_option.as_ref()?.value;
    let (_, _, duration) = DURATIONS.into_iter().find(|(value, ..)| value == selected)?;
    let reason: String = value(REASON)?.value.as_ref()?.chars().take(REASON_LIMIT as usize).collect();
    let finding = modal.private_metadata.as_ref()?.parse().ok()?;
    (!reason.trim().is_empty()).then_some(IgnoreSubmission { finding, duration, reason })
}
