//! Chooses a role: a Lambda function, or one of the subcommands.

mod cli;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser};
use defendable::doctor;
use defendable::lambda::{self, Function};
use defendable::metrics;
use defendable::serve::{Transport, serve, shutdown_signal};
use defendable::settings::Settings;
use defendable::wiring::{Wiring, aws_config};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
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
        Role::Actions => print_out(defendable::controls::actions_file().as_bytes())?,
        Role::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "defendable", &mut script);
            print_out(&script)?;
        }
        Role::Doctor => {
            start_logging(levels()?);
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
            start_logging(levels()?);
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
            start_logging(levels()?);
            runtime()?
                .block_on(async { defendable::sandbox::run(&options, shutdown_signal()?).await })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One request at a time, and mostly waiting for others: one thread is enough.
fn run_on_lambda() -> anyhow::Result<ExitCode> {
    // A function with wrong levels works, and its log says so.
    let (levels, mistake) = match levels() {
        Ok(levels) => (levels, None),
        Err(error) => (Targets::new().with_default(Level::INFO), Some(error)),
    };
    start_logging(levels);
    if let Some(error) = mistake {
        tracing::warn!("{error:#}");
    }
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

/// Prints to the standard output. A reader that has closed it, such as `head`, has read enough.
fn print_out(text: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// The levels of the log, of `DEFENDABLE_LOG`.
fn levels() -> anyhow::Result<Targets> {
    let wanted = std::env::var("DEFENDABLE_LOG").unwrap_or_else(|_| "info".to_owned());
    let expected = "expected levels, such as info or defendable=debug,info";
    // A word that is no level would be read as the name of a part of the program.
    let is_level = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    anyhow::ensure!(
        wanted.split(',').all(is_level),
        "DEFENDABLE_LOG is {wanted:?}: {expected}"
    );
    let levels = wanted.parse();
    levels.with_context(|| format!("DEFENDABLE_LOG is {wanted:?}: {expected}"))
}

/// JSON lines on Lambda, and wherever nobody reads along; words on a terminal. slack-morphism prints bodies below info: the
/// general level does not lower its own.
fn start_logging(levels: Targets) {
    let filter = levels.with_targets([("slack_morphism", Level::WARN), ("hyper", Level::WARN)]);
    let registry = tracing_subscriber::registry().with(filter);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if !std::io::stderr().is_terminal() {
        registry.with(log.json().flatten_event(true)).init();
    } else {
        registry.with(log).init();
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}
