//! How long `/slack/events` takes to answer, and a change to show, on the sandbox: whole processes,
//! real protocols.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

mod figure;

use std::time::{Duration, Instant};

use aws_sdk_ec2::types::{IpPermission, IpRange};
use figure::{row, spread};
use jiff::Timestamp;
use support::{World, request, signed, slash_command};

const COMMANDS: usize = 100;
const CHANGES: usize = 20;

/// How long AWS Config's stand-in takes to see what has changed, and more.
const SEEN: Duration = Duration::from_secs(3);

fn main() {
    // `cargo bench` passes options meant for the standard harness.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

async fn run() {
    let world = World::seeded().await;
    for text in ["help", "status", "findings"] {
        let mut times = Vec::with_capacity(COMMANDS);
        for _ in 0..COMMANDS {
            times.push(answer(&world, &slash_command(text)).await);
        }
        row(&format!("`/dd {text}` answered"), COMMANDS, &spread(&times));
    }
    let mut appeared = Vec::new();
    // One group again and again: many would be a storm, and have no messages of their own.
    let group = world.aws.create_group("bench").await;
    for _ in 0..CHANGES {
        world.aws.open_port(&group, 22).await;
        let changed = Instant::now();
        world.slack.finding_says(&group, "Fix will").await;
        appeared.push(changed.elapsed());
        let range = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(22);
        let range = range
            .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
            .build();
        let revoke = world
            .aws
            .ec2
            .revoke_security_group_ingress()
            .group_id(&group)
            .ip_permissions(range);
        revoke.send().await.unwrap();
        world.slack.finding_says(&group, "Compliant again").await;
        tokio::time::sleep(SEEN).await;
    }
    row(
        "change in AWS until its finding is in the channel",
        CHANGES,
        &spread(&appeared),
    );
}

/// The time from sending a signed request to the end of its answer.
async fn answer(world: &World, body: &str) -> Duration {
    let headers = signed(body, Timestamp::now().as_second());
    let begun = Instant::now();
    let answer = request(
        "POST",
        &format!("{}/slack/events", world.app_url),
        &headers,
        body,
    )
    .await;
    let taken = begun.elapsed();
    assert_eq!(answer.map(|(status, _)| status), Some(200));
    taken
}
