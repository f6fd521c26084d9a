//! Compliance changes of AWS Config, as changes of findings.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::notification::{Compliance, ComplianceChange};
use super::{Notifier, NotifierError};
use crate::finding::storm::{SINGLES_OF_A_CHANNEL, SINGLES_OF_A_RULE};
use crate::finding::{Breach, Finding, Plan, StateName};
use crate::ids::{FindingId, RuleName};
use crate::queue::QueueMessage;
use crate::slack::publisher::Published;
use crate::store::{Order, Record};

/// The number of open findings that are searched for older ones that are not shown yet.
const CATCH_UP: usize = 50;

/// How long a message waits until older findings are shown.
const TURN: Duration = Duration::from_secs(5);

impl Notifier {
    pub(super) async fn compliance_change(
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

    pub(super) async fn breached(
        &self,
        breach: Breach,
        message: &QueueMessage,
    ) -> Result<(), NotifierError> {
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

    pub(super) async fn complied(
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
                // The tag does not count once the resource is gone.
                Ok(if is_gone {
                    complied.deleted(recorded_at).unwrap_or(complied)
                } else {
                    complied
                })
            }
            // The news that the resource broke the rule may come later. It must not open a finding then.
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
                // Nobody has seen the finding. There is nothing to show, unless a report comes.
                let mut unseen = complied;
                unseen.events.clear();
                unseen.episode.thread.clear();
                Ok(self.routed(unseen, &[], &about))
            }
            None => Err(()),
        });
        self.show(Box::pin(changed).await?).await
    }

    pub(super) fn of_today_s_rules(&self, finding: &Finding) -> Finding {
        let resource_type = &finding.resource.resource_type;
        let control = |rule: &RuleName| self.remediations.rules.control(rule, resource_type);
        finding.heard_only_from(|rule| control(rule) == finding.control)
    }

    /// Shows older findings first: after an outage of Slack messages come back in any order, beside new ones.
    pub(super) async fn show_older_first(&self, id: &FindingId) -> Result<(), NotifierError> {
        let open = self
            .table
            .by_state(StateName::Open, Order::NewestFirst, CATCH_UP)
            .await?;
        let Some(own) = open.iter().find(|record| record.finding.id == *id) else {
            return Ok(());
        };
        if own.shown.is_some() {
            // The finding has a place already.
            return Ok(());
        }
        let finding = &own.finding;
        let is_older = |record: &&Record| {
            let other = &record.finding;
            record.shown.is_none()
                && other.channel == finding.channel
                && other.episode.opened_at < finding.episode.opened_at
        };
        let mut older: Vec<&Record> = open.iter().filter(is_older).collect();
        let of_rule = older
            .iter()
            .filter(|record| record.finding.rule == finding.rule)
            .count();
        if of_rule > SINGLES_OF_A_RULE || older.len() > SINGLES_OF_A_CHANNEL {
            // So many findings become a digest, and need not wait for one another.
            return Ok(());
        }
        older.sort_by_key(|record| record.finding.episode.opened_at);
        let until = Instant::now() + TURN;
        for record in older {
            self.show_in_turn(&record.finding.id, until).await?;
        }
        Ok(())
    }

    /// Another process shows it now. Waiting a moment is better than coming back later, which would let only
    /// one message through each time.
    pub(super) async fn show_in_turn(
        &self,
        id: &FindingId,
        until: Instant,
    ) -> Result<(), NotifierError> {
        loop {
            match self.publisher.publish(id).await? {
                Published::Shown => return Ok(()),
                Published::Busy if Instant::now() < until => tokio::time::sleep(TURN / 25).await,
                Published::Busy => return Err(NotifierError::Busy),
            }
        }
    }
}
