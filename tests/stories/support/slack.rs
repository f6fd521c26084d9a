//! Slack as people use it.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite};

use super::{eventually, get, post};

const CHANNEL: &str = "C0ALERTS";

#[derive(Debug, Clone)]
pub struct Message(pub Value);

impl Message {
    pub fn ts(&self) -> &str {
        self.0["ts"].as_str().unwrap()
    }

    /// All texts of the message, with the one for notifications.
    pub fn words(&self) -> String {
        let mut words = self.text().to_owned();
        collect_texts(&self.0["blocks"], &mut words);
        words
    }

    pub fn text(&self) -> &str {
        self.0["text"].as_str().unwrap_or_default()
    }

    pub fn button(&self, action_id: &str) -> Option<&Value> {
        let blocks = self.0["blocks"].as_array()?;
        let elements = blocks
            .iter()
            .filter_map(|block| block["elements"].as_array())
            .flatten();
        elements
            .into_iter()
            .find(|element| element["action_id"] == action_id)
    }

    /// The finding's id, from the message.
    pub fn finding_id(&self) -> String {
        let words = self.words();
        let start = words.find("Finding `f-").expect("a finding's message") + "Finding `".len();
        words[start..start + "f-3fa9c01b22de".len()].to_owned()
    }
}

fn collect_texts(value: &Value, words: &mut String) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "text" => {
                        words.push('\n');
                        words.push_str(text);
                    }
                    other => collect_texts(other, words),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, words)),
        _ => {}
    }
}

#[derive(Clone)]
pub struct Slack {
    url: String,
}

