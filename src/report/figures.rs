//! The report's figures, counted from the history. Pure.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::SPAN;
use crate::finding::event::{Entry, HistoryEvent};
use crate::finding::{Actor, StateName};
use crate::ids::{FindingId, RuleName};

/// The number of days of the report.
const DAYS: usize = 30;

/// How long fixes took, from when the finding opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixTimes {
    /// The number of fixes.
    pub fixes: usize,
    /// Half of them took no longer.
    pub median: SignedDuration,
    /// Nine of ten took no longer.
    pub ninetieth: SignedDuration,
}

/// How many findings were fixed by people, by auto-response and outside Defendable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FixedBy {
    /// By people, through Defendable.
    pub people: u64,
    /// By auto-response.
    pub automatic: u64,
    /// Outside Defendable.
    pub elsewhere: u64,
}

/// The report's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The end of the period.
    pub until: Timestamp,
    /// The number of findings that were open (or being fixed) at the end of each day, from 30 days ago until
    /// now.
    pub open: Vec<u64>,
    /// How long fixes took, from the finding to the fix.
    pub times: BTreeMap<RuleName, FixTimes>,
    /// The number of fixes by actor.
    pub fixed_by: FixedBy,
}

/// Counts entries, the oldest first.
#[derive(Debug)]
pub(super) struct Counting {
    until: Timestamp,
    /// The growth of the number of open findings on each of the last days.
    growth: [i64; DAYS],
    /// Whether a finding was open after its last entry.
    open: HashMap<FindingId, bool>,
    times: BTreeMap<RuleName, Vec<SignedDuration>>,
    fixed_by: FixedBy,
}

impl Counting {
    pub(super) fn new(until: Timestamp) -> Self {
        Self {
            until,
            growth: [0; DAYS],
            open: HashMap::new(),
            times: BTreeMap::new(),
            fixed_by: FixedBy::default(),
        }
    }

    /// An entry without the finding's state, or without its time, does not count.
    pub(super) fn add(&mut self, entry: &Entry) {
        let (Some(id), Some(standing)) = (&entry.finding, &entry.standing) else {
            return;
        };
        if standing.opened_at == Timestamp::MIN {
            return;
        }
        let is_open = matches!(standing.state, StateName::Open | StateName::Fixing);
        let was_open = self
            .open
            .insert(id.clone(), is_open)
            .unwrap_or_else(|| was_open_before(&entry.event));
        if let Some(growth) = self.day(entry.at).and_then(|day| self.growth.get_mut(day)) {
            *growth += i64::from(is_open) - i64::from(was_open);
        }
        if was_open && standing.state == StateName::Fixed {
            let times = self.times.entry(standing.rule.clone()).or_default();
            times.push(
                entry
                    .at
                    .duration_since(standing.opened_at)
                    .max(SignedDuration::ZERO),
            );
            match entry.by {
                Actor::User(_) => self.fixed_by.people += 1,
                Actor::AutoResponse => self.fixed_by.automatic += 1,
                Actor::External | Actor::Tag => self.fixed_by.elsewhere += 1,
            }
        }
    }

    fn day(&self, at: Timestamp) -> Option<usize> {
        let since = at.duration_since(self.until - SPAN).as_hours();
        usize::try_from(since.div_euclid(24))
            .ok()
            .map(|day| day.min(DAYS - 1))
    }

    /// The figures, by the number of findings that are open now.
    pub(super) fn end(self, open_now: u64) -> Figures {
        let mut open = vec![open_now];
        for growth in self.growth.iter().rev() {
            let later = open.last().copied().unwrap_or_default();
            open.push(later.saturating_add_signed(-growth));
        }
        open.reverse();
        let times = self
            .times
            .into_iter()
            .map(|(rule, times)| (rule, fix_times(times)))
            .collect();
        Figures {
            until: self.until,
            open,
            times,
            fixed_by: self.fixed_by,
        }
    }
}

