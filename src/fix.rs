//! The one way from a person's request to the fix queue, for a single fix or undo as for **Fix all**.

use crate::aws::AwsError;
use crate::clock::Clock;
use crate::finding::{Finding, Refusal};
use crate::ids::FindingId;
use crate::metrics::{FixFailure, count_fix_failure};
use crate::queue::{QueueUrl, Queues};
use crate::store::{Changed, Record, Table, TableError};

/// The result of asking for a fix or an undo.
#[derive(Debug)]
pub enum Asked {
    /// The requests are in the fix queue.
    UnderWay(Box<Record>),
    /// The requests could not be queued, and the finding says so.
    NotQueued(Option<Box<Record>>),
    /// Nothing changes, for this reason; `None` where there is no such finding.
    Refused(Option<Refusal>),
}

impl Asked {
    /// The finding as it was changed, if it was.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::UnderWay(record) => Some(record),
            Self::NotQueued(record) => record.as_deref(),
            Self::Refused(_) => None,
        }
    }

    /// Whether the requests are in the fix queue.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }
}

/// Sends people's requests to the fix queue.
#[derive(Debug, Clone)]
pub struct FixRequests {
    /// The findings.
    pub table: Table,
    /// The client of queues.
    pub queues: Queues,
    /// The fix queue.
    pub fix_queue: QueueUrl,
    /// The clock.
    pub clock: Clock,
}

impl FixRequests {
    /// Changes the finding's state to Fixing or Undoing by a conditional write, which succeeds for one of
    /// many at once, then sends the requests.
    pub async fn ask(
        &self,
        id: &FindingId,
        ask: impl Fn(&Finding) -> Result<Finding, Refusal>,
    ) -> Result<Asked, TableError> {
        let record = match self.table.change_existing(id, ask).await? {
            Changed::Yes(record) => record,
            Changed::No(_, refusal) => return Ok(Asked::Refused(refusal)),
        };
        match self.send(&record.finding).await {
            Ok(requests) => {
                tracing::info!(finding_id = %id, requests, "a fix or an undo was asked for");
                Ok(Asked::UnderWay(record))
            }
            Err(error) => {
                tracing::error!(%error, finding_id = %id, "cannot queue a fix or an undo");
                count_fix_failure(FixFailure::NotQueued);
                self.give_up(id).await
            }
        }
    }

    async fn give_up(&self, id: &FindingId) -> Result<Asked, TableError> {
        let now = self.clock.now();
        let given_up = |finding: &Finding| Ok(finding.fix_not_queued(now).undo_not_queued(now));
        Ok(Asked::NotQueued(
            match self.table.change_existing(id, given_up).await? {
                Changed::Yes(record) => Some(record),
                Changed::No(record, _) => record,
            },
        ))
    }

    /// Sends the requests of a fix or an undo that is under way; returns how many they are.
    pub async fn send(&self, finding: &Finding) -> Result<usize, AwsError> {
        let requests: Vec<_> = finding
            .fix_requests()
            .into_iter()
            .chain(finding.undo_request())
            .collect();
        let sends = requests
            .iter()
            .map(|request| self.queues.send(&self.fix_queue, request));
        futures::future::try_join_all(sends).await?;
        Ok(requests.len())
    }
}
