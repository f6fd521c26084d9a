//! Fixing all of a digest: slice by slice, each finding by the path that its own button takes.

use jiff::Timestamp;

use super::{Notifier, NotifierError};
use crate::finding::digest::{FixAll, Member};
use crate::finding::table::TableError;
use crate::finding::{Actor, Finding, StateName};
use crate::fix::ask_for_fix;
use crate::ids::{DigestId, FindingId};
use crate::notice::Notice;

/// How much later the next slice is due. Seconds.
const PAUSE: u32 = 2;

/// How many members are read at a time.
const PAGE: usize = 100;

/// So many slices may fail one after the other, about ten minutes' worth; then it ends.
const FAILURES: u32 = 300;

/// Where fixing all has come to.
pub(super) struct Turn {
    /// Those whose fixes are under way.
    pub(super) under_way: Vec<FindingId>,
    /// The last finding that has had its turn.
    pub(super) behind: Option<FindingId>,
    /// Whether there are more.
    pub(super) more: bool,
    /// How many slices have failed, one after the other.
    pub(super) failures: u32,
}

impl Notifier {
    /// One slice. Delivered twice, it is done once: two chains of slices would pass the cap.
    pub(super) async fn fix_slice(
        &self,
        id: &DigestId,
        slice: u32,
        mut turn: Turn,
    ) -> Result<(), NotifierError> {
        let digest = self.table.digest(id).await?;
        let Some(fix_all) = digest.and_then(|digest| digest.fix_all) else { return Ok(()) };
        if fix_all.ended {
            // Whoever ended it may have died before it was shown.
            return self.ask_to_draw(id).await;
        }
        let key = format!("fix all {id} {} {slice}", fix_all.at);
        if self.table.claim(&key, Timestamp::now()).await?.is_none() {
            return if self.table.is_posted(&key).await? { Ok(()) } else { Err(NotifierError::Busy) };
        }
        turn.under_way = self.still_fixing(&turn.under_way).await?;
        match self.fix_some(id, &fix_all, &mut turn).await {
            Ok(()) => turn.failures = 0,
            Err(error) => {
                // The next slice knows what this one has begun, and goes on behind it.
                tracing::warn!(%error, digest_id = %id, slice, "a slice ends early");
                turn.failures += 1;
                turn.more = true;
            }
        }
        if turn.failures < FAILURES && (turn.more || !turn.under_way.is_empty()) {
            let Turn { under_way, behind, failures, .. } = turn;
            let digest = id.clone();
            let notice = Notice::FixAll { digest, slice: slice + 1, behind, under_way, failures };
            self.queues.send_later(&self.queues.events, &notice, PAUSE).await?;
        } else {
            self.table.end_fix_all(id, fix_all.at).await?;
            self.ask_to_draw(id).await?;
        }
        Ok(self.table.confirm(&key).await?)
    }

    async fn ask_to_draw(&self, id: &DigestId) -> Result<(), NotifierError> {
        Ok(self.queues.send(&self.queues.events, &Notice::Draw { digest: id.clone() }).await?)
    }

    async fn fix_some(&self, id: &DigestId, fix_all: &FixAll, turn: &mut Turn) -> Result<(), NotifierError> {
        let cap = self.blast_radius as usize;
        while turn.more && turn.under_way.len() < cap {
            let (members, more) = self.table.members(id, turn.behind.as_ref(), PAGE).await?;
            let some = !members.is_empty();
            for member in members {
                if turn.under_way.len() >= cap {
                    return Ok(());
                }
                let finding = member.entry.finding.clone();
                if self.is_meant(fix_all, &member) && self.fix_one(id, fix_all, &member).await? {
                    turn.under_way.push(finding.clone());
                }
                turn.behind = Some(finding);
            }
            turn.more = more && some;
        }
        Ok(())
    }

    async fn still_fixing(&self, findings: &[FindingId]) -> Result<Vec<FindingId>, NotifierError> {
        let mut fixing = Vec::new();
        for id in findings {
            let state = self.table.get(id).await?.map(|record| record.finding.state_name(Timestamp::now()));
            if state == Some(StateName::Fixing) {
                fixing.push(id.clone());
            }
        }
        Ok(fixing)
    }

    fn is_meant(&self, fix_all: &FixAll, Member { entry, tried }: &Member) -> bool {
        entry.is_to_fix()
            && *tried != Some(fix_all.at)
            && fix_all.covers(&entry.account)
            && !self.two_person_accounts.contains(&entry.account)
    }

    /// Whether a fix is under way now. What has changed meanwhile is passed over, and what cannot be
    /// read.
    async fn fix_one(&self, id: &DigestId, fix_all: &FixAll, member: &Member) -> Result<bool, NotifierError> {
        let (finding, by) = (&member.entry.finding, Actor::User(fix_all.by.clone()));
        let now = Timestamp::now();
        let ask = |finding: &Finding| finding.fix_asked(by.clone(), false, now);
        let asked = match ask_for_fix(&self.table, &self.queues, &self.fix_queue, finding, ask).await {
            Err(TableError::Shape(error)) => {
                tracing::error!(%error, finding_id = %finding, "passed over: it cannot be read");
                return Ok(false);
            }
            asked => asked?,
        };
        // It is under way, whatever becomes of its being noted and shown.
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
