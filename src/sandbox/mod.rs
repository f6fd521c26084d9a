//! `defendable sandbox`: `serve` against emulators, and what a fresh account lacks.
//!
//! Prepares the emulated account (`provision`), seeds it (`seed`) and plays AWS Config's
//! part (`config_service`, `recorder`). Refuses anything but an emulator on this machine.

mod config_service;
mod history_item;
mod items;
mod provision;
mod recorder;
mod seed;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::aws::Aws;
use crate::ids::AccountId;
use crate::serve::{Transport, serve};
use crate::settings::Settings;
use crate::wiring::{Wiring, aws_config};

/// What can be chosen about the sandbox.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Take Slack's requests over a WebSocket instead of HTTP
    #[arg(long)]
    pub socket_mode: bool,
    /// Leave the emulated account's resources as they are
    #[arg(long)]
    pub no_seed: bool,
    /// Only prepare the account and play AWS Config's part: `defendable serve` runs beside it
    #[arg(long, conflicts_with = "socket_mode")]
    pub account_only: bool,
    /// Where the stand-in for AWS Config listens
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub config_service: SocketAddr,
    /// Where the rules send what they tell that stand-in, such as a proxy before it
    #[arg(long, value_name = "URL")]
    pub config_service_by: Option<String>,
    /// Who speaks for CloudTrail; the emulator itself where this is not given
    #[arg(long, value_name = "URL")]
    pub cloudtrail: Option<String>,
    /// Configuration items larger than this reach the rules as AWS Config's oversized ones do
    #[arg(long, default_value_t = 100_000, value_name = "BYTES")]
    pub oversized_above: usize,
}

/// Runs the sandbox until `shutdown`.
pub async fn run(options: &Options, shutdown: CancellationToken) -> Result<()> {
    let endpoint = local_endpoint(&aws_config(None).await)?;
    let config = aws_config(Some(&endpoint)).await;
    let account = account(&config).await?;
    let provisioned = provision::provision(&config, &account)
        .await
        .context("cannot prepare the emulated account")?;
    let settings = Settings::read(&|name| provisioned.variable(name))?;
    let service = config_service::ConfigService::start(
        options.config_service,
        account.clone(),
        provisioned.topic_arn.clone(),
        aws_sdk_sns::Client::new(&config),
    )
    .await?;
    let config_service = options
        .config_service_by
        .clone()
        .unwrap_or_else(|| service.endpoint());
    let aws = Aws::new(config, account).with_config_service(config_service);
    let aws = match &options.cloudtrail {
        Some(endpoint) => aws.with_cloudtrail(endpoint.clone()),
        None => aws,
    };
    let wiring = Wiring::with_aws(settings, aws);
    if !options.no_seed {
        seed::seed(&wiring)
            .await
            .context("cannot seed the emulated account")?;
    }
    let recorder = recorder::Recorder::new(&wiring, Arc::clone(&service), options.oversized_above)?;
    let recording = tokio::spawn(recorder.record(shutdown.clone()));
    let transport = if options.socket_mode {
        Transport::SocketMode
    } else {
        Transport::Http
    };
    let served = match options.account_only {
        true => {
            shutdown.cancelled().await;
            Ok(())
        }
        false => serve(&wiring, transport, shutdown.clone()).await,
    };
    shutdown.cancel();
    recording.await?;
    served
}

/// The sandbox makes buckets public: that must never happen to a real account.
fn local_endpoint(config: &SdkConfig) -> Result<String> {
    let endpoint = config.endpoint_url().unwrap_or_default().to_owned();
    let host = url::Url::parse(&endpoint)
        .ok()
        .and_then(|url| url.host().map(|host| host.to_owned()));
    let is_local = match host {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    ensure!(
        is_local,
        "the sandbox runs against an emulator on this machine only: set AWS_ENDPOINT_URL, for example \
         http://localhost:5050 (it is {endpoint:?})"
    );
    Ok(endpoint)
}

async fn account(config: &SdkConfig) -> Result<AccountId> {
    let identity = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .boxed()
        .await;
    let identity = identity.context("the AWS emulator does not answer (AWS_ENDPOINT_URL)")?;
    Ok(identity.account().unwrap_or_default().parse()?)
}
