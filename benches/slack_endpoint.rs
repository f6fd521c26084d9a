//! How long `/slack/events` takes to answer, and a fix to show, on the sandbox: whole processes,
//! real protocols. `scripts/bench` runs it and prints a Markdown table.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use support::{ALICE, World, request, signed, slash_command};

const COMMANDS: usize = 100;
const FIXES: usize = 20;

/// How long AWS Config's stand-in takes to see what has changed, and more.
const SEEN: Duration = Duration::from_secs(3);

fn main() {
    // `cargo bench` passes options meant for the standard harness.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let world = World::seeded().await;
    println!("| request | runs | p50 | p99 | longest |\n| --- | --- | --- | --- | --- |");
    for text in ["help", "status", "findings"] {
        let mut times = Vec::with_capacity(COMMANDS);
        for _ in 0..COMMANDS {
            times.push(answer(&world, &slash_command(text)).await);
        }
        row(&format!("`/dd {text}` answered"), times);
    }
    let (mut appeared, mut answered, mut fixed) = (Vec::new(), Vec::new(), Vec::new());
    // One group again and again: many would be a storm, and have no messages of their own.
    let group = world.aws.create_group("bench").await;
    for _ in 0..FIXES {
        world.aws.open_port(&group, 22).await;
        let changed = Instant::now();
        let id = world.slack.finding_says(&group, "Fix will").await.finding_id();
        appeared.push(changed.elapsed());
        let begun = Instant::now();
        answered.push(answer(&world, &click(&id)).await);
        world.slack.finding_says(&group, "Fixed by").await;
        fixed.push(begun.elapsed());
        // Until AWS Config has seen it mended, it has no change to tell of.
        tokio::time::sleep(SEEN).await;
    }
    row("change in AWS until its finding is in the channel", appeared);
    row("click on **Fix** answered", answered);
    row("click on **Fix** until the message says fixed", fixed);
}

/// The time from sending a signed request to the end of its answer.
async fn answer(world: &World, body: &str) -> Duration {
    let headers = signed(body, Timestamp::now().as_second());
    let begun = Instant::now();
    let answer = request("POST", &format!("{}/slack/events", world.app_url), &headers, body).await;
    let taken = begun.elapsed();
    assert_eq!(answer.map(|(status, _)| status), Some(200));
    taken
}

fn click(finding_id: &str) -> String {
    let payload = json!({"type": "block_actions", "team": {"id": "T0DEMO"}, "api_app_id": "A0DEFENDABLE",
        "user": {"id": ALICE}, "trigger_id": "1.2", "channel": {"id": "C0ALERTS"},
        "container": {"type": "message", "message_ts": "1.2", "channel_id": "C0ALERTS"},
        "actions": [{"type": "button", "action_id": "fix", "value": finding_id}]});
    serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap()
}

fn row(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at =
        |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1000.0;
    println!("| {name} | {} | {:.0} ms | {:.0} ms | {:.0} ms |", times.len(), at(50), at(99), at(100));
}
