//! Signed requests as Slack sends them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{because, request, signed, slash_command};

/// Sends an interaction; returns the status of the answer, or `None` without an answer.
pub async fn interact(app_url: &str, payload: &Value) -> Option<u16> {
    let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
    send(app_url, &body).await.map(|(status, _)| status)
}

/// Sends Alice's `/dd …`; returns the text of the answer, or `None` without an answer or with an error.
pub async fn command(app_url: &str, text: &str) -> Option<String> {
    send(app_url, &slash_command(text))
        .await
        .filter(|(status, _)| *status == 200)
        .map(|(_, body)| body)
}

async fn send(app_url: &str, body: &str) -> Option<(u16, String)> {
    let headers = signed(body, Timestamp::now().as_second());
    request("POST", &format!("{app_url}/slack/events"), &headers, body).await
}

/// A trigger id; Slack gives each request another.
pub fn trigger() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A click on a button.
pub fn click(user: &str, action: &str, value: &str) -> Value {
    json!({"type": "block_actions", "team": {"id": "T0DEMO"}, "api_app_id": "A0DEFENDABLE", "user": {"id": user},
        "trigger_id": trigger(), "channel": {"id": "C0ALERTS"},
        "container": {"type": "message", "message_ts": "1.2", "channel_id": "C0ALERTS"},
        "actions": [{"type": "button", "action_id": action, "value": value}]})
}

/// A view submission.
pub fn submission(user: &str, callback: &str, metadata: &str) -> Value {
    let option = json!({"text": {"type": "plain_text", "text": "1 day"}, "value": "1d"});
    let values = json!({"duration": {"duration": {"type": "static_select", "selected_option": option}},
        "reason": because("forged")});
    json!({"type": "view_submission", "team": {"id": "T0DEMO"}, "api_app_id": "A0DEFENDABLE", "user": {"id": user},
        "trigger_id": trigger(), "view": {"id": "V1", "type": "modal", "callback_id": callback, "private_metadata": metadata, "blocks": [],
            "title": {"type": "plain_text", "text": "t"}, "team_id": "T0DEMO", "app_id": "A0DEFENDABLE",
            "bot_id": "B1", "hash": "1", "root_view_id": "V1", "external_id": "", "state": {"values": values}}})
}
