//! Who did what when: every change of a finding, every switch, every refusal (by the hour, where the same
//! person wants the same again), kept for 400 days.
//!
//! A finding's events are written into the finding itself, by the very write that changes it, and
//! copied from there: by who wrote them, and, should that have died, by the next who changes it.

use futures::FutureExt;
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};
use uuid::Uuid;

use super::event::{Entry, HistoryEvent, Standing};
use super::table::{Record, STATE_INDEX, Table, TableError, key, number, text};
use super::{Actor, Finding, StateName};
use crate::aws::AwsError;
use crate::finding::decision;
use crate::ids::FindingId;

/// How long an entry is kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What stands for a state in the table's index.
const INDEXED_AS: &str = "history";

#[derive(Deserialize)]
struct Item {
    entry: Entry,
    #[serde(default)]
    times: u32,
}

impl From<Item> for Entry {
    fn from(Item { entry, times }: Item) -> Self {
        Self { times, ..entry }
    }
}

impl Finding {
    /// Remembers an event until the finding is written.
    pub(super) fn record(&mut self, at: Timestamp, by: Actor, event: HistoryEvent) {
        self.events.push((at, by, event));
    }

    /// The events of the change that made it what it is.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.events.iter().map(|event| self.entry(event))
    }

    fn entry(&self, (at, by, event): &(Timestamp, Actor, HistoryEvent)) -> Entry {
        let resource = self
            .resource_name
            .clone()
            .unwrap_or_else(|| self.resource.id.to_string());
        Entry {
            at: *at,
            by: by.clone(),
            event: event.clone(),
            finding: Some(self.id.clone()),
            resource: Some(resource),
            standing: Some(Standing {
                rule: self.rule.clone(),
                // It may have been fixed by the very write that tells of it.
                state: match event {
                    HistoryEvent::Found => StateName::Open,
                    _ => self.state_name(Timestamp::MIN),
                },
                opened_at: self.opened_at,
            }),
            times: 0,
        }
    }
}

impl Table {
    /// Adds an entry that changes no finding: to the history of the one that it is about, or to what is
    /// about none. A person who is refused the same repeatedly has one entry an hour: they must not push
    /// out what was done.
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

    /// Copies a finding's events into the history; once more does no harm.
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
        let update = self.update(pk, format!("HISTORY#{place}"))
            .update_expression("SET entry = :entry, #state = :state, stateSince = :at, expiresAt = :expires ADD times :times")
            .expression_attribute_values(":times", number(entry.times))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":entry", to_attribute_value(entry)?)
            .expression_attribute_values(":state", text(INDEXED_AS))
            .expression_attribute_values(":at", text(format!("{:.3}", entry.at)))
            .expression_attribute_values(":expires", number((Timestamp::now() + RETENTION).as_second()));
        update
            .send()
            .boxed()
            .await
            .map(drop)
            .map_err(|error| AwsError::from_sdk("dynamodb:UpdateItem", error).into())
    }

    /// Tells `each` every entry since then, the oldest first, a page at a time.
    pub async fn history_since(
        &self,
        since: Timestamp,
        mut each: impl FnMut(Entry),
    ) -> Result<(), TableError> {
        let query = self
            .dynamodb
            .query()
            .table_name(&self.name)
            .index_name(STATE_INDEX)
            .key_condition_expression("#state = :state AND stateSince >= :since")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", text(INDEXED_AS))
            .expression_attribute_values(":since", text(format!("{since:.3}")));
        let mut items = query.into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| AwsError::from_sdk("dynamodb:Query", error))?;
            each(from_item::<Item>(item)?.into());
        }
        Ok(())
    }

    /// The newest entries of a finding, also of the time when it had other ids, the newest first.
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
        let query = self
            .dynamodb
            .query()
            .table_name(&self.name)
            .scan_index_forward(false);
        let query = match finding {
            Some(id) => query
                .key_condition_expression("pk = :pk AND begins_with(sk, :history)")
                .expression_attribute_values(":pk", text(format!("FINDING#{id}")))
                .expression_attribute_values(":history", text("HISTORY#")),
            None => query
                .index_name(STATE_INDEX)
                .key_condition_expression("#state = :state")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":state", text(INDEXED_AS)),
        };
        let found = query
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .boxed()
            .await;
        let found = found.map_err(|error| AwsError::from_sdk("dynamodb:Query", error))?;
        let items = found.items.unwrap_or_default().into_iter();
        let entries = items.map(|item| Ok(from_item::<Item>(item)?.into()));
        let mut entries = entries.collect::<Result<Vec<Entry>, serde_dynamo::Error>>()?;
        // Refusals lie at the beginning of their hour.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        Ok(entries)
    }
}
