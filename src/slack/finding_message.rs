//! A finding as a Slack message: a pure projection, whatever happened to it.

use slack_morphism::prelude::*;

use super::blocks::{actions, button, confirm, context, fields, message, section};
use super::text::{actor, code, escape, plain_when, prose, when};
use super::{Content, action};
use crate::evaluation::cut;
use crate::finding::{APPROVAL_WINDOW, Actor, Approval, Failure, Finding, Plan, State, Wish};
use crate::ids::{FindingId, Resource, ResourceType};
use crate::opener::Opener;
use crate::remediation::{Change, ViolationType};

/// How many changes a message lists; the thread has more, the finding itself all of them.
const LIST_LIMIT: usize = 12;

/// The message. `previous` links to the message of the episode before.
pub fn finding_message(finding: &Finding, previous: Option<&str>) -> Content {
    let mut blocks = vec![
        section(&format!("*{}*\n{}", escape(&headline(finding)), status_line(finding))),
        fields(&[
            ("Resource", resource_link(&finding.resource)),
            ("Rule", code(finding.rule.as_str())),
            ("Account", code(finding.resource.account.as_str())),
            ("Region", code(finding.resource.region.as_str())),
        ]),
    ];
    blocks.extend(finding.opener.as_ref().map(|opener| section(&opened_by(opener))));
    blocks.extend(finding.annotation.as_deref().map(|text| section(&format!("> {}", prose(text, 300)))));
    blocks.extend(body(finding).map(|text| section(&text)));
    blocks.extend(finding.shows_waiting().map(|approval| section(&waiting(approval))));
    blocks.extend(buttons(finding));
    let mut small_print =
        vec![format!("Finding {}", code(finding.id.as_str())), format!("since {}", when(finding.opened_at))];
    small_print.extend(finding.undo_until().map(|until| format!("undo until {}", when(until))));
    small_print
        .extend(previous.map(|link| format!("it broke again: <{}|the message of last time>", escape(link))));
    blocks.push(context(&small_print.join(" · ")));
    message(&fallback(finding), blocks)
}

/// Whose deed broke the rule.
fn opened_by(Opener { principal, call, at, source_address }: &Opener) -> String {
    let from = source_address.as_deref().map_or_else(String::new, |from| format!(" from {}", code(from)));
    format!("*Opened by* {} by {}{from} {}", code(principal), code(call), when(*at))
}

/// What waits for another operator's yes, and until when.
fn waiting(Approval { wish, asked_by, since }: &Approval) -> String {
    let what = match wish {
        Wish::Fix { .. } => "wants this fixed".to_owned(),
        Wish::Undo { reason, .. } => format!("wants the fix undone: {}", prose(reason, 500)),
    };
    format!(
        ":busts_in_silhouette: {} {what}\n*Next:* in this account it takes two: another operator approves or declines, until {}",
        actor(asked_by),
        when(*since + APPROVAL_WINDOW)
    )
}

/// The message with a call for a user group: the worst findings only.
pub fn mentioning(content: Content, group: &SlackUserGroupId) -> Content {
    let id: String = group.0.chars().filter(char::is_ascii_alphanumeric).collect();
    let call = section(&format!("<!subteam^{id}> this is critical."));
    let blocks = content.blocks.unwrap_or_default();
    message(&content.text.unwrap_or_default(), std::iter::once(call).chain(blocks).collect())
}

