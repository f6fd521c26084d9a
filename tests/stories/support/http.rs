//! HTTP to processes on this machine.

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Sends a request; the status and the body's text, or nothing where nobody answers.
pub async fn request(
    method: &str,
    url: &str,
    headers: &[(&str, String)],
    body: impl AsRef<[u8]>,
) -> Option<(u16, String)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<axum::body::Bytes>>();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::from(body.as_ref().to_vec())).unwrap();
    let response = client.request(request).await.ok()?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

pub async fn status(url: &str) -> Option<u16> {
    request("GET", url, &[], "").await.map(|(status, _)| status)
}

pub async fn get(url: &str) -> Value {
    let (status, body) = request("GET", url, &[], "").await.unwrap();
    assert_eq!(status, 200, "{url}: {body}");
    serde_json::from_str(&body).unwrap()
}

pub async fn post(url: &str, body: &Value) -> Value {
    let headers = [("content-type", "application/json".to_owned())];
    let (status, answer) = request("POST", url, &headers, &body.to_string())
        .await
        .unwrap();
    assert_eq!(status, 200, "{url}: {answer}");
    serde_json::from_str(&answer).unwrap()
}
