//! The answer to a button that nobody should press again, or that leads to another page.

use super::CommandError;
use crate::slack::Content;
use crate::slack::client::Slack;
use crate::slack::request::BlockAction;

/// Puts the answer where the button was: nobody should press it again.
pub(super) async fn settle(
    slack: &Slack,
    action: &BlockAction,
    answer: Content,
) -> Result<Option<Content>, CommandError> {
    let Some(url) = &action.response_url else {
        return Ok(Some(answer));
    };
    match slack.replace(url, &answer).await {
        Ok(()) => Ok(None),
        Err(error) => {
            tracing::warn!(%error, "cannot replace a message");
            Ok(Some(answer))
        }
    }
}
