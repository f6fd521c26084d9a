//! Fixing all of a digest: slice by slice, each finding by the path that its own button takes.

use jiff::Timestamp;

use super::{Notifier, NotifierError};
use crate::finding::digest::{FixAll, Member};
use crate::finding::{Actor, Finding, StateName};
use crate::fix::ask_for_fix;
use crate::ids::{DigestId, FindingId};
use crate::notice::Notice;
use crate::slack::draw::draw_now;

/// How much later the next slice is due. Seconds.
const PAUSE: u32 = 2;

/// How many members are read at a time.
const PAGE: usize = 100;

impl Notifier {
    /// One slice. Delivered twice, it is done once: two chains of slices would pass the cap.
    pub(super) async fn fix_slice(
        &self,
        id: &DigestId,
        slice: u32,
        behind: Option<&FindingId>,
        under_way: &[FindingId],
    ) -> Result<(), NotifierError> {
        let digest = self.table.digest(id).await?;
        let Some(fix_all) = digest.and_then(|digest| digest.fix_all).filter(|fix_all| !fix_all.ended) else {
            return Ok(());
        };
        let key = format!("fix all {id} {} {slice}", fix_all.at);
        if !self.table.claim(&key, Timestamp::now()).await? {
            return if self.table.is_posted(&key).await? { Ok(()) } else { Err(NotifierError::Busy) };
        }
        match self.fix_some(id, &fix_all, slice, behind, under_way).await {
            Ok(()) => Ok(self.table.confirm(&key).await?),
            Err(error) => {
                self.table.unclaim(&key).await?;
                Err(error)
            }
        }
    }

    async fn fix_some(
        &self,
        id: &DigestId,
        fix_all: &FixAll,
        slice: u32,
        behind: Option<&FindingId>,
        under_way: &[FindingId],
    ) -> Result<(), NotifierError> {
        let mut under_way = self.still_fixing(under_way).await?;
        let mut behind = behind.cloned();
        let mut more = true;
        while more && under_way.len() < self.blast_radius as usize {
            let (members, more_pages) = self.table.members(id, behind.as_ref(), PAGE).await?;
            more = more_pages;
            for member in members {
                if under_way.len() >= self.blast_radius as usize {
                    more = true;
                    break;
                }
                behind = Some(member.entry.finding.clone());
                if self.is_meant(fix_all, &member) && self.fix_one(id, fix_all, &member).await? {
                    under_way.push(member.entry.finding);
                }
            }
        }
        if !more && under_way.is_empty() {
            self.table.end_fix_all(id).await?;
            draw_now(&self.publisher, id).await?;
            return Ok(());
        }
        let notice = Notice::FixAll { digest: id.clone(), slice: slice + 1, behind, under_way };
        Ok(self.queues.send_later(&self.queues.events, &notice, PAUSE).await?)
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

    /// Whether a fix is under way now. What has changed meanwhile is passed over.
    async fn fix_one(&self, id: &DigestId, fix_all: &FixAll, member: &Member) -> Result<bool, NotifierError> {
        let (finding, by) = (&member.entry.finding, Actor::User(fix_all.by.clone()));
        let now = Timestamp::now();
        let ask = |finding: &Finding| finding.fix_asked(by.clone(), false, now);
        let asked = ask_for_fix(&self.table, &self.queues, &self.fix_queue, finding, ask).await?;
        self.table.tried(id, finding, fix_all.at).await?;
        if let Some(record) = asked.record() {
            self.show_record(record).await?;
        }
        Ok(asked.is_under_way())
    }
}
