//! The notifier: what arrives on the events queue becomes findings and Slack messages.

mod alarm_message;
mod attribution;
mod fix_all;
mod housekeeping;
mod judge_again;
mod look;
pub mod notification;
mod report;
mod switch;
mod undone;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use fix_all::Turn;
use notification::{Alarm, Compliance, ComplianceChange, Notification};

use crate::attribution::CloudTrail;
use crate::aws::AwsError;
use crate::contracts::notice::Notice;
use crate::contracts::{ForeignFinding, Outcome, RemediationReport};
use crate::controls::Severity;
use crate::controls::{About, Change, Remediations, ViolationType};
use crate::finding::storm::{SINGLES_OF_A_CHANNEL, SINGLES_OF_A_RULE};
use crate::finding::{Breach, Finding, Plan, StateName};
use crate::ids::{AccountId, FindingId, RuleName};
use crate::metrics;
use crate::queue::{Disposition, QueueHandler, QueueMessage, QueueUrl, Queues};
use crate::report::{ReportError, Reporter};
use crate::routing::{Facts, Routing};
use crate::schedule::ScheduledRule;
use crate::slack::client::Slack;
use crate::slack::draw::draw_now;
use crate::slack::error::SlackError;
use crate::slack::mark::Mark;
use crate::slack::notice_message;
use crate::slack::publisher::{PublishError, Published, Publisher};
use crate::store::{Changed, Order, Record, Table, TableError};

/// What the notifier calls beside the plans', the table's and the secrets' actions.
pub const ACTIONS: &[&str] = &[
    "config:StartConfigRulesEvaluation",
    "events:DescribeRule",
    "sqs:SendMessage",
];

/// How many open findings are looked through for older ones that nobody has seen yet.
const CATCH_UP: usize = 50;

/// How long a message waits while others show what is older.
const TURN: Duration = Duration::from_secs(5);