/// Whether a finding was open before its first entry.
fn was_open_before(event: &HistoryEvent) -> bool {
    match event {
        HistoryEvent::Found
        | HistoryEvent::Unignored
        | HistoryEvent::IgnoreEnded
        | HistoryEvent::Untagged
        | HistoryEvent::OpenedBeyondIgnore { .. }
        | HistoryEvent::UndoAsked { .. }
        | HistoryEvent::Undone { .. }
        | HistoryEvent::UndoFailed { .. } => false,
        HistoryEvent::Complied
        | HistoryEvent::FixAsked
        | HistoryEvent::Fixed { .. }
        | HistoryEvent::FixFailed { .. }
        | HistoryEvent::NotAgreed { .. }
        | HistoryEvent::Deleted
        | HistoryEvent::Ignored { .. }
        | HistoryEvent::ApprovalAsked { .. }
        | HistoryEvent::Approved { .. }
        | HistoryEvent::Declined { .. }
        | HistoryEvent::FixAllAsked { .. }
        | HistoryEvent::WeeklyReport { .. }
        | HistoryEvent::Switched { .. }
        | HistoryEvent::WentOn
        | HistoryEvent::Retried { .. }
        | HistoryEvent::Discarded { .. }
        | HistoryEvent::Refused { .. } => true,
    }
}

fn fix_times(mut times: Vec<SignedDuration>) -> FixTimes {
    times.sort_unstable();
    // A percentile by the nearest rank.
    let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    FixTimes {
        fixes: times.len(),
        median: rank(50),
        ninetieth: rank(90),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::event::Standing;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + hours * 3600).unwrap()
    }

    fn entry(number: u8, hours: i64, by: Actor, event: HistoryEvent, state: StateName) -> Entry {
        let standing = Standing {
            rule: "r".parse().unwrap(),
            state,
            opened_at: at(0),
        };
        Entry {
            at: at(hours),
            by,
            event,
            finding: Some(format!("f-{number:012x}").parse().unwrap()),
            resource: None,
            standing: Some(standing),
            times: 0,
        }
    }

    fn fixed(number: u8, hours: i64, by: Actor) -> [Entry; 2] {
        let found = entry(
            number,
            0,
            Actor::External,
            HistoryEvent::Found,
            StateName::Open,
        );
        let changes = Vec::new();
        [
            found,
            entry(
                number,
                hours,
                by,
                HistoryEvent::Fixed { changes },
                StateName::Fixed,
            ),
        ]
    }

    fn figures(entries: impl IntoIterator<Item = Entry>, open_now: u64) -> Figures {
        let mut counting = Counting::new(at(30 * 24));
        entries.into_iter().for_each(|entry| counting.add(&entry));
        counting.end(open_now)
    }

    #[test]
    fn open_findings_are_counted_back_from_now() {
        let alice = Actor::User("U0ALICE".to_owned());
        let figures = figures(
            fixed(1, 49, alice)
                .into_iter()
                .chain(fixed(2, 24 * 40, Actor::AutoResponse).into_iter().take(1)),
            3,
        );
        assert_eq!(figures.open.len(), 31);
        assert_eq!(
            figures.open[..5],
            [2, 4, 4, 3, 3],
            "two were found on the first day, one was fixed on the third"
        );
        assert_eq!(figures.open.last(), Some(&3));
    }

    #[test]
    fn times_are_by_rule_and_fixes_by_who_did_them() {
        let alice = Actor::User("U0ALICE".to_owned());
        let entries = (1..=10u8).flat_map(|number| {
            fixed(
                number,
                number.into(),
                if number <= 4 {
                    alice.clone()
                } else {
                    Actor::AutoResponse
                },
            )
        });
        let complied = [
            entry(11, 0, Actor::External, HistoryEvent::Found, StateName::Open),
            entry(
                11,
                100,
                Actor::External,
                HistoryEvent::Complied,
                StateName::Fixed,
            ),
        ];
        let figures = figures(entries.chain(complied), 0);
        assert_eq!(
            figures.fixed_by,
            FixedBy {
                people: 4,
                automatic: 6,
                elsewhere: 1
            }
        );
        let times = figures.times[&"r".parse().unwrap()];
        assert_eq!(
            (
                times.fixes,
                times.median.as_hours(),
                times.ninetieth.as_hours()
            ),
            (11, 6, 10)
        );
    }

    #[test]
    fn a_fix_in_two_steps_counts_once_despite_repeated_reports() {
        let alice = Actor::User("U0ALICE".to_owned());
        let [found, done] = fixed(1, 2, alice.clone());
        let half = entry(
            1,
            1,
            alice,
            HistoryEvent::Fixed {
                changes: Vec::new(),
            },
            StateName::Fixing,
        );
        let echo = Entry {
            at: at(3),
            ..done.clone()
        };
        assert_eq!(figures([found, half, done, echo], 0).fixed_by.people, 1);
    }
}
