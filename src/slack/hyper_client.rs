//! The HTTP client under slack-morphism.

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use slack_morphism::prelude::*;

use super::error::SlackError;

/// The library's client over HTTPS, or over HTTP for an emulator.
pub type HyperClient = SlackClient<SlackClientHyperHttpsConnector>;

/// The connector for HTTPS, and for HTTP to an emulator.
pub fn https_connector() -> Result<HttpsConnector<HttpConnector>, SlackError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(SlackError::Tls)?;
    Ok(builder.https_or_http().enable_http1().build())
}

/// A client that keeps to Slack's rate of one message a second.
pub fn hyper_client(api_url: Option<&str>) -> Result<HyperClient, SlackError> {
    let https = https_connector()?;
    let rate = SlackApiRateControlConfig::new();
    let connector = SlackClientHyperConnector::with_connector(https).with_rate_control(rate);
    Ok(SlackClient::new(match api_url {
        Some(url) => connector.with_slack_api_url(url.trim_end_matches('/')),
        None => connector,
    }))
}
