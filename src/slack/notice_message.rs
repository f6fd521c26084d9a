//! Notices as Slack messages.

use jiff::Timestamp;

use super::blocks::{actions, button, context, message, note, section};
use super::text::{code, count, escape, mention, prose, when};
use super::{Content, action};
use crate::contracts::RemediationReport;
use crate::contracts::Switch;
use crate::contracts::notice::Notice;
use crate::finding::auto_response::BY_DEPLOYMENT;
use crate::ids::PlanListId;

/// The message of a notice.
pub fn notice(notice: &Notice) -> Content {
    match notice {
        Notice::Parked {
            queue,
            message_id,
            reason,
            ..
        } => note(&format!(
            ":warning: *A message could not be handled* and lies in the dead-letter queue of {}.\n*Reason:* {}\n*Message:* {}\n*Next:* when the reason is mended, `/dd retry`.",
            code(queue),
            prose(reason, 600),
            code(message_id),
        )),
        Notice::Held {
            at,
            dispatched,
            waiting,
            list,
        } => held(*at, *dispatched, *waiting, list.as_ref(), None),
        Notice::SwitchedBack {
            off_by, off_since, ..
        } => note(&format!(
            ":warning: *Somebody turned the scheduled rule on outside Slack*, though {} turned auto-response off {}. Nothing was fixed, and the rule is off again. To have it on, use `/dd autoresponse on`.",
            who(off_by),
            when(*off_since),
        )),
        Notice::Switched {
            switch,
            by,
            carried_out,
            ..
        } => switched(*switch, by, *carried_out),
        Notice::CarriedOut { by, .. } => note(&format!(
            ":white_check_mark: *The scheduled rule is off now*, as {} had asked. AWS did not switch it off at the first try. Nothing was fixed meanwhile.",
            who(by),
        )),
        Notice::SwitchedOffElsewhere { at, by } => {
            let text = format!(
                ":warning: *The scheduled rule was turned off outside Slack*, though {} turned auto-response on {}. Nothing is fixed automatically. Only a person turns it on again.",
                who(by),
                when(*at),
            );
            let buttons = vec![
                button(action::AUTORESPONSE_ON, "Turn on", "on"),
                button(action::AUTORESPONSE_OFF, "Leave it off", "off"),
            ];
            message(&text, vec![section(&text), actions(buttons)])
        }
    }
}

/// The message of a run of auto-response that has reached its cap. `listed` has the first lines of what the
/// run would go on with, and their number in all.
pub fn held(
    at: Timestamp,
    dispatched: u32,
    waiting: u64,
    list: Option<&PlanListId>,
    listed: Option<(&[String], usize)>,
) -> Content {
    let mut text = format!(
        ":raised_hand: *Auto-response has stopped to ask.* It has sent {}, its limit per run; {} in its queue. Nothing is fixed automatically until somebody answers.",
        count(u64::from(dispatched), "fix"),
        match waiting {
            0 => "no message waits".to_owned(),
            1 => "about 1 message waits".to_owned(),
            more => format!("about {more} messages wait"),
        },
    );
    if let Some((lines, all)) = listed {
        let more = match all.saturating_sub(lines.len()) {
            0 => String::new(),
            more => format!("\n• and {more} more"),
        };
        text += &format!(
            "\n*Go on* fixes {}, as they are now; what is opened later counts for the next run.\n{}{more}",
            count(all as u64, "finding"),
            lines.join("\n")
        );
    }
    let value = list.map_or_else(|| format!("hold {at}"), |list| format!("hold {at} {list}"));
    let buttons = vec![
        button(action::AUTORESPONSE_ON, "Go on", &value),
        button(action::AUTORESPONSE_OFF, "Turn auto-response off", "off"),
    ];
    message(
        &text,
        vec![
            section(&text),
            actions(buttons),
            context(&format!("Stopped {}", when(at))),
        ],
    )
}

/// The person who switched auto-response, or the deployment.
fn who(by: &str) -> String {
    match by {
        BY_DEPLOYMENT => "the deployment".to_owned(),
        user => mention(user),
    }
}

/// The message that tells the channel who switched auto-response.
fn switched(switch: Switch, by: &str, carried_out: bool) -> Content {
    note(&match (switch, carried_out) {
        (Switch::On, _) => format!(
            ":large_green_circle: {} turned auto-response *on*. Violations are fixed every minute; what waits is checked again first.",
            who(by)
        ),
        (Switch::Off, true) => format!(
            ":white_circle: {} turned auto-response *off*. Violations wait until somebody presses Fix.",
            who(by)
        ),
        (Switch::Off, false) => format!(
            ":warning: {} turned auto-response *off*. AWS did not switch the scheduled rule off; that is tried again every minute. Nothing is fixed automatically meanwhile.",
            who(by)
        ),
    })
}

/// The message that tells the channel who let a stopped run go on.
pub fn went_on(by: &str) -> Content {
    note(&format!(
        ":arrow_forward: {} let auto-response go on.",
        mention(by)
    ))
}

/// The message of a report in DD-AWS's shape, which names no finding.
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
