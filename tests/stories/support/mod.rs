//! A world for one story: its own moto, local-slack and sandbox on free ports.

pub mod aws;
pub mod fault_proxy;
mod http;
pub mod installation;
pub mod lambda;
pub mod movable_clock;
pub mod payload;
pub mod peers;
mod ports;
pub mod slack;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use defendable::controls::Control;
use defendable::ids::{FindingId, Resource};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use aws::Aws;
pub use http::{get, post, request, status};
pub use ports::free_ports;
pub use slack::Slack;

pub const ALICE: &str = "U0ALICE";
pub const BOB: &str = "U0BOB";
pub const CAROL: &str = "U0CAROL";
pub const BOT_TOKEN: &str = "xoxb-sandbox-bot-token";
pub const APP_TOKEN: &str = "xapp-sandbox-app-token";
pub const SIGNING_SECRET: &str = "sandbox-signing-secret";

/// The longest that a step may take on a slow machine. Stories assert that it happens, not how fast.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with its story.
pub struct Process(pub Child);

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        Self(child.unwrap_or_else(|error| {
            panic!("{command:?}: {error}; scripts/test installs the emulators")
        }))
    }

    /// The same for an emulator, whose log of requests is dropped.
    pub fn spawn_quietly(command: &mut Command) -> Self {
        let log = std::env::var_os("DEFENDABLE_TEST_LOGS").is_some();
        let output = || if log { Stdio::inherit() } else { Stdio::null() };
        Self::spawn(command.stdout(output()).stderr(output()))
    }

    /// Waits until the process answers at a URL.
    pub async fn answers(&mut self, url: &str) {
        eventually(url, async || {
            let ended = self.0.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "what should answer at {url} has ended: {}",
                ended.unwrap()
            );
            (status(url).await == Some(200)).then_some(())
        })
        .await;
    }

    /// Stops the process by SIGTERM, and waits for its end.
    pub async fn terminate(&mut self) -> std::process::ExitStatus {
        let sent = Command::new("kill")
            .arg(self.0.id().to_string())
            .status()
            .unwrap();
        assert!(sent.success());
        eventually("the process ends", async || self.0.try_wait().unwrap()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// The options of a story's world.
#[derive(Default)]
pub struct Options {
    pub arguments: &'static [&'static str],
    pub variables: &'static [(&'static str, &'static str)],
    pub socket_mode: bool,
}

/// A schedule of one second in place of a minute.
pub const FAST: Options = Options {
    arguments: &[],
    variables: &[("DEFENDABLE_SCHEDULE_SECONDS", "1")],
    socket_mode: false,
};

/// The values of a modal with a reason.
pub fn because(reason: &str) -> serde_json::Value {
    serde_json::json!({"reason": {"type": "plain_text_input", "value": reason}})
}

pub struct World {
    // Dropped in this order: the application before its peers.
    pub app: Process,
    _local_slack: Process,
    _moto: Process,
    pub aws: Aws,
    pub slack: Slack,
    pub app_url: String,
}

impl World {
    /// Starts a seeded account, and waits until its four findings are in the channel.
    pub async fn seeded() -> Self {
        Self::seeded_with(Options::default()).await
    }

    pub async fn seeded_with(options: Options) -> Self {
        let world = Self::start(options).await;
        eventually("four findings appear", async || {
            (world.slack.findings().await.len() == 4).then_some(())
        })
        .await;
        world
    }

    pub async fn start(options: Options) -> Self {
        let [moto_port, slack_port, app_port] = free_ports();
        let app_url = format!("http://127.0.0.1:{app_port}");
        let (moto, aws_url) = spawn_moto(moto_port).await;
        let config = slack_config(&app_url, slack_port, options.socket_mode, &[]);
        let (local_slack, slack_url) = spawn_local_slack(slack_port, &config).await;
        let mut app = Process::spawn(&mut sandbox(&options, &aws_url, &slack_url, app_port));
        app.answers(&format!("{app_url}/healthz")).await;
        Self {
            app,
            _local_slack: local_slack,
            _moto: moto,
            aws: Aws::new(&aws_url),
            slack: Slack::new(slack_url),
            app_url,
        }
    }
}

async fn spawn_moto(port: u16) -> (Process, String) {
    let binary = emulator("DEFENDABLE_MOTO_SERVER", "scripts/moto");
    let mut command = Command::new(binary);
    let mut moto =
        Process::spawn_quietly(command.args(["-H", "127.0.0.1", "-p", &port.to_string()]));
    let url = format!("http://127.0.0.1:{port}");
    moto.answers(&format!("{url}/moto-api/")).await;
    (moto, url)
}

async fn spawn_local_slack(port: u16, config: &Path) -> (Process, String) {
    let binary = emulator(
        "DEFENDABLE_LOCAL_SLACK",
        ".sandbox/node_modules/local-slack-linux-x64/bin/local-slack",
    );
    let mut command = Command::new(binary);
    command
        .arg("--config")
        .arg(config)
        .args(["--port", &port.to_string()]);
    let mut slack = Process::spawn_quietly(&mut command);
    let url = format!("http://127.0.0.1:{port}");
    slack.answers(&format!("{url}/_control/state")).await;
    (slack, url)
}

fn sandbox(options: &Options, aws_url: &str, slack_url: &str, app_port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defendable"));
    command
        .arg("sandbox")
        .args(options.arguments)
        .args(options.socket_mode.then_some("--socket-mode"))
        .envs([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .env("AWS_ENDPOINT_URL", aws_url)
        // An endpoint of a single service must not be used: the general one outranks it.
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
        .env("DEFENDABLE_LISTEN", format!("127.0.0.1:{app_port}"))
        .env("DEFENDABLE_SLACK_API_URL", format!("{slack_url}/api"))
        .env("DEFENDABLE_SLACK_CHANNEL", "C0ALERTS")
        .env("DEFENDABLE_SLACK_TEAM_ID", "T0DEMO")
        .env("DEFENDABLE_SLACK_APP_ID", "A0DEFENDABLE")
        .env("DEFENDABLE_SLACK_BOT_TOKEN", BOT_TOKEN)
        .env("DEFENDABLE_SLACK_APP_TOKEN", APP_TOKEN)
        .env("DEFENDABLE_SLACK_SIGNING_SECRET", SIGNING_SECRET)
        .env("DEFENDABLE_OPERATORS", ALICE)
        .envs(options.variables.iter().copied());
    command
}

/// The path of an emulator: the environment's, or the one in the checkout.
fn emulator(variable: &str, below: &str) -> PathBuf {
    let here = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below);
    std::env::var_os(variable).map_or_else(here, PathBuf::from)
}

fn slack_config(
    app_url: &str,
    slack_port: u16,
    socket_mode: bool,
    more_channels: &[String],
) -> PathBuf {
    let channel = |id: &String| {
        format!(
            "  - {{ id: {id}, name: {}, members: [U0ALICE, U0DEFENDABLE] }}\n",
            id.to_lowercase()
        )
    };
    let more: String = more_channels.iter().map(channel).collect();
    let config = format!(
        "{}{more}",
        include_str!("../../../scripts/local-slack.yaml")
    )
    .replace("@MODE@", if socket_mode { "socket" } else { "events" })
    .replace("@REQUEST_URL@", &format!("{app_url}/slack/events"));
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("local-slack-{slack_port}.yaml"));
    std::fs::write(&path, config).unwrap();
    path
}

/// Repeats `look` until it returns something.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look).await
}

