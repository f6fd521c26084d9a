//! What a remediator reports becomes a state of the finding.

use sha2::{Digest, Sha256};

use super::{Notifier, NotifierError, is_remediated};
use crate::contracts::{Outcome, RemediationReport};
use crate::controls::{About, Change, Severity};
use crate::finding::{Finding, Plan};
use crate::metrics;
use crate::queue::QueueMessage;
use crate::routing::Facts;
use crate::slack::notice_message;
use crate::store::{Changed, Record};

impl Notifier {
    pub(super) async fn report(
        &self,
        report: &RemediationReport,
        message: &QueueMessage,
    ) -> Result<(), NotifierError> {
        let (Some(detail), Some(id)) = (&report.detail, report.finding()) else {
            let key = hex::encode(Sha256::digest(&message.body));
            return self
                .post_once(&key, &notice_message::bare_report(report))
                .await;
        };
        let id = id?;
        let resource = detail.request.resource();
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
            metrics::measure(metrics::CLICK_TO_FIXED, asked_at, self.clock.now());
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
    pub(super) fn routed(&self, finding: Finding, changes: &[Change], about: &About) -> Finding {
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

    pub(super) fn severity_of(&self, finding: &Finding, changes: &[Change]) -> Severity {
        let changes = changes.iter().map(|change| (change.kind(), change.clone()));
        let plan = Plan::Known {
            changes: changes.collect(),
        };
        self.routing.severity(&finding.rule, &plan)
    }
}
