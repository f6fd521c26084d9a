//! The history: every change of a finding, every switch and every refusal, kept for 400 days. The same
//! refusal of the same person has one entry an hour.
//!
//! A finding's events are written into the finding by the write that changes it, and copied from there: by
//! the process that wrote them, or, if that died, by the next one that changes the finding.

use std::ops::ControlFlow;

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::finding::key;
use super::record::Record;
use super::table::{Table, TableError};
use crate::finding::event::{Entry, HistoryEvent};
use crate::finding::{Actor, decision};
use crate::ids::FindingId;

/// How long an entry is kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The name under which the index has the entries of the history.
const INDEXED_AS: &str = "history";

/// How many entries are read at a time.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct EntryItem {
    entry: Entry,
    #[serde(default)]
    times: u32,
}

impl From<EntryItem> for Entry {
    fn from(EntryItem { entry, times }: EntryItem) -> Self {
        Self { times, ..entry }
    }
}

impl Table {
    /// Adds an entry that changes no finding. A person who is refused the same repeatedly has one entry an
    /// hour, so that refusals do not push out what was done.
    pub async fn note(&self, entry: &Entry) -> Result<(), TableError> {
        decision::tell(entry);
        let mut entry = entry.clone();
        let pk = entry
            .finding
            .as_ref()
            .map_or_else(|| "HISTORY".to_owned(), |id| key(id).0);
        let place = match (&entry.event, &entry.by) {
            (HistoryEvent::Refused { what }, Actor::User(user)) => {
                entry.times = 1;
                let same: Vec<_> = what.split_whitespace().map(str::to_lowercase).collect();
                format!(
                    "{}#{user} {}",
                    entry.at.strftime("%Y-%m-%dT%H"),
                    same.join(" ")
                )
            }
            _ => format!("{:.6}#{}", entry.at, Uuid::new_v4()),
        };
        self.add(pk, &place, &entry).await
    }

    /// Copies a finding's events into the history. Doing so again changes nothing.
    pub(super) async fn tell_history(
        &self,
        Record {
            finding, version, ..
        }: &Record,
    ) -> Result<(), TableError> {
        let (pk, _) = key(&finding.id);
        let adds = finding.entries().enumerate().map(async |(number, entry)| {
            self.add(
                pk.clone(),
                &format!("{:.6}#{version:08}-{number}", entry.at),
                &entry,
            )
            .await
        });
        try_join_all(adds).await.map(drop)
    }

    async fn add(&self, pk: String, place: &str, entry: &Entry) -> Result<(), TableError> {
        let update = self
            .update(pk, format!("HISTORY#{place}"))
            .does("SET entry = :entry, #state = :state, stateSince = :at, expiresAt = :expires ADD times :times")
            .name("state")
            .value("times", entry.times)
            .value("entry", entry)
            .value("state", INDEXED_AS)
            .value("at", format!("{:.3}", entry.at))
            .expires(self.clock.now() + RETENTION);
        update.make().await.map(drop)
    }

    /// Calls `each` with every entry since a time, the oldest first.
    pub async fn history_since(
        &self,
        since: Timestamp,
        mut each: impl FnMut(Entry),
    ) -> Result<(), TableError> {
        let query = self.query_state_between(INDEXED_AS, &format!("{since:.3}"), "9999");
        let tell = |item: EntryItem| {
            each(item.into());
            ControlFlow::Continue(())
        };
        query.each(PAGE, None, tell).await
    }

    /// The newest entries of a finding, also under its older ids, the newest first.
    pub async fn history_of(&self, id: &FindingId, limit: usize) -> Result<Vec<Entry>, TableError> {
        let mut entries = self.history(Some(id), limit).await?;
        let aliases = self
            .get(id)
            .await?
            .map(|record| record.finding.aliases)
            .unwrap_or_default();
        for alias in &aliases {
            entries.extend(self.history(Some(alias), limit).await?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(limit);
        Ok(entries)
    }

    /// The newest entries, of one finding or of all, the newest first.
    pub async fn history(
        &self,
        finding: Option<&FindingId>,
        limit: usize,
    ) -> Result<Vec<Entry>, TableError> {
        let query = match finding {
            Some(id) => self.query(&key(id).0, "HISTORY#", "HISTORY#~"),
            None => self.query_state(INDEXED_AS),
        };
        let mut entries: Vec<Entry> = Vec::new();
        let take = |item: EntryItem| {
            entries.push(item.into());
            match entries.len() < limit {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        query.backward().each(limit.min(PAGE), None, take).await?;
        // A refusal has the beginning of its hour as its time.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        Ok(entries)
    }
}