/// The same with another time limit.
pub async fn within<T>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < patience, "it never happened: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Lets several runs of a schedule of one second pass.
pub async fn several_ticks() {
    tokio::time::sleep(Duration::from_millis(3500)).await;
}

/// A security group or a bucket of the emulated account.
pub fn resource(control: Control, id: &str) -> Resource {
    Resource {
        account: "123456789012".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        resource_type: control.resource_type().parse().unwrap(),
        id: id.parse().unwrap(),
    }
}

pub fn finding_of_group(group: &str) -> FindingId {
    let control = Control::IngressProhibitedPorts;
    control.finding(&resource(control, group))
}

pub fn finding_of_bucket(bucket: &str) -> FindingId {
    let control = Control::BucketPublic;
    control.finding(&resource(control, bucket))
}

/// The number of a finding's changes in the table that an undo would put back.
pub fn removed(record: &serde_json::Value) -> usize {
    record["finding"]["removed"].as_array().map_or(0, Vec::len)
}

/// The resident memory of a process, in kB.
pub fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The form of Alice's `/dd …`, as Slack sends it.
pub fn slash_command(text: &str) -> String {
    let trigger = payload::trigger();
    let fields = [
        ("team_id", "T0DEMO"),
        ("api_app_id", "A0DEFENDABLE"),
        ("channel_id", "C0ALERTS"),
        ("user_id", ALICE),
        ("command", "/dd"),
        ("text", text),
        ("trigger_id", trigger.as_str()),
        ("response_url", "http://localhost/r"),
    ];
    serde_urlencoded::to_string(fields).unwrap()
}

/// The headers of a body that Slack has signed.
pub fn signed(body: impl AsRef<[u8]>, timestamp: i64) -> Vec<(&'static str, String)> {
    signed_with(SIGNING_SECRET, body, timestamp)
}

pub fn signed_with(
    secret: &str,
    body: impl AsRef<[u8]>,
    timestamp: i64,
) -> Vec<(&'static str, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body.as_ref());
    vec![
        (
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        ),
        ("x-slack-request-timestamp", timestamp.to_string()),
        (
            "x-slack-signature",
            format!("v0={}", hex::encode(mac.finalize().into_bytes())),
        ),
    ]
}
