//! `POST /slack/events`: verifies a request, parses it, refuses a replay, has it carried out, and answers.
//! The same router serves Lambda, the local server and the tests.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tracing::Instrument;
use uuid::Uuid;

use super::{SlackFunction, is_to_change};
use crate::clock::Clock;
use crate::secrets::{CachedSecret, SecretError, SecretSource, Secrets};
use crate::slack::request::{Origin, SlackRequest};
use crate::slack::signature::{TIMESTAMP, Unverified, verify};

/// The size above which bodies are refused. Bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// The size above which a body counts as large. Slack sends such only for clicks in very large messages.
/// Bytes.
const LARGE: usize = 32 * 1024;

/// Large bodies, and those without a length, are read a few at a time. That bounds the memory that strangers
/// can take, who may open thousands of connections.
static LARGE_BODIES: Semaphore = Semaphore::const_new(32);

/// The time in which a body has to arrive. Slack itself waits three seconds for an answer.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// Checks signatures by the signing secret, or by two, with a comma between them, while one replaces the
/// other.
#[derive(Debug)]
pub struct SignatureCheck(CachedSecret);

impl SignatureCheck {
    /// A check by the secret at `source`, which is read at the first request.
    pub fn new(source: SecretSource, secrets: Secrets) -> Self {
        Self(CachedSecret::new(source, secrets))
    }

    /// Checks a request. Where the signature does not match, the secret is read again, since it may have been
    /// replaced.
    async fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Result<(), Unverified>, SecretError> {
        let text = self.0.get().await?;
        let checked = verify(headers, body, &split(&text), now);
        if checked != Err(Unverified::Signature) {
            return Ok(checked);
        }
        Ok(match self.0.other_than(&text).await {
            Ok(Some(text)) => verify(headers, body, &split(&text), now),
            Ok(None) => checked,
            Err(error) => {
                tracing::error!(%error, "cannot read the signing secret again");
                checked
            }
        })
    }
}

fn split(secrets: &SecretString) -> Vec<SecretString> {
    let parts = secrets
        .expose_secret()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(SecretString::from).collect()
}

/// The endpoint's state.
#[derive(Debug)]
pub struct Endpoint {
    /// Checks signatures.
    pub signature: SignatureCheck,
    /// The workspace whose requests are accepted.
    pub team: String,
    /// The app whose requests are accepted.
    pub app: String,
    /// The clock: a signature is good for five minutes.
    pub clock: Clock,
    /// Carries out requests.
    pub function: SlackFunction,
}

/// The routes.
pub fn router(endpoint: Arc<Endpoint>) -> Router {
    Router::new()
        .route("/slack/events", post(receive))
        .route("/healthz", get(async || "ok"))
        .with_state(endpoint)
}

async fn receive(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let id = Uuid::new_v4();
    let span = tracing::info_span!("request", request_id = %id);
    let answered = async {
        match endpoint.admit(&headers, body, id).await {
            Ok(request) => endpoint.answer(request).await,
            Err(status) => refusal(status, id),
        }
    };
    answered.instrument(span).await
}

/// The body, if it comes whole and in time. A body whose length is too large is refused unread.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, StatusCode> {
    let said = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if said.is_some_and(|length: usize| length > BODY_LIMIT) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let reading = async {
        let _turn = match said {
            Some(length) if length <= LARGE => None,
            _ => LARGE_BODIES.acquire().await.ok(),
        };
        to_bytes(body, BODY_LIMIT).await
    };
    match tokio::time::timeout(BODY_PATIENCE, reading).await {
        Ok(body) => body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// The value of a header, if the header is there and is text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// The answer to a request that is not accepted: a status, and an id that the log has too.
fn refusal(status: StatusCode, id: Uuid) -> Response {
    (status, axum::Json(json!({"id": id.to_string()}))).into_response()
}

impl Endpoint {
    /// Admits a request that is whole, signed by Slack, of our workspace and app, and no replay. Else returns
    /// the status of the answer.
    async fn admit(
        &self,
        headers: &HeaderMap,
        body: Body,
        id: Uuid,
    ) -> Result<SlackRequest, StatusCode> {
        let body = read(headers, body).await.inspect_err(|status| {
            tracing::warn!(%status, "a body that is too large, too slow, or breaks off");
        })?;
        self.check_signature(headers, &body).await?;
        let content_type = text(headers, header::CONTENT_TYPE.as_str());
        let (origin, request) = SlackRequest::parse(content_type, &body).map_err(|error| {
            tracing::warn!(%error, "cannot read a request");
            StatusCode::BAD_REQUEST
        })?;
        let is_check = matches!(
            request,
            SlackRequest::UrlVerification(_) | SlackRequest::SslCheck
        );
        if !is_check && !self.is_ours(&origin) {
            tracing::warn!(?origin, "refused another workspace's or app's request");
            return Err(StatusCode::UNAUTHORIZED);
        }
        if is_to_change(&request) {
            self.check_novelty(text(headers, TIMESTAMP), &body, id)
                .await?;
        }
        Ok(request)
    }

    async fn check_signature(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), StatusCode> {
        match self.signature.check(headers, body, self.clock.now()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(unverified)) => {
                tracing::warn!(reason = %unverified, "refused a request");
                Err(StatusCode::UNAUTHORIZED)
            }
            Err(error) => {
                tracing::error!(%error, "cannot read the signing secret");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    /// Refuses a replay: a genuine request that comes again must not take back what people have decided
    /// since. Slack is answered 200, so that it does not send the request once more.
    async fn check_novelty(
        &self,
        timestamp: &str,
        body: &[u8],
        id: Uuid,
    ) -> Result<(), StatusCode> {
        let digest = Sha256::new()
            .chain_update(timestamp)
            .chain_update(":")
            .chain_update(body)
            .finalize();
        match self
            .function
            .findings
            .table
            .is_new_request(&hex::encode(digest), id, self.clock.now())
            .await
        {
            Ok(true) => Ok(()),
            Ok(false) => {
                tracing::warn!("a replay: it changes nothing");
                Err(StatusCode::OK)
            }
            Err(error) => {
                tracing::error!(%error, "cannot tell whether this is a replay");
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    fn is_ours(&self, origin: &Origin) -> bool {
        origin.team.as_deref() == Some(self.team.as_str())
            && origin.app.as_deref() == Some(self.app.as_str())
    }

    async fn answer(&self, request: SlackRequest) -> Response {
        match request {
            SlackRequest::UrlVerification(challenge) => {
                axum::Json(json!({"challenge": challenge})).into_response()
            }
            SlackRequest::SslCheck => StatusCode::OK.into_response(),
            SlackRequest::Command(event) => {
                axum::Json(self.function.command(&event).await).into_response()
            }
            SlackRequest::BlockAction(action) => {
                self.function.block_action(&action).await;
                StatusCode::OK.into_response()
            }
            SlackRequest::ViewSubmission(event) => {
                self.function.view_submission(&event).await;
                StatusCode::OK.into_response()
            }
            SlackRequest::HomeOpened(user) => {
                self.function.home_opened(&user).await;
                StatusCode::OK.into_response()
            }
            SlackRequest::Ignored(what) => {
                tracing::info!(what, "ignored");
                StatusCode::OK.into_response()
            }
        }
    }
}
