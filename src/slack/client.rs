//! The Slack client: the few calls that we make, each under a deadline.

mod response_url;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::*;
use tokio::sync::OnceCell;

use super::Content;
use super::error::SlackError;
use super::hyper_client::{HyperClient, hyper_client};
use super::settings::SlackSettings;
use super::text::without_date_tokens;
use crate::metrics;
use crate::secrets::{CachedSecret, Secrets};

/// The longest that a call takes, waits for 429 answers included.
const DEADLINE: Duration = Duration::from_secs(25);

/// The longest that a call takes for which a person waits: Slack takes the answer to a click, and a modal for
/// it, for
/// [three seconds](https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response).
pub const AT_ONCE: Duration = Duration::from_millis(2500);

/// The number of messages that one search for a mark reads.
const LOOK_BACK: u16 = 200;

/// The most by which our clock is expected to differ from Slack's.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// The number of times that a call is repeated after a 429 answer.
const RETRIES: usize = 3;

/// The pause before that, where Slack names none.
const UNTOLD_PAUSE: Duration = Duration::from_secs(1);

/// The client of Slack's Web API, with the app's token.
#[derive(Clone)]
pub struct Slack {
    inner: Arc<Inner>,
}

struct Inner {
    settings: SlackSettings,
    token: CachedSecret,
    client: OnceCell<HyperClient>,
}

/// A call that is counted when it is dropped, so that a call is also counted whose caller stopped waiting.
struct Called {
    method: &'static str,
    is_ok: bool,
}

impl Drop for Called {
    fn drop(&mut self) {
        metrics::count_slack_call(self.method, self.is_ok);
    }
}

impl std::fmt::Debug for Slack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slack")
            .field("channel", &self.inner.settings.channel)
            .finish_non_exhaustive()
    }
}

impl Slack {
    /// A client by `settings`, which reads the token at the first call.
    pub fn new(settings: SlackSettings, secrets: Secrets) -> Self {
        let token = CachedSecret::new(settings.bot_token.clone(), secrets);
        Self {
            inner: Arc::new(Inner {
                settings,
                token,
                client: OnceCell::new(),
            }),
        }
    }

    /// The content as this Slack can show it. An emulator that does not know date tokens gets plain times.
    pub fn fit(&self, content: &Content) -> Content {
        if !self.inner.settings.plain_dates {
            return content.clone();
        }
        let fitted = serde_json::to_value(content).map(|mut json| {
            strip_date_tokens(&mut json);
            serde_json::from_value(json)
        });
        fitted
            .and_then(|fitted| fitted)
            .unwrap_or_else(|_| content.clone())
    }

    /// The channel for findings.
    pub fn channel(&self) -> &SlackChannelId {
        &self.inner.settings.channel
    }

    async fn client(&self) -> Result<&HyperClient, SlackError> {
        let inner = &self.inner;
        inner
            .client
            .get_or_try_init(async || hyper_client(inner.settings.api_url.as_deref()))
            .await
    }

    pub(super) async fn call<T>(
        &self,
        method: &'static str,
        call: impl AsyncFnOnce(
            &SlackClientSession<'_, SlackClientHyperHttpsConnector>,
        ) -> ClientResult<T>
        + Clone,
    ) -> Result<T, SlackError> {
        self.call_within(DEADLINE, method, call).await
    }

    async fn call_within<T>(
        &self,
        deadline: Duration,
        method: &'static str,
        call: impl AsyncFnOnce(
            &SlackClientSession<'_, SlackClientHyperHttpsConnector>,
        ) -> ClientResult<T>
        + Clone,
    ) -> Result<T, SlackError> {
        let client = self.client().await?;
        let mut token = self.inner.token.get().await?;
        loop {
            let mut called = Called {
                method,
                is_ok: false,
            };
            let spoken = SlackApiToken::new(token.expose_secret().to_owned().into());
            let session = client.open_session(&spoken);
            let calls = async {
                for _ in 0..RETRIES {
                    let answer = call.clone()(&session).await;
                    if !waited(method, &answer).await {
                        return answer;
                    }
                }
                call.clone()(&session).await
            };
            let answer = match tokio::time::timeout(deadline, calls).await {
                Ok(answer) => answer.map_err(|error| SlackError::of(method, error)),
                Err(_) => Err(SlackError::Timeout(method)),
            };
            called.is_ok = answer.is_ok();
            drop(called);
            if !answer.as_ref().is_err_and(SlackError::is_token_invalid) {
                return answer;
            }
            match self.inner.token.other_than(&token).await? {
                Some(other) => token = other,
                None => return answer,
            }
        }
    }

    /// Posts to a channel, or into a thread there; returns the message's timestamp.
    pub async fn post(
        &self,
        channel: &SlackChannelId,
        content: &Content,
        thread: Option<&SlackTs>,
    ) -> Result<SlackTs, SlackError> {
        let request = SlackApiChatPostMessageRequest::new(channel.clone(), self.fit(content))
            .opt_thread_ts(thread.cloned())
            .with_unfurl_links(false)
            .with_unfurl_media(false);
        let posted = self
            .call("chat.postMessage", async |session| {
                session.chat_post_message(&request).await
            })
            .await?;
        Ok(posted.ts)
    }

