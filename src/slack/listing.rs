//! Findings that a digest lists.

use jiff::Timestamp;

use super::draw;
use super::finding_words::headline;
use super::publisher::{PublishError, Publisher};
use crate::finding::digest::Entry;
use crate::ids::DigestId;
use crate::store::{Listed, Posted, Record, Shown};

impl Publisher {
    pub(super) async fn enter(
        &self,
        record: &Record,
        digest: &DigestId,
    ) -> Result<(), PublishError> {
        let finding = &record.finding;
        self.table
            .enter(
                digest,
                &Entry::of(finding, &headline(finding)),
                record.news(),
            )
            .await?;
        draw::changed(self, digest, &self.channel_of(finding)).await
    }

    /// A finding that waits for another operator leaves its digest, because it needs buttons.
    pub(super) async fn keep_listed(
        &self,
        record: &Record,
        listed: &Listed,
        unsure: Option<Timestamp>,
    ) -> Result<Shown, PublishError> {
        let finding = &record.finding;
        if finding.shows_waiting().is_none() {
            return Ok(Shown::Listed(Listed {
                version: record.news(),
                ..listed.clone()
            }));
        }
        let posted = self
            .post(record, &self.channel_of(finding), None, unsure)
            .await?;
        Ok(Shown::Posted(Posted {
            digest: Some(listed.digest.clone()),
            ..posted
        }))
    }
}
