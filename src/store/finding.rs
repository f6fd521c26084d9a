//! A finding: read, and changed by a pure function of what it is now.

use jiff::Timestamp;

use super::record::{Changed, KeptPlans, Record};
use super::table::{ATTEMPTS, Table, TableError};
use super::update::Update;
use crate::finding::{Finding, Refusal, decision};
use crate::ids::FindingId;

/// Since when a finding is in its state, as the index spells it.
pub(super) fn since(finding: &Finding) -> String {
    format!("{:.3}", finding.state_since())
}

/// Under what a finding is kept.
pub(super) fn key(id: &FindingId) -> (String, String) {
    (format!("FINDING#{id}"), "FINDING".to_owned())
}

impl Table {
    /// A finding, read consistently.
    pub async fn get(&self, id: &FindingId) -> Result<Option<Record>, TableError> {
        let (pk, sk) = key(id);
        self.get_item(pk, sk).await
    }

    /// Changes a finding by a pure function of what it is now. When another writer comes
    /// between, the function is asked again.
    pub async fn change<E>(
        &self,
        id: &FindingId,
        decide: impl Fn(Option<&Finding>) -> Result<Finding, E>,
    ) -> Result<Changed<E>, TableError> {
        for _ in 0..ATTEMPTS {
            let mut record = self.get(id).await?;
            if let Some(record) = &mut record {
                // The process that wrote them may have died before they were in the history.
                self.tell_history(record).await?;
                record.finding.events.clear();
            }
            let finding = match decide(record.as_ref().map(|record| &record.finding)) {
                Ok(finding) => finding,
                Err(reason) => return Ok(Changed::No(record.map(Box::new), reason)),
            };
            let kept = record
                .as_ref()
                .and_then(|record| record.kept_plans.as_ref());
            let kept = self.keep_plans(&finding.plans(), kept).await?;
            if let Some(record) = self.write(&finding, record.as_ref(), &kept).await? {
                record
                    .finding
                    .entries()
                    .for_each(|entry| decision::tell(&entry));
                // The change is done; its events stay with the finding until the next one.
                if let Err(error) = self.tell_history(&record).await {
                    tracing::error!(%error, finding_id = %id, "the history has to wait");
                }
                return Ok(Changed::Yes(Box::new(record)));
            }
        }
        Err(TableError::Contended)
    }

    /// As [`Table::change`], for a finding that must exist.
    pub async fn change_existing(
        &self,
        id: &FindingId,
        decide: impl Fn(&Finding) -> Result<Finding, Refusal>,
    ) -> Result<Changed<Option<Refusal>>, TableError> {
        Box::pin(self.change(id, |finding| decide(finding.ok_or(None)?).map_err(Some))).await
    }

    /// Writes over a record, if there is one; `None` when that is not the current one.
    pub(super) async fn write(
        &self,
        finding: &Finding,
        over: Option<&Record>,
        kept_plans: &KeptPlans,
    ) -> Result<Option<Record>, TableError> {
        let (pk, sk) = key(&finding.id);
        let version = over.map_or(0, |record| record.version);
        let same = over.filter(|record| record.finding.looks_like(finding));
        let news = same.map_or(version + 1, Record::news);
        // The index must not count an expired ignore, so it follows the state as written.
        let state = finding.state_name(Timestamp::MIN);
        let written = self
            .update(pk, sk)
            .does(
                "SET #finding = :finding, #version = :next, news = :news, newsOf = :next, keptPlans = :kept, #state = :state, #stateSince = :stateSince",
            )
            .only_over(version)
            .name("finding")
            .name("state")
            .name("stateSince")
            .value("finding", finding)
            .value("news", news)
            .value("kept", kept_plans)
            .value("state", state.as_str())
            .value("stateSince", since(finding))
            .new_item()
            .await?;
        if written.is_some() {
            return Ok(written);
        }
        // The answer to a first try of the same call may have got lost on its way.
        let ours = |record: &Record| record.version == version + 1 && record.finding == *finding;
        Ok(self.get(&finding.id).await?.filter(ours))
    }

    /// An update of what lies beside a finding.
    pub(super) fn display_update(&self, id: &FindingId) -> Update {
        let (pk, sk) = key(id);
        self.update(pk, sk)
    }
}
