//! What auto-response would do now, worked out from the findings: the messages of its queue cannot be listed, and
//! several may ask for one finding.

use jiff::Timestamp;

use crate::controls::Change;
use crate::coordinator::{CONTESTED, Next, next};
use crate::finding::order::worst_first;
use crate::finding::{Finding, Plan, StateName};
use crate::slack::finding_words::{bullet, changes_list};
use crate::store::{Reading, Table, TableError};

/// What auto-response would do about the findings that are open or ignored.
#[derive(Debug)]
pub(super) struct Forecast {
    /// The findings that it would fix, the worst first.
    fixes: Vec<Finding>,
    /// The findings about which it would ask people, the worst first.
    asks: Vec<Finding>,
    /// The number of findings whose plan is not known: it would look, and fix what it finds.
    looks: usize,
    /// The number of ignored findings, which it would skip.
    ignored: u64,
    /// Whether every open finding was looked at.
    is_whole: bool,
}

/// The changes that auto-response would make.
fn changes(finding: &Finding) -> Vec<Change> {
    let changes = finding.to_fix().into_iter().map(|(_, change)| change);
    changes
        .filter(|change| !change.is_left_to_people())
        .collect()
}

fn is_unknown(finding: &Finding) -> bool {
    matches!(finding.plan, Plan::Unknown { .. }) && !finding.auto_requests().is_empty()
}

impl Forecast {
    /// Reads the findings.
    pub(super) async fn read(table: &Table, now: Timestamp) -> Result<Self, TableError> {
        let (open, ignored) = tokio::try_join!(
            table.read_state(StateName::Open),
            table.count(StateName::Ignored),
        )?;
        Ok(Self::of(open, ignored, now))
    }

    fn of(open: Reading, ignored: u64, now: Timestamp) -> Self {
        let Reading {
            mut findings,
            is_whole,
        } = open;
        worst_first(&mut findings);
        let (mut fixes, mut asks, mut looks) = (Vec::new(), Vec::new(), 0);
        for finding in findings {
            match next(&finding, None, now) {
                Next::LetGo(CONTESTED) => asks.push(finding),
                _ if finding.is_left_to_people() => asks.push(finding),
                Next::PassOn if !changes(&finding).is_empty() => fixes.push(finding),
                Next::PassOn if is_unknown(&finding) => looks += 1,
                Next::PassOn | Next::LetGo(_) | Next::Leave => {}
            }
        }
        Self {
            fixes,
            asks,
            looks,
            ignored,
            is_whole,
        }
    }

    /// `fix 9 · skip 3 (ignored) · ask for 1`
    pub(super) fn numbers(&self) -> String {
        let least = if self.is_whole { "" } else { "at least " };
        let looks = match self.looks {
            0 => String::new(),
            looks => format!(" · look at {looks} whose plan is not known, and fix what it finds"),
        };
        format!(
            "fix {least}{}{looks} · skip {} (ignored) · ask for {least}{}",
            self.fixes.len(),
            self.ignored,
            self.asks.len()
        )
    }

    /// Whether every open finding was looked at.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// A line for each finding, with its plan: those that would be fixed, then those about which people would be
    /// asked.
    pub(super) fn lines(&self) -> Vec<String> {
        let fix = |finding: &Finding| {
            let plan = changes_list(changes(finding).iter().map(Change::to_string));
            format!("{}: would\n{plan}", bullet(finding))
        };
        let ask = |finding: &Finding| {
            let why = match finding.is_left_to_people() {
                true => "its plan is left to people",
                false => CONTESTED,
            };
            format!("{}: asks, for {why}", bullet(finding))
        };
        let fixes = self.fixes.iter().map(fix);
        fixes.chain(self.asks.iter().map(ask)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;
    use crate::finding::tests::{at, open};

    #[test]
    fn each_finding_counts_once_by_what_auto_response_would_do() {
        let unknown = Finding {
            plan: Plan::Unknown {
                reason: "throttled".to_owned(),
                looking: true,
            },
            ..open()
        };
        let unsupported = Finding {
            control: None,
            plan: Plan::Unsupported,
            ..open()
        };
        let of = |findings: Vec<Finding>, is_whole| {
            assert!(
                findings
                    .iter()
                    .all(|finding| matches!(finding.state, State::Open { .. }))
            );
            Forecast::of(Reading { findings, is_whole }, 3, at(60)).numbers()
        };
        assert_eq!(of(vec![], true), "fix 0 · skip 3 (ignored) · ask for 0");
        assert_eq!(
            of(vec![open(), unsupported.clone()], true),
            "fix 1 · skip 3 (ignored) · ask for 0"
        );
        assert_eq!(
            of(vec![open(), unknown, unsupported], false),
            "fix at least 1 · look at 1 whose plan is not known, and fix what it finds · skip 3 (ignored) · ask for at least 0"
        );
    }
}
