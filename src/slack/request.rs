//! Slack's requests, parsed once. They arrive as forms (commands, interactions) or JSON (events).

use serde::Deserialize;
use serde_json::Value;
use slack_morphism::prelude::*;

/// A request of Slack's.
#[derive(Debug)]
pub enum SlackRequest {
    /// Slack checks the endpoint: the challenge goes back.
    UrlVerification(String),
    /// A slash command.
    Command(Box<SlackCommandEvent>),
    /// A button was pressed.
    BlockAction(Box<BlockAction>),
    /// A modal was sent off.
    ViewSubmission(Box<SlackInteractionViewSubmissionEvent>),
    /// Somebody opened the app's Home tab.
    HomeOpened(SlackUserId),
    /// A well-formed request of a kind that Defendable does not serve.
    Ignored(String),
}

/// A pressed button.
#[derive(Debug, Clone)]
pub struct BlockAction {
    /// The button's action id.
    pub action_id: String,
    /// The button's value.
    pub value: String,
    /// The user who pressed it.
    pub user: SlackUserId,
    /// The channel of the button's message; none in the Home tab.
    pub channel: Option<SlackChannelId>,
    /// The trigger id, which opens a modal for three seconds.
    pub trigger_id: SlackTriggerId,
    /// The address that replaces the message in which it was pressed.
    pub response_url: Option<SlackResponseUrl>,
    /// Whether it was pressed in the Home tab.
    pub in_home: bool,
}

/// The workspace and app that a request comes from.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    /// The workspace.
    pub team: Option<String>,
    /// The app.
    pub app: Option<String>,
}

/// The reason why a request cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRequest {
    /// The content type is neither of the two that Slack sends.
    #[error("of the content type {0:?}: expected a form or JSON")]
    ContentType(String),
    /// The body is not a form.
    #[error("not a form: {0}")]
    Form(#[from] serde_urlencoded::de::Error),
    /// The payload is not JSON, or not of the shape that its kind has.
    #[error("not of the documented shape: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Interaction { payload: String },
    Command(Box<CommandForm>),
}

#[derive(Deserialize)]
struct CommandForm {
    #[serde(flatten)]
    event: SlackCommandEvent,
    api_app_id: Option<String>,
}

impl SlackRequest {
    /// Reads a body, whose signature has been checked.
    pub fn parse(content_type: &str, body: &[u8]) -> Result<(Origin, Self), InvalidRequest> {
        let content_type = content_type.split(';').next().unwrap_or_default().trim();
        if content_type.eq_ignore_ascii_case("application/json") {
            return Self::of_event(&serde_json::from_slice(body)?);
        }
        if !content_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(InvalidRequest::ContentType(content_type.to_owned()));
        }
        match serde_urlencoded::from_bytes(body)? {
            Form::Interaction { payload } => Self::of_interaction(serde_json::from_str(&payload)?),
            Form::Command(form) => {
                let CommandForm { event, api_app_id } = *form;
                let origin = Origin {
                    team: Some(event.team_id.to_string()),
                    app: api_app_id,
                };
                Ok((origin, Self::Command(Box::new(event))))
            }
        }
    }

    fn of_event(event: &Value) -> Result<(Origin, Self), InvalidRequest> {
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let origin = Origin {
            team: text("/team_id"),
            app: text("/api_app_id"),
        };
        let request = match (
            text("/type").as_deref(),
            text("/challenge"),
            text("/event/type").as_deref(),
        ) {
            (Some("url_verification"), Some(challenge), _) => Self::UrlVerification(challenge),
            (Some("event_callback"), _, Some("app_home_opened")) => {
                Self::of_home(serde_json::from_value(event["event"].clone())?)
            }
            (_, _, kind) => Self::Ignored(format!("an event {:?}", kind.unwrap_or_default())),
        };
        Ok((origin, request))
    }

    /// Home is the only tab that the app fills.
    pub fn of_home(event: SlackAppHomeOpenedEvent) -> Self {
        match event.tab.as_deref() {
            Some("home") => Self::HomeOpened(event.user),
            tab => Self::Ignored(format!("the tab {:?} was opened", tab.unwrap_or_default())),
        }
    }

    fn of_interaction(mut payload: Value) -> Result<(Origin, Self), InvalidRequest> {
        let text = |pointer: &str| {
            payload
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let origin = Origin {
            team: text("/team/id"),
            app: text("/api_app_id"),
        };
        if let Some(fields) = payload.as_object_mut() {
            // The message's copy may hold blocks that the library does not know; nobody reads it.
            fields.remove("message");
            if fields
                .get("type")
                .is_some_and(|kind| kind == "block_actions")
            {
                fields.remove("view");
                fields.remove("state");
            }
        }
        Ok((
            origin,
            Self::from(serde_json::from_value::<SlackInteractionEvent>(payload)?),
        ))
    }
}

