//! What handlers are given: each gets the part of the Slack function that it works with.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use slack_morphism::prelude::*;

use super::{CommandError, refused};
use crate::aws::Aws;
use crate::clock::Clock;
use crate::contracts::job::Job;
use crate::controls::evaluation::RuleDefaults;
use crate::finding::event::{Entry, HistoryEvent};
use crate::finding::{Actor, Finding, Refusal};
use crate::fix::FixRequests;
use crate::ids::{AccountId, FindingId};
use crate::queue::{QueueUrl, Queues};
use crate::schedule::ScheduledRule;
use crate::slack::Content;
use crate::slack::client::Slack;
use crate::slack::publisher::{Published, Publisher};
use crate::store::{Changed, Table, TableError};

/// How long an answer to Slack waits for a message's edit.
const PUBLISH_PATIENCE: Duration = Duration::from_millis(1500);

/// How long an answer to Slack waits for handing an edit over to the notifier.
const HAND_OVER: Duration = Duration::from_millis(300);

/// The history of what people did.
#[derive(Debug, Clone)]
pub struct History {
    /// The table that has it.
    pub table: Table,
    /// The clock.
    pub clock: Clock,
}

/// What people do about one finding.
#[derive(Debug, Clone)]
pub struct FindingActions {
    /// The findings.
    pub table: Table,
    /// The rules by which version 0.1 derived the ids of findings.
    pub rules: RuleDefaults,
    /// The way of fixes and undos.
    pub fix_requests: FixRequests,
    /// The queue of auto-response, to which a finding goes back that is not ignored any more.
    pub remediation_queue: QueueUrl,
    /// Shows findings.
    pub publisher: Publisher,
    /// Opens modals.
    pub slack: Slack,
    /// The accounts where a fix or an undo takes two operators.
    pub two_person_accounts: BTreeSet<AccountId>,
    /// The clock.
    pub clock: Clock,
}

/// What people do about a digest.
#[derive(Debug, Clone)]
pub struct DigestActions {
    /// The digests.
    pub table: Table,
    /// The queues: the notifier fixes the members, and draws.
    pub queues: Queues,
    /// Opens modals.
    pub slack: Slack,
    /// How many fixes of a digest are under way at a time.
    pub blast_radius: u32,
    /// The accounts where a fix takes two operators.
    pub two_person_accounts: BTreeSet<AccountId>,
    /// The history.
    pub history: History,
}

/// Auto-response, as people switch it.
#[derive(Debug, Clone)]
pub struct AutoResponseActions {
    /// The record of what is wanted.
    pub table: Table,
    /// The rule that AWS obeys.
    pub schedule: ScheduledRule,
    /// The queues: everybody is told by the notifier.
    pub queues: Queues,
    /// Puts an answer where a button was.
    pub slack: Slack,
    /// The history.
    pub history: History,
}

/// The queues, and what could not be handled.
#[derive(Debug, Clone)]
pub struct Backlog {
    /// The client of queues.
    pub queues: Queues,
    /// The queue whose violations wait for auto-response.
    pub remediation_queue: QueueUrl,
    /// The queue of people's fixes.
    pub fix_queue: QueueUrl,
    /// The queues whose dead letters are counted, listed and retried.
    pub watched_queues: Vec<QueueUrl>,
    /// The account of requests that name none.
    pub home: AccountId,
    /// The history.
    pub history: History,
}

/// What `/dd status`, `/dd queue` and the Home tab show.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The findings.
    pub table: Table,
    /// The rule that AWS obeys.
    pub schedule: ScheduledRule,
    /// The queues.
    pub backlog: Backlog,
    /// AWS Config's opinion.
    pub aws: Arc<Aws>,
    /// How many requests one run of auto-response passes on.
    pub blast_radius: u32,
    /// The clock.
    pub clock: Clock,
}

impl History {
    /// Adds what a person did that changed no finding. Where that fails, the log has it.
    pub(super) async fn remember(&self, user: &SlackUserId, event: HistoryEvent) {
        self.note(user, event, None).await;
    }

    /// Adds what a person did, or was refused, about a finding or about none.
    pub(super) async fn note(
        &self,
        user: &SlackUserId,
        event: HistoryEvent,
        finding: Option<FindingId>,
    ) {
        let entry = Entry {
            at: self.clock.now(),
            by: Actor::User(user.to_string()),
            event,
            finding,
            resource: None,
            standing: None,
            times: 0,
        };
        if let Err(error) = self.table.note(&entry).await {
            tracing::error!(%error, ?entry, "cannot add to the history");
        }
    }
}

impl FindingActions {
    /// The id under which a finding is stored that a command or button names by an older id.
    pub(super) async fn resolve(&self, id: &FindingId) -> Result<FindingId, TableError> {
        self.table.resolve(id, &self.rules).await
    }

    /// Changes a finding by what an operator decided, and brings its message up to date. Returns what the
    /// operator is told, if anything.
    pub(super) async fn decide(
        &self,
        id: &FindingId,
        decide: impl Fn(&Finding) -> Result<Finding, Refusal>,
    ) -> Result<Option<Content>, CommandError> {
        self.publisher.show_later(id).await?;
        Ok(match self.table.change_existing(id, decide).await? {
            Changed::Yes(_) => {
                self.publish(id).await;
                None
            }
            Changed::No(_, refusal) => Some(refused(id, refusal.as_ref())),
        })
    }

    /// Brings the finding's message up to date. Slack waits only three seconds for the answer, so a message
    /// that cannot be edited at once is left to the notifier.
    pub(super) async fn publish(&self, id: &FindingId) {
        // The publisher has a time limit of its own, and gives its lease back within it.
        let publishing = self.publisher.publish_within(id, PUBLISH_PATIENCE);
        let reason = match tokio::time::timeout(PUBLISH_PATIENCE + HAND_OVER, publishing).await {
            Ok(Ok(Published::Shown)) => return,
            Ok(Ok(Published::Busy)) => "somebody else is editing it, or it takes long".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it takes long".to_owned(),
        };
        tracing::warn!(reason, finding_id = %id, "leaving a message to the notifier");
        let job = Job::Show {
            finding: id.clone(),
        };
        let queues = &self.fix_requests.queues;
        if let Err(error) = queues.send(&queues.events, &job).await {
            tracing::error!(%error, finding_id = %id, "cannot show a finding");
        }
    }
}
