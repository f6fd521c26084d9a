//! Storms: so many compliance changes, as fast as they are taken, until the last one
//! is dealt with.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

mod figure;
mod memory;

use std::time::{Duration, Instant};

use defendable::controls::Control;
use defendable::ids::{FindingId, Resource};
use figure::row;
use memory::{cpu_time, memory};
use serde_json::{Value, json};
use support::BOB;
use support::installation::Installation;

/// The sizes, one after the other; `DEFENDABLE_STORMS=100,1000` chooses others.
const SIZES: [usize; 3] = [100, 1000, 10_000];

/// How many changes wait at most.
const WAITING: usize = 200;

/// How long after the last finding its digest may take to be drawn.
const LAST_DRAWING: Duration = Duration::from_secs(300);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

async fn run() {
    let chosen = std::env::var("DEFENDABLE_STORMS").ok();
    let sizes: Vec<usize> = match &chosen {
        Some(sizes) => sizes
            .split(',')
            .map(|size| size.trim().parse().expect("sizes are numbers"))
            .collect(),
        None => SIZES.to_vec(),
    };
    for size in sizes {
        storm(size).await;
    }
}

async fn storm(size: usize) {
    let world = Installation::start(&[], Vec::new()).await;
    let before = memory(world.process_id(), "VmRSS");
    let changes: Vec<Value> = (0..size).map(change).collect();
    let begun = Instant::now();
    // Never empty, and never so full that the emulator, whose time to receive grows with what
    // waits, would be all that is measured.
    for some in changes.chunks(WAITING / 2) {
        while world.aws.messages_in("events").await as usize > WAITING / 2 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        world.aws.send_all("events", some).await;
    }
    while world.aws.messages_in("events").await > 0 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // The digest's last drawing comes later, by a delayed message.
    let deadline = Instant::now() + LAST_DRAWING;
    let channel = loop {
        let channel = world.slack.channel().await;
        let digest = channel
            .iter()
            .find(|message| message.button("show_all").is_some());
        let gathered = digest.map_or(0, |message| {
            number_before(message.text(), " more findings within")
        });
        let singles = channel.len() - usize::from(digest.is_some());
        if gathered + singles == size {
            break channel;
        }
        assert!(
            Instant::now() < deadline,
            "the channel shows {gathered} and {singles} of {size}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let taken = begun.elapsed();
    assert!(channel.len() <= 20, "{} messages", channel.len());
    let open = world.aws.findings_in("open").await;
    assert_eq!(open, size);
    let shown = world
        .slack
        .command(BOB, &format!("show {}", id(size - 1)))
        .await
        .words();
    assert!(
        shown.contains(&format!("sg-storm-{}", size - 1)),
        "the last one that was sent: {shown}"
    );
    let dead = world.aws.messages_in("events-dead-letters").await;
    assert_eq!(dead, 0);
    let calls = [
        "slack:chat.postMessage",
        "slack:chat.update",
        "slack:conversations.history",
    ];
    let calls: usize = calls
        .map(|call| world.to_slack.calls(call).len())
        .iter()
        .sum();
    let own: Duration = cpu_time(world.process_id()).iter().sum();
    let figures = format!(
        "{:.1} s, {:.1} ms each ({:.1} ms of our processor time), {calls} Slack calls, {} new messages, {dead} dead letters, {:.0} MB before, peak {:.0} MB",
        taken.as_secs_f64(),
        taken.as_secs_f64() * 1000.0 / size as f64,
        own.as_secs_f64() * 1000.0 / size as f64,
        channel.len(),
        before as f64 / 1000.0,
        memory(world.process_id(), "VmHWM") as f64 / 1000.0,
    );
    row("storm: changes that each open a finding", size, &figures);
}

/// A group that is gone again when its change arrives: it is looked at, as any other.
fn change(number: usize) -> Value {
    json!({"awsAccountId": "123456789012", "configRuleName": "defendable-restricted-ports",
        "resourceType": "AWS::EC2::SecurityGroup", "resourceId": format!("sg-storm-{number}"),
        "awsRegion": (if number.is_multiple_of(2) { "us-east-1" } else { "eu-west-1" }),
        "newEvaluationResult": {"complianceType": "NON_COMPLIANT", "resultRecordedTime": "2026-01-01T00:00:00Z"},
        "messageType": "ComplianceChangeNotification"})
}

/// The id of the finding that a change makes.
fn id(number: usize) -> FindingId {
    let change = change(number);
    let text = |name: &str| change[name].as_str().unwrap();
    let resource = Resource {
        account: text("awsAccountId").parse().unwrap(),
        region: text("awsRegion").parse().unwrap(),
        resource_type: text("resourceType").parse().unwrap(),
        id: text("resourceId").parse().unwrap(),
    };
    Control::IngressProhibitedPorts.finding(&resource)
}

/// The number that stands right before some words.
fn number_before(text: &str, words: &str) -> usize {
    let before = text.split(words).next().unwrap_or_default();
    let digits = before
        .rsplit(|character: char| !character.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number before {words:?} in {text}"))
}
