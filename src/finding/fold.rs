//! The history for a list: what repeats itself is folded into one line.

use super::Actor;
use super::event::{Entry, HistoryEvent};
use crate::ids::FindingId;

/// The number of findings in a row from which an actor's fixes are one line.
const MANY: usize = 5;

/// One line of the history.
#[derive(Debug, PartialEq, Eq)]
pub enum Fold<'a> {
    /// An entry.
    One(&'a Entry),
    /// What one person was refused by one verb.
    Refusals {
        /// The newest of these entries.
        newest: &'a Entry,
        /// What was asked for, where it was always the same; else the verb: `/dd fix`.
        what: &'a str,
        /// How often.
        times: u32,
    },
    /// The same of many findings in a row.
    Many {
        /// The newest of these entries.
        newest: &'a Entry,
        /// What they tell of.
        what: Row,
        /// The findings.
        findings: Vec<FindingId>,
    },
}

/// What entries in a row tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// AWS Config found resources non-compliant.
    Found,
    /// One actor asked for fixes, or made them.
    Fixes {
        /// The number of fixes that were made.
        made: usize,
    },
}

/// Folds entries, the newest first, into lines.
pub fn folded(entries: &[Entry]) -> Vec<Fold<'_>> {
    let mut lines: Vec<Fold<'_>> = Vec::new();
    let mut rest = entries;
    while let Some(entry) = rest.first() {
        let row = rest.iter().take_while(|other| is_same_row(entry, other));
        let row = &rest[..row.count().max(1)];
        rest = &rest[row.len()..];
        match many(row) {
            Some(many) => lines.push(many),
            None => row.iter().for_each(|entry| add(&mut lines, entry)),
        }
    }
    lines
}

/// Whether both tell of a fix by the same actor, or of what AWS Config found.
fn is_same_row(one: &Entry, other: &Entry) -> bool {
    if one.event == HistoryEvent::Found && other.event == HistoryEvent::Found {
        return true;
    }
    let is_fix = |entry: &Entry| {
        matches!(
            entry.event,
            HistoryEvent::FixAsked | HistoryEvent::Fixed { .. }
        )
    };
    is_fix(one) && is_fix(other) && one.by == other.by
}

fn many(row: &[Entry]) -> Option<Fold<'_>> {
    let mut findings: Vec<FindingId> = Vec::new();
    for id in row.iter().filter_map(|entry| entry.finding.as_ref()) {
        if !findings.contains(id) {
            findings.push(id.clone());
        }
    }
    let is_made = |id: &&FindingId| {
        let made = |entry: &Entry| matches!(entry.event, HistoryEvent::Fixed { .. });
        row.iter()
            .any(|entry| made(entry) && entry.finding.as_ref() == Some(*id))
    };
    let what = match row.first()?.event {
        HistoryEvent::Found => Row::Found,
        _ => Row::Fixes {
            made: findings.iter().filter(is_made).count(),
        },
    };
    (findings.len() >= MANY).then(|| Fold::Many {
        newest: &row[0],
        what,
        findings,
    })
}

/// Adds an entry to the line of its kind, or as a line of its own.
fn add<'a>(lines: &mut Vec<Fold<'a>>, entry: &'a Entry) {
    let HistoryEvent::Refused { what: asked } = &entry.event else {
        return lines.push(Fold::One(entry));
    };
    // An entry of version 0.1 does not say how often.
    let often = entry.times.max(1);
    for line in lines.iter_mut() {
        if let Fold::Refusals {
            newest,
            what,
            times,
        } = line
            && newest.by == entry.by
            && verb(what) == verb(asked)
        {
            if *what != asked {
                *what = verb(asked);
            }
            *times += often;
            return;
        }
    }
    lines.push(Fold::Refusals {
        newest: entry,
        what: asked,
        times: often,
    });
}

/// `/dd fix` of a command, the action of a button.
fn verb(asked: &str) -> &str {
    let words = if asked.starts_with('/') { 2 } else { 1 };
    let mut ends = asked.match_indices(' ').map(|(end, _)| end);
    ends.nth(words - 1).map_or(asked, |end| &asked[..end])
}

/// The events of people and of auto-response, not those of AWS Config.
pub fn is_by_somebody(entry: &Entry) -> bool {
    entry.by != Actor::External
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::at;

    fn entry(by: &str, event: HistoryEvent, finding: Option<usize>) -> Entry {
        let id = |number| format!("f-{number:012x}").parse().unwrap();
        Entry {
            at: at(0),
            by: Actor::User(by.to_owned()),
            event,
            finding: finding.map(id),
            resource: None,
            standing: None,
            times: 0,
        }
    }

    fn refused(by: &str, what: &str, times: u32) -> Entry {
        let what = what.to_owned();
        Entry {
            times,
            ..entry(by, HistoryEvent::Refused { what }, None)
        }
    }

    #[test]
    fn refusals_are_folded_by_person_and_verb() {
        let entries = [
            refused("U1", "/dd fix f-1", 2),
            refused("U2", "/dd fix f-1", 1),
            refused("U1", "/dd fix f-2", 3),
            refused("U1", "fix f-1 p-1", 1),
            refused("U1", "/dd retry", 1),
            refused("U1", "/dd retry", 0),
        ];
        let lines: Vec<(&str, &str, u32)> = folded(&entries)
            .into_iter()
            .map(|line| match line {
                Fold::Refusals {
                    newest:
                        Entry {
                            by: Actor::User(by),
                            ..
                        },
                    what,
                    times,
                } => (by.as_str(), what, times),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            lines,
            [
                ("U1", "/dd fix", 5),
                ("U2", "/dd fix f-1", 1),
                ("U1", "fix f-1 p-1", 1),
                ("U1", "/dd retry", 2)
            ]
        );
    }

    #[test]
    fn the_fixes_of_many_findings_are_one_line() {
        let fixed = || HistoryEvent::Fixed {
            changes: Vec::new(),
        };
        let asked = |by, number| entry(by, HistoryEvent::FixAsked, Some(number));
        let mut entries = vec![entry("U1", HistoryEvent::FixAllAsked { findings: 6 }, None)];
        for number in 0..6 {
            entries.insert(0, asked("U1", number));
            entries.insert(0, entry("U1", fixed(), Some(number)));
        }
        entries.extend((0..4).map(|number| asked("U1", number)));
        entries.insert(0, asked("U2", 9));
        let lines = folded(&entries);
        assert!(matches!(lines[0], Fold::One(entry) if entry.by == Actor::User("U2".to_owned())));
        assert!(
            matches!(&lines[1], Fold::Many { what: Row::Fixes { made: 6 }, findings, .. } if findings.len() == 6),
            "{lines:?}"
        );
        // Four are listed one by one.
        assert_eq!(lines.len(), 1 + 1 + 1 + 4);
    }

    #[test]
    fn what_aws_config_finds_in_a_storm_is_one_line() {
        let found = |number| Entry {
            by: Actor::External,
            ..entry("", HistoryEvent::Found, Some(number))
        };
        let storm: Vec<Entry> = (0..5).map(found).collect();
        let lines = folded(&storm);
        assert!(
            matches!(&lines[..], [Fold::Many { what: Row::Found, findings, .. }] if findings.len() == 5),
            "{lines:?}"
        );
        assert_eq!(folded(&storm[1..]).len(), 4);
        assert!(!is_by_somebody(&storm[0]) && is_by_somebody(&refused("U1", "/dd retry", 1)));
    }
}
