//! Asking for a fix: the one path from a person's request to the fix queue, whether they press one
//! button or fix all of a digest.

use jiff::Timestamp;

use crate::aws::AwsError;
use crate::finding::{Finding, Refusal};
use crate::ids::FindingId;
use crate::metrics::{FixFailure, count_fix_failure};
use crate::queue::{QueueUrl, Queues};
use crate::store::{Changed, Record, Table, TableError};

/// The result of asking for a fix or an undo.
#[derive(Debug)]
pub enum Asked {
    /// It is on its way.
    UnderWay(Box<Record>),
    /// It could not be queued, and the finding says so.
    NotQueued(Option<Box<Record>>),
    /// Nothing changes, for this reason; none where there is no such finding.
    Refused(Option<Refusal>),
}

impl Asked {
    /// The finding, where it was changed.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::UnderWay(record) => Some(record),
            Self::NotQueued(record) => record.as_deref(),
            Self::Refused(_) => None,
        }
    }

    /// Whether it is on its way.
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }
}

/// Moves the finding to Fixing, or Undoing, by a conditional write, which only one of many wins,
/// then sends the requests.
pub async fn ask_for_fix(
    table: &Table,
    queues: &Queues,
    fix_queue: &QueueUrl,
    id: &FindingId,
    ask: impl Fn(&Finding) -> Result<Finding, Refusal>,
) -> Result<Asked, TableError> {
    let record = match table.change_existing(id, ask).await? {
        Changed::Yes(record) => record,
        Changed::No(_, refusal) => return Ok(Asked::Refused(refusal)),
    };
    match send_requests(queues, fix_queue, &record.finding).await {
        Ok(requests) => {
            tracing::info!(finding_id = %id, requests, "a fix or an undo was asked for");
            Ok(Asked::UnderWay(record))
        }
        Err(error) => {
            tracing::error!(%error, finding_id = %id, "cannot queue a fix or an undo");
            count_fix_failure(FixFailure::NotQueued);
            let now = Timestamp::now();
            let given_up = |finding: &Finding| Ok(finding.fix_not_queued(now).undo_not_queued(now));
            Ok(Asked::NotQueued(
                match table.change_existing(id, given_up).await? {
                    Changed::Yes(record) => Some(record),
                    Changed::No(record, _) => record,
                },
            ))
        }
    }
}

/// Sends what a fix or an undo that is under way consists of; how many requests.
pub async fn send_requests(
    queues: &Queues,
    fix_queue: &QueueUrl,
    finding: &Finding,
) -> Result<usize, AwsError> {
    let requests: Vec<_> = finding
        .fix_requests()
        .into_iter()
        .chain(finding.undo_request())
        .collect();
    let sends = requests
        .iter()
        .map(|request| queues.send(fix_queue, request));
    futures::future::try_join_all(sends).await?;
    Ok(requests.len())
}
