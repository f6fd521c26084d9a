//! The notifier: what arrives on the events queue becomes findings and Slack messages.

mod alarm_message;
mod attribution;
mod compliance;
mod fix_all;
mod housekeeping;
mod jobs;
mod judge_again;
mod look;
mod notices;
pub mod notification;
mod remediation_report;
mod report;
mod round;
mod switch;
mod undone;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use notification::Notification;

use crate::attribution::CloudTrail;
use crate::aws::AwsError;
use crate::clock::Clock;
use crate::contracts::ForeignFinding;
use crate::contracts::job::Job;
use crate::controls::{Remediations, ViolationType};
use crate::fix::FixRequests;
use crate::ids::AccountId;
use crate::queue::{Disposition, QueueHandler, QueueMessage, QueueUrl, Queues};
use crate::report::{ReportError, Reporter};
use crate::routing::Routing;
use crate::schedule::ScheduledRule;
use crate::slack::client::Slack;
use crate::slack::error::SlackError;
use crate::slack::mark::Mark;
use crate::slack::publisher::{PublishError, Published, Publisher};
use crate::store::{Changed, Record, Table, TableError};

/// The IAM actions of the notifier, beside those of plans, table and secrets.
pub const ACTIONS: &[&str] = &[
    "config:StartConfigRulesEvaluation",
    "events:DescribeRule",
    "sqs:SendMessage",
];

/// The notifier function.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// Looks at resources, and plans.
    pub remediations: Remediations,
    /// AWS Config's client, which asks it to judge again.
    pub config: aws_sdk_config::Client,
    /// The findings.
    pub table: Table,
    /// The client of Slack.
    pub slack: Slack,
    /// The client of queues.
    pub queues: Queues,
    /// The queue whose violations wait for auto-response.
    pub remediation_queue: QueueUrl,
    /// The way of a person's fixes.
    pub fix_requests: FixRequests,
    /// Shows findings.
    pub publisher: Publisher,
    /// Chooses channel and severity.
    pub routing: Routing,
    /// Finds out whose call broke a rule.
    pub attributions: CloudTrail,
    /// Draws the report.
    pub reporter: Reporter,
    /// How many fixes of a digest are under way at a time.
    pub blast_radius: u32,
    /// Where it takes two to fix.
    pub two_person_accounts: BTreeSet<AccountId>,
    /// The clock.
    pub clock: Clock,
    /// The account of requests that name none.
    pub home: AccountId,
    /// The scheduled rule, which is auto-response's switch.
    pub schedule: ScheduledRule,
    /// When this process last began to keep house, and could.
    pub kept_house_at: Arc<Mutex<Option<Timestamp>>>,
}

/// Whether the part that a report is of is fixed, by the report or before it.
fn is_remediated<E>(changed: &Changed<E>, kind: ViolationType) -> bool {
    changed
        .record()
        .is_some_and(|record| record.finding.episode.remediated.contains(&kind))
}

/// Why a notification is not done with yet; the queue delivers it again.
#[derive(Debug, thiserror::Error)]
enum NotifierError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Slack(#[from] SlackError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{0}")]
    Foreign(#[from] ForeignFinding),
    #[error("the resource cannot be looked at now: {0}")]
    Look(String),
    #[error("somebody else is editing the message")]
    Busy,
}

impl QueueHandler for Notifier {
    async fn handle(&self, message: &QueueMessage) -> Disposition {
        let notification = match Notification::parse(&message.body, &self.home) {
            Ok(notification) => notification,
            Err(malformed) => return Disposition::Park(malformed.to_string()),
        };
        let handled = match notification {
            Notification::ComplianceChange(change) => self.compliance_change(change, message).await,
            Notification::Report(report) => self.report(&report, message).await,
            Notification::Alarm(alarm) => self.alarm(&alarm).await,
            // After an outage many come at once, and one that has begun since does for all.
            Notification::Job(Job::Housekeeping {}) if self.has_kept_house_since(message) => Ok(()),
            Notification::Job(job) => self.job(&job).await,
            Notification::Notice(notice) => self.notice(&notice).await,
            Notification::Ignored(what) => {
                tracing::info!(message_id = message.id, what, "ignored");
                Ok(())
            }
        };
        match handled {
            Ok(()) => Disposition::Done,
            Err(error @ NotifierError::Busy) => Disposition::Wait(error.to_string()),
            Err(NotifierError::Foreign(foreign)) => Disposition::Park(foreign.to_string()),
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

impl Notifier {
    async fn show<E>(&self, changed: Changed<E>) -> Result<(), NotifierError> {
        match changed.record() {
            Some(record) => self.show_record(record).await,
            None => Ok(()),
        }
    }

    async fn show_record(&self, record: &Record) -> Result<(), NotifierError> {
        if record.is_shown() {
            return Ok(());
        }
        match self.publisher.publish(&record.finding.id).await? {
            Published::Shown => Ok(()),
            Published::Busy => Err(NotifierError::Busy),
        }
    }

    async fn post_once(
        &self,
        key: &str,
        content: &crate::slack::Content,
    ) -> Result<(), NotifierError> {
        let Some(claim) = self.table.claim(key, self.clock.now()).await? else {
            return if self.table.is_posted(key).await? {
                Ok(())
            } else {
                Err(NotifierError::Busy)
            };
        };
        let (channel, mark, unsure) = (
            self.slack.channel(),
            Mark::notice(key),
            claim.unsure_since(),
        );
        match self
            .slack
            .post_marked(channel, content, None, &mark, unsure)
            .await
        {
            Ok(_) => Ok(self.table.confirm(key, &claim).await?),
            Err(error) => {
                if !error.is_uncertain() && unsure.is_none() {
                    // Slack said no: it is not there, and the next delivery may try at once.
                    self.table.unclaim(key, &claim).await?;
                }
                Err(error.into())
            }
        }
    }
}
