//! The modal that asks how long and why a finding is to be ignored.

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::*;

use super::action;
use super::blocks::{plain, section, sections};
use super::finding_words::headline;
use super::modal::{about, input, metadata, reason, reason_input, value};
use super::text::{escape, prose};
use crate::finding::{Finding, State};
use crate::ids::{FindingId, PlanDigest};

/// The modal's callback id.
pub const CALLBACK_ID: &str = "ignore";

const DURATION: &str = "duration";

/// How long a finding is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoreDuration {
    /// 1, 7 or 30 days.
    Days(i64),
    /// For ever, unless somebody stops ignoring it.
    Forever,
}

const DURATIONS: [(&str, &str, IgnoreDuration); 4] = [
    ("1d", "1 day", IgnoreDuration::Days(1)),
    ("7d", "7 days", IgnoreDuration::Days(7)),
    ("30d", "30 days", IgnoreDuration::Days(30)),
    ("forever", "Until I say otherwise", IgnoreDuration::Forever),
];

impl IgnoreDuration {
    /// When the ignore ends; `None`: never.
    pub fn end(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Days(days) => Some(now + SignedDuration::from_hours(24 * days)),
            Self::Forever => None,
        }
    }
}

/// The values of a submitted modal.
#[derive(Debug, PartialEq, Eq)]
pub struct IgnoreSubmission {
    /// The finding.
    pub finding: FindingId,
    /// The plan that the modal showed: what is ignored. Absent where none was known.
    pub plan: Option<PlanDigest>,
    /// How long the finding is ignored.
    pub duration: IgnoreDuration,
    /// The reason, as the person typed it.
    pub reason: String,
}

/// The modal for a finding.
pub fn ignore_view(finding: &Finding) -> SlackModalView {
    let options = DURATIONS
        .map(|(value, label, _)| SlackBlockChoiceItem::new(plain(label, 75), value.to_owned()));
    let duration = SlackBlockStaticSelectElement::new()
        .with_action_id(DURATION.into())
        .with_initial_option(options[1].clone())
        .with_options(options.to_vec());
    let changes = finding.to_close();
    let what = match (changes.is_empty(), &finding.state) {
        (true, State::Ignored { .. }) => {
            "*What is ignored now stays ignored.* What is opened beyond it is not."
        }
        (true, _) => "*The whole resource is ignored.* What is open is not known now.",
        (false, _) => "*This is ignored*, and what is opened beyond it is not:",
    };
    let lines = changes
        .iter()
        .map(|(_, change)| format!("• {}", prose(&change.exposes(), 200)));
    let mut blocks = vec![section(&escape(&headline(finding)))];
    blocks.extend(sections(std::iter::once(what.to_owned()).chain(lines)));
    blocks.extend([
        input(DURATION, "For how long?", duration.into()),
        reason_input(),
    ]);
    let view = about(finding, CALLBACK_ID, "Ignore a finding", "Ignore", blocks);
    match finding.shown_plan() {
        Some(plan) => view.with_private_metadata(action::value(&finding.id, &plan.digest())),
        None => view,
    }
}

/// Reads the modal; `None` where something is not filled in.
pub fn ignore_submission(view: &SlackStatefulView) -> Option<IgnoreSubmission> {
    let selected = &value(view, DURATION)?.selected_option.as_ref()?.value;
    let (_, _, duration) = DURATIONS
        .into_iter()
        .find(|(value, ..)| value == selected)?;
    let (finding, plan) = action::read_value(metadata(view)?)?;
    Some(IgnoreSubmission {
        finding,
        plan,
        duration,
        reason: reason(view)?,
    })
}
