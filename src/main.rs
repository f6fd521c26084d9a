//! Chooses a role: a Lambda function, or one of the subcommands.

mod cli;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use defendable::doctor;
use defendable::lambda::{self, Function};
use defendable::metrics;
use defendable::serve::{Transport, serve, shutdown_signal};
use defendable::settings::Settings;
use defendable::wiring::{Wiring, aws_config};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use cli::{Cli, Role};

fn main() -> ExitCode {
    let on_lambda = std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some();
    let run = if on_lambda {
        run_on_lambda()
    } else {
        run_role(Cli::parse().role)
    };
    run.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run_role(role: Role) -> anyhow::Result<ExitCode> {
    match role {
        Role::Evaluate(evaluate) => return evaluate.run(),
        Role::Actions => print!("{}", defendable::controls::actions_file()),
        Role::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "defendable",
                &mut std::io::stdout(),
            );
        }
        Role::Doctor => {
            start_logging();
            let settings = Settings::from_env()?;
            let found = runtime()?
                .block_on(async { anyhow::Ok(doctor::examine(&wire(settings).await?).await) })?;
            let well = doctor::print(&found, std::io::stdout().lock())?;
            return Ok(if well {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Role::Serve { socket_mode } => {
            start_logging();
            let settings = Settings::from_env()?;
            runtime()?.block_on(async {
                let wiring = wire(settings).await?;
                let transport = if socket_mode {
                    Transport::SocketMode
                } else {
                    Transport::Http
                };
                serve(&wiring, transport, shutdown_signal()?).await
            })?;
        }
        #[cfg(feature = "sandbox")]
        Role::Sandbox(options) => {
            start_logging();
            runtime()?
                .block_on(async { defendable::sandbox::run(&options, shutdown_signal()?).await })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One request at a time, and mostly waiting for others: one thread is enough.
fn run_on_lambda() -> anyhow::Result<ExitCode> {
    start_logging();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (function, wiring) = match start().await {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "cannot start");
                lambda::report_start_failure(&error).await;
                return Ok(ExitCode::FAILURE);
            }
        };
        lambda::serve(function, &wiring).await?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn start() -> anyhow::Result<(Function, Wiring)> {
    let handler = std::env::var("_HANDLER").unwrap_or_default();
    let function: Function = handler.parse()?;
    Ok((function, wire(Settings::from_env()?).await?))
}

async fn wire(settings: Settings) -> anyhow::Result<Wiring> {
    settings
        .metrics_namespace
        .iter()
        .for_each(|namespace| metrics::start(namespace));
    let config = aws_config(None).await;
    anyhow::ensure!(
        config.region().is_some(),
        "no AWS region is set: set AWS_REGION, for example us-east-1"
    );
    Ok(Wiring::new(settings, config))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// JSON lines on Lambda, and wherever nobody reads along; words on a terminal. slack-morphism prints bodies below info: DEFENDABLE_LOG's
/// general level does not lower its own.
fn start_logging() {
    let wanted = std::env::var("DEFENDABLE_LOG").unwrap_or_else(|_| "info".to_owned());
    let (levels, mistake) = match wanted.parse::<Targets>() {
        Ok(levels) => (levels, None),
        Err(error) => (Targets::new().with_default(Level::INFO), Some(error)),
    };
    let filter = levels.with_targets([("slack_morphism", Level::WARN), ("hyper", Level::WARN)]);
    let registry = tracing_subscriber::registry().with(filter);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if !std::io::stderr().is_terminal() {
        registry.with(log.json().flatten_event(true)).init();
    } else {
        registry.with(log).init();
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    if let Some(error) = mistake {
        tracing::warn!(%error, "DEFENDABLE_LOG is {wanted:?}: expected levels, such as info or defendable=debug,info");
    }
}
