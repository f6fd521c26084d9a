//! The command line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use defendable::controls::evaluation::lines::evaluate_lines;
use defendable::controls::evaluation::{RuleDefaults, RuleKind, RuleParameters};
use defendable::controls::ingress_prohibited_ports::RestrictedPorts;

/// A Slack ChatOps app that keeps an AWS account safe.
///
/// Settings come from the environment (DEFENDABLE_…; docs/settings.md lists them), AWS's own from
/// where the AWS CLI has them. With AWS_LAMBDA_RUNTIME_API set this is a Lambda bootstrap, and
/// _HANDLER names the function.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub role: Role,
}

#[derive(Subcommand)]
pub enum Role {
    /// Run every function in one process: HTTP server or Socket Mode, queue consumers, schedule
    Serve {
        /// Take Slack's requests over a WebSocket instead of HTTP; needs an app-level token
        #[arg(long)]
        socket_mode: bool,
    },
    /// Serve against emulators: prepares and seeds an emulated account and plays AWS Config's part
    #[cfg(feature = "sandbox")]
    Sandbox(defendable::sandbox::Options),
    /// Look at settings, credentials, queues, table, AWS Config and Slack, and say what is wrong and
    /// what to do about it; exit status 1 where Defendable cannot work
    Doctor,
    /// Judge configuration items, one JSON document a line, and print one evaluation a line
    Evaluate(Evaluate),
    /// Print the AWS actions that each control needs, as infra/controls.json has them
    Actions,
    /// Print a completion script for your shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
pub struct Evaluate {
    /// The rule
    rule: RuleKind,
    /// A rule parameter, as AWS Config has it; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<(String, String)>,
    /// A file of configuration items or custom-rule Lambda events, or - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected NAME=VALUE, such as prohibitedPorts=22,3389")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Evaluate {
    /// Exit status 1 when a line was bad.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        // AWS Config lets any name through; here a wrong one is a slip.
        let known = RuleDefaults::default().rule(self.rule).parameters();
        if let Some((name, _)) = self
            .parameter
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            anyhow::bail!(
                "the rule has no parameter {name:?}: it has {}",
                known.join(", ")
            );
        }
        let parameters: RuleParameters = self
            .parameter
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        // Wrong parameters would spoil every line alike.
        if self.rule == RuleKind::RestrictedPorts {
            RestrictedPorts::default().with_parameters(&parameters)?;
        }
        let input: Box<dyn BufRead> = if self.file.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(&self.file);
            Box::new(BufReader::new(file.with_context(|| {
                format!("cannot open {}", self.file.display())
            })?))
        };
        if self.rule == RuleKind::S3PublicAccess {
            eprintln!(
                "Judged by the items alone. On AWS the rule also asks whether AWS calls a policy public, and what the account's Public Access Block makes ineffective."
            );
        }
        let output = BufWriter::new(io::stdout().lock());
        match evaluate_lines(self.rule, &parameters, input, output, io::stderr().lock()) {
            Ok(0) => Ok(ExitCode::SUCCESS),
            Ok(_) => Ok(ExitCode::FAILURE),
            // The reader of our output has closed it.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(error) => Err(error).context("cannot read or write"),
        }
    }
}
