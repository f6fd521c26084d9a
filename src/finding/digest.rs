//! Digests: the findings of a storm, gathered in one message.
//!
//! A digest has what Slack shows of it, and a small entry for each finding: what a list shows of it. They are
//! derived from the findings, and follow them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::plan_list::{Counts, Listing};
use super::{Finding, Plan, State, StateName};
use crate::controls::{AgreedPlan, Change, Severity};
use crate::ids::{AccountId, FindingId, PlanDigest, PlanListId, Region, RuleName};
use crate::text::cut;

/// How many findings a digest's message shows.
pub const WORST: usize = 10;

/// A digest, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// The channel of its message.
    pub channel: String,
    /// The time at which the storm began.
    pub begun_at: Timestamp,
    /// The message's timestamp, once it is posted.
    #[serde(default)]
    pub ts: Option<String>,
    /// Fixing all of it, if somebody asked for that.
    #[serde(default)]
    pub fix_all: Option<FixAll>,
    /// Whether its critical findings have called people.
    #[serde(default)]
    pub called: bool,
    /// What was counted when it was last drawn.
    #[serde(default)]
    pub counts: Counts,
    /// The open findings with a plan, as they were when it was last drawn.
    #[serde(default)]
    pub list: Option<PlanListId>,
}

/// A digest's message, as it has been drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The channel, which is not the one that was wanted where that cannot be posted in.
    pub channel: String,
    /// The message's timestamp.
    pub ts: String,
    /// Whether its critical findings have called people.
    pub called: bool,
    /// The counts that the digest showed.
    pub counts: Counts,
    /// The open findings with a plan, to which **Fix all** says yes.
    pub list: Option<PlanListId>,
    /// How long the counting took.
    pub counting: SignedDuration,
    /// Whether every finding in it is fixed or deleted.
    pub all_over: bool,
}

/// Fixing every open finding of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixAll {
    /// The Slack user who asked.
    pub by: String,
    /// The time at which the operator confirmed it.
    pub at: Timestamp,
    /// The accounts whose findings are meant.
    pub accounts: BTreeSet<AccountId>,
    /// Whether every finding has had its turn.
    pub ended: bool,
    /// The list that was agreed to. Absent in what versions before 0.2 wrote: then it ends at once.
    #[serde(default)]
    pub list: Option<PlanListId>,
}

impl FixAll {
    /// Whether a finding of the account is meant.
    pub fn covers(&self, account: &AccountId) -> bool {
        self.accounts.contains(account)
    }
}

/// What a list shows of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The finding.
    pub finding: FindingId,
    /// What is wrong, in plain words.
    pub headline: String,
    /// The resource's account.
    pub account: AccountId,
    /// The resource's region.
    pub region: Region,
    /// The rule.
    pub rule: RuleName,
    /// The finding's severity.
    pub severity: Severity,
    /// The finding's state.
    pub state: StateName,
    /// Whether there is a fix for it.
    pub fixable: bool,
    /// The plan of a fix, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDigest>,
    /// Whether its plan went beyond what somebody had agreed to.
    #[serde(default)]
    pub asks_again: bool,
    /// Whether AWS could not be asked if a change of its plan is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unconfirmed: bool,
}

impl Entry {
    /// What a list shows of `finding`.
    pub fn of(finding: &Finding, headline: &str) -> Self {
        let plan = finding.fix_plan();
        let is_unconfirmed = |plan: &AgreedPlan| plan.changes.iter().any(Change::is_unconfirmed);
        Self {
            is_unconfirmed: plan.as_ref().is_some_and(is_unconfirmed),
            finding: finding.id.clone(),
            headline: cut(headline, 200),
            account: finding.resource.account.clone(),
            region: finding.resource.region.clone(),
            rule: finding.rule.clone(),
            severity: finding.severity,
            // An ignore that has expired is ended by the housekeeping.
            state: finding.state_name(Timestamp::MIN),
            fixable: finding.plan != Plan::Unsupported,
            plan: plan.map(|plan| plan.digest()),
            asks_again: matches!(
                finding.state,
                State::Open {
                    asks_again: Some(_),
                    ..
                }
            ),
        }
    }

    /// The place of the entry in a list: open ones first, the worst of these first.
    pub fn rank(&self) -> impl Ord + use<> {
        (
            self.state != StateName::Open,
            Reverse(self.severity),
            self.finding.clone(),
        )
    }

    /// Whether a fix can be asked for: what it would change is known.
    pub fn is_to_fix(&self) -> bool {
        self.plan.is_some() && self.state == StateName::Open
    }

