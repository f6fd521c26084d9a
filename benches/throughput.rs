//! Signed commands and interactions over HTTP, against a Bolt for JavaScript app that only
//! acknowledges. Whole processes; what is compared is the time of their processors. `scripts/bench`
//! runs it with the packaged binary.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

mod figure;
mod memory;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use figure::{row, spread};
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use memory::{cpu_time, memory};
use serde_json::json;
use support::installation::Installation;
use support::{
    ALICE, Process, SIGNING_SECRET, eventually, free_ports, signed, slash_command, status,
};

const REQUESTS: usize = 20_000;
const CONNECTIONS: usize = 8;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

async fn run() {
    let world = Installation::start(
        &[],
        vec![("DEFENDABLE_SCHEDULE_SECONDS", "3600".to_owned())],
    )
    .await;
    let ours = (world.process_id(), world.app_url.clone());
    let Ok(bolt) = std::env::var("BOLT") else {
        eprintln!("BOLT says where @slack/bolt is; scripts/bench installs it");
        return;
    };
    let [port] = free_ports();
    let app = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/bolt/app.js");
    let mut command = Command::new("node");
    command
        .arg(app)
        .env("BOLT", bolt)
        .env("SIGNING_SECRET", SIGNING_SECRET)
        .env("PORT", port.to_string());
    command.env("NODE_ENV", "production");
    let node = Process(command.stdout(Stdio::null()).spawn().unwrap());
    let theirs = (node.0.id(), format!("http://127.0.0.1:{port}"));
    eventually("Bolt listens", async || status(&theirs.1).await).await;
    for (what, body) in [
        ("`/dd help`", slash_command("help")),
        ("`view_closed`", closed()),
    ] {
        // In turns, so that both have the same machine.
        let mut cpu = [0.0; 2];
        for (index, (name, (process, url))) in [("Defendable", &ours), ("Bolt", &theirs)]
            .iter()
            .enumerate()
        {
            load(url, &body, REQUESTS / 10).await;
            let before = cpu_time(*process);
            let times = load(url, &body, REQUESTS).await;
            let after = cpu_time(*process);
            let [own, kernel] = [0, 1]
                .map(|part| (after[part] - before[part]).as_secs_f64() * 1e6 / REQUESTS as f64);
            cpu[index] = own + kernel;
            let peak = memory(*process, "VmHWM") as f64 / 1000.0;
            let figures = format!(
                "{:.0} µs CPU each ({own:.0} its own, {kernel:.0} the kernel's), {}, peak {peak:.1} MB",
                cpu[index],
                spread(&times)
            );
            row(&format!("signed {what}: {name}"), REQUESTS, &figures);
        }
        row(
            &format!("signed {what}: Bolt's CPU to ours"),
            REQUESTS,
            &format!("{:.1} : 1", cpu[1] / cpu[0]),
        );
    }
}

/// Somebody closed a modal: verified, read, acknowledged.
fn closed() -> String {
    let payload = json!({"type": "view_closed", "team": {"id": "T0DEMO"}, "api_app_id": "A0DEFENDABLE",
        "user": {"id": ALICE, "team_id": "T0DEMO"}, "is_cleared": false,
        "view": {"id": "V1", "type": "modal", "callback_id": "ignore", "private_metadata": "", "blocks": [],
            "title": {"type": "plain_text", "text": "t"}, "team_id": "T0DEMO", "app_id": "A0DEFENDABLE",
            "bot_id": "B1", "hash": "1", "root_view_id": "V1", "external_id": "", "state": {"values": {}}}});
    serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap()
}

/// So many requests over a few connections that stay; how long each took.
async fn load(url: &str, body: &str, requests: usize) -> Vec<Duration> {
    let headers = signed(body, Timestamp::now().as_second());
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let (url, headers, client) = (format!("{url}/slack/events"), &headers, &client);
    let connections = (0..CONNECTIONS).map(async |_| {
        let mut times = Vec::new();
        for _ in 0..requests / CONNECTIONS {
            let mut request = http::Request::post(&url);
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let begun = Instant::now();
            let answer = client
                .request(request.body(Full::from(body.to_owned())).unwrap())
                .await
                .unwrap();
            assert_eq!(answer.status(), 200);
            answer.into_body().collect().await.unwrap();
            times.push(begun.elapsed());
        }
        times
    });
    join_all(connections).await.concat()
}
