//! The report: how the last 30 days went, as a picture and in words.

mod figures;
mod picture;
mod schedule;

use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::SlackChannelId;

pub use figures::{Figures, FixTimes, FixedBy};
pub use schedule::WeeklyReport;

use crate::finding::StateName;
use crate::finding::table::{Table, TableError};
use crate::slack::client::Slack;
use crate::slack::error::SlackError;
use crate::slack::report_message;

/// How far back the report looks.
pub const SPAN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why a report could not be made, or not be posted.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The findings table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Slack.
    #[error(transparent)]
    Slack(#[from] SlackError),
    /// The picture could not be drawn.
    #[error("the picture could not be drawn: {0}")]
    Picture(#[from] picture::PictureError),
}

/// Makes reports.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The findings and their history.
    pub table: Table,
    /// Where people are.
    pub slack: Slack,
}

impl Reporter {
    /// Reads the history, draws, and posts to a channel.
    pub async fn post(&self, channel: &SlackChannelId, now: Timestamp) -> Result<(), ReportError> {
        let figures = self.figures(now).await?;
        let picture = picture::draw(&figures)?;
        let name = format!("defendable-report-{}.png", now.strftime("%Y-%m-%d"));
        let words = report_message::words(&figures);
        let alt = report_message::alt(&figures);
        Ok(self.slack.upload(channel, &name, &alt, &words, picture).await?)
    }

    async fn figures(&self, now: Timestamp) -> Result<Figures, TableError> {
        let (open, fixing) =
            tokio::try_join!(self.table.count(StateName::Open), self.table.count(StateName::Fixing))?;
        let mut figures = figures::Counting::new(now);
        self.table.history_since(now - SPAN, |entry| figures.add(&entry)).await?;
        Ok(figures.end(open + fixing))
    }
}
