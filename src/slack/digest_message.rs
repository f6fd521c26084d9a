//! A digest as a Slack message: a pure projection of what is counted in it.

use slack_morphism::prelude::*;

use super::blocks::{actions, button, context, message, section, sections};
use super::text::{code, count, escape, mention, when};
use super::{Content, action};
use crate::finding::StateName;
use crate::finding::digest::{Digest, Entry, FixAll, Tally, WORST};
use crate::ids::{DigestId, PlanListId};
use crate::text::cut;

/// The number of rules, and of accounts and regions, that the message names.
const NAMED: usize = 8;

/// The message; `list` is the stored list to which **Fix all** says yes.
pub fn digest_message(
    id: &DigestId,
    digest: &Digest,
    tally: &Tally,
    list: Option<&PlanListId>,
) -> Content {
    let states = by_state(tally);
    let heading = format!(
        "*{} within a short time*, gathered here\n{states}",
        count(tally.total, "more finding")
    );
    let rules = tally
        .counts
        .by_rule
        .iter()
        .map(|(rule, number)| (code(rule.as_str()), *number));
    let places = tally.by_place.iter().map(|((account, region), number)| {
        (
            format!("{} {}", code(account.as_str()), code(region.as_str())),
            *number,
        )
    });
    let mut blocks = vec![
        section(&heading),
        section(&format!("*By rule*\n{}", named(rules.collect()))),
        section(&format!(
            "*By account and region*\n{}",
            named(places.collect())
        )),
    ];
    blocks.extend(worst(tally));
    blocks.extend(
        digest
            .fix_all
            .as_ref()
            .map(|fix_all| section(&progress(fix_all, tally))),
    );
    blocks.push(actions(buttons(id, digest, list)));
    blocks.push(context(&format!(
        "Digest {} · since {}",
        code(id.as_str()),
        when(digest.begun_at)
    )));
    message(
        &format!(
            "{} within a short time. {states}.",
            count(tally.total, "more finding")
        ),
        blocks,
    )
}

/// `3 open, 1 fixed`.
fn by_state(tally: &Tally) -> String {
    let states = StateName::ALL.into_iter().filter_map(|state| {
        let number = tally.count(state);
        (number > 0).then(|| format!("{number} {}", state.as_str()))
    });
    states.collect::<Vec<_>>().join(", ")
}

/// The most frequent first.
fn named(mut numbers: Vec<(String, u64)>) -> String {
    numbers.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let more = numbers.len().saturating_sub(NAMED);
    let mut lines: Vec<String> = numbers
        .into_iter()
        .take(NAMED)
        .map(|(name, number)| format!("• {name}: {number}"))
        .collect();
    if more > 0 {
        lines.push(format!("• and {more} more"));
    }
    lines.join("\n")
}

fn worst(tally: &Tally) -> Vec<SlackBlock> {
    let title = match tally.total {
        0..=10 => "*All of them*, the worst first".to_owned(),
        _ => format!("*The worst {WORST}*"),
    };
    sections(std::iter::once(title).chain(tally.worst.iter().map(entry_line)))
}

/// One line about a finding of a digest.
pub(super) fn entry_line(entry: &Entry) -> String {
    let unconfirmed = match entry.is_unconfirmed && entry.is_to_fix() {
        true => " · AWS could not be asked whether it is public",
        false => "",
    };
    format!(
        "• {} · *{}* · {} {} · {}{unconfirmed}",
        entry.state.as_str(),
        entry.severity,
        code(entry.finding.as_str()),
        escape(&cut(&entry.headline, 160)),
        entry.region,
    )
}

/// The line about **Fix all**: how far it is.
fn progress(fix_all: &FixAll, tally: &Tally) -> String {
    let FixAll { by, at, ended, .. } = fix_all;
    let tried = |state| tally.tried.get(&state).copied().unwrap_or_default();
    let (fixed, fixing, open) = (
        tried(StateName::Fixed),
        tried(StateName::Fixing),
        tried(StateName::Open),
    );
    let asked: u64 = tally.tried.values().sum();
    let grown = tally.grown.len() as u64;
    let mut failed = match open.saturating_sub(grown) {
        0 => String::new(),
        others => format!(", {others} not fixed: look at them one by one"),
    };
    if grown > 0 {
        let lines: Vec<String> = tally.grown.iter().take(WORST).map(entry_line).collect();
        let more = match tally.grown.len().saturating_sub(WORST) {
            0 => String::new(),
            more => format!("\n• and {more} more"),
        };
        failed += &format!(
            "\n{} more than was agreed to, and stayed as they are:\n{}{more}",
            match grown {
                1 => "1 would change".to_owned(),
                grown => format!("{grown} would change"),
            },
            lines.join("\n")
        );
    }
    let who = format!("asked by {} {}", mention(by), when(*at));
    match *ended && fixing == 0 {
        true => {
            let mark = match fixed == asked {
                true => ":white_check_mark:",
                false => ":warning:",
            };
            let (by, at) = (mention(by), when(*at));
            format!("{mark} {by} fixed {fixed} of {asked}, asked {at}{failed}")
        }
        false => {
            let left = tally
                .counts
                .to_fix_in(|account| fix_all.covers(account))
                .saturating_sub(open);
            format!("*Fixing all*, {who}: {fixed} fixed, {fixing} under way, {left} to go{failed}")
        }
    }
}

