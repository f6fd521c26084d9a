//! A finding as a Slack message: a pure projection, whatever happened to it.

use jiff::Timestamp;
use slack_morphism::prelude::*;

use super::blocks::{actions, button, confirm, context, fields, message, section};
use super::text::{actor, code, escape, plain_when, prose, when};
use super::{Content, action};
use crate::controls::{Change, Control, Exposure, ViolationType, console_link};
use crate::finding::attribution::Attribution;
use crate::finding::contest::CONTEST_LIMIT;
use crate::finding::{
    APPROVAL_WINDOW, ActionRequest, Actor, Approval, AsksAgain, FRESH, Failure, Finding, Ignore,
    Plan, State,
};
use crate::ids::Resource;
use crate::text::cut;

/// How many changes a message lists; the thread has more, the finding itself all of them.
const LIST_LIMIT: usize = 12;

/// How long the text of a confirm dialog may be, less what stands around the plan. Characters.
const CONFIRM_ROOM: usize = 180;

/// The message. `previous` links to the message of the episode before.
pub fn finding_message(finding: &Finding, previous: Option<&str>) -> Content {
    let mut blocks = vec![
        section(&format!(
            "*{}*\n{}",
            escape(&headline(finding)),
            status_line(finding)
        )),
        fields(&[
            ("Resource", resource_link(&finding.resource)),
            ("Rule", code(finding.rule.as_str())),
            ("Account", code(finding.resource.account.as_str())),
            ("Region", code(finding.resource.region.as_str())),
        ]),
    ];
    blocks.extend(
        finding
            .attribution
            .as_ref()
            .map(|attribution| section(&opened_by(attribution))),
    );
    blocks.extend(
        finding
            .annotation
            .as_deref()
            .map(|text| section(&format!("> {}", prose(text, 300)))),
    );
    blocks.extend(body(finding).map(|text| section(&text)));
    blocks.extend(
        finding
            .shows_waiting()
            .map(|approval| section(&waiting(approval))),
    );
    blocks.extend(buttons(finding));
    let mut small_print = vec![
        format!("Finding {}", code(finding.id.as_str())),
        format!("since {}", when(finding.opened_at)),
    ];
    let is_planned = matches!(
        finding.state,
        State::Open { .. }
            | State::Ignored {
                compliant: false,
                ..
            }
    );
    let is_later = |at: &Timestamp| at.duration_since(finding.opened_at) >= FRESH;
    let checked_at = finding.checked_at.filter(|at| is_planned && is_later(at));
    small_print.extend(checked_at.map(|at| format!("checked {}", when(at))));
    small_print.extend(
        finding
            .undo_until()
            .map(|until| format!("undo until {}", when(until))),
    );
    small_print.extend(previous.map(|link| {
        format!(
            "it broke again: <{}|the message of last time>",
            escape(link)
        )
    }));
    blocks.push(context(&small_print.join(" · ")));
    message(&fallback(finding), blocks)
}

/// Whose call broke the rule.
fn opened_by(
    Attribution {
        principal,
        call,
        at,
        source_address,
        agent,
    }: &Attribution,
) -> String {
    let from = source_address
        .as_deref()
        .map_or_else(String::new, |from| format!(" from {}", code(from)));
    let with = agent
        .as_deref()
        .map_or_else(String::new, |agent| format!(" with {}", escape(agent)));
    format!(
        "*Opened by* {} by {}{from}{with} {}",
        code(principal),
        code(call),
        when(*at)
    )
}

/// What waits for another operator's yes, and until when.
fn waiting(
    Approval {
        request,
        asked_by,
        since,
    }: &Approval,
) -> String {
    let what = match request {
        ActionRequest::Fix { .. } => "wants this fixed".to_owned(),
        ActionRequest::Undo { reason, .. } => {
            format!("wants the fix undone: {}", prose(reason, 500))
        }
    };
    format!(
        ":busts_in_silhouette: {} {what}\n*Next:* in this account it takes two: another operator approves or declines, until {}",
        actor(asked_by),
        when(*since + APPROVAL_WINDOW)
    )
}

/// The message with a call for a user group: the worst findings only.
pub fn mentioning(content: Content, group: &SlackUserGroupId) -> Content {
    let id: String = group
        .0
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let call = section(&format!("<!subteam^{id}> this is critical."));
    let blocks = content.blocks.unwrap_or_default();
    message(
        &content.text.unwrap_or_default(),
        std::iter::once(call).chain(blocks).collect(),
    )
}

