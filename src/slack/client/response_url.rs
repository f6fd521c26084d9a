//! The address that Slack gives with each interaction: it replaces the message in which somebody pressed a button.

use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::*;

use super::{AT_ONCE, Slack};
use crate::slack::Content;
use crate::slack::error::SlackError;

impl Slack {
    /// Replaces the ephemeral message in which somebody pressed a button.
    pub async fn replace(
        &self,
        response_url: &SlackResponseUrl,
        content: &Content,
    ) -> Result<(), SlackError> {
        let request =
            SlackApiPostWebhookMessageRequest::new(self.fit(content)).with_replace_original(true);
        let client = self.client().await?;
        match tokio::time::timeout(AT_ONCE, client.respond_to_event(response_url, &request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_taken(&error) => Ok(()),
            Ok(Err(error)) => Err(SlackError::of("response_url", error)),
            Err(_) => Err(SlackError::Timeout("response_url")),
        }
    }
}

/// Whether Slack has taken a message though the library does not understand the answer: the body of a 2xx may be
/// anything. ([Message responses](https://docs.slack.dev/interactivity/handling-user-interaction#message_responses))
fn is_taken(error: &SlackClientError) -> bool {
    match error {
        SlackClientError::ProtocolError(_) => true,
        SlackClientError::HttpError(error) => error.status_code.is_success(),
        _ => false,
    }
}