    /// The finding with its plan, as a list has it.
    pub fn listing(&self) -> Option<Listing> {
        let plan = self.plan.clone().filter(|_| self.is_to_fix())?;
        Some(Listing {
            finding: self.finding.clone(),
            plan,
        })
    }
}

/// An entry with what became of it when all were to be fixed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// The entry.
    pub entry: Entry,
    /// When fixing all asked for its fix.
    #[serde(default)]
    pub tried: Option<Timestamp>,
    /// Whether another member stands for the same finding: this one has its old id.
    #[serde(default)]
    pub retired: bool,
}

/// A digest's findings, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub total: u64,
    /// The number of findings in each state.
    pub by_state: BTreeMap<StateName, u64>,
    /// By rule, and the open ones with a fix by account.
    pub counts: Counts,
    /// The number of findings in each account and region.
    pub by_place: BTreeMap<(AccountId, Region), u64>,
    /// The worst, at most [`WORST`]; open ones first.
    pub worst: Vec<Entry>,
    /// Those whose fix was asked for by fixing all, by state.
    pub tried: BTreeMap<StateName, u64>,
    /// Those of them whose plan had grown: nothing was changed.
    pub grown: Vec<Entry>,
    /// The open findings with a plan.
    pub to_fix: Vec<Listing>,
}

impl Tally {
    /// Counts one more. `fix_all` is when all were to be fixed.
    pub fn add(&mut self, member: Member, fix_all: Option<Timestamp>) {
        let Member {
            entry,
            tried,
            retired: _,
        } = member;
        self.total += 1;
        *self.by_state.entry(entry.state).or_default() += 1;
        *self.counts.by_rule.entry(entry.rule.clone()).or_default() += 1;
        *self
            .by_place
            .entry((entry.account.clone(), entry.region.clone()))
            .or_default() += 1;
        if entry.is_to_fix() {
            self.counts.add_to_fix(&entry.account, entry.is_unconfirmed);
        }
        if tried.is_some() && tried == fix_all {
            *self.tried.entry(entry.state).or_default() += 1;
            if entry.asks_again {
                self.grown.push(entry.clone());
            }
        }
        self.to_fix.extend(entry.listing());
        let rank = entry.rank();
        let place = self.worst.partition_point(|other| other.rank() < rank);
        if place < WORST {
            self.worst.insert(place, entry);
            self.worst.truncate(WORST);
        }
    }

    /// How many are in a state.
    pub fn count(&self, state: StateName) -> u64 {
        self.by_state.get(&state).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: usize, severity: Severity, state: StateName) -> Member {
        let entry = Entry {
            finding: format!("f-{number:012x}").parse().unwrap(),
            headline: "Bucket b is public".to_owned(),
            account: "123456789012".parse().unwrap(),
            region: if number.is_multiple_of(2) {
                "us-east-1"
            } else {
                "eu-west-1"
            }
            .parse()
            .unwrap(),
            rule: "r".parse().unwrap(),
            severity,
            state,
            fixable: true,
            plan: Some(PlanDigest::of(&number.to_string())),
            asks_again: false,
            is_unconfirmed: false,
        };
        Member {
            entry,
            tried: None,
            retired: false,
        }
    }

    #[test]
    fn unconfirmed_findings_count_among_those_to_fix() {
        let mut tally = Tally::default();
        for number in 0..5 {
            let mut member = member(number, Severity::High, StateName::Open);
            member.entry.is_unconfirmed = number < 2;
            tally.add(member, None);
        }
        let counts = &tally.counts;
        assert_eq!(
            (counts.to_fix_in(|_| true), counts.unconfirmed_in(|_| true)),
            (5, 2)
        );
        assert_eq!(counts.unconfirmed_in(|_| false), 0);
    }

    #[test]
    fn the_worst_open_ones_come_first() {
        let mut tally = Tally::default();
        for number in 0..30 {
            tally.add(member(number, Severity::Medium, StateName::Open), None);
        }
        tally.add(member(30, Severity::Critical, StateName::Fixed), None);
        tally.add(member(31, Severity::Critical, StateName::Open), None);
        assert_eq!(
            (
                tally.total,
                tally.counts.to_fix_in(|_| true),
                tally.worst.len()
            ),
            (32, 31, WORST)
        );
        assert_eq!(tally.worst[0].severity, Severity::Critical);
        assert_eq!(tally.worst[1].finding.as_str(), "f-000000000000");
        assert_eq!(tally.by_place.values().sum::<u64>(), 32);
        assert!(
            !tally
                .worst
                .iter()
                .any(|entry| entry.state == StateName::Fixed)
        );
    }
}
