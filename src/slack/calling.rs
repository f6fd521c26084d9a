//! Mentions of the user group for the worst findings.

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackTs, SlackUserGroupId};

use super::Content;
use super::blocks::note;
use super::error::SlackError;
use super::finding_message::mentioning;
use super::mark::Mark;
use super::publisher::Publisher;
use crate::controls::Severity;
use crate::finding::{Finding, State};
use crate::store::Posted;

impl Publisher {
    /// Adds the mention to the message of a new finding that is among the worst.
    pub(super) fn calling(&self, finding: &Finding, content: Content) -> Content {
        match self.whom_to_call(finding) {
            Some(group) => mentioning(content, group),
            None => content,
        }
    }

    pub(super) fn whom_to_call(&self, finding: &Finding) -> Option<&SlackUserGroupId> {
        let is_critical =
            finding.severity == Severity::Critical && matches!(finding.state, State::Open { .. });
        self.mention.as_ref().filter(|_| is_critical)
    }

    /// Mentions the user group in the thread of a finding that has become one of the worst, since an edit
    /// notifies nobody. Returns whether it did.
    pub(super) async fn call_in_thread(
        &self,
        finding: &Finding,
        posted: &Posted,
        unsure: Option<Timestamp>,
    ) -> Result<bool, SlackError> {
        let Some(group) = self.whom_to_call(finding) else {
            return Ok(false);
        };
        let (channel, ts) = (
            SlackChannelId::from(posted.channel.clone()),
            SlackTs::from(posted.ts.clone()),
        );
        let call = mentioning(note("It exposes more than when it was posted."), group);
        let mark = Mark::call(&finding.id, finding.episode.number);
        self.slack
            .post_marked(&channel, &call, Some(&ts), &mark, unsure)
            .await?;
        Ok(true)
    }
}