fn buttons(
    id: &DigestId,
    digest: &Digest,
    list: Option<&PlanListId>,
) -> Vec<SlackBlockButtonElement> {
    let under_way = digest
        .fix_all
        .as_ref()
        .is_some_and(|fix_all| !fix_all.ended);
    let fix_all = list.filter(|_| !under_way).map(|list| {
        button(action::FIX_ALL, "Fix all…", &format!("{id} {list}"))
            .with_style(SlackBlockButtonStyle::Danger)
    });
    let show_all = button(action::SHOW_ALL, "Show all", id.as_str());
    std::iter::once(show_all).chain(fix_all).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::controls::Severity;
    use crate::finding::digest::Member;
    use crate::finding::plan_list::Counts;
    use crate::ids::PlanDigest;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).unwrap()
    }

    fn tally(findings: usize, tried: usize) -> Tally {
        let mut tally = Tally::default();
        for number in 0..findings {
            let entry = Entry {
                finding: format!("f-{number:012x}").parse().unwrap(),
                headline: format!(
                    "Security group web-{number} (sg-{number}) is open to the internet <!channel>"
                ),
                account: "123456789012".parse().unwrap(),
                region: ["eu-central-1", "us-east-1"][number % 2].parse().unwrap(),
                rule: "defendable-restricted-ports".parse().unwrap(),
                severity: [Severity::Critical, Severity::High, Severity::Medium][number % 3],
                state: if number < tried {
                    StateName::Fixed
                } else {
                    StateName::Open
                },
                fixable: true,
                plan: Some(PlanDigest::of(&number.to_string())),
                asks_again: false,
                is_unconfirmed: number % 4 == 1,
            };
            let tried = (number < tried).then(|| at(60));
            tally.add(
                Member {
                    entry,
                    tried,
                    retired: false,
                },
                Some(at(60)),
            );
        }
        tally
    }

    fn digest(fix_all: Option<FixAll>) -> Digest {
        Digest {
            channel: "C1".to_owned(),
            begun_at: at(0),
            ts: None,
            fix_all,
            called: false,
            counts: Counts::default(),
            list: None,
        }
    }

    fn list() -> PlanListId {
        PlanListId::of("a list")
    }

    fn id() -> DigestId {
        "d-3fa9c01b22de".parse().unwrap()
    }

    #[test]
    fn a_digest_of_a_storm() {
        insta::assert_json_snapshot!(digest_message(
            &id(),
            &digest(None),
            &tally(40, 0),
            Some(&list())
        ));
    }

    #[test]
    fn a_digest_while_all_of_it_is_fixed() {
        let fix_all = FixAll {
            by: "U0ALICE".to_owned(),
            at: at(60),
            accounts: ["123456789012".parse().unwrap()].into(),
            ended: false,
            list: Some(list()),
        };
        insta::assert_json_snapshot!(digest_message(
            &id(),
            &digest(Some(fix_all)),
            &tally(12, 4),
            Some(&list())
        ));
    }

    #[test]
    fn many_rules_and_places_fit() {
        let mut tally = tally(12, 0);
        tally.counts.by_rule = (0..500)
            .map(|number| (format!("{number}{}", "r".repeat(120)).parse().unwrap(), 1))
            .collect();
        tally.by_place = (0..500)
            .map(|number| {
                (
                    (
                        format!("{number:012}").parse().unwrap(),
                        "eu-central-1".parse().unwrap(),
                    ),
                    1,
                )
            })
            .collect::<BTreeMap<_, _>>();
        let content =
            serde_json::to_value(digest_message(&id(), &digest(None), &tally, None)).unwrap();
        for block in content["blocks"].as_array().unwrap() {
            let text = block["text"]["text"].as_str().unwrap_or_default();
            assert!(
                text.chars().count() < 3000 && !text.contains("<!channel>"),
                "{text}"
            );
        }
    }
}