impl Slack {
    pub fn new(url: String) -> Self {
        Self { url }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn messages(&self) -> Vec<Message> {
        self.messages_of(CHANNEL).await
    }

    /// All messages of a channel.
    pub async fn messages_of(&self, channel: &str) -> Vec<Message> {
        let answer = get(&format!("{}/_control/messages/{channel}", self.url)).await;
        answer["messages"]
            .as_array()
            .unwrap()
            .iter()
            .cloned()
            .map(Message)
            .collect()
    }

    /// The messages of the alerts channel outside threads.
    pub async fn channel(&self) -> Vec<Message> {
        let messages = self.messages().await.into_iter();
        messages
            .filter(|message| {
                message.0["ephemeral_to"].is_null() && message.0["thread_ts"].is_null()
            })
            .collect()
    }

    /// The messages of findings.
    pub async fn findings(&self) -> Vec<Message> {
        let messages = self.channel().await.into_iter();
        messages
            .filter(|message| message.words().contains("Finding `f-"))
            .collect()
    }

    /// The newest message about a resource.
    pub async fn finding(&self, resource: &str) -> Message {
        eventually(resource, async || {
            self.findings()
                .await
                .into_iter()
                .rfind(|message| message.text().contains(resource))
        })
        .await
    }

    /// Waits until the newest message about a resource contains `words`.
    pub async fn finding_says(&self, resource: &str, words: &str) -> Message {
        eventually(
            &format!("the message about {resource} says {words:?}"),
            async || {
                let message = self.finding(resource).await;
                message.words().contains(words).then_some(message)
            },
        )
        .await
    }

    /// Waits until a message in the channel contains `words`.
    pub async fn channel_says(&self, words: &str) -> Message {
        eventually(&format!("the channel says {words:?}"), async || {
            self.channel()
                .await
                .into_iter()
                .find(|message| message.words().contains(words))
        })
        .await
    }

    pub async fn thread(&self, message: &Message) -> Vec<Message> {
        let messages = self.messages().await.into_iter();
        messages
            .filter(|reply| reply.0["thread_ts"] == message.0["ts"])
            .collect()
    }

    /// The messages that only one user sees.
    pub async fn told(&self, user: &str) -> Vec<Message> {
        let messages = self.messages().await.into_iter();
        messages
            .filter(|message| message.0["ephemeral_to"] == user)
            .collect()
    }

    /// Waits until a private message to a user contains `words`.
    pub async fn is_told(&self, user: &str, words: &str) -> Message {
        eventually(&format!("{user} is told {words:?}"), async || {
            self.told(user)
                .await
                .into_iter()
                .rfind(|message| message.words().contains(words))
        })
        .await
    }

    /// Clicks a button; returns when Defendable has answered.
    pub async fn click(&self, user: &str, message: &Message, action_id: &str) {
        self.click_in(CHANNEL, user, message, action_id).await;
    }

    /// The same in another channel.
    pub async fn click_in(&self, channel: &str, user: &str, message: &Message, action_id: &str) {
        let button = message
            .button(action_id)
            .unwrap_or_else(|| panic!("no {action_id} in {message:?}"));
        let action = json!({"type": "button", "action_id": action_id, "value": button["value"], "block_id": "b"});
        let click =
            json!({"channel": channel, "messageTs": message.ts(), "user": user, "action": action});
        post(&format!("{}/_control/interact", self.url), &click).await;
    }

    /// Types `/dd …` and returns the private answer.
    pub async fn command(&self, user: &str, text: &str) -> Message {
        let before = self.told(user).await.len();
        let command = json!({"channel": CHANNEL, "user": user, "command": "/dd", "text": text});
        post(&format!("{}/_control/command", self.url), &command).await;
        eventually(&format!("an answer to /dd {text}"), async || {
            self.told(user).await.get(before).cloned()
        })
        .await
    }

    /// Opens the app's Home tab; returns its text.
    pub async fn home(&self, user: &str) -> String {
        post(
            &format!("{}/_control/open-home", self.url),
            &json!({"user": user}),
        )
        .await;
        self.shown_home(user).await
    }

    /// The text of the open modal; empty where none is open.
    pub async fn modal(&self) -> String {
        let mut words = String::new();
        collect_texts(&self.modals().await, &mut words);
        words
    }

    /// The open modals, the uppermost last.
    async fn modals(&self) -> Value {
        let state = self
            .browser()
            .await
            .next()
            .await
            .unwrap()
            .unwrap()
            .into_text()
            .unwrap();
        let state: Value = serde_json::from_str(&state).unwrap();
        state["state"]["modalStack"].clone()
    }

    /// The id of the open modal, and its blocks as a message.
    pub async fn open_modal(&self) -> (String, Message) {
        let modals = self.modals().await;
        let view = modals.as_array().and_then(|modals| modals.last()).cloned();
        let view = view.expect("an open modal");
        (view["id"].as_str().unwrap().to_owned(), Message(view))
    }

    /// Waits until the open modal contains `words`.
    pub async fn modal_says(&self, words: &str) -> String {
        eventually(&format!("a modal says {words:?}"), async || {
            Some(self.modal().await).filter(|modal| modal.contains(words))
        })
        .await
    }

    /// The text of the Home tab, without opening it.
    pub async fn shown_home(&self, user: &str) -> String {
        eventually("the Home tab is shown", async || {
            let state = self
                .browser()
                .await
                .next()
                .await
                .unwrap()
                .unwrap()
                .into_text()
                .unwrap();
            let state: Value = serde_json::from_str(&state).unwrap();
            let view = &state["state"]["homeViews"][user]["A0DEFENDABLE"];
            let mut words = String::new();
            collect_texts(view, &mut words);
            (!words.is_empty()).then_some(words)
        })
        .await
    }

    /// The WebSocket of Slack's page; its first message has everything that is shown.
    async fn browser(&self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let url = format!("{}/ui", self.url.replace("http:", "ws:"));
        tokio_tungstenite::connect_async(url).await.unwrap().0
    }

    /// Fills in the open modal and submits it, as the browser does.
    pub async fn submit(&self, user: &str, values: Value) {
        let mut browser = self.browser().await;
        let submission = json!({"t": "view_submit", "user": user, "values": values}).to_string();
        browser
            .send(tungstenite::Message::text(submission))
            .await
            .unwrap();
        // Local-slack handles the message before the browser leaves.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        browser.close(None).await.unwrap();
    }
}
