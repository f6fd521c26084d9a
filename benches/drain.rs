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

/// How many requests wait at most.
const WAITING: usize = 200;

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
    // What flapped for weeks was queued every time, and then somebody tagged it.
    let kept = world.aws.create_group("drain-kept").await;
    world.aws.tag(&kept, "defendable:ignore", "a honeypot").await;
    world.aws.open_port(&kept, 22).await;
    while !world.aws.is_shown(&finding_of_group(&kept)).await {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stale: Vec<Value> = (groups.len()..size).map(|_| request(&kept)).collect();
    let (before, calls) = (memory(world.process_id(), "VmRSS"), slack_calls(&world));
    let begun = Instant::now();
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on")).await.unwrap();
    // Never so full that the emulator, whose time to receive grows with what waits, would be all
    // that is measured.
    for some in stale.chunks(WAITING / 2) {
        while world.aws.messages_in("remediation").await as usize > WAITING / 2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        world.aws.send_all("remediation", some).await;
    }
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
    assert_eq!(world.aws.ingress(&kept).await.len(), 1, "what is tagged is left");
    let figures = format!(
        "{:.1} s, {:.1} ms each, {revoked} changes, {} Slack calls, {:.0} MB before, peak {:.0} MB",
        taken.as_secs_f64(),
        taken.as_secs_f64() * 1000.0 / size as f64,
        slack_calls(&world) - calls,
        before as f64 / 1000.0,
        memory(world.process_id(), "VmHWM") as f64 / 1000.0,
    );
    row("requests drained, of which 99 in 100 stale", size, &figures);
}

fn request(group: &str) -> Value {
    json!({"raisedByRule": "defendable-restricted-ports", "targetResourceType": "AWS::EC2::SecurityGroup",
        "targetResourceId": group, "awsRegion": "us-east-1", "violationType": "EC2_SG_PROHIBITED_PORT",
        "violationDetails": {}, "awsAccountId": "123456789012"})
}

fn slack_calls(world: &Installation) -> usize {
    ["slack:chat.postMessage", "slack:chat.update", "slack:conversations.history"]
        .map(|call| world.to_slack.calls(call).len())
        .iter()
        .sum()
}
