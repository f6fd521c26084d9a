//! Who did what when: every change of a finding, every switch, every refusal (by the hour, where the same
//! person wants the same again), kept for 400 days.
//!
//! A finding's deeds are written into the finding itself, by the very write that changes it, and
//! copied from there: by who wrote them, and, should that have died, by the next who changes it.

use std::fmt;

use futures::FutureExt;
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};
use uuid::Uuid;

use super::table::{Record, STATE_INDEX, Table, TableError, key, number, text};
use super::{Actor, Finding, StateName};
use crate::aws::AwsError;
use crate::contracts::Switch;
use crate::controls::Change;
use crate::finding::decision;
use crate::ids::{FindingId, RuleName};

/// How long an entry is kept.
const RETENTION: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What stands for a state in the table's index.
const INDEXED_AS: &str = "history";

/// What somebody did, or what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Deed {
    /// AWS Config found the resource non-compliant.
    Found,
    /// It was found compliant without our doing.
    Complied,
    /// A fix was asked for.
    FixAsked,
    /// Something was taken away.
    Fixed {
        /// What, as sentences' ends: "revoked tcp 22 from …".
        changes: Vec<String>,
    },
    /// A fix did not work.
    FixFailed {
        /// Why.
        reason: String,
    },
    /// Nothing was changed, for the plan was not the one that was agreed to.
    NotAgreed {
        /// What a fix would have changed beyond it; nothing where the plan is not known.
        new: Vec<String>,
    },
    /// What is ignored was opened further.
    OpenedBeyondIgnore {
        /// What is exposed beyond it: "tcp 22 is reachable from …".
        new: Vec<String>,
    },
    /// The resource was deleted.
    Deleted,
    /// It is left as it is.
    Ignored {
        /// Why.
        reason: String,
        /// Until when, if that is known.
        until: Option<Timestamp>,
    },
    /// An ignore was taken back.
    Unignored,
    /// The time of an ignore was over.
    IgnoreEnded,
    /// The tag that said to ignore it was gone.
    Untagged,
    /// An undo was asked for.
    UndoAsked {
        /// Why.
        reason: String,
    },
    /// What had been taken away was put back.
    Undone {
        /// What is so again: "tcp 22 is reachable from …".
        changes: Vec<String>,
    },
    /// An undo did not work.
    UndoFailed {
        /// Why.
        reason: String,
    },
    /// Something was asked for that takes another's yes.
    ApprovalAsked {
        /// `fix` or `undo`
        what: String,
    },
    /// Another operator said yes.
    Approved {
        /// `fix` or `undo`
        what: String,
    },
    /// An operator said no.
    Declined {
        /// `fix` or `undo`
        what: String,
    },
    /// Fixing every finding of a digest was asked for.
    FixAllAsked {
        /// How many there were.
        findings: u64,
    },
    /// The weekly report was switched.
    WeeklyReport {
        /// Which way.
        switch: Switch,
    },
    /// Auto-response was switched.
    Switched {
        /// Which way.
        switch: Switch,
    },
    /// A run that had stopped at its cap was told to go on.
    WentOn,
    /// Dead letters were sent back into their queues.
    Retried {
        /// How many.
        messages: usize,
    },
    /// Somebody who may not act tried to.
    Refused {
        /// What they asked for: `/dd fix f-3fa9c01b22de`.
        what: String,
    },
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What.
    pub deed: Deed,
    /// The finding that it is about, if it is about one.
    #[serde(default)]
    pub finding: Option<FindingId>,
    /// What people call the finding's resource.
    #[serde(default)]
    pub resource: Option<String>,
    /// Where the finding stood afterwards.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// How often within the hour, where somebody was refused the same again and again; else 0. Noted
    /// beside the entry.
    #[serde(skip)]
    pub times: u32,
}

/// Where a finding stood: what the report counts by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The rule.
    pub rule: RuleName,
    /// The state.
    pub state: StateName,
    /// When the episode began.
    pub opened_at: Timestamp,
}

