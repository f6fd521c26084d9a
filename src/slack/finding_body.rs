//! The body of a finding's message: the plan, what was done, what is ignored and why.

use super::finding_words::changes_list;
use super::text::{actor, code, escape, prose, when};
use crate::controls::{Change, Exposure, ViolationType};
use crate::finding::contest::CONTEST_LIMIT;
use crate::finding::{Actor, AsksAgain, Failure, Finding, Ignore, Plan, State};
use jiff::Timestamp;

/// The part of the body that depends on the state.
pub(super) fn body(finding: &Finding) -> Option<String> {
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
                .episode
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
                .episode
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
                .episode
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

/// The lines about a fix that was not made because the plan had grown.
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

/// The lines about what is ignored while the rest is open.
fn left_text(finding: &Finding) -> Option<String> {
    finding.episode.left.as_ref()?;
    let part = finding.left_alone();
    let texts: Vec<String> = finding
        .ignores(Timestamp::MIN)
        .iter()
        .filter_map(|ignore| part_text(ignore, &part))
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// The line of an ignore, with the changes that it covers.
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

/// The lines about what is ignored while nothing else is open.
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
                    .episode
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

/// The line about a finding that auto-response leaves to people because it is opened again and again.
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

pub(super) fn failed(what: &str, Failure { reason, advice, .. }: &Failure) -> String {
    format!(
        "*{what}:* {}\n*Next:* {}",
        prose(reason, 600),
        prose(advice, 300)
    )
}

pub(super) fn lines<const N: usize>(lines: [Option<String>; N]) -> String {
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn done_text(finding: &Finding) -> Option<String> {
    let done = || {
        format!(
            "*What was done*\n{}",
            changes_list(finding.episode.removed.iter().map(Change::done))
        )
    };
    (!finding.episode.removed.is_empty()).then(done)
}

/// The line that tells why a person has to decide.
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

/// The line about the part of a plan that auto-response leaves to people.
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

/// The lines about what has to be closed by hand.
fn by_hand_text(changes: &[Change]) -> Option<String> {
    let list = || changes_list(changes.iter().map(Change::to_string));
    let why =
        "A fix removes a reference to a prefix list only where all entries of the list are open.";
    (!changes.is_empty()).then(|| format!("*To be done by hand*\n{}\n{why}", list()))
}
