//! View submissions: what each modal does.

use slack_morphism::prelude::*;

use super::authorise::{Authorised, Subject};
use super::{CommandError, SlackFunction, approve, digest, fix, ignore, sorry, undo};
use crate::slack::authorisation::Reach;
use crate::slack::modal::callback_id;
use crate::slack::{Content, approve_view, digest_view, fix_view, ignore_view, modal, undo_view};
use crate::store::Shown;

/// The subject of a submitted modal.
pub(super) fn subject_of_view(view: &SlackStatefulView) -> Subject {
    let carried = modal::metadata(view).unwrap_or_default();
    let first = carried.split(' ').next().unwrap_or_default();
    match callback_id(view) {
        Some(digest_view::FIX_ALL_CALLBACK_ID) => {
            first.parse().map_or(Subject::Everything, Subject::Digest)
        }
        _ => first.parse().map_or(Subject::Everything, Subject::Finding),
    }
}

impl SlackFunction {
    /// Carries out a submitted modal.
    pub async fn view_submission(&self, event: &SlackInteractionViewSubmissionEvent) {
        let user = &event.user.id;
        let callback = callback_id(&event.view).unwrap_or_default();
        let subject = self.resolved(subject_of_view(&event.view)).await;
        let told = match self.authorise(user, &subject, callback).await {
            Ok(Authorised::No(refusal)) => Some(refusal),
            Ok(Authorised::Yes(reach)) => self
                .submitted(event, reach.as_ref())
                .await
                .unwrap_or_else(|error| Some(sorry(&error))),
            Err(error) => Some(sorry(&error)),
        };
        if let Some(content) = told {
            let channel = self.channel_of(&subject).await;
            self.tell(channel.as_ref(), user, &content).await;
        }
    }

    pub(super) async fn submitted(
        &self,
        event: &SlackInteractionViewSubmissionEvent,
        reach: Option<&Reach>,
    ) -> Result<Option<Content>, CommandError> {
        match callback_id(&event.view) {
            Some(ignore_view::CALLBACK_ID) => ignore::submitted(&self.findings, event).await,
            Some(fix_view::CALLBACK_ID) => fix::submitted(&self.findings, event).await,
            Some(approve_view::CALLBACK_ID) => approve::submitted(&self.findings, event).await,
            Some(undo_view::CALLBACK_ID) => undo::submitted(&self.findings, event).await,
            Some(digest_view::FIX_ALL_CALLBACK_ID) => {
                digest::fix_all(&self.digests, event, reach).await
            }
            other => {
                tracing::warn!(callback_id = other, "a view submission that is not ours");
                Ok(None)
            }
        }
    }

    /// The channel of the message that a modal is about.
    pub(super) async fn channel_of(&self, subject: &Subject) -> Option<SlackChannelId> {
        let channel = match subject {
            Subject::Finding(id) => match self.findings.table.get(id).await.ok()??.shown? {
                Shown::Posted(posted) => Some(posted.channel),
                Shown::Listed(listed) => self
                    .digests
                    .table
                    .digest(&listed.digest)
                    .await
                    .ok()?
                    .map(|digest| digest.channel),
            },
            Subject::Digest(id) => self
                .digests
                .table
                .digest(id)
                .await
                .ok()?
                .map(|digest| digest.channel),
            Subject::Nothing | Subject::Everything | Subject::Off => None,
        };
        channel.map(SlackChannelId::from)
    }
}
