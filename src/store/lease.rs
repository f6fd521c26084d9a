//! Leases: who may edit a Slack message, or post one, for a while.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::finding::key;
use super::record::{Record, Shown};
use super::table::{Table, TableError};
use super::update::Update;
use crate::ids::FindingId;

/// A writer that dies while it edits a Slack message blocks others for this long. Longer than
/// the three Slack calls that one step may take (a link, a look for what may be there, a post), so
/// that nobody posts beside a slow one.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(80);

/// The condition under which a lease is somebody's.
pub(super) const HELD: &str = "leaseHolder = :holder";

/// The condition under which a lease can be taken: nobody has it, or had it for too long, or `:holder` has it.
pub(super) const FREE: &str =
    "(attribute_not_exists(leaseUntil) OR leaseUntil < :now OR leaseHolder = :holder)";

/// Who holds a lease: whatever somebody does under one takes effect only while it is theirs. One that
/// Lambda has frozen, and that wakes up when its lease has passed to another, writes nothing over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// A new holder, unlike any other.
    pub fn new() -> Self {
        Self(Uuid::new_v4().to_string())
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

impl Update {
    /// Makes `:holder` stand for the holder of a lease, `:now` for a time, and `:until` for the end of a lease that
    /// begins then.
    pub(super) fn lease(self, holder: &Holder, now: Timestamp) -> Self {
        self.holder(holder)
            .value("now", now.as_millisecond())
            .until(now)
    }

    /// Takes effect only while the lease is `holder`'s.
    pub(super) fn only_held_by(self, holder: &Holder) -> Self {
        self.only_if(HELD).holder(holder)
    }

    /// Makes `:holder` stand for the holder of a lease.
    pub(super) fn holder(self, holder: &Holder) -> Self {
        self.value("holder", &holder.0)
    }

    /// Makes `:until` stand for the end of a lease that begins now.
    fn until(self, now: Timestamp) -> Self {
        self.value("until", (now + LEASE).as_millisecond())
    }
}

/// What a lease that was taken says of those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Before {
    /// The end of an earlier lease that was never given back. Claims of messages have it by another name.
    #[serde(default, alias = "claimedUntil")]
    lease_until: Option<i64>,
    /// When the first of those began, one after the other.
    #[serde(default)]
    unsure_since: Option<i64>,
}

impl Before {
    /// Since when something may have been posted that was never noted: since the first of those began who
    /// never gave back what they held. Version 0.1 did not note when.
    pub(super) fn unsure_since(&self) -> Option<Timestamp> {
        let ran_out = Timestamp::from_millisecond(self.lease_until?).ok()?;
        let first = self
            .unsure_since
            .and_then(|first| Timestamp::from_millisecond(first).ok());
        Some(first.unwrap_or(ran_out - LEASE))
    }
}

/// A finding whose message is ours to edit for a while.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Leased {
    /// The finding.
    #[serde(flatten)]
    pub record: Record,
    #[serde(flatten)]
    before: Before,
}

impl Leased {
    /// Since when earlier holders may have posted what they never noted.
    pub fn unsure_since(&self) -> Option<Timestamp> {
        self.before.unsure_since()
    }
}

/// A record with the holder of its lease.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    #[serde(flatten)]
    record: Record,
    #[serde(default)]
    lease_holder: Option<String>,
}

impl Table {
    /// Makes `holder` the only one who may edit the finding's Slack message, for a while; `None` while
    /// somebody else is.
    pub async fn lease(
        &self,
        id: &FindingId,
        holder: &Holder,
        now: Timestamp,
    ) -> Result<Option<Leased>, TableError> {
        let lease = self
            .display_update(id)
            .does("SET leaseUntil = :until, leaseHolder = :holder, unsureSince = if_not_exists(unsureSince, :now)")
            .only_if(format!("attribute_exists(pk) AND {FREE}"))
            .lease(holder, now);
        // What was there before: only the lease differs, and one that ran out tells.
        lease.old_item().await
    }

    /// Gives the lease back without a trace of what Slack shows: as one that ran out, so that
    /// the next publisher looks for a message.
    pub async fn abandon(
        &self,
        id: &FindingId,
        holder: &Holder,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let update = self
            .display_update(id)
            .does("SET leaseUntil = :now")
            .only_held_by(holder)
            .value("now", now.as_millisecond());
        update.make().await.map(drop)
    }

    /// Notes what Slack shows now, and holds the lease for longer; returns the record as it is, which
    /// may have changed meanwhile. `None` where the lease is somebody else's by now: they have shown it,
    /// or will.
    pub async fn set_shown(
        &self,
        id: &FindingId,
        holder: &Holder,
        shown: &Shown,
    ) -> Result<Option<Record>, TableError> {
        let update = self
            .display_update(id)
            .does("SET shown = :shown, leaseUntil = :until")
            .only_held_by(holder)
            .value("shown", shown)
            .until(self.clock.now());
        update.new_item().await
    }

    /// Gives the lease back, provided that `version` is the newest; otherwise returns the newer record,
    /// which is still ours to show. Without it gives the lease back in any case. A lease that is
    /// somebody else's by now is left to them.
    pub async fn release(
        &self,
        id: &FindingId,
        holder: &Holder,
        version: Option<u64>,
    ) -> Result<Option<Record>, TableError> {
        let update = self
            .display_update(id)
            .does("REMOVE leaseUntil, leaseHolder, unsureSince")
            .holder(holder);
        let update = match version {
            None => update.only_if(HELD),
            Some(version) => update
                .only_if(format!("{HELD} AND #version = :version"))
                .name("version")
                .value("version", version),
        };
        if update.make().await? || version.is_none() {
            return Ok(None);
        }
        let (pk, sk) = key(id);
        let held: Option<Held> = self.get_item(pk, sk).await?;
        let ours = |held: &Held| held.lease_holder.as_ref() == Some(&holder.0);
        Ok(held.filter(ours).map(|held| held.record))
    }
}