/// What is wrong, in plain words and plain text.
pub fn headline(finding: &Finding) -> String {
    let id = match &finding.resource_name {
        Some(name) => format!("{} ({})", cut(name, 80), finding.resource.id),
        None => finding.resource.id.to_string(),
    };
    let was = matches!(
        finding.state,
        State::Fixed { .. }
            | State::Undoing { .. }
            | State::Ignored {
                compliant: true,
                ..
            }
    );
    let resource_type = &finding.resource.resource_type;
    let definition = Control::of_resource(resource_type)
        .next()
        .map(Control::definition);
    let noun = definition.map_or(resource_type.as_str(), |definition| definition.noun());
    if matches!(finding.state, State::Deleted { .. }) {
        return format!("{noun} {id} was deleted");
    }
    match definition.filter(|_| finding.plan != Plan::Unsupported) {
        Some(definition) if was => format!("{noun} {id} {}", definition.kept_again()),
        Some(definition) => {
            let kinds = finding.to_fix().into_iter().map(|(kind, _)| kind).collect();
            format!("{noun} {id} {}", definition.violated(&kinds))
        }
        None if was => {
            format!("{resource_type} {id} keeps the rule {} again", finding.rule)
        }
        None => format!("{resource_type} {id} breaks the rule {}", finding.rule),
    }
}

fn resource_link(resource: &Resource) -> String {
    if resource.id.as_str().len() > 200 {
        // A link that had to be cut would be none.
        return code(resource.id.as_str());
    }
    let id = escape(resource.id.as_str()).replace('|', "/");
    format!("<{}|{id}>", escape(&console_link(resource)))
}

/// Where it stands, and how bad it is while it is not fixed.
fn status_line(finding: &Finding) -> String {
    let standing = standing(finding);
    match finding.state {
        State::Fixed { .. } | State::Deleted { .. } => match &finding.undo_failure {
            Some(_) => format!("{standing}. *The undo failed*"),
            None => standing,
        },
        _ => format!("{standing} · {} severity", finding.severity),
    }
}

fn standing(finding: &Finding) -> String {
    match &finding.state {
        State::Open {
            last_failure: None,
            asks_again: Some(AsksAgain { at, .. }),
        } => {
            format!(
                ":red_circle: Open. Nothing was changed {}: it asks again",
                when(*at)
            )
        }
        State::Open {
            last_failure: None,
            asks_again: None,
        } => ":red_circle: Open".to_owned(),
        State::Open {
            last_failure: Some(Failure { at, .. }),
            ..
        } => {
            format!(":red_circle: Open. The fix failed {}", when(*at))
        }
        State::Fixing {
            asked_by, since, ..
        } => {
            format!(
                ":hourglass_flowing_sand: Fixing, asked by {} {}",
                actor(asked_by),
                when(*since)
            )
        }
        State::Ignored {
            by,
            until,
            compliant,
            ..
        } => {
            let now = if *compliant {
                ". Compliant at the moment"
            } else {
                ""
            };
            let until = match (until, by) {
                (Some(until), _) => format!("until {}", when(*until)),
                (None, Actor::Tag) => "for as long as it has it".to_owned(),
                (None, _) => "until somebody says otherwise".to_owned(),
            };
            format!(":no_bell: Ignored by {} {until}{now}", actor(by))
        }
        State::Fixed {
            by: Actor::External,
            at,
        } => {
            format!(":white_check_mark: Compliant again {}", when(*at))
        }
        State::Fixed { by, at } => {
            format!(":white_check_mark: Fixed by {} {}", actor(by), when(*at))
        }
        State::Undoing {
            asked_by, since, ..
        } => {
            format!(
                ":leftwards_arrow_with_hook: Undoing the fix, asked by {} {}",
                actor(asked_by),
                when(*since)
            )
        }
        State::Deleted { at } => format!(":wastebasket: Deleted {}", when(*at)),
    }
}

