//! Socket Mode: Slack's requests over a WebSocket that we open. The app token vouches for the
//! workspace and the app, so there is no signature; everything behind it is the same.

use std::sync::Arc;

use anyhow::{Context, Result};
use secrecy::ExposeSecret;
use slack_morphism::prelude::*;
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::command::SlackFunction;
use crate::slack::hyper_client::{HyperClient, hyper_client};
use crate::slack::request::SlackRequest;
use crate::wiring::Wiring;

/// An open socket.
pub(super) struct Socket {
    listener: SlackClientSocketModeListener<SlackClientHyperHttpsConnector>,
}

impl Socket {
    /// Closes the socket.
    pub(super) async fn shutdown(&self) {
        self.listener.shutdown().await;
    }
}

/// The state that all callbacks share.
#[derive(Clone)]
struct Shared(Arc<SlackFunction>);

/// Opens the socket.
pub(super) async fn start(wiring: &Wiring) -> Result<Socket> {
    let slack = &wiring.settings.slack;
    let source = slack.app_token.as_ref();
    let source = source.context(
        "Socket Mode needs DEFENDABLE_SLACK_APP_TOKEN_PARAMETER (or DEFENDABLE_SLACK_APP_TOKEN)",
    )?;
    let token = wiring.secrets().read(source).await?;
    let token = SlackApiToken::new(token.expose_secret().to_owned().into());
    // tungstenite uses the TLS provider of the process.
    _ = rustls::crypto::aws_lc_rs::default_provider().install_default();

    let callbacks = SlackSocketModeListenerCallbacks::new()
        .with_command_events(command)
        .with_interaction_events(interaction)
        .with_push_events(event);
    let environment = SlackClientEventsListenerEnvironment::new(Arc::new(hyper_client(
        slack.api_url.as_deref(),
    )?))
    .with_user_state(Shared(Arc::new(wiring.slack_function())));
    let listener = SlackClientSocketModeListener::new(
        &SlackClientSocketModeConfig::new(),
        Arc::new(environment),
        callbacks,
    );
    listener
        .listen_for(&token)
        .await
        .context("cannot open Slack's socket")?;
    listener.start().await;
    Ok(Socket { listener })
}

async fn function(states: &SlackClientEventsUserState) -> Option<Shared> {
    states.read().await.get_user_state::<Shared>().cloned()
}

/// The id of a request in the log. The library does not tell the id of Slack's envelope.
fn span() -> Span {
    tracing::info_span!("request", request_id = %Uuid::new_v4())
}

async fn command(
    event: SlackCommandEvent,
    _client: Arc<HyperClient>,
    states: SlackClientEventsUserState,
) -> UserCallbackResult<SlackCommandEventResponse> {
    let Shared(function) = function(&states).await.ok_or("no function to call")?;
    Ok(function.command(&event).instrument(span()).await)
}

async fn interaction(
    event: SlackInteractionEvent,
    _client: Arc<HyperClient>,
    states: SlackClientEventsUserState,
) -> UserCallbackResult<SlackInteractionResponse> {
    let Shared(function) = function(&states).await.ok_or("no function to call")?;
    match SlackRequest::from(event) {
        SlackRequest::BlockAction(action) => {
            function.block_action(&action).instrument(span()).await
        }
        SlackRequest::ViewSubmission(event) => {
            function.view_submission(&event).instrument(span()).await;
        }
        SlackRequest::UrlVerification(_)
        | SlackRequest::SslCheck
        | SlackRequest::Command(_)
        | SlackRequest::HomeOpened(_)
        | SlackRequest::Ignored(_) => {}
    }
    Ok(SlackInteractionResponse::Empty)
}

async fn event(
    event: SlackPushEventCallback,
    _client: Arc<HyperClient>,
    states: SlackClientEventsUserState,
) -> UserCallbackResult<()> {
    let Shared(function) = function(&states).await.ok_or("no function to call")?;
    if let SlackEventCallbackBody::AppHomeOpened(opened) = event.event
        && let SlackRequest::HomeOpened(user) = SlackRequest::of_home(opened)
    {
        function.home_opened(&user).instrument(span()).await;
    }
    Ok(())
}
