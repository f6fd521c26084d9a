//! Stored lists of findings and their plans: what **Fix all** and "go on" after a hold say yes to. A button
//! carries the list's id only; what came later is not in it.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::table::{Table, TableError, applied, number};
use crate::ids::{AccountId, FindingId, PlanDigest, PlanListId, RuleName};

/// How long a list is kept: as long as a digest's message has it.
const KEPT: SignedDuration = SignedDuration::from_hours(35 * 24);

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
    /// How many findings it has.
    pub findings: usize,
    /// By account and by rule.
    pub counts: Counts,
}

#[derive(Deserialize)]
struct HeaderItem {
    contents: Contents,
}

#[derive(Deserialize)]
struct PartItem {
    entries: Vec<Listing>,
}

/// The id of a list: the same entries are the same list.
pub fn id_of(entries: &[Listing]) -> PlanListId {
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| format!("{} {}", entry.finding, entry.plan))
        .collect();
    PlanListId::of(&lines.join("\n"))
}

impl Table {
    /// Stores a list, part by part, its header last: a list with a header is whole. `entries` are put in
    /// order first.
    pub async fn keep_list(
        &self,
        mut entries: Vec<Listing>,
        counts: &Counts,
    ) -> Result<PlanListId, TableError> {
        entries.sort();
        entries.dedup();
        let id = id_of(&entries);
        for (part, some) in entries.chunks(PART).enumerate() {
            self.keep_item(
                &id,
                &format!("PART#{part:04}"),
                "entries",
                to_attribute_value(some)?,
            )
            .await?;
        }
        let contents = Contents {
            findings: entries.len(),
            counts: counts.clone(),
        };
        self.keep_item(&id, "LIST", "contents", to_attribute_value(&contents)?)
            .await?;
        Ok(id)
    }

    async fn keep_item(
        &self,
        id: &PlanListId,
        sk: &str,
        name: &str,
        value: aws_sdk_dynamodb::types::AttributeValue,
    ) -> Result<(), TableError> {
        let update = self
            .update(format!("LIST#{id}"), sk)
            .update_expression("SET #name = if_not_exists(#name, :value), expiresAt = :expires")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value)
            .expression_attribute_values(":expires", number((Timestamp::now() + KEPT).as_second()));
        applied(update).await.map(drop)
    }

    /// What a list has; `None` where it is not there (any more).
    pub async fn list_contents(&self, id: &PlanListId) -> Result<Option<Contents>, TableError> {
        let header: Option<HeaderItem> = self
            .get_item(format!("LIST#{id}"), "LIST".to_owned())
            .await?;
        Ok(header.map(|header| header.contents))
    }

    /// The part of a list with its entries from `PART * part` on; empty behind the last.
    pub async fn list_part(
        &self,
        id: &PlanListId,
        part: usize,
    ) -> Result<Vec<Listing>, TableError> {
        let item: Option<PartItem> = self
            .get_item(format!("LIST#{id}"), format!("PART#{part:04}"))
            .await?;
        Ok(item.map(|item| item.entries).unwrap_or_default())
    }

    /// The plans of a list by finding.
    pub async fn whole_list(
        &self,
        id: &PlanListId,
    ) -> Result<HashMap<FindingId, PlanDigest>, TableError> {
        let mut plans = HashMap::new();
        for part in 0.. {
            let entries = self.list_part(id, part).await?;
            if entries.is_empty() {
                break;
            }
            plans.extend(entries.into_iter().map(|entry| (entry.finding, entry.plan)));
        }
        Ok(plans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_another_when_one_plan_of_it_is() {
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