/// The notifier function.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// Plans for the preview.
    pub remediations: Remediations,
    /// AWS Config, to be asked to judge again.
    pub config: aws_sdk_config::Client,
    /// The findings.
    pub table: Table,
    /// Where people are.
    pub slack: Slack,
    /// For what goes back to the remediation queue.
    pub queues: Queues,
    /// Where violations wait for auto-response.
    pub remediation_queue: QueueUrl,
    /// Where a person's fixes go.
    pub fix_queue: QueueUrl,
    /// Shows findings.
    pub publisher: Publisher,
    /// Which channel, how bad.
    pub routing: Routing,
    /// Whose call it was.
    pub attributions: CloudTrail,
    /// Draws the report.
    pub reporter: Reporter,
    /// How many fixes of a digest are under way at a time.
    pub blast_radius: u32,
    /// Where it takes two to fix.
    pub two_person_accounts: BTreeSet<AccountId>,
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
        .is_some_and(|record| record.finding.remediated.contains(&kind))
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
        let notification = match Notification::parse(&message.body) {
            Ok(notification) => notification,
            Err(malformed) => return Disposition::Park(malformed.to_string()),
        };
        let handled = match notification {
            Notification::ComplianceChange(change) => self.compliance_change(change, message).await,
            Notification::Report(report) => self.report(&report, message).await,
            Notification::Alarm(alarm) => self.alarm(&alarm).await,
            // After an outage many come at once, and one that has begun since does for all.
            Notification::Notice(Notice::Housekeeping {}) if self.has_kept_house_since(message) => {
                Ok(())
            }
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
    async fn compliance_change(
        &self,
        change: ComplianceChange,
        message: &QueueMessage,
    ) -> Result<(), NotifierError> {
        let ComplianceChange {
            breach,
            now,
            before,
        } = change;
        let control = self
            .remediations
            .rules
            .control(&breach.rule, &breach.resource.resource_type);
        let breach = Breach { control, ..breach };
        if before == Some(now) {
            tracing::info!(resource = %breach.resource.id, "compliance has not changed");
            return Ok(());
        }
        let older = self.remediations.rules.older_ids(&breach.resource);
        self.table
            .adopt(&breach.finding(), &older, &self.remediations.rules)
            .await?;
        match now {
            Compliance::NonCompliant => self.breached(breach, message).await,
            Compliance::Compliant | Compliance::NotApplicable => {
                self.complied(breach, before).await
            }
            Compliance::InsufficientData => Ok(()),
        }
    }

    async fn breached(&self, breach: Breach, message: &QueueMessage) -> Result<(), NotifierError> {
        let preview = self.preview(breach.control, &breach.resource).await;
        let id = breach.finding();
        self.retry_unknown(&id, &preview).await?;
        let breach = preview.complete(breach);
        self.wait_for_auto_response_to_what_is_new(&id, &preview)
            .await?;
        let changed = self.table.change::<()>(&id, |finding| {
            let finding = match finding {
                None => Finding::first_seen(breach.clone(), &preview.plan, preview.at),
                Some(finding) => finding
                    .breached(&breach, &preview.plan, preview.at)
                    .ok_or(())?,
            };
            Ok(self.rated(preview.tagged(finding), &preview))
        });
        let changed = Box::pin(changed).await?;
        if message.receive_count > 1 || self.publisher.has_failed_lately() {
            self.show_older_first(&id).await?;
        }
        self.show(changed).await
    }

    /// After an outage of Slack's, each message comes back when it happens to, and others come for
    /// the first time: what is older is shown first.
    async fn show_older_first(&self, id: &FindingId) -> Result<(), NotifierError> {
        let open = self
            .table
            .by_state(StateName::Open, Order::NewestFirst, CATCH_UP)
            .await?;
        let Some(own) = open.iter().find(|record| record.finding.id == *id) else {
            return Ok(());
        };
        if own.shown.is_some() {
            // It has its place already.
            return Ok(());
        }
        let finding = &own.finding;
        let is_older = |record: &&Record| {
            let other = &record.finding;
            record.shown.is_none()
                && other.channel == finding.channel
                && other.opened_at < finding.opened_at
        };
        let mut older: Vec<&Record> = open.iter().filter(is_older).collect();
        let of_rule = older
            .iter()
            .filter(|record| record.finding.rule == finding.rule)
            .count();
        if of_rule > SINGLES_OF_A_RULE || older.len() > SINGLES_OF_A_CHANNEL {
            // So many become a digest; to wait for one another would only hold all of them up.
            return Ok(());
        }
        older.sort_by_key(|record| record.finding.opened_at);
        let until = Instant::now() + TURN;
        for record in older {
            self.show_in_turn(&record.finding.id, until).await?;
        }
        Ok(())
    }

    /// Others that came back at the same time show it too: a moment's wait, where to come back
    /// later would let one of them through each time.
    async fn show_in_turn(&self, id: &FindingId, until: Instant) -> Result<(), NotifierError> {
        loop {
            match self.publisher.publish(id).await? {
                Published::Shown => return Ok(()),
                Published::Busy if Instant::now() < until => tokio::time::sleep(TURN / 25).await,
                Published::Busy => return Err(NotifierError::Busy),
            }
        }
    }

    async fn complied(
        &self,
        breach: Breach,
        before: Option<Compliance>,
    ) -> Result<(), NotifierError> {
        let id = breach.finding();
        let recorded_at = breach.recorded_at;
        let (about, is_gone) = self.about_unless_gone(&breach.resource).await;
        let changed = self.table.change(&id, |finding| match finding {
            Some(finding) => {
                let complied = self.of_today_s_rules(finding).complied(&breach).ok_or(())?;
                // The tag is gone with the resource.
                Ok(if is_gone {
                    complied.deleted(recorded_at).unwrap_or(complied)
                } else {
                    complied
                })
            }
            // The news that it broke may still be on its way: it must not open anything then.
            None if before == Some(Compliance::NonCompliant) => {
                let earlier = Breach {
                    recorded_at: Timestamp::MIN,
                    ..breach.clone()
                };
                let placeholder = Finding::open(
                    earlier,
                    Plan::Known {
                        changes: Vec::new(),
                    },
                );
                let complied = placeholder.complied(&breach).ok_or(())?;
                // Nobody has seen it, and there is nothing to show, unless a report comes.
                let unseen = Finding {
                    events: Vec::new(),
                    thread: Vec::new(),
                    ..complied
                };
                Ok(self.routed(unseen, &[], &about))
            }
            None => Err(()),
        });
        self.show(Box::pin(changed).await?).await
    }

    fn of_today_s_rules(&self, finding: &Finding) -> Finding {
        let resource_type = &finding.resource.resource_type;
        let control = |rule: &RuleName| self.remediations.rules.control(rule, resource_type);
        finding.heard_only_from(|rule| control(rule) == finding.control)
    }

    async fn report(
        &self,
        report: &RemediationReport,
        message: &QueueMessage,
    ) -> Result<(), NotifierError> {
        let (Some(detail), Some(id)) = (&report.detail, report.finding(&self.home)) else {
            let key = hex::encode(Sha256::digest(&message.body));
            return self
                .post_once(&key, &notice_message::bare_report(report))
                .await;
        };
        let id = id?;
        let resource = detail.request.resource(&self.home);
        let older = self.remediations.rules.older_ids(&resource);
        self.table
            .adopt(&id, &older, &self.remediations.rules)
            .await?;
        let worth_telling = match detail.outcome {
            Outcome::Fixed | Outcome::Failed { .. } | Outcome::Begun => true,
            Outcome::NothingToDo
            | Outcome::Gone
            | Outcome::LeftToPeople
            | Outcome::LeftAlone { .. }
            | Outcome::Undone
            | Outcome::NotAgreed => false,
        };
        if !detail.request.undo.is_empty() {
            return self.undo_report(&id, report).await;
        }
        if detail.outcome == Outcome::NotAgreed {
            return self.not_agreed(&id, report).await;
        }
        // What Slack shows has its place, and what it was said to be when people saw it.
        let is_shown =
            |record: Record| record.shown.is_some() || !record.finding.to_fix().is_empty();
        let about = match self.table.get(&id).await?.is_some_and(is_shown) {
            false if worth_telling => Some(self.about_or_nothing(&resource).await),
            _ => None,
        };
        let routed = |finding| match &about {
            Some(about) => self.routed(finding, &detail.changes, about),
            None => finding,
        };
        let changed = self.table.change(&id, |finding| match finding {
            Some(finding) => {
                let reported = finding.reported(report).ok_or(())?;
                Ok(match detail.changes.is_empty() {
                    true => reported,
                    false => routed(reported),
                })
            }
            None if worth_telling => {
                let finding = Finding::fixed_at_once(report).ok_or(())?;
                Ok(routed(finding))
            }
            None => Err(()),
        });
        let changed = Box::pin(changed).await?;
        if let (Outcome::Fixed, Some(asked_at), Changed::Yes(_)) =
            (&detail.outcome, detail.request.asked_at, &changed)
        {
            metrics::measure(metrics::CLICK_TO_FIXED, asked_at, Timestamp::now());
        }
        if detail.outcome == Outcome::Begun
            && !is_remediated(&changed, detail.request.violation_type)
        {
            // Only for the record: the report that follows is what people want to see.
            return Ok(());
        }
        self.show(changed).await
    }

    /// A finding whose fix was quicker than its notification, in its channel. What was taken away, as far as
    /// that is known, tells how bad it was.
    fn routed(&self, finding: Finding, changes: &[Change], about: &About) -> Finding {
        let severity = self.severity_of(&finding, changes);
        let (rule, resource) = (&finding.rule, &finding.resource);
        let channel = self.routing.channel(Facts {
            rule,
            resource,
            severity,
            tags: &about.tags,
        });
        let channel = channel.map(|channel| channel.0.clone());
        Finding {
            severity,
            channel,
            resource_name: about.name.clone(),
            ..finding
        }
    }

    fn severity_of(&self, finding: &Finding, changes: &[Change]) -> Severity {
        let changes = changes.iter().map(|change| (change.kind(), change.clone()));
        let plan = Plan::Known {
            changes: changes.collect(),
        };
        self.routing.severity(&finding.rule, &plan)
    }

    async fn alarm(&self, alarm: &Alarm) -> Result<(), NotifierError> {
        if alarm.new_state_value != "ALARM" {
            return Ok(());
        }
        let account = alarm.aws_account_id.as_deref().unwrap_or_default();
        let key = format!(
            "alarm {account} {} {}",
            alarm.alarm_name, alarm.state_change_time
        );
        self.post_once(&key, &alarm_message::alarm(alarm)).await
    }

    async fn notice(&self, notice: &Notice) -> Result<(), NotifierError> {
        let key = match notice {
            Notice::Parked {
                queue,
                message_id,
                parked_as,
                ..
            } => {
                format!(
                    "parked {queue} {}",
                    parked_as.as_ref().unwrap_or(message_id)
                )
            }
            Notice::Held { at, .. } => Notice::held_key(*at),
            Notice::SwitchedBack { at, .. } => format!("switched back {at}"),
            Notice::Switched { at, .. } => format!("switched {at}"),
            Notice::CarriedOut { at, .. } => format!("carried out {at}"),
            Notice::SwitchedOffElsewhere { at, .. } => switch::switched_off_elsewhere_key(*at),
            Notice::Show { finding } => {
                // The finding of version 0.1 may have moved since.
                let finding = self
                    .table
                    .resolve(finding, &self.remediations.rules)
                    .await?;
                return match self.table.get(&finding).await? {
                    Some(record) => self.show_record(&record).await,
                    None => Ok(()),
                };
            }
            Notice::Draw { digest } => {
                return match draw_now(&self.publisher, digest).await? {
                    Published::Shown => Ok(()),
                    Published::Busy => Err(NotifierError::Busy),
                };
            }
            Notice::FixAll {
                digest,
                slice,
                done,
                under_way,
                failures,
            } => {
                let turn = Turn {
                    under_way: under_way.clone(),
                    done: *done,
                    more: true,
                    failures: *failures,
                };
                return self.fix_slice(digest, *slice, turn).await;
            }
            Notice::Look { finding, at } => return self.look(finding, *at).await,
            Notice::UndoGivenUp { finding } => return self.undo_given_up(finding).await,
            Notice::WhoOpened {
                finding,
                episode,
                looks,
            } => {
                return self.who_opened(finding, *episode, *looks).await;
            }
            Notice::Report { at, by, channel } => return self.asked_report(*at, by, channel).await,
            Notice::Housekeeping {} => return self.keep_house().await,
        };
        if let Notice::Held {
            at,
            dispatched,
            waiting,
            list,
        } = notice
        {
            let content = self.held(*at, *dispatched, *waiting, list.as_ref()).await?;
            return self.post_once(&key, &content).await;
        }
        match notice_message::notice(notice) {
            Some(content) => self.post_once(&key, &content).await,
            None => Ok(()),
        }
    }

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
        let Some(claim) = self.table.claim(key, Timestamp::now()).await? else {
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
