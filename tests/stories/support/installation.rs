//! An installation as in production: `serve` as a process of its own, which can be killed, an account that
//! goes on, and proxies between `serve` and its peers.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use aws_sdk_sqs::types::QueueAttributeName;

use super::fault_proxy::FaultProxy;
use super::lambda::{binary, installed};
use super::movable_clock::{MovableClock, Serving, serve_here};
use super::peers::CloudTrail;
use super::{
    Aws, Options, Process, Slack, free_ports, sandbox, slack_config, spawn_local_slack, spawn_moto,
};

/// Configuration items above this size reach the rules as summaries. AWS Config's limit is 100 kB. Bytes.
const OVERSIZED: &str = "6000";

pub struct Installation {
    // The fields are dropped in this order.
    app: Option<Process>,
    /// In place of `app`.
    _here: Option<Serving>,
    /// More processes that take from the same queues, as on Lambda.
    helpers: Vec<Process>,
    account: Option<Process>,
    _local_slack: Process,
    _moto: Process,
    pub aws: Aws,
    pub slack: Slack,
    /// Between the functions and AWS.
    pub to_aws: FaultProxy,
    /// Between the functions and Slack.
    pub to_slack: FaultProxy,
    /// Between the rules with the stand-in of AWS Config, and AWS.
    pub rules_to_aws: FaultProxy,
    /// Between the rules and the stand-in of AWS Config.
    pub rules_to_config: FaultProxy,
    pub app_url: String,
    /// The log of every `serve` of the story.
    pub log: PathBuf,
    /// Knows no events. Moto has no CloudTrail, and answers each question by an error.
    cloudtrail: CloudTrail,
    port: u16,
    variables: Vec<(&'static str, String)>,
}

/// An account with table and queues, without functions. The fields are dropped in this order.
pub struct BareAccount {
    _account: Process,
    _moto: Process,
}

/// Starts a bare account; returns the emulator's address too.
pub async fn spawn_bare_account() -> (BareAccount, String) {
    let [moto_port, port, config_port] = free_ports();
    let (moto, aws_url) = spawn_moto(moto_port).await;
    let config_service = format!("127.0.0.1:{config_port}");
    let mut account = sandbox(&Options::default(), &aws_url, "http://127.0.0.1:1", port);
    account.args([
        "--account-only",
        "--no-seed",
        "--config-service",
        &config_service,
    ]);
    let account = Process::spawn(&mut account);
    super::eventually("the account is prepared", async || {
        super::status(&format!("http://{config_service}")).await
    })
    .await;
    (
        BareAccount {
            _account: account,
            _moto: moto,
        },
        aws_url,
    )
}

impl Installation {
    /// Starts an empty account and `serve`, with more channels than the usual ones.
    pub async fn start(more_channels: &[String], variables: Vec<(&'static str, String)>) -> Self {
        let mut installation = Self::prepare(more_channels, variables).await;
        installation.serve().await;
        installation
    }

    /// The same with `serve` in this process, by a clock that the story moves. It has no log.
    pub async fn start_by(clock: &MovableClock, variables: Vec<(&'static str, String)>) -> Self {
        let mut installation = Self::prepare(&[], variables).await;
        installation.to_aws.stamp_by(clock);
        let command = installation.command(installation.port);
        installation._here = Some(serve_here(&command, &installation.to_aws.url, clock));
        let url = format!("{}/healthz", installation.app_url);
        super::eventually(&url, async || {
            (super::status(&url).await == Some(200)).then_some(())
        })
        .await;
        installation
    }

    /// The same with another visibility timeout in seconds, after which a killed process's messages come back.
    /// It must be set before the first poll, because a poll keeps the timeout with which it began.
    pub async fn start_with_unseen(
        seconds: u32,
        more_channels: &[String],
        variables: Vec<(&'static str, String)>,
    ) -> Self {
        let mut installation = Self::prepare(more_channels, variables).await;
        for queue in ["events", "fix", "ec2", "s3"] {
            let name = QueueAttributeName::VisibilityTimeout;
            installation
                .aws
                .set_queue(queue, name, &seconds.to_string())
                .await;
        }
        installation.serve().await;
        installation
    }

    async fn prepare(more_channels: &[String], variables: Vec<(&'static str, String)>) -> Self {
        let [moto_port, slack_port, port, config_port] = free_ports();
        let app_url = format!("http://127.0.0.1:{port}");
        let (moto, aws_url) = spawn_moto(moto_port).await;
        let config = slack_config(&app_url, slack_port, false, more_channels);
        let (local_slack, slack_url) = spawn_local_slack(slack_port, &config).await;
        let (to_aws, to_slack) = (
            FaultProxy::before(&aws_url).await,
            FaultProxy::before(&slack_url).await,
        );
        let rules_to_aws = FaultProxy::before(&aws_url).await;
        let mut account = sandbox(&Options::default(), &rules_to_aws.url, &slack_url, port);
        let config_service = format!("127.0.0.1:{config_port}");
        let rules_to_config = FaultProxy::before(&format!("http://{config_service}")).await;
        account.args([
            "--account-only",
            "--no-seed",
            "--config-service",
            &config_service,
        ]);
        account.args([
            "--config-service-by",
            &rules_to_config.url,
            "--oversized-above",
            OVERSIZED,
        ]);
        let account = Process::spawn(&mut account);
        // The sandbox listens once the account is prepared.
        super::eventually("the account is prepared", async || {
            super::status(&format!("http://{config_service}")).await
        })
        .await;
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("serve-{port}.log"));
        _ = std::fs::remove_file(&log);
        let (aws, slack) = (Aws::new(&aws_url), Slack::new(slack_url));
        Self {
            app: None,
            _here: None,
            helpers: Vec::new(),
            account: Some(account),
            _local_slack: local_slack,
            _moto: moto,
            aws,
            slack,
            to_aws,
            to_slack,
            rules_to_aws,
            rules_to_config,
            app_url,
            log,
            cloudtrail: CloudTrail::start().await,
            port,
            variables,
        }
    }

    /// Starts `serve`, and waits until it answers.
    pub async fn serve(&mut self) {
        self.spawn();
        let url = format!("{}/healthz", self.app_url);
        self.app.as_mut().unwrap().answers(&url).await;
    }

    /// Sets the schedule of `serve`, from its next start.
    pub fn set_schedule(&mut self, seconds: u32) {
        self.variables
            .push(("DEFENDABLE_SCHEDULE_SECONDS", seconds.to_string()));
    }

    /// Starts `serve`.
    pub fn spawn(&mut self) {
        self.app = Some(Process(self.command(self.port).spawn().unwrap()));
    }

    /// Starts more processes beside it.
    pub fn spawn_helpers(&mut self, number: usize) {
        for _ in 0..number {
            let [port] = free_ports();
            let mut command = self.command(port);
            // The schedule of `serve` is enough.
            command.env("DEFENDABLE_SCHEDULE_SECONDS", "3600");
            self.helpers.push(Process(command.spawn().unwrap()));
        }
    }

    fn command(&self, port: u16) -> Command {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let mut command = Command::new(binary());
        installed(&mut command, &self.to_aws.url, &self.to_slack.url);
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", self.cloudtrail.url);
        command.env("AWS_ENDPOINT_URL_CONFIG_SERVICE", &self.rules_to_config.url);
        command.env("DEFENDABLE_LISTEN", format!("127.0.0.1:{port}"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    /// The process of `serve`.
    pub fn process_id(&self) -> u32 {
        self.app.as_ref().unwrap().0.id()
    }

    /// Stops AWS Config and its rules.
    pub fn silence_config(&mut self) {
        self.account = None;
    }

    /// Kills `serve` by SIGKILL.
    pub fn kill(&mut self) {
        self.app = None;
    }

    /// Stops `serve` by SIGTERM, and waits for its end.
    pub async fn terminate(&mut self) -> std::process::ExitStatus {
        let mut app = self.app.take().unwrap();
        app.terminate().await
    }

    /// The whole log.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Installation {
    /// A failed story prints the end of the log.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logged = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = logged.lines().collect();
            let last = lines.len().saturating_sub(50);
            eprintln!(
                "the end of what serve has logged:\n{}",
                lines[last..].join("\n")
            );
        }
    }
}