/// The part that depends on the state: the plan, the failure, the reason, what was removed.
fn body(finding: &Finding) -> Option<String> {
    match &finding.state {
        State::Open {
            last_failure,
            asks_again,
        } => {
            let not_fixed = last_failure
                .as_ref()
                .map(|failure| failed("Not fixed", failure));
            let asks = asks_again
                .as_ref()
                .map(|asks| asks_again_text(finding, asks));
            let not_undone = finding
                .undo_failure
                .as_ref()
                .map(|failure| failed("Not undone", failure));
            Some(lines([
                not_fixed,
                asks,
                not_undone,
                plan_text(finding),
                left_text(finding),
                contest_text(finding),
            ]))
        }
        State::Fixing { .. } => Some(lines([plan_text(finding), left_text(finding)])),
        State::Ignored { reason, .. } => {
            let reason = Some(format!("*Reason:* {}", prose(reason, 500)));
            let not_undone = finding
                .undo_failure
                .as_ref()
                .map(|failure| failed("Not undone", failure));
            Some(lines([
                reason,
                not_undone,
                ignored_text(finding),
                done_text(finding),
            ]))
        }
        State::Fixed { .. } => {
            let done = done_text(finding)?;
            let not_undone = finding
                .undo_failure
                .as_ref()
                .map(|failure| failed("Not undone", failure));
            Some(lines([not_undone, Some(done)]))
        }
        State::Undoing { reason, .. } => {
            let reason = format!("*Reason:* {}", prose(reason, 500));
            let back = finding.to_put_back();
            let after = format!(
                "*After the undo*\n{}",
                changes_list(back.iter().map(Change::reopens))
            );
            Some(lines([Some(reason), Some(after)]))
        }
        State::Deleted { .. } => done_text(finding),
    }
}

/// A yes that did not cover the plan.
fn asks_again_text(finding: &Finding, AsksAgain { by, new, .. }: &AsksAgain) -> String {
    let by = actor(by);
    if new.is_empty() {
        return format!(
            "*Nothing was changed:* the request of {by} did not say which plan was agreed to.\n*Next:* read the plan, and press *Fix*."
        );
    }
    let to_fix: Vec<Exposure> = finding
        .to_fix()
        .iter()
        .filter_map(|(_, change)| change.exposure())
        .collect();
    let is_there = |change: &&Change| {
        change
            .exposure()
            .is_some_and(|exposure| to_fix.contains(&exposure))
    };
    let new: Vec<String> = new.iter().filter(is_there).map(Change::exposes).collect();
    let what = match new.is_empty() {
        true => "What was new has gone since.".to_owned(),
        false => format!("New is:\n{}", changes_list(new.into_iter())),
    };
    format!(
        "*Nothing was changed:* {by} had agreed to less. {what}\n*Next:* read the plan again, and press *Fix*."
    )
}