/// What is wrong, in plain words and plain text.
pub fn headline(finding: &Finding) -> String {
    let id = match &finding.resource_name {
        Some(name) => format!("{} ({})", cut(name, 80), finding.resource.id),
        None => finding.resource.id.to_string(),
    };
    let was = matches!(
        finding.state,
        State::Fixed { .. } | State::Undoing { .. } | State::Ignored { compliant: true, .. }
    );
    match finding.resource.resource_type.as_str() {
        other if finding.plan == Plan::Unsupported && was => {
            format!("{other} {id} keeps the rule {} again", finding.rule)
        }
        other if finding.plan == Plan::Unsupported => {
            format!("{other} {id} breaks the rule {}", finding.rule)
        }
        ResourceType::SECURITY_GROUP if was => {
            format!("Security group {id} is no longer open to the internet")
        }
        ResourceType::SECURITY_GROUP => format!("Security group {id} is open to the internet"),
        ResourceType::BUCKET if was => format!("Bucket {id} is no longer public"),
        ResourceType::BUCKET => format!("Bucket {id} is public{}", how_public(finding)),
        other if was => format!("{other} {id} keeps the rule {} again", finding.rule),
        other => format!("{other} {id} breaks the rule {}", finding.rule),
    }
}

fn how_public(finding: &Finding) -> &'static str {
    let Plan::Known { changes } = &finding.plan else { return "" };
    let by = |wanted: ViolationType| changes.iter().any(|(kind, _)| *kind == wanted);
    match (by(ViolationType::S3BucketPublicAcl), by(ViolationType::S3BucketPublicPolicy)) {
        (true, true) => " by its ACL and its policy",
        (true, false) => " by its ACL",
        (false, true) => " by its policy",
        (false, false) => "",
    }
}

fn resource_link(resource: &Resource) -> String {
    if resource.id.as_str().len() > 200 {
        // A link that had to be cut would be none.
        return code(resource.id.as_str());
    }
    let id = escape(resource.id.as_str()).replace('|', "/");
    format!("<{}|{id}>", escape(&resource.console_link()))
}

/// Where it stands, and how bad it is while it is not fixed.
fn status_line(finding: &Finding) -> String {
    let standing = standing(finding);
    match finding.state {
        State::Fixed { .. } => standing,
        _ => format!("{standing} · {} severity", finding.severity),
    }
}

fn standing(finding: &Finding) -> String {
    match &finding.state {
        State::Open { last_failure: None } => ":red_circle: Open".to_owned(),
        State::Open { last_failure: Some(Failure { at, .. }) } => {
            format!(":red_circle: Open. The fix failed {}", when(*at))
        }
        State::Fixing { asked_by, since, .. } => {
            format!(":hourglass_flowing_sand: Fixing, asked by {} {}", actor(asked_by), when(*since))
        }
        State::Ignored { by, until, compliant, .. } => {
            let now = if *compliant { ". Compliant at the moment" } else { "" };
            let until = match (until, by) {
                (Some(until), _) => format!("until {}", when(*until)),
                (None, Actor::Tag) => "for as long as it has it".to_owned(),
                (None, _) => "until somebody says otherwise".to_owned(),
            };
            format!(":no_bell: Ignored by {} {until}{now}", actor(by))
        }
        State::Fixed { by: Actor::Elsewhere, at } => {
            format!(":white_check_mark: Compliant again {}", when(*at))
        }
        State::Fixed { by, at } => format!(":white_check_mark: Fixed by {} {}", actor(by), when(*at)),
        State::Undoing { asked_by, since, .. } => {
            format!(
                ":leftwards_arrow_with_hook: Undoing the fix, asked by {} {}",
                actor(asked_by),
                when(*since)
            )
        }
    }
}

/// The part that depends on the state: the plan, the failure, the reason, what was removed.
fn body(finding: &Finding) -> Option<String> {
    match &finding.state {
        State::Open { last_failure: Some(failure) } => {
            Some(lines([Some(failed("Not fixed", failure)), plan_text(finding)]))
        }
        State::Open { last_failure: None } | State::Fixing { .. } => plan_text(finding),
        State::Ignored { reason, compliant, .. } => {
            let reason = Some(format!("*Reason:* {}", prose(reason, 500)));
            // A fix that was on its way may have been sooner than whoever wanted it left.
            let done = done_text(finding).filter(|_| *compliant);
            let next = done.as_ref().map(|_| "To undo it, stop ignoring this first.".to_owned());
            Some(lines([reason, done.or_else(|| plan_text(finding)), next]))
        }
        State::Fixed { .. } => {
            let done = done_text(finding)?;
            let not_undone = finding.undo_failure.as_ref().map(|failure| failed("Not undone", failure));
            Some(lines([not_undone, Some(done)]))
        }
        State::Undoing { reason, .. } => {
            let reason = format!("*Reason:* {}", prose(reason, 500));
            let after =
                format!("*After the undo*\n{}", changes_list(finding.removed.iter().map(Change::reopens)));
            Some(lines([Some(reason), Some(after)]))
        }
    }
}

