//! The buttons under a finding.

use super::action;
use super::blocks::{actions, button, confirm};
use super::finding_words::{LIST_LIMIT, resource_name};
use super::text::{actor, prose};
use crate::finding::{ActionRequest, Actor, Approval, Finding, Plan, State};
use slack_morphism::prelude::*;

/// The most that the plan may take of a confirm dialog's text. Characters.
const CONFIRM_ROOM: usize = 180;

/// The buttons for what can be done about a finding now.
pub fn buttons(finding: &Finding) -> Option<SlackBlock> {
    let id = finding.id.as_str();
    let answers = finding
        .shows_waiting()
        .map(|approval| answer_buttons(finding, approval));
    let mut buttons = answers.into_iter().flatten().collect::<Vec<_>>();
    match &finding.state {
        State::Open { .. } => {
            // Of two buttons that begin a fix, the one that answers the question stands out.
            let fix = fix_button(finding).map(|mut fix| {
                fix.style = fix.style.filter(|_| finding.shows_waiting().is_none());
                fix
            });
            buttons.extend(match fix {
                None if finding.plan != Plan::Unsupported => {
                    Some(button(action::LOOK_AGAIN, "Look again", id))
                }
                fix => fix,
            });
            buttons.push(button(action::IGNORE, "Ignore…", id));
            buttons.extend(
                finding
                    .episode
                    .left
                    .as_ref()
                    .map(|_| button(action::UNIGNORE, "Stop ignoring", id)),
            );
            buttons.extend(undo_button(finding));
        }
        State::Ignored {
            compliant,
            by,
            reason,
            ..
        } => {
            let fix = if *compliant {
                None
            } else {
                fix_ignored_below(finding, by, reason)
            };
            buttons.extend(fix);
            buttons.push(button(action::UNIGNORE, "Stop ignoring", id));
            buttons.extend(undo_button(finding));
        }
        State::Fixed { .. } => buttons.extend(undo_button(finding)),
        State::Fixing { .. } | State::Undoing { .. } | State::Deleted { .. } => {}
    }
    (!buttons.is_empty()).then(|| actions(buttons))
}

/// **Approve** and **Decline**. The other buttons stay, so that a request that nobody answers does not lock
/// the finding.
fn answer_buttons(
    finding: &Finding,
    Approval { request, .. }: &Approval,
) -> Vec<SlackBlockButtonElement> {
    let (id, word) = (&finding.id, request.word());
    let decline = button(action::DECLINE, "Decline", id.as_str());
    // A request of version 0.1 names no plan. It can only be declined, and made again.
    let Some(plan) = request.plan() else {
        return vec![decline];
    };
    if !lists_whole(finding, request) {
        let approve = button(
            action::APPROVE,
            &format!("Approve the {word}…"),
            id.as_str(),
        );
        return vec![approve.with_style(SlackBlockButtonStyle::Primary), decline];
    }
    let what = format!(
        "This will {word} it at once, as the message shows.\nResource: {}",
        resource_name(finding)
    );
    let approve = button(
        action::APPROVE,
        &format!("Approve the {word}"),
        &action::value(id, plan),
    )
    .with_style(SlackBlockButtonStyle::Primary)
    .with_confirm(confirm("Approve?", &what, "Approve"));
    vec![approve, decline]
}

/// Whether the finding's message lists all that a request would do. It never lists what an undo opens. Where
/// it does not, a modal does.
fn lists_whole(finding: &Finding, request: &ActionRequest) -> bool {
    match request {
        ActionRequest::Fix { .. } => finding.to_fix().len() <= LIST_LIMIT,
        ActionRequest::Undo { .. } => false,
    }
}

/// The button that fixes an ignored finding, after a confirm dialog. None where no plan is known.
pub fn fix_ignored_button(
    finding: &Finding,
    by: &Actor,
    reason: &str,
) -> Option<SlackBlockButtonElement> {
    let plan = finding.fix_plan()?.digest();
    let what = format!("{} left this as it is: {}", actor(by), prose(reason, 150));
    let fix = button(
        action::FIX_IGNORED,
        "Fix anyway…",
        &action::value(&finding.id, &plan),
    );
    Some(fix.with_confirm(confirm("Fix what is ignored?", &what, "Fix")))
}

/// The button under a finding's message. Where the message does not list the whole plan, the button opens a
/// modal that does.
fn fix_ignored_below(
    finding: &Finding,
    by: &Actor,
    reason: &str,
) -> Option<SlackBlockButtonElement> {
    if finding.to_fix().len() <= LIST_LIMIT {
        return fix_ignored_button(finding, by, reason);
    }
    Some(button(
        action::FIX_IGNORED,
        "Fix anyway…",
        finding.id.as_str(),
    ))
}

fn undo_button(finding: &Finding) -> Option<SlackBlockButtonElement> {
    finding.undo_until()?;
    Some(button(action::UNDO, "Undo…", finding.id.as_str()))
}

/// The button that agrees to the plan, by a confirm dialog, or by a modal where the plan is too long for one.
/// None where no plan is known.
pub fn fix_button(finding: &Finding) -> Option<SlackBlockButtonElement> {
    let value = action::value(&finding.id, &finding.fix_plan()?.digest());
    let changes: Vec<String> = finding
        .to_fix()
        .iter()
        .map(|(_, change)| prose(&change.to_string(), CONFIRM_ROOM))
        .collect();
    let what = format!("This will {}.", changes.join("; "));
    let fix = match what.chars().count() {
        0..=CONFIRM_ROOM => {
            let what = format!("{what}\nResource: {}", resource_name(finding));
            button(action::FIX, "Fix", &value).with_confirm(confirm("Fix this?", &what, "Fix"))
        }
        _ => button(action::REVIEW_FIX, "Fix…", &value),
    };
    Some(fix.with_style(SlackBlockButtonStyle::Primary))
}
