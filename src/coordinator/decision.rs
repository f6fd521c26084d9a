//! What auto-response does about a request: the coordinator acts by it, `/dd queue` tells of it.

use jiff::Timestamp;

use crate::evaluation::RuleDefaults;
use crate::finding::table::{Table, TableError};
use crate::finding::{FIX_TIMEOUT, Finding, State, StateName};
use crate::ids::{AccountId, FindingId};
use crate::remediation::RemediationRequest;

/// Decides by the findings.
#[derive(Debug, Clone)]
pub struct Decider {
    /// The findings.
    pub table: Table,
    /// The names of the rules whose findings are fixed.
    pub rules: RuleDefaults,
    /// The account of requests that name none.
    pub home: AccountId,
}

impl Decider {
    /// What becomes of a request that was sent then.
    pub async fn decide(
        &self,
        request: &RemediationRequest,
        sent_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Next, TableError> {
        let record = self.table.get(&request.finding(&self.home)).await?;
        let next = record.map_or(Next::PassOn, |record| next(&record.finding, sent_at, now));
        if next == Next::PassOn && self.is_wanted_by_another_rule(request, now).await? {
            return Ok(Next::LetGo("it is left as it is by another rule's finding"));
        }
        Ok(next)
    }

    /// Whether people want the resource as it is: they ignored, or undid, the finding of another
    /// of our rules about it.
    pub async fn is_wanted_by_another_rule(
        &self,
        request: &RemediationRequest,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let resource = request.resource(&self.home);
        for rule in self.rules.names(&resource.resource_type) {
            let Ok(rule) = rule.parse() else { continue };
            if rule == request.raised_by_rule {
                continue;
            }
            let record = self.table.get(&FindingId::of(&rule, &resource)).await?;
            let state = record.map(|record| record.finding.state_name(now));
            if matches!(state, Some(StateName::Ignored | StateName::Undoing)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Its remediator looks at the resource as it is, and fixes what breaks the rule.
    PassOn,
    /// Delete it: why.
    LetGo(&'static str),
    /// It comes back after its visibility timeout.
    Leave,
}

/// What auto-response does about a finding's request.
fn next(finding: &Finding, sent_at: Option<Timestamp>, now: Timestamp) -> Next {
    match &finding.state {
        State::Ignored { .. } if finding.state_name(now) == StateName::Ignored => {
            Next::LetGo("it is ignored")
        }
        State::Undoing { .. } => Next::Leave,
        State::Fixed { at, .. } if sent_at.is_some_and(|sent_at| sent_at <= *at) => {
            Next::LetGo("it was fixed after this was sent")
        }
        // Two remediators at once would both report.
        State::Fixing { since, .. } if now.duration_since(*since) < FIX_TIMEOUT => Next::Leave,
        State::Open { .. } | State::Fixing { .. } | State::Fixed { .. } | State::Ignored { .. } => {
            Next::PassOn
        }
    }
}
