//! The report, when somebody asked for it and once a week.

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackUserId};

use super::{Notifier, NotifierError};
use crate::report::ReportError;
use crate::slack::blocks::note;

impl Notifier {
    /// Somebody asked for it, in a channel where we may not be.
    pub(super) async fn asked_report(
        &self,
        at: Timestamp,
        by: &str,
        channel: &str,
    ) -> Result<(), NotifierError> {
        let (channel, user) = (SlackChannelId::from(channel.to_owned()), SlackUserId::from(by.to_owned()));
        let posted = self.report_once(&format!("report {at} {by}"), &channel).await;
        let Err(NotifierError::Report(ReportError::Slack(error))) = &posted else { return posted };
        if !error.is_channel_closed() {
            return posted;
        }
        tracing::warn!(%error, channel = %channel.0, "cannot post the report where it was asked for");
        let told = note(
            "The report cannot be posted where you asked for it: I am no member there. `/invite` me, or ask in my own channel.",
        );
        Ok(self.slack.tell(self.slack.channel(), &user, &told).await?)
    }

    /// The weekly one, if it is wanted and due.
    pub(super) async fn weekly_report(&self, now: Timestamp) -> Result<(), NotifierError> {
        let Some(due) = self.table.weekly_report().await?.due(now) else { return Ok(()) };
        let key = format!("weekly report {due}");
        if self.table.is_posted(&key).await? {
            return Ok(());
        }
        match self.report_once(&key, self.slack.channel()).await {
            // Another housekeeping is at it.
            Err(NotifierError::Busy) => Ok(()),
            posted => posted,
        }
    }

    async fn report_once(&self, key: &str, channel: &SlackChannelId) -> Result<(), NotifierError> {
        if !self.table.claim(key, Timestamp::now()).await? {
            return if self.table.is_posted(key).await? { Ok(()) } else { Err(NotifierError::Busy) };
        }
        match self.reporter.post(channel, Timestamp::now()).await {
            Ok(()) => Ok(self.table.confirm(key).await?),
            Err(error) => {
                self.table.unclaim(key).await?;
                Err(error.into())
            }
        }
    }
}
