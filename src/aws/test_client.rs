//! AWS for unit tests: an HTTP client that answers by a function and remembers what was asked.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::primitives::SdkBody;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;

use super::Aws;
use crate::ids::AccountId;

/// A request that a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `GET`
    pub(crate) method: String,
    /// `ec2.us-east-1.amazonaws.com`
    pub(crate) host: String,
    /// `/?acl`
    pub(crate) path: String,
    /// The body, as text.
    pub(crate) body: String,
}

/// The status and body of an answer; status 0 never comes.
type Answer = dyn Fn(&Asked) -> (u16, String) + Send + Sync;

/// The HTTP client.
#[derive(Clone)]
pub(crate) struct TestClient {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl TestClient {
    /// Answers each request by `answer`.
    pub(crate) fn new(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            asked: Arc::default(),
        }
    }

    /// All that was asked until now, in order.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Clients that ask this one.
    pub(crate) fn aws(&self, account: &AccountId) -> Aws {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.clone())
            .build();
        Aws::new(config, account.clone())
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TestClient")
    }
}

impl HttpClient for TestClient {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for TestClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let url: url::Url = request.uri().parse().unwrap();
        let body = request.body().bytes().unwrap_or_default();
        let asked = Asked {
            method: request.method().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            path: url[url::Position::BeforePath..].to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
        };
        self.asked.lock().unwrap().push(asked.clone());
        let (status, body) = (self.answer)(&asked);
        if status == 0 {
            return HttpConnectorFuture::new(std::future::pending());
        }
        let status = StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}
