//! Compares the record of auto-response with the scheduled rule.

use jiff::Timestamp;

use super::{Notifier, NotifierError};
use crate::contracts::Switch;
use crate::contracts::notice::Notice;
use crate::ids::PlanListId;
use crate::slack::finding_words::bullet;
use crate::slack::{Content, notice_message};
use crate::store::TableError;

/// The key of the question, which is asked once for each "on".
pub(super) fn switched_off_elsewhere_key(at: Timestamp) -> String {
    format!("switched off elsewhere {at}")
}

/// The number of findings that the question names.
const SHOWN: usize = 10;

impl Notifier {
    /// Acts on a disabled rule. Where "on" is recorded and was carried out, somebody disabled the rule
    /// elsewhere: people are asked, and only a person enables it. Where "off" is recorded and was not known
    /// to be carried out, people are told that it is. (An enabled rule against "off" runs the coordinator,
    /// which disables it.)
    pub(super) async fn compare_switch(&self) -> Result<(), NotifierError> {
        let recorded = match self.table.auto_response().await {
            Ok(recorded) => recorded,
            Err(TableError::Shape(error)) => {
                tracing::error!(%error, "what is wanted of auto-response cannot be read");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let Some(wanted) = recorded.wanted else {
            return Ok(());
        };
        if recorded.carried_out.is_some() != (wanted.switch == Switch::On) {
            return Ok(());
        }
        match self.schedule.state().await {
            Ok(Switch::On) => Ok(()),
            // AWS disabled the rule, but its answer was lost. No run comes that would find that out.
            Ok(Switch::Off) if wanted.switch == Switch::Off => {
                let notice = Notice::CarriedOut {
                    at: wanted.at,
                    by: wanted.by,
                };
                self.queues.send(&self.queues.events, &notice).await?;
                Ok(self.table.carried_out(wanted.at).await?)
            }
            Ok(Switch::Off) => {
                let on = wanted;
                let notice = Notice::SwitchedOffElsewhere {
                    at: on.at,
                    by: on.by,
                };
                if self
                    .table
                    .is_posted(&switched_off_elsewhere_key(on.at))
                    .await?
                {
                    return Ok(());
                }
                Ok(self.queues.send(&self.queues.events, &notice).await?)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot compare the schedule's rule with what is recorded");
                Ok(())
            }
        }
    }

    /// The question after a run has stopped, with the first lines of the list that it would go on with.
    pub(super) async fn held(
        &self,
        at: Timestamp,
        dispatched: u32,
        waiting: u64,
        list: Option<&PlanListId>,
    ) -> Result<Content, NotifierError> {
        let Some(list) = list else {
            return Ok(notice_message::held(at, dispatched, waiting, None, None));
        };
        let entries = self.table.list_part(list, 0).await?;
        let all = self
            .table
            .list_contents(list)
            .await?
            .map_or(entries.len(), |contents| contents.findings);
        let mut lines = Vec::new();
        for entry in entries.iter().take(SHOWN) {
            if let Some(record) = self.table.get(&entry.finding).await? {
                lines.push(bullet(&record.finding));
            }
        }
        Ok(notice_message::held(
            at,
            dispatched,
            waiting,
            Some(list),
            Some((&lines, all)),
        ))
    }
}
