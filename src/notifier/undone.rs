//! Undos that report back: the finding says so, and so is told who asked.

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackUserId};

use super::{Notifier, NotifierError};
use crate::contracts::job::Job;
use crate::contracts::{Outcome, RemediationReport};
use crate::finding::{Actor, Finding};
use crate::ids::FindingId;
use crate::slack::blocks::note;
use crate::slack::finding_words::headline;
use crate::slack::text::{code, escape, prose};
use crate::store::{Record, Shown};

/// When it is sure to be noted that an undo was given up. Seconds.
const SOON: u32 = 5;

/// What came of an undo at some time is told once.
fn told_key(id: &FindingId, at: Timestamp) -> String {
    format!("undo told {id} {at}")
}

impl Notifier {
    /// What a fix would change now is looked up: what was put back may have new ids.
    pub(super) async fn undo_report(
        &self,
        id: &FindingId,
        report: &RemediationReport,
    ) -> Result<(), NotifierError> {
        let Some(record) = self.table.get(id).await? else {
            return Ok(());
        };
        let (plan, _) = self
            .plan(record.finding.control, &record.finding.resource)
            .await;
        let reported = |finding: Option<&Finding>| {
            finding
                .and_then(|finding| finding.undo_reported(report, &plan))
                .ok_or(())
        };
        let changed = Box::pin(self.table.change(id, reported)).await?;
        if let Some(record) = changed.record() {
            self.tell_who_asked(record, report).await?;
        }
        self.show::<()>(changed).await
    }

    /// An undo that has been given up is told to who asked, too: by a notice that is sent first, so that
    /// nothing that happens in between keeps it from them.
    pub(super) async fn give_up_undo(
        &self,
        id: &FindingId,
        now: Timestamp,
    ) -> Result<(), NotifierError> {
        let job = Job::UndoGivenUp {
            finding: id.clone(),
        };
        self.queues
            .send_later(&self.queues.events, &job, SOON)
            .await?;
        self.settle(id, |finding| finding.undo_timed_out(now)).await
    }

    /// Tells it.
    pub(super) async fn undo_given_up(&self, id: &FindingId) -> Result<(), NotifierError> {
        let Some(record) = self.table.get(id).await? else {
            return Ok(());
        };
        let Some(failure) = &record.finding.episode.undo_failure else {
            return Ok(());
        };
        let said = format!(
            "not undone: {}. {}",
            prose(&failure.reason, 600),
            prose(&failure.advice, 300)
        );
        let key = told_key(id, failure.at);
        match &failure.asked_by {
            Actor::User(user) => self.tell_once(&key, &record, user, &said).await,
            _ => Ok(()),
        }
    }

    /// Once for each report, wherever the finding is shown: a digest's message tells of no single undo.
    async fn tell_who_asked(
        &self,
        record: &Record,
        report: &RemediationReport,
    ) -> Result<(), NotifierError> {
        let Some(detail) = &report.detail else {
            return Ok(());
        };
        let Some(user) = &detail.request.requested_by else {
            return Ok(());
        };
        let said = match &detail.outcome {
            Outcome::Undone => "the fix was undone".to_owned(),
            Outcome::Failed { reason, advice } if detail.changes.is_empty() => {
                format!("not undone: {}. {}", prose(reason, 600), prose(advice, 300))
            }
            Outcome::Failed { reason, advice } => {
                format!(
                    "undone in part. The rest was not put back: {}. {}",
                    prose(reason, 600),
                    prose(advice, 300)
                )
            }
            Outcome::NotAgreed => {
                "not undone: it is not known which plan was agreed to. Press Undo again.".to_owned()
            }
            Outcome::Begun
            | Outcome::Fixed
            | Outcome::NothingToDo
            | Outcome::Gone
            | Outcome::LeftToPeople
            | Outcome::LeftAlone { .. } => {
                return Ok(());
            }
        };
        let key = told_key(&record.finding.id, report.action_complete_time);
        self.tell_once(&key, record, user, &said).await
    }

    async fn tell_once(
        &self,
        key: &str,
        record: &Record,
        user: &str,
        said: &str,
    ) -> Result<(), NotifierError> {
        let Some(claim) = self.table.claim(key, self.clock.now()).await? else {
            return if self.table.is_posted(key).await? {
                Ok(())
            } else {
                Err(NotifierError::Busy)
            };
        };
        let finding = &record.finding;
        let id = code(finding.id.as_str());
        let content = note(&format!(
            ":leftwards_arrow_with_hook: {} ({id}): {said}",
            escape(&headline(finding))
        ));
        let channel = self.channel_of(record).await?;
        let user = SlackUserId::from(user.to_owned());
        match self.slack.tell(&channel, &user, &content).await {
            Ok(()) => {}
            // They may be in neither channel: the finding's message tells the same.
            Err(error) if error.is_refusal() => {
                tracing::warn!(%error, "who asked for an undo cannot be told what came of it");
            }
            Err(error) => {
                self.table.unclaim(key, &claim).await?;
                return Err(error.into());
            }
        }
        Ok(self.table.confirm(key, &claim).await?)
    }

    async fn channel_of(&self, record: &Record) -> Result<SlackChannelId, NotifierError> {
        let channel = match &record.shown {
            Some(Shown::Posted(posted)) => Some(posted.channel.clone()),
            Some(Shown::Listed(listed)) => self
                .table
                .digest(&listed.digest)
                .await?
                .map(|digest| digest.channel),
            None => None,
        };
        Ok(channel.map_or_else(|| self.slack.channel().clone(), SlackChannelId::from))
    }
}