    /// Messages since a time: the newest of a channel, or the first of a thread.
    pub async fn messages_since(
        &self,
        channel: &SlackChannelId,
        thread: Option<&SlackTs>,
        since: Timestamp,
    ) -> Result<Vec<SlackHistoryMessage>, SlackError> {
        let oldest = SlackTs::new(format!("{}.000000", (since - CLOCK_SKEW).as_second()));
        let Some(thread) = thread else {
            let request = SlackApiConversationsHistoryRequest::new()
                .with_channel(channel.clone())
                .with_limit(LOOK_BACK)
                .with_oldest(oldest);
            let history = self.call("conversations.history", async |session| {
                session.conversations_history(&request).await
            });
            return Ok(history.await?.messages);
        };
        let request = SlackApiConversationsRepliesRequest::new(channel.clone(), thread.clone())
            .with_limit(LOOK_BACK)
            .with_oldest(oldest);
        let replies = self.call("conversations.replies", async |session| {
            session.conversations_replies(&request).await
        });
        Ok(replies.await?.messages)
    }

    /// Edits a message in place.
    pub async fn update(
        &self,
        channel: &SlackChannelId,
        ts: &SlackTs,
        content: &Content,
    ) -> Result<(), SlackError> {
        let request =
            SlackApiChatUpdateRequest::new(channel.clone(), self.fit(content), ts.clone());
        self.call("chat.update", async |session| {
            session.chat_update(&request).await
        })
        .await
        .map(drop)
    }

    /// Posts an ephemeral message, which only one user sees.
    pub async fn tell(
        &self,
        channel: &SlackChannelId,
        user: &SlackUserId,
        content: &Content,
    ) -> Result<(), SlackError> {
        let request =
            SlackApiChatPostEphemeralRequest::new(channel.clone(), user.clone(), self.fit(content));
        self.call("chat.postEphemeral", async |session| {
            session.chat_post_ephemeral(&request).await
        })
        .await
        .map(drop)
    }

    /// Opens a modal; the trigger is good for three seconds.
    pub async fn open_view(
        &self,
        trigger: &SlackTriggerId,
        view: SlackModalView,
    ) -> Result<(), SlackError> {
        let request = SlackApiViewsOpenRequest::new(trigger.clone(), SlackView::Modal(view));
        self.call_within(AT_ONCE, "views.open", async |session| {
            session.views_open(&request).await
        })
        .await
        .map(drop)
    }

    /// Replaces an open modal.
    pub async fn update_view(
        &self,
        modal: &SlackViewId,
        view: SlackModalView,
    ) -> Result<(), SlackError> {
        let request =
            SlackApiViewsUpdateRequest::new(SlackView::Modal(view)).with_view_id(modal.clone());
        self.call_within(AT_ONCE, "views.update", async |session| {
            session.views_update(&request).await
        })
        .await
        .map(drop)
    }

    /// Publishes the Home tab of a user, within `left`.
    pub async fn publish_home(
        &self,
        user: &SlackUserId,
        view: SlackHomeView,
        within: Duration,
    ) -> Result<(), SlackError> {
        let blocks = self
            .fit(&Content::new().with_blocks(view.blocks))
            .blocks
            .unwrap_or_default();
        let view = SlackView::Home(SlackHomeView::new(blocks));
        let request = SlackApiViewsPublishRequest::new(user.clone(), view);
        self.call_within(within, "views.publish", async |session| {
            session.views_publish(&request).await
        })
        .await
        .map(drop)
    }

    /// A link to a message.
    pub async fn permalink(
        &self,
        channel: &SlackChannelId,
        ts: &SlackTs,
    ) -> Result<String, SlackError> {
        let request = SlackApiChatGetPermalinkRequest::new(channel.clone(), ts.clone());
        let link = self
            .call("chat.getPermalink", async |session| {
                session.chat_get_permalink(&request).await
            })
            .await?;
        Ok(link.permalink.to_string())
    }

    /// The members of a user group.
    pub async fn user_group(
        &self,
        group: &SlackUserGroupId,
    ) -> Result<Vec<SlackUserId>, SlackError> {
        let request = SlackApiUserGroupsUsersListRequest::new(group.clone());
        let members = self
            .call("usergroups.users.list", async |session| {
                session.usergroups_users_list(&request).await
            })
            .await?;
        Ok(members.users)
    }

    /// Whether somebody is in the workspace, and has not been deactivated
    /// ([users.info](https://docs.slack.dev/reference/methods/users.info)).
    pub async fn is_active(&self, user: &SlackUserId) -> Result<bool, SlackError> {
        let parameters = vec![("user", Some(&user.0))];
        let answer: Result<UserInfo, SlackError> = self
            .call("users.info", async |session| {
                let api = &session.http_session_api;
                api.http_get("users.info", &parameters, Some(&SLACK_TIER4_METHOD_CONFIG))
                    .await
            })
            .await;
        match answer {
            Ok(answer) => Ok(!answer.user.deleted),
            Err(error) if error.is_stranger() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The part of `users.info`'s answer that Defendable reads. The library fails on some of the rest, such as
/// custom profile fields.
#[derive(Debug, serde::Deserialize)]
struct UserInfo {
    user: User,
}

#[derive(Debug, serde::Deserialize)]
struct User {
    deleted: bool,
}

/// After a 429 answer, waits as long as Slack says, and returns whether to call again.
async fn waited<T>(method: &'static str, answer: &ClientResult<T>) -> bool {
    let Err(SlackClientError::RateLimitError(limit)) = answer else {
        return false;
    };
    metrics::count_slack_rate_limit();
    tracing::info!(method, retry_after = ?limit.retry_after, "Slack says to wait");
    tokio::time::sleep(limit.retry_after.unwrap_or(UNTOLD_PAUSE)).await;
    true
}

fn strip_date_tokens(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::String(text) => *text = without_date_tokens(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(strip_date_tokens),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(strip_date_tokens),
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod tests;