impl From<SlackInteractionEvent> for SlackRequest {
    fn from(event: SlackInteractionEvent) -> Self {
        match event {
            SlackInteractionEvent::BlockActions(event) => match block_action(event) {
                Some(action) => Self::BlockAction(Box::new(action)),
                None => Self::Ignored("block actions without an action or a user".to_owned()),
            },
            SlackInteractionEvent::ViewSubmission(event) => Self::ViewSubmission(Box::new(event)),
            SlackInteractionEvent::BlockSuggestion(_)
            | SlackInteractionEvent::DialogSubmission(_)
            | SlackInteractionEvent::MessageAction(_)
            | SlackInteractionEvent::Shortcut(_)
            | SlackInteractionEvent::ViewClosed(_) => {
                Self::Ignored("an interaction that we do not offer".to_owned())
            }
        }
    }
}

fn block_action(event: SlackInteractionBlockActionsEvent) -> Option<BlockAction> {
    let action = event.actions?.into_iter().next()?;
    Some(BlockAction {
        action_id: action.action_id.to_string(),
        value: action.value.unwrap_or_default(),
        user: event.user?.id,
        channel: event.channel.map(|channel| channel.id),
        trigger_id: event.trigger_id,
        response_url: event.response_url,
        in_home: matches!(event.container, SlackInteractionActionContainer::View(_)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_slash_command_is_read() {
        let body = "token=t&team_id=T1&team_domain=d&channel_id=C1&channel_name=c&user_id=U1&user_name=u&command=%2Fdd&text=fix+f-1&api_app_id=A1&response_url=http%3A%2F%2Flocalhost%2Fr&trigger_id=1.2";
        let (origin, request) = SlackRequest::parse(FORM, body.as_bytes()).unwrap();
        assert_eq!(
            origin,
            Origin {
                team: Some("T1".to_owned()),
                app: Some("A1".to_owned())
            }
        );
        assert!(
            matches!(request, SlackRequest::Command(event) if event.text.as_deref() == Some("fix f-1"))
        );
    }

    #[test]
    fn a_click_is_read_from_a_message_with_any_blocks() {
        let payload = json!({
            "type": "block_actions", "team": {"id": "T1"}, "api_app_id": "A1", "user": {"id": "U1"},
            "container": {"type": "message", "message_ts": "1.2", "channel_id": "C1"}, "trigger_id": "1.2",
            "channel": {"id": "C1"}, "message": {"blocks": [{"type": "from_the_future"}]},
            "response_url": "http://localhost/r",
            "actions": [{"type": "button", "action_id": "fix", "block_id": "b", "value": "f-1"}],
        });
        let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
        let (_, request) = SlackRequest::parse(FORM, body.as_bytes()).unwrap();
        assert!(
            matches!(request, SlackRequest::BlockAction(action) if action.action_id == "fix" && action.value == "f-1")
        );
    }

    #[test]
    fn events_are_read_and_others_refused() {
        let verification = json!({"type": "url_verification", "challenge": "c"}).to_string();
        let (_, request) =
            SlackRequest::parse("application/json; charset=utf-8", verification.as_bytes())
                .unwrap();
        assert!(matches!(request, SlackRequest::UrlVerification(challenge) if challenge == "c"));
        for (content_type, body) in [
            ("application/json", "{"),
            (FORM, "payload=%7B"),
            (FORM, "a=b"),
            (FORM, "\u{0}"),
        ] {
            assert!(
                SlackRequest::parse(content_type, body.as_bytes()).is_err(),
                "{body}"
            );
        }
    }
}
