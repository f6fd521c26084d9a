//! Stored lists of findings and their plans: what **Fix all** and "go on" after a hold say yes to. A button
//! carries the list's id only; what came later is not in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, FindingId, PlanDigest, PlanListId, RuleName};

/// How many entries one item of the table has: of about 100 bytes each, where an item takes
/// [400 kB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).
pub const PART: usize = 500;

/// One finding of a list, and the plan that was shown of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listing {
    /// The finding.
    pub finding: FindingId,
    /// The plan.
    pub plan: PlanDigest,
}

/// What is counted by account and by rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// The open findings with a fix, by account.
    pub to_fix: BTreeMap<AccountId, u64>,
    /// Those of them of which AWS could not be asked, by account.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unconfirmed: BTreeMap<AccountId, u64>,
    /// All findings, by rule.
    pub by_rule: BTreeMap<RuleName, u64>,
}

impl Counts {
    /// Counts one more open finding with a fix.
    pub fn add_to_fix(&mut self, account: &AccountId, is_unconfirmed: bool) {
        *self.to_fix.entry(account.clone()).or_default() += 1;
        if is_unconfirmed {
            *self.unconfirmed.entry(account.clone()).or_default() += 1;
        }
    }

    /// The open findings with a fix, in accounts that `wanted` says.
    pub fn to_fix_in(&self, wanted: impl Fn(&AccountId) -> bool) -> u64 {
        sum_in(&self.to_fix, wanted)
    }

    /// Those of them of which AWS could not be asked, in accounts that `wanted` says.
    pub fn unconfirmed_in(&self, wanted: impl Fn(&AccountId) -> bool) -> u64 {
        sum_in(&self.unconfirmed, wanted)
    }
}

fn sum_in(numbers: &BTreeMap<AccountId, u64>, wanted: impl Fn(&AccountId) -> bool) -> u64 {
    let counted = numbers.iter().filter(|(account, _)| wanted(account));
    counted.map(|(_, number)| number).sum()
}

/// What is known of a list without reading it whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The number of findings.
    pub findings: usize,
    /// The number of findings by account and by rule.
    pub counts: Counts,
}

/// The id of a list: the same entries are the same list.
pub fn id_of(entries: &[Listing]) -> PlanListId {
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| format!("{} {}", entry.finding, entry.plan))
        .collect();
    PlanListId::of(&lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_list_changes_with_each_plan() {
        let entry = |number: usize, plan: &str| Listing {
            finding: format!("f-{number:012x}").parse().unwrap(),
            plan: PlanDigest::of(plan),
        };
        let list = [entry(1, "a"), entry(2, "b")];
        assert_eq!(id_of(&list), id_of(&list.clone()));
        assert_ne!(id_of(&list), id_of(&[entry(1, "a"), entry(2, "c")]));
        assert_ne!(id_of(&list), id_of(&list[..1]));
    }
}
