//! A run that stops at its cap: what it would go on with is listed, and people are asked.

use super::decision::{Next, next};
use super::drain::Drain;
use super::{Coordinator, CoordinatorError, Run};
use crate::contracts::notice::Notice;
use crate::controls::Change;
use crate::finding::auto_response::Hold;
use crate::finding::plan_list::{Counts, Listing};
use crate::finding::{Actor, StateName};
use crate::ids::PlanListId;
use crate::store::Order;

impl Coordinator {
    /// The cap is reached: asks people, if anything is left to ask about.
    pub(super) async fn hold(&self, drain: &Drain) -> Result<Run, CoordinatorError> {
        let dispatched = drain.dispatched;
        if !drain.left_over && self.queues.waiting(&self.remediation_queue).await? == 0 {
            return Ok(Run::Drained { dispatched });
        }
        let list = self.list_of_what_would_be_done(drain).await?;
        let hold = Hold {
            at: self.clock.now(),
            dispatched,
            list,
        };
        if self.table.hold(&hold).await? {
            let detail =
                format!("{dispatched} requests in one run: people are asked whether to go on");
            crate::finding::decision::line(None, &Actor::AutoResponse, "held", detail);
            self.ask(&hold).await?;
        }
        Ok(Run::Held { dispatched })
    }

    /// Asks people, unless they were asked: the process that recorded the hold may have died before.
    pub(super) async fn ask(&self, hold: &Hold) -> Result<(), CoordinatorError> {
        if self.table.is_posted(&Notice::held_key(hold.at)).await? {
            return Ok(());
        }
        let waiting = self.queues.waiting(&self.remediation_queue).await?;
        let Hold {
            at,
            dispatched,
            list,
        } = hold.clone();
        let notice = Notice::Held {
            at,
            dispatched,
            waiting,
            list,
        };
        Ok(self.queues.send(&self.queues.events, &notice).await?)
    }

    /// The open findings that auto-response would fix now beside those that this run has passed on, each
    /// with its plan, the oldest first: stored, for people to say yes to. None where there is none.
    pub(super) async fn list_of_what_would_be_done(
        &self,
        drain: &Drain,
    ) -> Result<Option<PlanListId>, CoordinatorError> {
        let (now, mut entries, mut counts) = (self.clock.now(), Vec::new(), Counts::default());
        for record in self
            .table
            .by_state(StateName::Open, Order::OldestFirst, usize::MAX)
            .await?
        {
            let finding = &record.finding;
            let is_passed_on = drain
                .passed_on
                .keys()
                .any(|(passed_on, _)| *passed_on == finding.id);
            if is_passed_on
                || finding.is_left_to_people()
                || next(finding, None, now) != Next::PassOn
            {
                continue;
            }
            let Some(plan) = finding.fix_plan() else {
                continue;
            };
            let is_unconfirmed = plan.changes.iter().any(Change::is_unconfirmed);
            counts.add_to_fix(&finding.resource.account, is_unconfirmed);
            *counts.by_rule.entry(finding.rule.clone()).or_default() += 1;
            entries.push(Listing {
                finding: finding.id.clone(),
                plan: plan.digest(),
            });
        }
        if entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.table.keep_list(entries, &counts).await?))
    }
}
