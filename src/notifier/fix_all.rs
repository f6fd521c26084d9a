//! **Fix all**: asks for the fixes of a digest's findings, slice by slice, each as its own button does.

use super::{Notifier, NotifierError};
use crate::contracts::job::Job;
use crate::finding::digest::FixAll;
use crate::finding::plan_list::{Listing, PART};
use crate::finding::{Actor, Finding, Refusal, StateName};
use crate::fix::Asked;
use crate::ids::{DigestId, FindingId, PlanListId};
use crate::store::TableError;

/// The pause before the next slice. Seconds.
const PAUSE: u32 = 2;

/// The number of slices that may fail one after the other, which is about ten minutes; then **Fix all** ends.
const FAILURES: u32 = 300;

/// How far **Fix all** is.
pub(super) struct Turn {
    /// The findings whose fixes are under way.
    pub(super) under_way: Vec<FindingId>,
    /// The number of entries of the list that are done.
    pub(super) done: usize,
    /// Whether there are more.
    pub(super) more: bool,
    /// The number of slices that failed, one after the other.
    pub(super) failures: u32,
}

impl Notifier {
    /// Does one slice. A slice that is delivered twice is done once, since two chains of slices would exceed
    /// the cap.
    pub(super) async fn fix_slice(
        &self,
        id: &DigestId,
        slice: u32,
        mut turn: Turn,
    ) -> Result<(), NotifierError> {
        let digest = self.table.digest(id).await?;
        let Some(fix_all) = digest.and_then(|digest| digest.fix_all) else {
            return Ok(());
        };
        let Some(list) = fix_all.list.clone() else {
            // The yes is of version 0.1, which stored no list: nothing more is done.
            self.table.end_fix_all(id, fix_all.at).await?;
            return self.ask_to_draw(id).await;
        };
        if fix_all.ended {
            // The process that ended it may have died before it drew the digest.
            return self.ask_to_draw(id).await;
        }
        let key = format!("fix all {id} {} {slice}", fix_all.at);
        let Some(claim) = self.table.claim(&key, self.clock.now()).await? else {
            return if self.table.is_posted(&key).await? {
                Ok(())
            } else {
                Err(NotifierError::Busy)
            };
        };
        turn.under_way = self.still_fixing(&turn.under_way).await?;
        match self.fix_some(id, &fix_all, &list, &mut turn).await {
            Ok(()) => turn.failures = 0,
            Err(error) => {
                // The next slice knows what this one has begun, and goes on behind it.
                tracing::warn!(%error, digest_id = %id, slice, "a slice ends early");
                turn.failures += 1;
                turn.more = true;
            }
        }
        if turn.failures < FAILURES && (turn.more || !turn.under_way.is_empty()) {
            let Turn {
                under_way,
                done,
                failures,
                ..
            } = turn;
            let digest = id.clone();
            let job = Job::FixAll {
                digest,
                slice: slice + 1,
                done,
                under_way,
                failures,
            };
            self.queues
                .send_later(&self.queues.events, &job, PAUSE)
                .await?;
        } else {
            self.table.end_fix_all(id, fix_all.at).await?;
            self.ask_to_draw(id).await?;
        }
        Ok(self.table.confirm(&key, &claim).await?)
    }

    async fn ask_to_draw(&self, id: &DigestId) -> Result<(), NotifierError> {
        Ok(self
            .queues
            .send(&self.queues.events, &Job::Draw { digest: id.clone() })
            .await?)
    }

    async fn fix_some(
        &self,
        id: &DigestId,
        fix_all: &FixAll,
        list: &PlanListId,
        turn: &mut Turn,
    ) -> Result<(), NotifierError> {
        let cap = self.blast_radius as usize;
        while turn.more && turn.under_way.len() < cap {
            let entries = self.table.list_part(list, turn.done / PART).await?;
            let left = entries.into_iter().skip(turn.done % PART);
            let before = turn.done;
            for entry in left {
                if turn.under_way.len() >= cap {
                    return Ok(());
                }
                if self.fix_one(id, fix_all, &entry).await? {
                    turn.under_way.push(entry.finding);
                }
                turn.done += 1;
            }
            turn.more = turn.done > before;
        }
        Ok(())
    }

    async fn still_fixing(&self, findings: &[FindingId]) -> Result<Vec<FindingId>, NotifierError> {
        let mut fixing = Vec::new();
        for id in findings {
            let state = self
                .table
                .get(id)
                .await?
                .map(|record| record.finding.state_name(self.clock.now()));
            if state == Some(StateName::Fixing) {
                fixing.push(id.clone());
            }
        }
        Ok(fixing)
    }

    /// Whether **Fix all** may fix the finding: not in an account where the person may not act, or where it
    /// takes two.
    fn is_meant(&self, fix_all: &FixAll, finding: &Finding) -> bool {
        let account = &finding.resource.account;
        fix_all.covers(account) && !self.two_person_accounts.contains(account)
    }

    /// Asks for the fix of one finding, of the plan that was listed, or of what is left of it. Returns
    /// whether a fix is under way. A finding whose plan has grown stays open; one that cannot be read is left
    /// out.
    async fn fix_one(
        &self,
        id: &DigestId,
        fix_all: &FixAll,
        entry: &Listing,
    ) -> Result<bool, NotifierError> {
        let finding = &self
            .table
            .resolve(&entry.finding, &self.remediations.rules)
            .await?;
        let (by, now) = (Actor::User(fix_all.by.clone()), self.clock.now());
        let agreed = self.table.plan(&entry.plan).await?;
        let ask = |finding: &Finding| {
            if !self.is_meant(fix_all, finding) {
                return Err(Refusal::NotMeant);
            }
            finding.can_fix(false, now)?;
            let agreed = agreed.as_ref().ok_or(Refusal::PlanNotKnown)?;
            finding.fix_asked(by.clone(), agreed, false, now)
        };
        let asked = match self.fix_requests.ask(finding, ask).await {
            Err(TableError::Shape(error)) => {
                tracing::error!(%error, finding_id = %finding, "passed over: it cannot be read");
                return Ok(false);
            }
            asked => asked?,
        };
        let new = match &asked {
            Asked::Refused(Some(Refusal::Grown { new })) => Some(new.clone()),
            Asked::Refused(Some(Refusal::PlanNotKnown)) => Some(Vec::new()),
            _ => None,
        };
        if let Some(new) = &new {
            self.settle(finding, |finding| finding.has_grown(by.clone(), new, now))
                .await?;
        }
        if new.is_none() && asked.record().is_none() {
            return Ok(false);
        }
        // It is under way, or asks again, whatever becomes of its being noted and shown.
        if let Err(error) = self.table.tried(id, finding, fix_all.at).await {
            tracing::warn!(%error, finding_id = %finding, "the digest does not count it");
        }
        if let Some(record) = asked.record()
            && let Err(error) = self.show_record(record).await
        {
            tracing::info!(%error, finding_id = %finding, "it is shown when its report comes");
        }
        Ok(asked.is_under_way())
    }
}
