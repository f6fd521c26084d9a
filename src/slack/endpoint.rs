//! `POST /slack/events`: verify, parse, hand over, answer. The same router serves Lambda, the
//! local server and the tests.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::request::{Origin, SlackRequest};
use super::signature::verify;
use crate::command::SlackFunction;
use crate::secrets::{SecretError, SecretSource, Secrets};

/// Larger bodies are refused unread. Bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// The signing secrets, read at the first request.
#[derive(Debug)]
pub struct SigningSecrets {
    source: SecretSource,
    secrets: Secrets,
    read: OnceCell<Vec<SecretString>>,
}

impl SigningSecrets {
    /// Secrets from `source`: one, or two with a comma while one replaces the other.
    pub fn new(source: SecretSource, secrets: Secrets) -> Self {
        Self { source, secrets, read: OnceCell::new() }
    }

    async fn get(&self) -> Result<&[SecretString], SecretError> {
        let read = async || {
            let text = self.secrets.read(&self.source).await?;
            let parts = text.expose_secret().split(',').map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(SecretString::from).collect())
        };
        self.read.get_or_try_init(read).await.map(Vec::as_slice)
    }
}

/// The endpoint's state.
#[derive(Debug)]
pub struct Endpoint {
    /// Checks signatures.
    pub signing: SigningSecrets,
    /// The only workspace that may speak to us.
    pub team: String,
    /// The only app that may.
    pub app: String,
    /// Does what people ask.
    pub function: SlackFunction,
}

/// The routes.
pub fn router(endpoint: Arc<Endpoint>) -> Router {
    Router::new()
        .route("/slack/events", post(receive))
        .route("/healthz", get(async || "ok"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(endpoint)
}

async fn receive(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: Bytes) -> Response {
    let id = Uuid::new_v4();
    let secrets = match endpoint.signing.get().await {
        Ok(secrets) => secrets,
        Err(error) => {
            tracing::error!(%error, request_id = %id, "cannot read the signing secret");
            return refusal(StatusCode::SERVICE_UNAVAILABLE, id);
        }
    };
    if let Err(unverified) = verify(&headers, &body, secrets, Timestamp::now()) {
        tracing::warn!(reason = %unverified, request_id = %id, "refused a request");
        return refusal(StatusCode::UNAUTHORIZED, id);
    }
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (origin, request) = match SlackRequest::parse(content_type, &body) {
        Ok(parsed) => parsed,
        Err(error) => {
            tracing::warn!(%error, request_id = %id, "cannot read a request");
            return refusal(StatusCode::BAD_REQUEST, id);
        }
    };
    if !matches!(request, SlackRequest::UrlVerification(_)) && !endpoint.is_ours(&origin) {
        tracing::warn!(?origin, request_id = %id, "refused another workspace's or app's request");
        return refusal(StatusCode::UNAUTHORIZED, id);
    }
    endpoint.answer(request).await
}

/// Nothing but a status and an id that the log has too.
fn refusal(status: StatusCode, id: Uuid) -> Response {
    (status, axum::Json(json!({"id": id.to_string()}))).into_response()
}

impl Endpoint {
    fn is_ours(&self, origin: &Origin) -> bool {
        origin.team.as_deref() == Some(self.team.as_str()) && origin.app.as_deref() == Some(self.app.as_str())
    }

    async fn answer(&self, request: SlackRequest) -> Response {
        match request {
            SlackRequest::UrlVerification(challenge) => {
                axum::Json(json!({"challenge": challenge})).into_response()
            }
            SlackRequest::Command(event) => axum::Json(self.function.command(&event).await).into_response(),
            SlackRequest::BlockAction(action) => {
                self.function.block_action(&action).await;
                StatusCode::OK.into_response()
            }
            SlackRequest::ViewSubmission(event) => {
                self.function.view_submission(&event).await;
                StatusCode::OK.into_response()
            }
            SlackRequest::Ignored(what) => {
                tracing::info!(what, "ignored");
                StatusCode::OK.into_response()
            }
        }
    }
}
