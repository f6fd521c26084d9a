//! The settings of Slack's side.

use slack_morphism::prelude::SlackChannelId;

use super::operator::Operator;
use crate::secrets::SecretSource;

/// The settings of Slack's side.
#[derive(Debug, Clone)]
pub struct SlackSettings {
    /// The channel for findings that no route sends elsewhere.
    pub channel: SlackChannelId,
    /// The workspace whose requests are accepted.
    pub team: String,
    /// The app whose requests are accepted.
    pub app: String,
    /// The address of an emulator's Web API, in place of Slack's.
    pub api_url: Option<String>,
    /// The bot's token.
    pub bot_token: SecretSource,
    /// The signing secret, or two with a comma.
    pub signing_secret: SecretSource,
    /// The app-level token; only Socket Mode needs it.
    pub app_token: Option<SecretSource>,
    /// The operators.
    pub operators: Vec<Operator>,
    /// Whether times are written without date tokens, for emulators that do not know them.
    pub plain_dates: bool,
}
