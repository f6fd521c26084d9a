//! The findings of which an operator has asked for what takes a second one. A finding's item says whether it still
//! waits; this list says where to look.

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use std::ops::ControlFlow;

use super::table::{Table, TableError};
use crate::finding::{APPROVAL_WINDOW, Finding};
use crate::ids::FindingId;

/// The name under which the index has the list.
const INDEXED_AS: &str = "approval";

/// How long an entry is kept beyond the time for which a request waits.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// The number of entries that are read, at most.
const LISTED: usize = 50;

#[derive(Deserialize)]
struct ApprovalItem {
    finding: FindingId,
}

impl Table {
    /// Notes that a finding is about to wait for a second operator. It is called before the finding is changed.
    pub async fn note_approval(&self, id: &FindingId, now: Timestamp) -> Result<(), TableError> {
        let update = self
            .update(format!("APPROVAL#{id}"), "APPROVAL")
            .does(
                "SET finding = :finding, #state = :state, stateSince = :now, expiresAt = :expires",
            )
            .name("state")
            .value("finding", id)
            .value("state", INDEXED_AS)
            .value("now", format!("{now:.3}"))
            .expires(now + APPROVAL_WINDOW + MARGIN);
        update.make().await.map(drop)
    }

    /// The findings that wait for a second operator, the newest request first.
    pub async fn approvals(&self, now: Timestamp) -> Result<Vec<Finding>, TableError> {
        let mut ids = Vec::new();
        let since = format!("{:.3}", now - APPROVAL_WINDOW - MARGIN);
        let query = self
            .query_state_between(INDEXED_AS, &since, "9999")
            .backward();
        let take = |item: ApprovalItem| {
            ids.push(item.finding);
            match ids.len() < LISTED {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        query.each(LISTED, None, take).await?;
        let records = try_join_all(ids.iter().map(|id| self.get(id))).await?;
        let findings = records.into_iter().flatten().map(|record| record.finding);
        Ok(findings
            .filter(|finding| finding.waiting(now).is_some())
            .collect())
    }
}