/// The parts of what is open that are ignored.
fn left_text(finding: &Finding) -> Option<String> {
    finding.left.as_ref()?;
    let part = finding.left_alone();
    let texts: Vec<String> = finding
        .ignores(Timestamp::MIN)
        .iter()
        .filter_map(|ignore| part_text(ignore, &part))
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// An ignore, with what it covers of some changes.
fn part_text(ignore: &Ignore, changes: &[&Change]) -> Option<String> {
    let part: Vec<&&Change> = changes
        .iter()
        .filter(|change| ignore.covers.covers(change))
        .collect();
    let until = ignore
        .until
        .map_or_else(String::new, |until| format!(" until {}", when(until)));
    (!part.is_empty()).then(|| {
        format!(
            "*Ignored by {}*{until} and left as it is: {}\n{}",
            actor(&ignore.by),
            prose(&ignore.reason, 300),
            changes_list(part.iter().map(|change| change.exposes()))
        )
    })
}

/// What is ignored, while nothing else is open.
fn ignored_text(finding: &Finding) -> Option<String> {
    match &finding.state {
        State::Ignored {
            compliant: true, ..
        } => None,
        State::Ignored { by: Actor::Tag, .. } => plan_text(finding),
        _ => match &finding.plan {
            Plan::Known { changes } if !changes.is_empty() => {
                let all: Vec<&Change> = changes.iter().map(|(_, change)| change).collect();
                let list = changes_list(all.iter().map(|change| change.exposes()));
                let others = finding
                    .beside
                    .iter()
                    .filter_map(|ignore| part_text(ignore, &all));
                let text = format!("*Ignored*, and nothing beyond it\n{list}");
                Some(
                    std::iter::once(text)
                        .chain(others)
                        .collect::<Vec<_>>()
                        .join("\n"),
                )
            }
            _ => plan_text(finding),
        },
    }
}

/// Why auto-response has stopped for it.
fn contest_text(finding: &Finding) -> Option<String> {
    let last = finding.repeats.iter().map(|repeat| repeat.at).max()?;
    if !finding.is_contested(last) {
        return None;
    }
    let mut who: Vec<String> = Vec::new();
    for attribution in finding.attributions() {
        let name = match &attribution.agent {
            Some(agent) => format!("{} with {}", code(&attribution.principal), escape(agent)),
            None => code(&attribution.principal),
        };
        if !who.contains(&name) {
            who.push(name);
        }
    }
    let who = match who.is_empty() {
        true => "CloudTrail has not told who opens it".to_owned(),
        false => format!("it is opened by {}", who.join(", ")),
    };
    Some(format!(
        ":raised_hand: *Auto-response has stopped for this:* it was fixed {CONTEST_LIMIT} times within a day, and {who}.\n*Next:* change what opens it, fix it here, or ignore it."
    ))
}

fn failed(what: &str, Failure { reason, advice, .. }: &Failure) -> String {
    format!(
        "*{what}:* {}\n*Next:* {}",
        prose(reason, 600),
        prose(advice, 300)
    )
}

fn lines<const N: usize>(lines: [Option<String>; N]) -> String {
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn done_text(finding: &Finding) -> Option<String> {
    let done = || {
        format!(
            "*What was done*\n{}",
            changes_list(finding.removed.iter().map(Change::done))
        )
    };
    (!finding.removed.is_empty()).then(done)
}

/// Why a person has to see to it.
fn why_unsupported(finding: &Finding) -> String {
    let resource_type = &finding.resource.resource_type;
    match ViolationType::of_resource(resource_type).is_empty() {
        true => format!(
            "There is no automatic fix for resources of type {}.",
            code(resource_type.as_str())
        ),
        false => format!(
            "There is no automatic fix: the rule {} is not one of Defendable's own, and may judge by other measures.",
            code(finding.rule.as_str())
        ),
    }
}

/// What to say where auto-response does not do all of a plan.
const LEFT_TO_PEOPLE: &str =
    "\nAuto-response revokes only the group's own 0.0.0.0/0 and ::/0; the rest takes a person.";

fn plan_text(finding: &Finding) -> Option<String> {
    match &finding.plan {
        Plan::Unsupported => Some(why_unsupported(finding)),
        Plan::Unknown {
            reason,
            looking: true,
        } => Some(format!(
            ":mag: What a fix would change is not known yet, and is being looked at again. The worst is assumed meanwhile. {}",
            prose(reason, 300)
        )),
        Plan::Unknown {
            reason,
            looking: false,
        } => Some(format!(
            "What a fix would change could not be found out: {}",
            prose(reason, 300)
        )),
        Plan::Known { changes } if changes.is_empty() => {
            Some("There is nothing left that a fix would change.".to_owned())
        }
        Plan::Known { .. } => {
            let changes = finding.to_fix();
            let is_left = changes.iter().any(|(_, change)| change.is_left_to_people());
            let left = if is_left { LEFT_TO_PEOPLE } else { "" };
            let fix = (!changes.is_empty()).then(|| {
                let list = changes_list(changes.iter().map(|(_, change)| change.to_string()));
                format!("*Fix will*\n{list}{left}")
            });
            let by_hand = by_hand_text(&finding.by_hand());
            (fix.is_some() || by_hand.is_some()).then(|| lines([fix, by_hand]))
        }
    }
}

/// What takes a person, because no fix can do it.
fn by_hand_text(changes: &[Change]) -> Option<String> {
    let list = || changes_list(changes.iter().map(Change::to_string));
    let why =
        "A fix removes a reference to a prefix list only where all entries of the list are open.";
    (!changes.is_empty()).then(|| format!("*To be done by hand*\n{}\n{why}", list()))
}

/// Changes as a list, cut where it gets long.
pub fn changes_list(changes: impl ExactSizeIterator<Item = String>) -> String {
    let more = changes.len().saturating_sub(LIST_LIMIT);
    let mut lines: Vec<String> = changes
        .take(LIST_LIMIT)
        .map(|change| format!("• {}", prose(&change, 200)))
        .collect();
    if more > 0 {
        lines.push(format!("• and {more} more"));
    }
    lines.join("\n")
}

/// What can be done about a finding now.
pub fn buttons(finding: &Finding) -> Option<SlackBlock> {
    let id = finding.id.as_str();
    let answers = finding
        .shows_waiting()
        .map(|approval| answer_buttons(finding, approval));
    let mut buttons = answers.into_iter().flatten().collect::<Vec<_>>();
    match &finding.state {
        State::Open { .. } => {
            buttons.extend(match fix_button(finding) {
                None if finding.plan != Plan::Unsupported => {
                    Some(button(action::LOOK_AGAIN, "Look again", id))
                }
                fix => fix,
            });
            buttons.push(button(action::IGNORE, "Ignore…", id));
            buttons.extend(
                finding
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

/// Another operator's answers. The other buttons stay beside them: a request that nobody answers must
/// not lock a finding.
fn answer_buttons(
    finding: &Finding,
    Approval { request, .. }: &Approval,
) -> Vec<SlackBlockButtonElement> {
    let (id, word) = (&finding.id, request.word());
    let decline = button(action::DECLINE, "Decline", id.as_str());
    // A request of version 0.1 names no plan: it can only be declined, and asked for anew.
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

/// Fixes what somebody wanted left as it is, after asking once more. None where no plan is known.
pub fn fix_ignored_button(
    finding: &Finding,
    by: &Actor,
    reason: &str,
) -> Option<SlackBlockButtonElement> {
    let plan = finding.fix_plan()?.digest();
    let what = format!("{} left this as it is: {}", actor(by), prose(reason, 150));
    let fix = button(
        action::FIX_IGNORED,
        "Fix all the same…",
        &action::value(&finding.id, &plan),
    );
    Some(fix.with_confirm(confirm("Fix what is ignored?", &what, "Fix")))
}

/// The same under a finding's message. Where the message does not list the whole plan, the button says of
/// none: who presses it is shown all of it first, and asked.
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
        "Fix all the same…",
        finding.id.as_str(),
    ))
}

/// The resource's id, for where there is little room.
fn resource_name(finding: &Finding) -> String {
    escape(&cut(finding.resource.id.as_str(), 80))
}

fn undo_button(finding: &Finding) -> Option<SlackBlockButtonElement> {
    finding.undo_until()?;
    Some(button(action::UNDO, "Undo…", finding.id.as_str()))
}

/// Says yes to the plan, by a confirm dialog, or where the plan is too long for one, by a modal. None
/// where no plan is known.
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

/// What stands where a finding's message was, once it is in another channel.
pub fn moved_message(finding: &Finding, channel: &str, link: Option<&str>) -> Content {
    let channel: String = channel
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let place = link.map_or_else(
        || format!("<#{channel}>"),
        |link| format!("<{}|another channel>", escape(link)),
    );
    let text = format!(
        ":arrow_right: *{}*\nIts route has changed: it is in {place} now. Finding {}",
        escape(&headline(finding)),
        code(finding.id.as_str())
    );
    super::blocks::note(&text)
}

/// The text for notifications and screen readers: a sentence or two, read well aloud.
fn fallback(finding: &Finding) -> String {
    let Resource {
        account, region, ..
    } = &finding.resource;
    let headline = escape(&headline(finding));
    let who = |who: &Actor| actor(who);
    let state = match &finding.state {
        State::Open {
            asks_again: Some(asks),
            ..
        } => match asks.new.is_empty() {
            true => {
                "Nothing was changed, because the request did not say which plan was agreed to."
                    .to_owned()
            }
            false => "Nothing was changed, because the plan has grown.".to_owned(),
        },
        State::Open {
            last_failure: None, ..
        } => match finding.to_fix().first() {
            Some((_, change)) => format!("A fix will {}.", prose(&change.to_string(), 200)),
            None => "It is open.".to_owned(),
        },
        State::Open {
            last_failure: Some(failure),
            ..
        } => {
            format!("The fix failed: {}.", prose(&failure.reason, 300))
        }
        State::Fixing { asked_by, .. } => {
            format!("A fix is on its way, asked for by {}.", who(asked_by))
        }
        State::Ignored {
            by,
            until: Some(until),
            ..
        } => {
            format!("Ignored by {} until {}.", who(by), plain_when(*until))
        }
        State::Ignored {
            by, until: None, ..
        } => format!("Ignored by {}.", who(by)),
        State::Fixed {
            by: Actor::External,
            ..
        } => "It is compliant again.".to_owned(),
        State::Fixed { .. } if finding.undo_failure.is_some() => "The undo failed.".to_owned(),
        State::Fixed { by, .. } => format!("Fixed by {}.", who(by)),
        State::Undoing { asked_by, .. } => {
            format!("The fix is being undone, asked for by {}.", who(asked_by))
        }
        State::Deleted { .. } => "It was deleted.".to_owned(),
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
