//! One run of auto-response, as far as it has come.

use std::collections::HashMap;

use super::PassedOn;
use crate::finding::Finding;
use crate::finding::auto_response::GoesOn;
use crate::ids::{FindingId, PlanDigest};
use crate::store::{Table, TableError};

/// What a run has done so far.
#[derive(Default)]
pub(super) struct Drain {
    pub(super) passed_on: PassedOn,
    /// What people let it go on with, and the findings of that list by their plans.
    pub(super) goes_on: Option<GoesOn>,
    pub(super) listed: HashMap<FindingId, PlanDigest>,
    /// How many requests were passed on.
    pub(super) dispatched: u32,
    /// How many of those count against the cap.
    pub(super) counted: u32,
    /// Whether some were left because of the cap.
    pub(super) left_over: bool,
}

impl Drain {
    pub(super) async fn read_list(
        &mut self,
        table: &Table,
        goes_on: Option<GoesOn>,
    ) -> Result<(), TableError> {
        if self.goes_on != goes_on {
            self.listed = match &goes_on {
                Some(yes) => table.whole_list(&yes.list).await?,
                None => HashMap::new(),
            };
            self.goes_on = goes_on;
        }
        Ok(())
    }

    /// The plan to which people said yes with the list, if nothing has come to it since, and the finding
    /// was open then.
    pub(super) async fn agreed(
        &self,
        table: &Table,
        finding: Option<&Finding>,
    ) -> Result<Option<PlanDigest>, TableError> {
        let (Some(finding), Some(yes)) = (finding, &self.goes_on) else {
            return Ok(None);
        };
        let Some(listed) = self
            .listed
            .get(&finding.id)
            .filter(|_| finding.episode.opened_at <= yes.stopped_at)
        else {
            return Ok(None);
        };
        let plan = table.plan(listed).await?;
        Ok(plan
            .filter(|plan| finding.is_within(plan))
            .map(|_| listed.clone()))
    }
}
