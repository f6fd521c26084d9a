use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use secrecy::SecretString;

use super::*;
use crate::clock::Clock;
use crate::secrets::SecretSource;
use crate::slack::blocks::note;

/// A client of the Slack at an address, with a token of its own.
pub(crate) fn client_of(api_url: String) -> Slack {
    let ssm = aws_sdk_ssm::Config::builder()
        .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest());
    let secrets = Secrets {
        ssm: aws_sdk_ssm::Client::from_conf(ssm.build()),
        clock: Clock::system(),
    };
    let settings = SlackSettings {
        channel: "C1".into(),
        team: String::new(),
        app: String::new(),
        api_url: Some(api_url),
        bot_token: SecretSource::Value(SecretString::from("xoxb-test")),
        signing_secret: SecretSource::Value(SecretString::from("unused")),
        app_token: None,
        operators: Vec::new(),
        plain_dates: false,
    };
    Slack::new(settings, secrets)
}

/// Whether a message counts as replaced where its response URL answers so.
async fn replaced(status: u16, kind: Option<&'static str>, body: &'static str) -> bool {
    let answer = async move || {
        let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
        answer.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(kind) = kind {
            let kind = kind.parse().unwrap();
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        answer
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let slack = client_of(format!("{url}/api"));
    let response_url = SlackResponseUrl(format!("{url}/response").parse().unwrap());
    let replaced = slack.replace(&response_url, &note("words")).await;
    serving.abort();
    replaced.is_ok()
}

#[tokio::test]
async fn a_message_is_replaced_where_its_address_answers_2xx_whatever_the_body() {
    let json = Some("application/json");
    let html = Some("text/html; charset=utf-8");
    for (kind, body) in [
        (json, r#"{"ok":true}"#),
        (json, "ok"),
        (json, ""),
        (None, "ok"),
        (None, ""),
        (html, "<html>"),
    ] {
        assert!(replaced(200, kind, body).await, "{kind:?} {body:?}");
        assert!(replaced(202, kind, body).await, "{kind:?} {body:?}");
    }
    let gone = r#"{"ok":false,"error":"expired_url"}"#;
    assert!(!replaced(404, json, gone).await);
    assert!(!replaced(500, html, "").await);
}
