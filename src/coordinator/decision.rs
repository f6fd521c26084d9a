//! What auto-response does about a finding: the coordinator and the remediators act by it, `/dd queue`
//! tells of it.

use jiff::Timestamp;

use crate::controls::evaluation::RuleDefaults;
use crate::finding::{FIX_TIMEOUT, Finding, State, StateName};
use crate::ids::{FindingId, Resource};
use crate::store::{Record, Table, TableError};

/// Decides by the findings.
#[derive(Debug, Clone)]
pub struct Decider {
    /// The findings.
    pub table: Table,
    /// The names of the rules whose findings are fixed, by which version 0.1 derived their ids.
    pub rules: RuleDefaults,
}

impl Decider {
    /// The record of the finding `id` about `resource`, or the one that versions before 0.2 kept of it.
    pub async fn record(
        &self,
        id: &FindingId,
        resource: &Resource,
    ) -> Result<Option<Record>, TableError> {
        self.table
            .get_or_older(id, &self.rules.older_ids(resource))
            .await
    }

    /// What becomes of a request about a finding that was sent then.
    pub async fn decide(
        &self,
        id: &FindingId,
        resource: &Resource,
        sent_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Next, TableError> {
        let record = self.record(id, resource).await?;
        Ok(record.map_or(Next::PassOn, |record| next(&record.finding, sent_at, now)))
    }
}

/// The decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Its remediator looks at the resource as it is, and fixes what breaks the rule.
    PassOn,
    /// Delete it: why.
    LetGo(&'static str),
    /// It comes back after its visibility timeout.
    Leave,
}

/// Why auto-response leaves to people what is opened again and again.
pub const CONTESTED: &str = "it was fixed three times within a day, and people are asked";

/// What auto-response does about a finding's request.
pub fn next(finding: &Finding, sent_at: Option<Timestamp>, now: Timestamp) -> Next {
    match &finding.state {
        State::Ignored { .. } if finding.state_name(now) == StateName::Ignored => {
            Next::LetGo("it is ignored")
        }
        State::Undoing { .. } => Next::Leave,
        State::Fixed { at, .. } if sent_at.is_some_and(|sent_at| sent_at <= *at) => {
            Next::LetGo("it was fixed after this was sent")
        }
        State::Deleted { at } if sent_at.is_some_and(|sent_at| sent_at <= *at) => {
            Next::LetGo("the resource was deleted after this was sent")
        }
        // Two remediators at once would both report.
        State::Fixing { since, .. } if now.duration_since(*since) < FIX_TIMEOUT => Next::Leave,
        State::Open { .. } if finding.is_contested(now) => Next::LetGo(CONTESTED),
        State::Open { .. }
        | State::Fixing { .. }
        | State::Fixed { .. }
        | State::Ignored { .. }
        | State::Deleted { .. } => Next::PassOn,
    }
}
