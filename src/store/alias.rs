//! Findings of versions before 0.2, whose ids came from the rule: each moves under the id of its control
//! when it is next touched, and its old id stays an alias for 400 days.

use super::plan::KEPT;
use super::record::{Record, Shown};
use super::table::{Table, TableError};
use crate::controls::evaluation::RuleDefaults;
use crate::finding::Finding;
use crate::ids::{DigestId, FindingId};

impl Table {
    /// The record of `id`, or of the first of the `older` ids under which versions before 0.2 kept it.
    pub async fn get_or_older(
        &self,
        id: &FindingId,
        older: &[FindingId],
    ) -> Result<Option<Record>, TableError> {
        if let Some(record) = self.get(id).await? {
            return Ok(Some(record));
        }
        for older in older {
            if let Some(record) = self.get(older).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The id under which a finding is kept that somebody knows by `id`, an old one perhaps. A record of
    /// version 0.1 is moved first.
    pub async fn resolve(
        &self,
        id: &FindingId,
        rules: &RuleDefaults,
    ) -> Result<FindingId, TableError> {
        let Some(record) = self.get(id).await? else {
            return Ok(id.clone());
        };
        if let Some(moved_to) = record.moved_to {
            // The process that moved it may have died before it was there.
            if self.get(&moved_to).await?.is_none() {
                Box::pin(self.move_record(id, &moved_to, rules)).await?;
            }
            return Ok(moved_to);
        }
        match record.finding.new_id(rules) {
            Some(new) => {
                Box::pin(self.move_record(id, &new, rules)).await?;
                Ok(new)
            }
            None => Ok(id.clone()),
        }
    }

    /// Moves what versions before 0.2 kept of a resource's finding under its id.
    pub async fn adopt(
        &self,
        id: &FindingId,
        older: &[FindingId],
        rules: &RuleDefaults,
    ) -> Result<(), TableError> {
        if self.get(id).await?.is_some() {
            return Ok(());
        }
        for older in older {
            if self.get(older).await?.is_some() {
                Box::pin(self.move_record(older, id, rules)).await?;
            }
        }
        Ok(())
    }

    /// Whether a record was written by version 0.1, and is to be moved.
    pub fn is_of_older_version(record: &Record, rules: &RuleDefaults) -> bool {
        record.moved_to.is_none() && record.finding.new_id(rules).is_some()
    }

    /// First the old record says where it leads, and leaves the index; then it is written there, unless
    /// something is there already. Again, after a crash in between, both do no harm.
    async fn move_record(
        &self,
        old: &FindingId,
        new: &FindingId,
        rules: &RuleDefaults,
    ) -> Result<(), TableError> {
        let Some(record) = self.get(old).await? else {
            return Ok(());
        };
        self.tell_history(&record).await?;
        let leave = self
            .display_update(old)
            .does("SET movedTo = :new, #version = :next, expiresAt = :expires REMOVE #state, stateSince")
            .only_if("#version = :version OR attribute_exists(movedTo)")
            .name("version")
            .name("state")
            .value("new", new)
            .value("version", record.version)
            .value("next", record.version + 1)
            .expires(self.clock.now() + KEPT);
        if !leave.make().await? {
            // Somebody has changed it meanwhile: the next delivery moves it.
            return Err(TableError::Contended);
        }
        let finding = record.finding.under(new, rules);
        let kept = self.keep_plans(&finding.plans(), None).await?;
        if self.write(&finding, None, &kept).await?.is_none() {
            // Another rule's finding about the same has moved there before.
            let now = self.clock.now();
            let merge = |there: Option<&Finding>| {
                there
                    .and_then(|there| there.merged(&finding, now))
                    .ok_or(())
            };
            Box::pin(self.change(new, merge)).await?;
        }
        self.show_moved(old, new, record.shown).await?;
        tracing::info!(from = %old, to = %new, "a finding of an older version has moved");
        Ok(())
    }

    /// Its message is where it was, and has to be edited: its buttons know neither id nor plan.
    async fn show_moved(
        &self,
        old: &FindingId,
        new: &FindingId,
        shown: Option<Shown>,
    ) -> Result<(), TableError> {
        let Some(mut shown) = shown else {
            return Ok(());
        };
        match &mut shown {
            Shown::Posted(posted) => {
                posted.version = 0;
                if let Some(digest) = &posted.digest {
                    self.retire_member(digest, old).await?;
                }
            }
            Shown::Listed(listed) => {
                listed.version = 0;
                self.retire_member(&listed.digest, old).await?;
            }
        }
        let update = self
            .display_update(new)
            .does("SET shown = if_not_exists(shown, :shown)")
            .value("shown", &shown);
        update.make().await.map(drop)
    }

    /// A digest's list has the finding by its new id.
    async fn retire_member(&self, digest: &DigestId, old: &FindingId) -> Result<(), TableError> {
        let update = self
            .member_update(digest, old)
            .does("SET retired = :true")
            .only_if("attribute_exists(entry)")
            .value("true", true);
        update.make().await.map(drop)
    }
}
