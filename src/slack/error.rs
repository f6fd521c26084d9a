//! Failed calls to Slack, by what the caller has to do.

use slack_morphism::errors::SlackClientError;

use crate::secrets::SecretError;

/// The code of an answer that the library cannot read.
const UNREADABLE: &str = "an answer that cannot be read";

/// A failed Slack call.
#[derive(Debug, thiserror::Error)]
pub enum SlackError {
    /// Slack answered with an error, `channel_not_found`.
    #[error("Slack's {method} failed: {code}")]
    Api {
        /// `chat.postMessage`
        method: &'static str,
        /// Slack's error code: `channel_not_found`.
        code: String,
    },
    /// No answer in time.
    #[error("Slack's {0} did not answer in time")]
    Timeout(&'static str),
    /// The token cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(std::io::Error),
}

impl SlackError {
    pub(super) fn of(method: &'static str, error: SlackClientError) -> Self {
        let code = match error {
            SlackClientError::ApiError(error) => error.code,
            SlackClientError::RateLimitError(_) => "ratelimited".to_owned(),
            // Other errors may print bodies of requests or answers, so only their kind is told.
            SlackClientError::HttpError(error) => format!("HTTP {}", error.status_code),
            SlackClientError::HttpProtocolError(_) => "no connection".to_owned(),
            SlackClientError::ProtocolError(error) if error.json_error.is_data() => {
                UNREADABLE.to_owned()
            }
            SlackClientError::ProtocolError(_) => "an answer that breaks off".to_owned(),
            SlackClientError::EndOfStream(_)
            | SlackClientError::SystemError(_)
            | SlackClientError::SocketModeProtocolError(_) => "a broken connection".to_owned(),
        };
        Self::Api { method, code }
    }

    /// Whether Slack says that the message is not there (any more), or cannot be edited (any more).
    pub fn is_message_gone(&self) -> bool {
        let gone = |code: &str| {
            matches!(
                code,
                "message_not_found"
                    | "channel_not_found"
                    | "is_archived"
                    | "cant_update_message"
                    | "edit_window_closed"
            )
        };
        matches!(self, Self::Api { code, .. } if gone(code))
    }

    /// Whether Slack refuses for good, so that trying again does not help.
    pub fn is_refusal(&self) -> bool {
        let passing = |code: &str| {
            // What is not a code of Slack's is in words of ours.
            code.contains(' ')
                || matches!(
                    code,
                    "ratelimited"
                        | "internal_error"
                        | "fatal_error"
                        | "service_unavailable"
                        | "request_timeout"
                )
        };
        matches!(self, Self::Api { code, .. } if !passing(code))
    }

    /// Whether the library cannot read Slack's answer. It cannot the next time either.
    pub fn is_unreadable(&self) -> bool {
        matches!(self, Self::Api { code, .. } if code == UNREADABLE)
    }

    /// Whether the call may have been carried out.
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Timeout(_) => true,
            // Slack's codes have no spaces; what says nothing of Slack's doing is in words of ours.
            Self::Api { code, .. } => {
                code.contains(' ') || matches!(code.as_str(), "internal_error" | "fatal_error")
            }
            Self::Secret(_) | Self::Tls(_) => false,
        }
    }

    /// Whether Slack says that somebody is not in the workspace.
    pub(super) fn is_stranger(&self) -> bool {
        let stranger = |code: &str| matches!(code, "user_not_found" | "user_not_visible");
        matches!(self, Self::Api { code, .. } if stranger(code))
    }

    /// Whether Slack says that nothing can be posted in the channel.
    pub fn is_channel_closed(&self) -> bool {
        let closed =
            |code: &str| matches!(code, "channel_not_found" | "is_archived" | "not_in_channel");
        matches!(self, Self::Api { code, .. } if closed(code))
    }

    /// Whether Slack says that the token is not valid (any more).
    pub(super) fn is_token_invalid(&self) -> bool {
        let invalid = |code: &str| {
            matches!(
                code,
                "invalid_auth"
                    | "not_authed"
                    | "token_revoked"
                    | "token_expired"
                    | "account_inactive"
            )
        };
        matches!(self, Self::Api { code, .. } if invalid(code))
    }
}

#[cfg(test)]
mod tests {
    use slack_morphism::errors::SlackClientProtocolError;

    use super::*;

    fn answered(body: &str) -> SlackError {
        let json_error = serde_json::from_str::<Vec<u8>>(body).unwrap_err();
        let error = SlackClientProtocolError {
            json_error,
            json_body: Some(body.to_owned()),
        };
        SlackError::of(
            "conversations.history",
            SlackClientError::ProtocolError(error),
        )
    }

    #[test]
    fn a_truncated_answer_is_uncertain() {
        for broken_off in ["[1, 2", "<html>bad gateway</html>", ""] {
            let error = answered(broken_off);
            assert!(
                error.is_uncertain() && !error.is_unreadable() && !error.is_refusal(),
                "{broken_off}"
            );
        }
        let unknown = answered(r#"["words"]"#);
        assert!(unknown.is_uncertain() && unknown.is_unreadable() && !unknown.is_refusal());
    }
}
