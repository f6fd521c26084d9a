//! The report: how the last 30 days went, as a picture and in words.

mod figures;
mod message;
mod picture;
mod schedule;

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::SlackChannelId;

pub use figures::{Figures, FixTimes, FixedBy};
pub use schedule::due;

use crate::finding::StateName;
use crate::slack::client::Slack;
use crate::slack::error::SlackError;
use crate::store::{Table, TableError};

/// The period of the report.
pub const SPAN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The reason why a report could not be made or posted.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The findings table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Slack did not take the picture, so that nothing was posted.
    #[error(transparent)]
    Upload(SlackError),
    /// Slack did not take the report.
    #[error(transparent)]
    Slack(#[from] SlackError),
    /// The picture could not be drawn.
    #[error("the picture could not be drawn: {0}")]
    Picture(#[from] picture::PictureError),
}

impl ReportError {
    /// Whether Slack refuses for good.
    pub fn refusal(&self) -> Option<&SlackError> {
        match self {
            Self::Upload(error) | Self::Slack(error) if error.is_refusal() => Some(error),
            Self::Upload(_) | Self::Slack(_) | Self::Table(_) | Self::Picture(_) => None,
        }
    }
}

/// Makes reports.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The findings and their history.
    pub table: Table,
    /// The client that posts and uploads.
    pub slack: Slack,
}

impl Reporter {
    /// Reads the history, draws, and posts to a channel.
    pub async fn post(&self, channel: &SlackChannelId, now: Timestamp) -> Result<(), ReportError> {
        let figures = self.figures(now).await?;
        let picture = picture::draw(&figures)?;
        let name = format!("defendable-report-{}.png", now.strftime("%Y-%m-%d"));
        let words = message::words(&figures);
        let alt = message::alt(&figures);
        let file = self
            .slack
            .upload(&name, &alt, picture)
            .await
            .map_err(ReportError::Upload)?;
        Ok(self.slack.share(channel, file, &name, &words).await?)
    }

    async fn figures(&self, now: Timestamp) -> Result<Figures, TableError> {
        let (open, fixing) = tokio::try_join!(
            self.table.count(StateName::Open),
            self.table.count(StateName::Fixing)
        )?;
        let mut figures = figures::Counting::new(now);
        self.table
            .history_since(now - SPAN, |entry| figures.add(&entry))
            .await?;
        Ok(figures.end(open + fixing))
    }
}
