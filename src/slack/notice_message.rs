//! What our own functions tell people, as Slack messages.

use super::blocks::{actions, button, context, message, note, section};
use super::text::{code, count, escape, mention, prose, when};
use super::{Content, action};
use crate::finding::auto_response::Switch;
use crate::notice::Notice;
use crate::remediation::RemediationReport;

/// A notice; `None` for those that only ask the notifier to do something.
pub fn notice(notice: &Notice) -> Option<Content> {
    Some(match notice {
        Notice::Parked { queue, message_id, reason, .. } => note(&format!(
            ":warning: *A message could not be handled* and lies in the dead-letter queue of {}.\n*Reason:* {}\n*Message:* {}\n*Next:* when the reason is mended, `/dd retry`.",
            code(queue),
            prose(reason, 600),
            code(message_id),
        )),
        Notice::Held { at, dispatched, waiting } => {
            let text = format!(
                ":raised_hand: *Auto-response has stopped to ask.* It has passed on {} in one run, the most that it may; about {} more wait. Nothing is fixed automatically until somebody answers.",
                count(u64::from(*dispatched), "violation"),
                waiting,
            );
            let buttons = vec![
                button(action::AUTORESPONSE_ON, "Go on", &format!("hold {at}")),
                button(action::AUTORESPONSE_OFF, "Turn auto-response off", "off"),
            ];
            message(&text, vec![section(&text), actions(buttons), context(&format!("Stopped {}", when(*at)))])
        }
        Notice::SwitchedBack { off_by, off_since, .. } => note(&format!(
            ":warning: *Somebody turned the scheduled rule on outside Slack*, though {} turned auto-response off {}. Nothing was fixed, and the rule is off again. To have it on, use `/dd autoresponse on`.",
            mention(off_by),
            when(*off_since),
        )),
        Notice::Switched { switch, by, .. } => switched(*switch, by),
        Notice::Show { .. }
        | Notice::Draw { .. }
        | Notice::FixAll { .. }
        | Notice::Look { .. }
        | Notice::WhoOpened { .. }
        | Notice::Report { .. }
        | Notice::Housekeeping {} => return None,
    })
}

/// Everybody in the channel learns who switched auto-response.
fn switched(switch: Switch, by: &str) -> Content {
    note(&match switch {
        Switch::On => format!(
            ":large_green_circle: {} turned auto-response *on*. Violations are fixed every minute; what waits is checked again first.",
            mention(by)
        ),
        Switch::Off => format!(
            ":white_circle: {} turned auto-response *off*. Violations wait until somebody presses Fix.",
            mention(by)
        ),
    })
}

/// Everybody learns who let a stopped run go on.
pub fn went_on(by: &str) -> Content {
    note(&format!(":arrow_forward: {} let auto-response go on.", mention(by)))
}

/// A report of DD-AWS, or of anybody who speaks as it does.
pub fn bare_report(report: &RemediationReport) -> Content {
    note(&format!(
        ":wrench: *{}* did {} on {} {} in account {} {}.\n> {}",
        prose(&report.remediation_source, 100),
        code(&report.action),
        escape(report.resource_type.as_str()),
        code(report.resource_id.as_str()),
        code(report.aws_account_id.as_str()),
        when(report.action_complete_time),
        prose(&report.message, 1500),
    ))
}
