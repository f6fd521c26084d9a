//! Auto-response is turned on over a backlog of which 99 in 100 are stale.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

mod figure;
mod memory;

use std::time::{Duration, Instant};

use figure::row;
use memory::memory;
use serde_json::{Value, json};
use support::installation::Installation;
use support::payload::{click, interact};
use support::{ALICE, finding_of_group};

/// The sizes, one after the other; `DEFENDABLE_DRAINS=100` chooses others.
const SIZES: [usize; 3] = [100, 1000, 10_000];

fn main() {
    let chosen = std::env::var("DEFENDABLE_DRAINS").ok();
    let sizes: Vec<usize> = match &chosen {
        Some(sizes) => sizes.split(',').map(|size| size.trim().parse().expect("sizes are numbers")).collect(),
        None => SIZES.to_vec(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    sizes.into_iter().for_each(|size| runtime.block_on(drain(size)));
}

async fn drain(size: usize) {
    let variables = [("DEFENDABLE_SCHEDULE_SECONDS", "1"), ("DEFENDABLE_BLAST_RADIUS", "1000000")];
    let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
    let world = Installation::start(&[], variables).await;
    let mut groups = Vec::new();
    for number in 0..size.div_ceil(100) {
        let group = world.aws.create_group(&format!("drain-{number}")).await;
        world.aws.open_port(&group, 22).await;
        groups.push(group);
    }
    for group in &groups {
        while !world.aws.is_shown(&finding_of_group(group)).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    // What flapped for weeks while auto-response was off: every time it was queued.
    let stale: Vec<Value> =
        (groups.len()..size).map(|number| request(&groups[number % groups.len()])).collect();
    let bare = drain_bare(&world, &stale).await;
    world.aws.send_all("remediation", &stale).await;
    assert_eq!(world.aws.messages_in("remediation").await as usize, size);
    let (before, calls) = (memory(world.process_id(), "VmRSS"), slack_calls(&world));
    let begun = Instant::now();
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on")).await.unwrap();
    while world.aws.messages_in("remediation").await > 0 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let taken = begun.elapsed();
    for group in &groups {
        while !world.aws.ingress(group).await.is_empty()
            || !world.aws.is_shown(&finding_of_group(group)).await
        {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let revoked = world.to_aws.calls("ec2:RevokeSecurityGroupIngress").len();
    assert_eq!(revoked, groups.len(), "each group is mended once");
    let figures = format!(
        "{:.1} s, {:.1} ms each, {revoked} changes, {} Slack calls, {:.0} MB before, peak {:.0} MB",
        taken.as_secs_f64(),
        taken.as_secs_f64() * 1000.0 / size as f64,
        slack_calls(&world) - calls,
        before as f64 / 1000.0,
        memory(world.process_id(), "VmHWM") as f64 / 1000.0,
    );
    row("requests drained, of which 99 in 100 stale", size, &figures);
    let figures = format!(
        "{:.1} s, {:.1} ms each",
        bare.as_secs_f64(),
        bare.as_secs_f64() * 1000.0 / stale.len() as f64
    );
    row("as many received and deleted, and nothing else", stale.len(), &figures);
}

/// The least that a drain takes of the emulator: as many messages are received, ten at a time, and
/// deleted.
async fn drain_bare(world: &Installation, bodies: &[Value]) -> Duration {
    world.aws.sqs.create_queue().queue_name("defendable-bare").send().await.unwrap();
    world.aws.send_all("bare", bodies).await;
    let (url, begun) = (world.aws.queue_url("bare"), Instant::now());
    loop {
        let receive = world.aws.sqs.receive_message().queue_url(&url).max_number_of_messages(10);
        let messages = receive.send().await.unwrap().messages.unwrap_or_default();
        if messages.is_empty() {
            return begun.elapsed();
        }
        for message in messages {
            let handle = message.receipt_handle.unwrap();
            world.aws.sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
        }
    }
}

fn request(group: &str) -> Value {
    json!({"raisedByRule": "defendable-restricted-ports", "targetResourceType": "AWS::EC2::SecurityGroup",
        "targetResourceId": group, "awsRegion": "us-east-1", "violationType": "EC2_SG_PROHIBITED_PORT",
        "violationDetails": {}, "awsAccountId": "123456789012"})
}

fn slack_calls(world: &Installation) -> usize {
    ["slack:chat.postMessage", "slack:chat.update"].map(|call| world.to_slack.calls(call).len()).iter().sum()
}
