//! The report, when somebody asked for it and once a week.

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackUserId};

use super::{Notifier, NotifierError};
use crate::report::{self, ReportError};
use crate::slack::Content;
use crate::slack::blocks::note;
use crate::slack::error::SlackError;
use crate::slack::text::code;

impl Notifier {
    /// Somebody asked for it, in a channel where we may not be.
    pub(super) async fn asked_report(
        &self,
        at: Timestamp,
        by: &str,
        channel: &str,
    ) -> Result<(), NotifierError> {
        let (channel, user) = (
            SlackChannelId::from(channel.to_owned()),
            SlackUserId::from(by.to_owned()),
        );
        let posted = self
            .report_once(&format!("report {at} {by}"), &channel)
            .await;
        let Err(NotifierError::Report(error)) = &posted else {
            return posted;
        };
        let Some(error) = error.refusal() else {
            return posted;
        };
        tracing::warn!(%error, channel = %channel.0, "cannot post the report where it was asked for");
        // A person in neither channel cannot be told, and can ask again.
        for place in [&channel, self.slack.channel()] {
            match self.slack.tell(place, &user, &refused(error)).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, "cannot tell somebody that there is no report")
                }
            }
        }
        Ok(())
    }

    /// The weekly one, if it is wanted and due. What goes wrong with it keeps nothing else of the
    /// housekeeping from being done: the next tries again, unless Slack has said no for good.
    pub(super) async fn weekly_report(&self, now: Timestamp) -> Result<(), NotifierError> {
        let wanted = self.table.weekly_report().await?;
        let Some(due) = report::due(wanted.as_ref(), now) else {
            return Ok(());
        };
        let key = format!("weekly report {due}");
        if self.table.is_posted(&key).await? {
            return Ok(());
        }
        let Err(error) = self.report_once(&key, self.slack.channel()).await else {
            return Ok(());
        };
        let refusal = match &error {
            NotifierError::Busy => return Ok(()),
            NotifierError::Report(report) => report.refusal(),
            _ => None,
        };
        let Some(refusal) = refusal else {
            tracing::error!(%error, "no weekly report yet");
            return Ok(());
        };
        tracing::error!(%error, "no weekly report");
        let Some(claim) = self.table.claim(&key, now).await? else {
            return Ok(());
        };
        match self
            .slack
            .post(self.slack.channel(), &refused(refusal), None)
            .await
        {
            Ok(_) => self.table.confirm(&key, &claim).await?,
            Err(error) => tracing::error!(%error, "and nobody can be told"),
        }
        Ok(())
    }

    async fn report_once(&self, key: &str, channel: &SlackChannelId) -> Result<(), NotifierError> {
        let Some(claim) = self.table.claim(key, self.clock.now()).await? else {
            return if self.table.is_posted(key).await? {
                Ok(())
            } else {
                Err(NotifierError::Busy)
            };
        };
        match self.reporter.post(channel, self.clock.now()).await {
            Ok(()) => Ok(self.table.confirm(key, &claim).await?),
            Err(error) => {
                // After a timeout it may be there: the claim expires.
                if !matches!(&error, ReportError::Slack(error) if error.is_uncertain()) {
                    self.table.unclaim(key, &claim).await?;
                }
                Err(error.into())
            }
        }
    }
}

/// What to do where Slack does not take the report.
fn refused(error: &SlackError) -> Content {
    let next = match error {
        error if error.is_channel_closed() => "`/invite` me into the channel, or ask in my own.",
        _ => {
            "does the app have the scope `files:write`? Paste its manifest again, and reinstall it."
        }
    };
    let said = match error {
        SlackError::Api { code: said, .. } => format!(" ({})", code(said)),
        SlackError::Timeout(_) | SlackError::Secret(_) | SlackError::Tls(_) => String::new(),
    };
    note(&format!(
        ":warning: Slack does not take the report{said}. *Next:* {next}"
    ))
}
