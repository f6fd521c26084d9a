//! Stored lists of findings and their plans, in parts.

use std::collections::HashMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::table::{Table, TableError};
use crate::finding::plan_list::{Contents, Counts, Listing, PART, id_of};
use crate::ids::{FindingId, PlanDigest, PlanListId};

/// How long a list is kept: as long as the digest whose message names it.
const KEPT: SignedDuration = SignedDuration::from_hours(35 * 24);

#[derive(Deserialize)]
struct HeaderItem {
    contents: Contents,
}

#[derive(Deserialize)]
struct PartItem {
    entries: Vec<Listing>,
}

fn key(id: &PlanListId) -> String {
    format!("LIST#{id}")
}

fn part_key(part: usize) -> String {
    format!("PART#{part:04}")
}

impl Table {
    /// Stores a list: its parts first, its header last, so that a list with a header is whole. Sorts
    /// `entries` first.
    pub async fn keep_list(
        &self,
        mut entries: Vec<Listing>,
        counts: &Counts,
    ) -> Result<PlanListId, TableError> {
        entries.sort();
        entries.dedup();
        let id = id_of(&entries);
        for (part, some) in entries.chunks(PART).enumerate() {
            self.keep_item(&id, &part_key(part), "entries", some)
                .await?;
        }
        let contents = Contents {
            findings: entries.len(),
            counts: counts.clone(),
        };
        self.keep_item(&id, "LIST", "contents", &contents).await?;
        Ok(id)
    }

    async fn keep_item(
        &self,
        id: &PlanListId,
        sk: &str,
        name: &str,
        value: impl Serialize,
    ) -> Result<(), TableError> {
        let update = self
            .update(key(id), sk)
            .does(format!(
                "SET #{name} = if_not_exists(#{name}, :value), expiresAt = :expires"
            ))
            .name(name)
            .value("value", value)
            .expires(self.clock.now() + KEPT);
        update.make().await.map(drop)
    }

    /// The contents of a list; `None` where it is not stored (any more).
    pub async fn list_contents(&self, id: &PlanListId) -> Result<Option<Contents>, TableError> {
        let header: Option<HeaderItem> = self.get_item(key(id), "LIST").await?;
        Ok(header.map(|header| header.contents))
    }

    /// The part of a list with its entries from `PART * part` on; empty behind the last.
    pub async fn list_part(
        &self,
        id: &PlanListId,
        part: usize,
    ) -> Result<Vec<Listing>, TableError> {
        let item: Option<PartItem> = self.get_item(key(id), part_key(part)).await?;
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
