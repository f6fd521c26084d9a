//! What is set of Slack.

use slack_morphism::prelude::SlackChannelId;

use super::operator::Operator;
use crate::secrets::SecretSource;

/// Slack's side.
#[derive(Debug, Clone)]
pub struct SlackSettings {
    /// Where findings are posted.
    pub channel: SlackChannelId,
    /// The only workspace that may speak to us.
    pub team: String,
    /// The only app that may.
    pub app: String,
    /// The Web API, where it is not Slack's own.
    pub api_url: Option<String>,
    /// The bot's token.
    pub bot_token: SecretSource,
    /// The signing secret, or two with a comma.
    pub signing_secret: SecretSource,
    /// The app-level token; only Socket Mode needs it.
    pub app_token: Option<SecretSource>,
    /// The operators.
    pub operators: Vec<Operator>,
    /// Dates without Slack's tokens, for emulators that do not know them.
    pub plain_dates: bool,
}
