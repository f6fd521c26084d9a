//! Slack's requests, parsed once. They arrive as forms (commands, interactions) or JSON (events).

use serde::Deserialize;
use serde_json::Value;
use slack_morphism::prelude::*;

/// A request of Slack's.
#[derive(Debug)]
pub enum SlackRequest {
    /// Slack checks the endpoint: the challenge goes back.
    UrlVerification(String),
    /// Slack checks the endpoint's certificate
    /// ([ssl_check](https://docs.slack.dev/interactivity/implementing-slash-commands)): nothing else of the body
    /// is looked at.
    SslCheck,
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
    /// The modal in which it was pressed.
    pub modal: Option<SlackViewId>,
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
    SslCheck { ssl_check: Check },
    Interaction { payload: String },
    Command(Box<CommandForm>),
}

/// `ssl_check=1`
#[derive(Deserialize)]
enum Check {
    #[serde(rename = "1")]
    Certificate,
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
            Form::SslCheck {
                ssl_check: Check::Certificate,
            } => {
                let (team, app) = (None, None);
                Ok((Origin { team, app }, Self::SslCheck))
            }
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

    /// Slack adds kinds of interactions and fields without notice: what is not served is ignored, and what is not
    /// used is not read.
    fn of_interaction(payload: Value) -> Result<(Origin, Self), InvalidRequest> {
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
        let request = match text("/type").as_deref() {
            Some("block_actions") => Self::of_click(block_action(serde_json::from_value(payload)?)),
            None | Some("view_submission") => {
                Self::from(serde_json::from_value::<SlackInteractionEvent>(payload)?)
            }
            Some(kind) => Self::Ignored(format!("an interaction of the type {kind:?}")),
        };
        Ok((origin, request))
    }

    fn of_click(action: Option<BlockAction>) -> Self {
        match action {
            Some(action) => Self::BlockAction(Box::new(action)),
            None => Self::Ignored("block actions without an action or a user".to_owned()),
        }
    }
}

/// What is read of a click. The copies of message and view may have blocks that no library knows yet.
#[derive(Deserialize)]
struct Click {
    #[serde(default)]
    actions: Vec<ClickedElement>,
    user: Option<WithId<SlackUserId>>,
    channel: Option<WithId<SlackChannelId>>,
    trigger_id: SlackTriggerId,
    response_url: Option<SlackResponseUrl>,
    container: Option<Container>,
    view: Option<ClickedView>,
}

#[derive(Deserialize)]
struct ClickedView {
    id: SlackViewId,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct ClickedElement {
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
struct WithId<T> {
    id: T,
}

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "type")]
    kind: Option<String>,
    message_ts: Option<String>,
}

impl Container {
    /// Whether it is the Home tab, which has no message.
    fn is_home(&self, is_in_a_channel: bool) -> bool {
        self.kind.as_deref() == Some("view") || (self.message_ts.is_none() && !is_in_a_channel)
    }
}

impl From<SlackInteractionEvent> for SlackRequest {
    fn from(event: SlackInteractionEvent) -> Self {
        match event {
            SlackInteractionEvent::ViewSubmission(event) => Self::ViewSubmission(Box::new(event)),
            SlackInteractionEvent::BlockActions(event) => Self::of_click(of_library(event)),
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

/// A click that the library has read, in Socket Mode.
fn of_library(event: SlackInteractionBlockActionsEvent) -> Option<BlockAction> {
    let action = event.actions?.into_iter().next()?;
    let modal = match (&event.view, &event.container) {
        (Some(SlackView::Modal(_)), SlackInteractionActionContainer::View(container)) => {
            Some(container.view_id.clone())
        }
        _ => None,
    };
    Some(BlockAction {
        action_id: action.action_id.to_string(),
        value: action.value.unwrap_or_default(),
        user: event.user?.id,
        channel: event.channel.map(|channel| channel.id),
        trigger_id: event.trigger_id,
        response_url: event.response_url,
        in_home: modal.is_none()
            && matches!(event.container, SlackInteractionActionContainer::View(_)),
        modal,
    })
}

fn block_action(click: Click) -> Option<BlockAction> {
    let element = click.actions.into_iter().next()?;
    let channel = click.channel.map(|channel| channel.id);
    let container = click.container;
    let is_home = container.is_some_and(|container| container.is_home(channel.is_some()));
    let modal = click.view.filter(|view| view.kind == "modal");
    Some(BlockAction {
        in_home: is_home && modal.is_none(),
        modal: modal.map(|view| view.id),
        action_id: element.action_id,
        value: element.value.unwrap_or_default(),
        user: click.user?.id,
        channel,
        trigger_id: click.trigger_id,
        response_url: click.response_url,
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

    fn interaction(payload: &Value) -> SlackRequest {
        let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
        SlackRequest::parse(FORM, body.as_bytes()).unwrap().1
    }

    #[test]
    fn a_click_in_the_home_tab_needs_no_message() {
        let is_in_home = |container: Value, channel: Value| {
            let payload = json!({"type": "block_actions", "team": {"id": "T1"}, "api_app_id": "A1",
                "user": {"id": "U1"}, "trigger_id": "1.2", "container": container, "channel": channel,
                "actions": [{"action_id": "fix", "value": "f-1"}]});
            match interaction(&payload) {
                SlackRequest::BlockAction(action) => action.in_home,
                other => panic!("{other:?}"),
            }
        };
        let message = json!({"type": "message", "message_ts": "1.2", "channel_id": "C1"});
        assert!(!is_in_home(message, json!({"id": "C1"})));
        assert!(is_in_home(
            json!({"type": "view", "view_id": "V1"}),
            Value::Null
        ));
        assert!(is_in_home(json!({"type": "message"}), Value::Null));
    }

    #[test]
    fn a_click_in_a_modal_is_none_in_the_home_tab() {
        let payload = json!({"type": "block_actions", "team": {"id": "T1"}, "api_app_id": "A1",
            "user": {"id": "U1"}, "trigger_id": "1.2", "container": {"type": "view", "view_id": "V1"},
            "view": {"id": "V1", "type": "modal", "blocks": [{"type": "of_tomorrow"}]},
            "actions": [{"action_id": "next_in_digest", "value": "d-1 30"}]});
        let SlackRequest::BlockAction(action) = interaction(&payload) else {
            panic!("{payload}");
        };
        let modal = action.modal.map(|view| view.0);
        assert_eq!((action.in_home, modal.as_deref()), (false, Some("V1")));
    }

    #[test]
    fn interactions_of_other_types_are_ignored() {
        for kind in [
            "workflow_step_edit",
            "from_the_future",
            "view_closed",
            "shortcut",
        ] {
            let payload = json!({"type": kind, "team": {"id": "T1"}, "api_app_id": "A1"});
            assert!(
                matches!(interaction(&payload), SlackRequest::Ignored(what) if what.contains(kind))
            );
        }
    }

    #[test]
    fn of_an_ssl_check_nothing_else_is_read() {
        for body in [
            "token=t&ssl_check=1",
            "ssl_check=1&command=%2Fdd&text=status&payload=%7B",
        ] {
            let (_, request) = SlackRequest::parse(FORM, body.as_bytes()).unwrap();
            assert!(matches!(request, SlackRequest::SslCheck), "{body}");
        }
        assert!(SlackRequest::parse(FORM, b"ssl_check=0").is_err());
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
