//! Digests, and the findings in them: an item with what Slack shows of a digest, and beside it one small item
//! for each finding.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::by_state::PATIENCE;
use super::query::Query;
use super::table::{Table, TableError};
use super::update::Update;
use crate::finding::digest::{Digest, Entry, FixAll, Member, Tally};
use crate::ids::{DigestId, FindingId};

/// How long a digest's list is kept after a finding in it has changed.
const RETENTION: SignedDuration = SignedDuration::from_hours(35 * 24);

/// Findings that are read at a time while a digest is counted: about a quarter of what a query
/// [answers at most](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html).
const COUNTED_AT_ONCE: usize = 500;

/// The digest's own sort key.
const DIGEST: &str = "DIGEST";

fn key(id: &DigestId) -> String {
    format!("DIGEST#{id}")
}

fn member_key(finding: &FindingId) -> String {
    format!("MEMBER#{finding}")
}

impl Update {
    /// Sets when the item expires, or that it does not (`None`, while something in it is open). `set` is the
    /// rest of the SET clause, `removed` the names of a REMOVE clause.
    pub(super) fn does_and_expires(
        self,
        set: &str,
        removed: &[&str],
        expires: Option<Timestamp>,
    ) -> Self {
        let mut removed = removed.to_vec();
        if expires.is_none() {
            removed.push("expiresAt");
        }
        let remove = match removed.as_slice() {
            [] => String::new(),
            names => format!(" REMOVE {}", names.join(", ")),
        };
        match expires {
            Some(at) => self
                .does(format!("{set}, expiresAt = :expires{remove}"))
                .expires(at),
            None => self.does(format!("{set}{remove}")),
        }
    }
}

impl Table {
    /// The time at which an item expires whose findings are over now; `None` while one is not.
    pub(super) fn expiry(&self, is_over: bool) -> Option<Timestamp> {
        is_over.then(|| self.clock.now() + RETENTION)
    }

    /// A digest.
    pub async fn digest(&self, id: &DigestId) -> Result<Option<Digest>, TableError> {
        self.digest_item(id).await
    }

    /// Enters a finding into a digest, or brings its entry up to date. An entry that is newer stays.
    pub async fn enter(
        &self,
        id: &DigestId,
        entry: &Entry,
        version: u64,
    ) -> Result<(), TableError> {
        let set = "SET entry = :entry, #version = :version";
        let update = self
            .member_update(id, &entry.finding)
            .does_and_expires(set, &[], self.expiry(entry.state.is_over()))
            .only_if("attribute_not_exists(#version) OR #version < :version")
            .name("version")
            .value("entry", entry)
            .value("version", version);
        update.make().await.map(drop)
    }

    /// Stores that **Fix all** has asked for a member's fix.
    pub async fn tried(
        &self,
        id: &DigestId,
        finding: &FindingId,
        at: Timestamp,
    ) -> Result<(), TableError> {
        let update = self
            .member_update(id, finding)
            .does("SET tried = :at")
            // A member that has expired meanwhile must not come back as half an item.
            .only_if("attribute_exists(entry)")
            .value("at", at);
        update.make().await.map(drop)
    }

    /// What a list shows of a digest's findings, open ones first, the worst of these first: as many as can be read
    /// while a person waits, and whether these are all.
    pub async fn entries_of(&self, id: &DigestId) -> Result<(Vec<Entry>, bool), TableError> {
        let mut entries = Vec::new();
        let take = |member: Member| {
            entries.extend((!member.retired).then_some(member.entry));
            ControlFlow::Continue(())
        };
        let members = self.members(id);
        let reading = Box::pin(members.each(COUNTED_AT_ONCE, None, take));
        let is_whole = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read.map(|()| true)?,
            Err(_) if entries.is_empty() => return Err(TableError::Late),
            Err(_) => false,
        };
        entries.sort_by_cached_key(Entry::rank);
        Ok((entries, is_whole))
    }

    /// Counts a digest's findings, a page at a time.
    pub async fn tally(
        &self,
        id: &DigestId,
        fix_all: Option<Timestamp>,
    ) -> Result<Tally, TableError> {
        let mut tally = Tally::default();
        let count = |member: Member| {
            if !member.retired {
                tally.add(member, fix_all);
            }
            ControlFlow::Continue(())
        };
        self.members(id).each(COUNTED_AT_ONCE, None, count).await?;
        Ok(tally)
    }

    /// Stores that an operator wants all of a digest fixed; `false` while that is under way already.
    pub async fn ask_fix_all(&self, id: &DigestId, fix_all: &FixAll) -> Result<bool, TableError> {
        let update = self
            .digest_update(id)
            .does("SET fixAll = :fixAll")
            .only_if("attribute_exists(begunAt) AND (attribute_not_exists(fixAll) OR fixAll.ended = :true)")
            .value("fixAll", fix_all)
            .value("true", true);
        update.make().await
    }

    /// Stores that **Fix all**, asked for `at`, has gone through every finding.
    pub async fn end_fix_all(&self, id: &DigestId, at: Timestamp) -> Result<(), TableError> {
        let update = self
            .digest_update(id)
            .does("SET fixAll.ended = :true")
            .only_if("fixAll.#at = :at")
            .name("at")
            .value("at", at)
            .value("true", true);
        update.make().await.map(drop)
    }

    /// An update of a digest's member.
    pub(super) fn member_update(&self, id: &DigestId, finding: &FindingId) -> Update {
        self.update(key(id), member_key(finding))
    }

    /// An update of a digest.
    pub(super) fn digest_update(&self, id: &DigestId) -> Update {
        self.update(key(id), DIGEST)
    }

    /// A digest's item, or a part of it.
    pub(super) async fn digest_item<T: DeserializeOwned>(
        &self,
        id: &DigestId,
    ) -> Result<Option<T>, TableError> {
        self.get_item(key(id), DIGEST).await
    }

    fn members(&self, id: &DigestId) -> Query {
        self.query(&key(id), "MEMBER#", "MEMBER#~")
    }
}