/// As it continues after a name: "asked for a fix"; a sentence where nobody of ours did it.
impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => f.write_str("AWS Config found it non-compliant"),
            Self::Complied => f.write_str("it was found compliant again"),
            Self::FixAsked => f.write_str("asked for a fix"),
            Self::Fixed { changes } => f.write_str(&changes.join("; ")),
            Self::FixFailed { reason } => write!(f, "tried to fix it, in vain: {reason}"),
            Self::NotAgreed { new } if new.is_empty() => {
                f.write_str("asked for a fix without saying of which plan: nothing was changed")
            }
            Self::NotAgreed { new } => {
                write!(
                    f,
                    "had agreed to less than a fix would change now ({}): nothing was changed",
                    new.join("; ")
                )
            }
            Self::OpenedBeyondIgnore { new } => {
                write!(f, "it was opened beyond what is ignored: {}", new.join("; "))
            }
            Self::Deleted => f.write_str("the resource was deleted"),
            Self::Ignored { reason, until: None } => write!(f, "ignored it: {reason}"),
            Self::Ignored { reason, until: Some(until) } => {
                write!(f, "ignored it until {}: {reason}", until.strftime("%Y-%m-%d %H:%M UTC"))
            }
            Self::Unignored => f.write_str("stopped ignoring it"),
            Self::IgnoreEnded => f.write_str("the time for which it was ignored is over"),
            Self::Untagged => f.write_str("the tag that said to ignore it is gone"),
            Self::UndoAsked { reason } => write!(f, "asked for an undo: {reason}"),
            Self::Undone { changes } => write!(f, "undid the fix: {}", changes.join("; ")),
            Self::UndoFailed { reason } => write!(f, "tried to undo the fix, in vain: {reason}"),
            Self::ApprovalAsked { what } => write!(f, "asked for {what}, which takes another operator's yes"),
            Self::Approved { what } => write!(f, "said yes to the {what}"),
            Self::Declined { what } => write!(f, "said no to the {what}"),
            Self::FixAllAsked { findings: 1 } => f.write_str("asked to fix the one open finding of a digest"),
            Self::FixAllAsked { findings } => {
                write!(f, "asked to fix all {findings} open findings of a digest")
            }
            Self::WeeklyReport { switch } => write!(f, "turned the weekly report {}", switch.as_str()),
            Self::Switched { switch } => write!(f, "turned auto-response {}", switch.as_str()),
            Self::Retried { messages: 1 } => f.write_str("retried a dead letter"),
            Self::Retried { messages } => write!(f, "retried {messages} dead letters"),
            Self::WentOn => f.write_str("let auto-response go on"),
            Self::Refused { what } => write!(f, "was refused, not being an operator of it: {what}"),
        }
    }
}

impl Deed {
    /// Something was taken away.
    pub(super) fn fixed(changes: &[Change]) -> Self {
        Self::Fixed { changes: changes.iter().map(Change::done).collect() }
    }
}

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
    /// Remembers a deed until the finding is written.
    pub(super) fn record(&mut self, at: Timestamp, by: Actor, deed: Deed) {
        self.deeds.push((at, by, deed));
    }

    /// The deeds of the change that made it what it is.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.deeds.iter().map(|deed| self.entry(deed))
    }

    fn entry(&self, (at, by, deed): &(Timestamp, Actor, Deed)) -> Entry {
        let resource = self.resource_name.clone().unwrap_or_else(|| self.resource.id.to_string());
        Entry {
            at: *at,
            by: by.clone(),
            deed: deed.clone(),
            finding: Some(self.id.clone()),
            resource: Some(resource),
            standing: Some(Standing {
                rule: self.rule.clone(),
                // It may have been fixed by the very write that tells of it.
                state: match deed {
                    Deed::Found => StateName::Open,
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
    /// about none. Whoever is refused the same again and again has one entry an hour: they must not push
    /// out what was done.
    pub async fn note(&self, entry: &Entry) -> Result<(), TableError> {
        decision::tell(entry);
        let mut entry = entry.clone();
        let pk = entry.finding.as_ref().map_or_else(|| "HISTORY".to_owned(), |id| key(id).0);
        let place = match (&entry.deed, &entry.by) {
            (Deed::Refused { what }, Actor::User(user)) => {
                entry.times = 1;
                let same: Vec<_> = what.split_whitespace().map(str::to_lowercase).collect();
                format!("{}#{user} {}", entry.at.strftime("%Y-%m-%dT%H"), same.join(" "))
            }
            _ => format!("{:.6}#{}", entry.at, Uuid::new_v4()),
        };
        self.add(pk, &place, &entry).await
    }

    /// Copies a finding's deeds into the history; once more does no harm.
    pub(super) async fn tell_history(
        &self,
        Record { finding, version, .. }: &Record,
    ) -> Result<(), TableError> {
        let (pk, _) = key(&finding.id);
        let adds = finding.entries().enumerate().map(async |(number, entry)| {
            self.add(pk.clone(), &format!("{:.6}#{version:08}-{number}", entry.at), &entry).await
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
        let aliases = self.get(id).await?.map(|record| record.finding.aliases).unwrap_or_default();
        for alias in &aliases {
            entries.extend(self.history(Some(alias), limit).await?);
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(limit);
        Ok(entries)
    }

    /// The newest entries, of one finding or of all, the newest first.
    pub async fn history(&self, finding: Option<&FindingId>, limit: usize) -> Result<Vec<Entry>, TableError> {
        let query = self.dynamodb.query().table_name(&self.name).scan_index_forward(false);
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
        let found = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().boxed().await;
        let found = found.map_err(|error| AwsError::from_sdk("dynamodb:Query", error))?;
        let items = found.items.unwrap_or_default().into_iter();
        let entries = items.map(|item| Ok(from_item::<Item>(item)?.into()));
        let mut entries = entries.collect::<Result<Vec<Entry>, serde_dynamo::Error>>()?;
        // Refusals lie at the beginning of their hour.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        Ok(entries)
    }
}
