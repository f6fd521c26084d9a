//! The notifier: what arrives on the events queue becomes findings and Slack messages.

pub mod notification;

use futures::future::join_all;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use notification::{Alarm, Compliance, ComplianceChange, Notification};

use crate::aws::{AwsError, AwsErrorKind};
use crate::finding::table::{Changed, Order, Record, Table, TableError};
use crate::finding::{Breach, Finding, Plan, StateName};
use crate::ids::{AccountId, FindingId, Resource, RuleName};
use crate::notice::Notice;
use crate::queue::{Disposition, QueueHandler, QueueMessage, QueueUrl, Queues};
use crate::remediation::{Outcome, RemediationReport, Remediations};
use crate::slack::client::{Slack, SlackError};
use crate::slack::publish::{PublishError, Published, publish};
use crate::slack::{alarm_message, notice_message};

/// What the notifier calls beside the plans', the table's and the secrets' actions.
pub const ACTIONS: &[&str] = &["sqs:SendMessage"];

/// How many findings of a state one housekeeping looks at.
const HOUSEKEEPING_LIMIT: usize = 500;

/// The notifier function.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// Plans for the preview.
    pub remediations: Remediations,
    /// The findings.
    pub table: Table,
    /// Where people are.
    pub slack: Slack,
    /// For what goes back to the remediation queue.
    pub queues: Queues,
    /// Where violations wait for auto-response.
    pub remediation_queue: QueueUrl,
    /// The account of requests that name none.
    pub home: AccountId,
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
    #[error("somebody else is editing the message")]
    Busy,
}

impl QueueHandler for Notifier {
    async fn handle(&self, message: &QueueMessage) -> Disposition {
        let notification = match Notification::parse(&message.body) {
            Ok(notification) => notification,
            Err(malformed) => return Disposition::Park(malformed.to_string()),
        };
        let handled = match notification {
            Notification::ComplianceChange(change) => self.compliance_change(change).await,
            Notification::Report(report) => self.report(&report, message).await,
            Notification::Alarm(alarm) => self.alarm(&alarm).await,
            Notification::Notice(notice) => self.notice(&notice).await,
            Notification::Ignored(what) => {
                tracing::info!(message_id = message.id, what, "ignored");
                Ok(())
            }
        };
        match handled {
            Ok(()) => Disposition::Done,
            Err(error) => Disposition::Retry(error.to_string()),
        }
    }
}

impl Notifier {
    async fn compliance_change(&self, change: ComplianceChange) -> Result<(), NotifierError> {
        let ComplianceChange { breach, now, before } = change;
        if before == Some(now) {
            tracing::info!(resource = %breach.resource.id, "compliance has not changed");
            return Ok(());
        }
        match now {
            Compliance::NonCompliant => self.breached(breach).await,
            Compliance::Compliant | Compliance::NotApplicable => self.complied(breach, before).await,
            Compliance::InsufficientData => Ok(()),
        }
    }

    async fn breached(&self, breach: Breach) -> Result<(), NotifierError> {
        let (resource_name, plan) = self.preview(&breach.rule, &breach.resource).await;
        let breach = Breach { resource_name, ..breach };
        let id = FindingId::of(&breach.rule, &breach.resource);
        let changed = self.table.change(&id, |finding| match finding {
            None => Ok(Finding::open(breach.clone(), plan.clone())),
            Some(finding) => finding.breached(&breach, &plan).ok_or(()),
        });
        self.show(changed.await?).await
    }

    async fn complied(&self, breach: Breach, before: Option<Compliance>) -> Result<(), NotifierError> {
        let id = FindingId::of(&breach.rule, &breach.resource);
        let recorded_at = breach.recorded_at;
        let changed = self.table.change(&id, |finding| match finding {
            Some(finding) => finding.complied(recorded_at).ok_or(()),
            // The news that it broke may still be on its way: it must not open anything then.
            None if before == Some(Compliance::NonCompliant) => {
                let earlier = Breach { recorded_at: Timestamp::MIN, ..breach.clone() };
                let placeholder = Finding::open(earlier, Plan::Known { changes: Vec::new() });
                Finding { deeds: Vec::new(), ..placeholder }.complied(recorded_at).ok_or(())
            }
            None => Err(()),
        });
        self.show(changed.await?).await
    }

