//! Auto-response is turned on over a backlog of which 99 in 100 are stale.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

mod figure;
mod memory;

use std::time::{Duration, Instant};

use figure::row;
use memory::{cpu_time, memory};
use serde_json::{Value, json};
use support::installation::Installation;
use support::payload::{click, interact, submission};
use support::{ALICE, finding_of_group};

/// The sizes, one after the other; `DEFENDABLE_DRAINS=100` chooses others.
const SIZES: [usize; 3] = [100, 1000, 10_000];

/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(200);

fn main() {
    let chosen = std::env::var("DEFENDABLE_DRAINS").ok();
    let sizes: Vec<usize> = match &chosen {
        Some(sizes) => sizes
            .split(',')
            .map(|size| size.trim().parse().expect("sizes are numbers"))
            .collect(),
        None => SIZES.to_vec(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    sizes
        .into_iter()
        .for_each(|size| runtime.block_on(drain(size)));
}

async fn drain(size: usize) {
    let variables = [
        ("DEFENDABLE_SCHEDULE_SECONDS", "1"),
        ("DEFENDABLE_BLAST_RADIUS", "1000000"),
    ];
    let variables = variables
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec();
    let world = Installation::start(&[], variables).await;
    let mut groups = Vec::new();
    for number in 0..size.div_ceil(100) {
        groups.push(world.aws.open_group(&format!("drain-{number}")).await);
    }
    // What flapped for weeks was queued every time, and then somebody tagged it, ignored it, or fixed it.
    let tagged = world.aws.create_group("drain-tagged").await;
    world
        .aws
        .tag(&tagged, "defendable:ignore", "a honeypot")
        .await;
    world.aws.open_port(&tagged, 22).await;
    let ignored = world.aws.open_group("drain-ignored").await;
    let fixed = world.aws.open_group("drain-fixed").await;
    let settled = [&tagged, &ignored, &fixed];
    are_shown(&world, groups.iter().chain(settled)).await;
    for payload in [
        submission(ALICE, "ignore", finding_of_group(&ignored).as_str()),
        click(
            ALICE,
            "fix",
            &world.aws.fix_value(&finding_of_group(&fixed)).await,
        ),
    ] {
        interact(&world.app_url, &payload).await.unwrap();
    }
    while !world.aws.ingress(&fixed).await.is_empty() {
        tokio::time::sleep(LOOK).await;
    }
    are_shown(&world, settled).await;
    let stale = settled
        .into_iter()
        .cycle()
        .map(|group| request(group))
        .take(size - groups.len());
    world
        .aws
        .send_all("remediation", &stale.collect::<Vec<_>>())
        .await;
    let revoked = || world.to_aws.calls("ec2:RevokeSecurityGroupIngress").len();
    let revoked_before = revoked();
    let (before, calls) = (memory(world.process_id(), "VmRSS"), slack_calls(&world));
    let own_before: Duration = cpu_time(world.process_id()).iter().sum();
    let begun = Instant::now();
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    while world.aws.messages_in("remediation").await > 0 {
        tokio::time::sleep(LOOK).await;
    }
    let taken = begun.elapsed();
    let own = cpu_time(world.process_id()).iter().sum::<Duration>() - own_before;
    for group in &groups {
        while !world.aws.ingress(group).await.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    }
    are_shown(&world, &groups).await;
    let revoked = revoked() - revoked_before;
    assert_eq!(revoked, groups.len(), "each group is mended once");
    for kept in [&tagged, &ignored] {
        assert_eq!(
            world.aws.ingress(kept).await.len(),
            1,
            "what is ignored is left"
        );
    }
    let figures = format!(
        "{:.1} s, {:.1} ms each ({:.1} ms of our processor time), {revoked} changes, {} Slack calls, {:.0} MB before, peak {:.0} MB",
        taken.as_secs_f64(),
        taken.as_secs_f64() * 1000.0 / size as f64,
        own.as_secs_f64() * 1000.0 / size as f64,
        slack_calls(&world) - calls,
        before as f64 / 1000.0,
        memory(world.process_id(), "VmHWM") as f64 / 1000.0,
    );
    row(
        "queued requests drained, of which 99 in 100 stale",
        size,
        &figures,
    );
}

async fn are_shown(world: &Installation, groups: impl IntoIterator<Item = &String>) {
    for group in groups {
        while !world.aws.is_shown(&finding_of_group(group)).await {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn request(group: &str) -> Value {
    json!({"raisedByRule": "defendable-restricted-ports", "targetResourceType": "AWS::EC2::SecurityGroup",
        "targetResourceId": group, "awsRegion": "us-east-1", "violationType": "EC2_SG_PROHIBITED_PORT",
        "violationDetails": {}, "awsAccountId": "123456789012"})
}

fn slack_calls(world: &Installation) -> usize {
    [
        "slack:chat.postMessage",
        "slack:chat.update",
        "slack:conversations.history",
    ]
    .map(|call| world.to_slack.calls(call).len())
    .iter()
    .sum()
}