fn failed(what: &str, Failure { reason, advice, .. }: &Failure) -> String {
    format!("*{what}:* {}\n*Next:* {}", prose(reason, 600), prose(advice, 300))
}

fn lines<const N: usize>(lines: [Option<String>; N]) -> String {
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn done_text(finding: &Finding) -> Option<String> {
    let done = || format!("*What was done*\n{}", changes_list(finding.removed.iter().map(Change::done)));
    (!finding.removed.is_empty()).then(done)
}

fn plan_text(finding: &Finding) -> Option<String> {
    match &finding.plan {
        Plan::Unsupported => Some("There is no automatic fix for this kind of resource.".to_owned()),
        Plan::Unknown { reason } => {
            Some(format!("What a fix would change could not be found out: {}", prose(reason, 300)))
        }
        Plan::Known { changes } if changes.is_empty() => {
            Some("There is nothing left that a fix would change.".to_owned())
        }
        Plan::Known { changes } => Some(format!(
            "*Fix will*\n{}",
            changes_list(changes.iter().map(|(_, change)| change.to_string()))
        )),
    }
}

/// Changes as a list, cut where it gets long.
pub fn changes_list(changes: impl ExactSizeIterator<Item = String>) -> String {
    let more = changes.len().saturating_sub(LIST_LIMIT);
    let mut lines: Vec<String> =
        changes.take(LIST_LIMIT).map(|change| format!("• {}", prose(&change, 200))).collect();
    if more > 0 {
        lines.push(format!("• and {more} more"));
    }
    lines.join("\n")
}

/// What can be done about a finding now.
pub fn buttons(finding: &Finding) -> Option<SlackBlock> {
    let id = finding.id.as_str();
    let answers = finding.shows_waiting().map(|approval| answer_buttons(finding, approval));
    let mut buttons = answers.into_iter().flatten().collect::<Vec<_>>();
    match &finding.state {
        State::Open { .. } => {
            buttons.extend((finding.plan != Plan::Unsupported).then(|| fix_button(finding)));
            buttons.push(button(action::IGNORE, "Ignore…", id));
        }
        State::Ignored { compliant, by, reason, .. } => {
            let unignore = button(action::UNIGNORE, "Stop ignoring", id);
            let fixable = !compliant && finding.plan != Plan::Unsupported;
            buttons.extend(fixable.then(|| fix_ignored_button(&finding.id, by, reason)));
            buttons.push(unignore);
        }
        State::Fixed { .. } if !finding.removed.is_empty() => buttons.push(undo_button(finding)),
        State::Fixing { .. } | State::Fixed { .. } | State::Undoing { .. } => {}
    }
    (!buttons.is_empty()).then(|| actions(buttons))
}

/// Another operator's answers. The other buttons stay beside them: a wish that nobody answers must
/// not lock a finding.
fn answer_buttons(finding: &Finding, Approval { wish, .. }: &Approval) -> [SlackBlockButtonElement; 2] {
    let (id, word) = (finding.id.as_str(), wish.word());
    let what = format!("This will {word} it at once.\nResource: {}", resource_name(finding));
    let approve = button(action::APPROVE, &format!("Approve the {word}"), id)
        .with_style(SlackBlockButtonStyle::Primary)
        .with_confirm(confirm("Approve?", &what, "Approve"));
    [approve, button(action::DECLINE, "Decline", id)]
}

/// Fixes what somebody wanted left as it is, after asking once more.
pub fn fix_ignored_button(id: &FindingId, by: &Actor, reason: &str) -> SlackBlockButtonElement {
    let what = format!("{} left this as it is: {}", actor(by), prose(reason, 150));
    button(action::FIX_IGNORED, "Fix all the same…", id.as_str()).with_confirm(confirm(
        "Fix what is ignored?",
        &what,
        "Fix",
    ))
}

/// The resource's id, for where there is little room.
fn resource_name(finding: &Finding) -> String {
    escape(&cut(finding.resource.id.as_str(), 80))
}

fn undo_button(finding: &Finding) -> SlackBlockButtonElement {
    let first = finding.removed.first().map_or_else(String::new, |change| prose(&change.reopens(), 150));
    let more = match finding.removed.len() {
        0 | 1 => String::new(),
        more => format!(", and {} more undone", super::text::count(more as u64 - 1, "change")),
    };
    let what = format!("Afterwards {first}{more}.\nResource: {}", resource_name(finding));
    button(action::UNDO, "Undo…", finding.id.as_str()).with_confirm(confirm("Undo the fix?", &what, "Go on"))
}

fn fix_button(finding: &Finding) -> SlackBlockButtonElement {
    let what = match &finding.plan {
        Plan::Known { changes } if !changes.is_empty() => {
            let first = prose(&changes[0].1.to_string(), 150);
            match changes.len() {
                1 => format!("This will {first}."),
                more => format!(
                    "This will {first}, and make {} more.",
                    super::text::count(more as u64 - 1, "change")
                ),
            }
        }
        _ => "This will change whatever breaks the rule when the fix runs.".to_owned(),
    };
    let what = format!("{what}\nResource: {}", resource_name(finding));
    button(action::FIX, "Fix", finding.id.as_str())
        .with_style(SlackBlockButtonStyle::Primary)
        .with_confirm(confirm("Fix this?", &what, "Fix"))
}

/// The text for notifications and screen readers: a sentence or two, read well aloud.
fn fallback(finding: &Finding) -> String {
    let Resource { account, region, .. } = &finding.resource;
    let headline = escape(&headline(finding));
    let who = |who: &Actor| actor(who);
    let state = match &finding.state {
        State::Open { last_failure: None } => match &finding.plan {
            Plan::Known { changes } if !changes.is_empty() => {
                format!("A fix will {}.", prose(&changes[0].1.to_string(), 200))
            }
            _ => "It is open.".to_owned(),
        },
        State::Open { last_failure: Some(failure) } => {
            format!("The fix failed: {}.", prose(&failure.reason, 300))
        }
        State::Fixing { asked_by, .. } => format!("A fix is on its way, asked for by {}.", who(asked_by)),
        State::Ignored { by, until: Some(until), .. } => {
            format!("Ignored by {} until {}.", who(by), plain_when(*until))
        }
        State::Ignored { by, until: None, .. } => format!("Ignored by {}.", who(by)),
        State::Fixed { by: Actor::Elsewhere, .. } => "It is compliant again.".to_owned(),
        State::Fixed { .. } if finding.undo_failure.is_some() => "The undo failed.".to_owned(),
        State::Fixed { by, .. } => format!("Fixed by {}.", who(by)),
        State::Undoing { asked_by, .. } => {
            format!("The fix is being undone, asked for by {}.", who(asked_by))
        }
    };
    format!("{headline} (account {account}, {region}). {state}")
}

/// One line about a finding, for lists.
pub fn finding_line(finding: &Finding) -> String {
    format!(
        "{} {} · {} · {}",
        code(finding.id.as_str()),
        escape(&cut(&headline(finding), 200)),
        code(finding.resource.region.as_str()),
        status_line(finding)
    )
}

#[cfg(test)]
mod tests;