    /// What people call the resource, and what a fix would change now. Failing to find out must
    /// not keep the finding from people.
    /// Only what our own rules complain of can be fixed.
    async fn preview(&self, rule: &RuleName, resource: &Resource) -> (Option<String>, Plan) {
        let kinds = self.remediations.rules.kinds(rule, &resource.resource_type);
        if kinds.is_empty() {
            return (None, Plan::Unsupported);
        }
        let (mut name, mut changes) = (None, Vec::new());
        for kind in kinds {
            match self.remediations.prepare(kind, resource).await {
                Ok(prepared) => {
                    name = prepared.name().map(str::to_owned);
                    changes.extend(prepared.changes().iter().map(|change| (kind, change.clone())));
                }
                Err(error) if error.kind == AwsErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(%error, resource = %resource.id, "cannot plan");
                    return (name, Plan::Unknown { reason: error.to_string() });
                }
            }
        }
        (name, Plan::Known { changes })
    }

    async fn report(&self, report: &RemediationReport, message: &QueueMessage) -> Result<(), NotifierError> {
        let Some(detail) = &report.detail else {
            let key = hex::encode(Sha256::digest(&message.body));
            return self.post_once(&key, &notice_message::bare_report(report)).await;
        };
        let id = detail.request.finding(&self.home);
        let worth_telling = match detail.outcome {
            Outcome::Fixed | Outcome::Failed { .. } | Outcome::Begun => true,
            Outcome::NothingToDo | Outcome::Gone | Outcome::Undone => false,
        };
        if !detail.request.undo.is_empty() {
            return self.undo_report(&id, report).await;
        }
        let changed = self.table.change(&id, |finding| match finding {
            Some(finding) => finding.reported(report).ok_or(()),
            None if worth_telling => Finding::fixed_at_once(report).ok_or(()),
            None => Err(()),
        });
        let changed = changed.await?;
        if detail.outcome == Outcome::Begun {
            // Only for the record: the report that follows is what people want to see.
            return Ok(());
        }
        self.show(changed).await
    }

    /// What a fix would change now is looked up: what was put back may have new ids.
    async fn undo_report(&self, id: &FindingId, report: &RemediationReport) -> Result<(), NotifierError> {
        let Some(record) = self.table.get(id).await? else { return Ok(()) };
        let (_, plan) = self.preview(&record.finding.rule, &record.finding.resource).await;
        let reported = |finding: Option<&Finding>| {
            finding.and_then(|finding| finding.undo_reported(report, &plan)).ok_or(())
        };
        self.show(self.table.change(id, reported).await?).await
    }

    async fn alarm(&self, alarm: &Alarm) -> Result<(), NotifierError> {
        if alarm.new_state_value != "ALARM" {
            return Ok(());
        }
        let account = alarm.aws_account_id.as_deref().unwrap_or_default();
        let key = format!("alarm {account} {} {}", alarm.alarm_name, alarm.state_change_time);
        self.post_once(&key, &alarm_message::alarm(alarm)).await
    }

    async fn notice(&self, notice: &Notice) -> Result<(), NotifierError> {
        let key = match notice {
            Notice::Parked { queue, message_id, parked_as, .. } => {
                format!("parked {queue} {}", parked_as.as_ref().unwrap_or(message_id))
            }
            Notice::Held { at, .. } => format!("held {at}"),
            Notice::SwitchedBack { at, .. } => format!("switched back {at}"),
            Notice::Switched { at, .. } => format!("switched {at}"),
            Notice::Show { finding } => {
                return match self.table.get(finding).await? {
                    Some(record) => self.show_record(&record).await,
                    None => Ok(()),
                };
            }
            Notice::Housekeeping {} => return self.keep_house().await,
        };
        self.post_once(&key, &notice_message::notice(notice)).await
    }

    /// Each change is shown by a notice of its own, so that one that Slack will not take keeps
    /// nothing else from being done.
    async fn keep_house(&self) -> Result<(), NotifierError> {
        let now = Timestamp::now();
        self.end_ignores(now).await?;
        self.give_up(now).await?;
        self.look_after_fixes(now).await
    }

    /// Ends the ignores whose time is over; a finding that is open again goes back to where
    /// auto-response looks.
    async fn end_ignores(&self, now: Timestamp) -> Result<(), NotifierError> {
        for finding in self.findings(StateName::Ignored, Order::OldestFirst).await? {
            let Some(expired) = finding.ignore_expired(now) else { continue };
            for request in expired.auto_requests() {
                self.queues.send(&self.remediation_queue, &request).await?;
            }
            self.settle(&finding.id, |finding| finding.ignore_expired(now)).await?;
        }
        Ok(())
    }

    /// Gives up the fixes and undos that never reported back.
    async fn give_up(&self, now: Timestamp) -> Result<(), NotifierError> {
        let late = |finding: &Finding| finding.fix_timed_out(now).or_else(|| finding.undo_timed_out(now));
        for state in [StateName::Fixing, StateName::Undoing] {
            for finding in self.findings(state, Order::OldestFirst).await? {
                if late(&finding).is_some() {
                    self.settle(&finding.id, late).await?;
                }
            }
        }
        Ok(())
    }

    /// Looks at what was fixed but not yet seen compliant by AWS Config: were it broken again
    /// before that, AWS Config would have no change to tell of.
    async fn look_after_fixes(&self, now: Timestamp) -> Result<(), NotifierError> {
        let fixed = self.findings(StateName::Fixed, Order::NewestFirst).await?;
        let unconfirmed: Vec<_> = fixed.into_iter().filter(|finding| finding.is_unconfirmed(now)).collect();
        for some in unconfirmed.chunks(8) {
            let plans =
                join_all(some.iter().map(|finding| self.preview(&finding.rule, &finding.resource))).await;
            for (finding, (_, plan)) in some.iter().zip(plans) {
                if finding.relapsed(&plan, now).is_some() {
                    self.settle(&finding.id, |finding| finding.relapsed(&plan, now)).await?;
                }
            }
        }
        Ok(())
    }

    async fn findings(&self, state: StateName, order: Order) -> Result<Vec<Finding>, NotifierError> {
        let records = self.table.by_state(state, order, HOUSEKEEPING_LIMIT).await?;
        Ok(records.into_iter().map(|record| record.finding).collect())
    }

    /// Changes a finding and asks for it to be shown.
    async fn settle(
        &self,
        id: &FindingId,
        change: impl Fn(&Finding) -> Option<Finding>,
    ) -> Result<(), NotifierError> {
        let changed = self.table.change(id, |finding| finding.and_then(&change).ok_or(())).await?;
        if matches!(changed, Changed::Yes(_)) {
            self.queues.send(&self.queues.events, &Notice::Show { finding: id.clone() }).await?;
        }
        Ok(())
    }

    async fn show<E>(&self, changed: Changed<E>) -> Result<(), NotifierError> {
        let record: Option<Box<Record>> = match changed {
            Changed::Yes(record) => Some(record),
            Changed::No(record, _) => record,
        };
        match record {
            Some(record) => self.show_record(&record).await,
            None => Ok(()),
        }
    }

    async fn show_record(&self, record: &Record) -> Result<(), NotifierError> {
        if record.is_shown() {
            return Ok(());
        }
        match publish(&self.table, &self.slack, &record.finding.id).await? {
            Published::Shown => Ok(()),
            Published::Busy => Err(NotifierError::Busy),
        }
    }

    async fn post_once(&self, key: &str, content: &crate::slack::Content) -> Result<(), NotifierError> {
        if !self.table.claim(key, Timestamp::now()).await? {
            return if self.table.is_posted(key).await? { Ok(()) } else { Err(NotifierError::Busy) };
        }
        match self.slack.post(self.slack.channel(), content, None).await {
            Ok(_) => Ok(self.table.confirm(key).await?),
            Err(error) => {
                if matches!(error, SlackError::Api { .. }) {
                    // Slack said no: it is not there, and the next delivery may try at once.
                    self.table.unclaim(key).await?;
                }
                Err(error.into())
            }
        }
    }
}
