//! Every call of the flow fails in every way. Still each finding is shown once and fixed once, its undo data
//! is kept, and nothing else is changed.

mod actions;
mod boundary;
pub mod cell;
mod dead_letters;
mod people;
mod stops;
mod views;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use boundary::{AT_LENGTH, BOUNDARIES, Boundary, UPDATE, is_promised, is_telling};
use cell::{
    LOOK, PUBLIC_POLICY, break_open, channel, check, create_bucket, fix_everything, is_at_length,
    patience, prepare, routing, waiting,
};
use futures::future::join_all;
use jiff::Timestamp;

use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::{finding_of_group, within};

/// Slack's time limit for an answer.
const SLACKS_PATIENCE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn every_call_survives_every_fault() {
    let at_length = is_at_length();
    let grid: Vec<(Boundary, Fault)> = BOUNDARIES
        .iter()
        .chain(if at_length { AT_LENGTH } else { &[] })
        .flat_map(|boundary| Fault::ALL.iter().map(move |fault| (*boundary, *fault)))
        .filter(|(boundary, fault)| is_promised(boundary, *fault))
        .filter(|(boundary, fault)| at_length || is_telling(boundary, *fault))
        .collect();
    let channels: BTreeSet<String> = (0..grid.len()).map(channel).collect();
    let channels: Vec<String> = channels.into_iter().collect();
    let routing = routing(&channels);
    // Housekeeping once a minute, as on AWS.
    let variables = vec![
        ("DEFENDABLE_ROUTING", routing),
        ("DEFENDABLE_SCHEDULE_SECONDS", "60".to_owned()),
    ];
    let mut world = Installation::start(&channels, variables).await;
    // A process posts one message a second per channel, which is Slack's limit.
    world.spawn_helpers(5);
    let mut cells = Vec::new();
    for (number, (boundary, fault)) in grid.into_iter().enumerate() {
        cells.push(prepare(&world, number, boundary, fault).await);
    }
    for cell in &mut cells {
        break_open(&world, cell).await;
    }
    fix_everything(&world, &cells).await;
    let begun = Instant::now();
    while let Some(waiting) = waiting(&world, &cells).await {
        assert!(
            begun.elapsed() < patience(),
            "what waits still: {waiting}; {}",
            world.log.display()
        );
        tokio::time::sleep(LOOK).await;
    }
    let broken = join_all(cells.iter().map(|cell| check(&world, cell)))
        .await
        .concat();
    assert!(
        broken.is_empty(),
        "{} of {}:\n  {}",
        broken.len(),
        cells.len(),
        broken.join("\n  ")
    );
    let second_edits = cells
        .iter()
        .filter(|cell| cell.boundary.operation == UPDATE.operation);
    assert!(
        second_edits
            .filter(|cell| cell.boundary.skip > 0)
            .any(|cell| cell.hits(&world) > 0)
    );
    for queue in ["events", "remediation", "fix", "ec2", "s3"] {
        assert_eq!(
            world
                .aws
                .messages_in(&format!("{queue}-dead-letters"))
                .await,
            0,
            "{queue}"
        );
    }
    // Each violation was queued for auto-response, whatever AWS Config saw before the fix.
    let queued = world.rules_to_aws.calls("sqs:SendMessageBatch");
    for cell in &cells {
        assert!(
            queued.iter().any(|call| call.said.contains(&cell.resource)),
            "{}",
            cell.name()
        );
    }
    assert!(world.aws.messages_in("remediation").await as usize >= cells.len());
}

/// How long Slack is down: long enough that each finding is tried several times, or as long as the environment
/// says.
fn outage() -> Duration {
    let seconds = std::env::var("DEFENDABLE_OUTAGE_SECONDS");
    Duration::from_secs(seconds.map_or(14, |seconds| seconds.parse().unwrap()))
}

/// How soon afterwards everything must be shown: a message that has waited for long is tried every two
/// minutes.
fn back() -> Duration {
    let soon = Duration::from_secs(60);
    if outage() > soon {
        Duration::from_secs(150)
    } else {
        soon
    }
}

#[tokio::test]
async fn while_slack_is_down_findings_wait_and_then_come_in_order_or_as_a_digest() {
    let world =
        Installation::start(&[], vec![("DEFENDABLE_SCHEDULE_SECONDS", "5".to_owned())]).await;
    world.to_slack.set_down(true);
    // Four findings of each rule, alternating.
    for number in 0..4 {
        world.aws.open_group(&format!("quiet-{number}")).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let bucket = format!("quiet-{number}");
        create_bucket(&world, &bucket, &[]).await;
        world
            .aws
            .set_policy(&bucket, &PUBLIC_POLICY.replace("BUCKET", &bucket))
            .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(outage()).await;
    assert!(world.slack.channel().await.is_empty(), "Slack is down");
    world.to_slack.set_down(false);
    let shown = within(back(), "all eight are shown", async || {
        Some(world.slack.findings().await).filter(|shown| shown.len() == 8)
    })
    .await;
    // AWS Config may see two groups at the same time, in any order. The order of its notifications counts.
    let mut opened_at = Vec::new();
    for message in &shown {
        let record = world
            .aws
            .finding(&message.finding_id().parse().unwrap())
            .await
            .unwrap();
        opened_at.push(
            record["finding"]["openedAt"]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap(),
        );
    }
    assert!(
        opened_at.is_sorted(),
        "in the order in which they broke: {opened_at:?}"
    );

    world.to_slack.set_down(true);
    let mut many = Vec::new();
    for number in 0..25 {
        let group = world.aws.open_group(&format!("many-{number}")).await;
        many.push(finding_of_group(&group));
    }
    tokio::time::sleep(outage()).await;
    world.to_slack.set_down(false);
    within(back(), "every one is shown", async || {
        for id in &many {
            if !world.aws.is_shown(id).await {
                return None;
            }
        }
        Some(())
    })
    .await;
    let channel = within(back(), "there is a digest", async || {
        let channel = world.slack.channel().await;
        channel
            .iter()
            .any(|message| message.button("show_all").is_some())
            .then_some(channel)
    })
    .await;
    assert!(
        channel.len() <= 14,
        "eight and five singly, and a digest: {}",
        channel.len()
    );
    for queue in ["events", "fix"] {
        assert_eq!(
            world
                .aws
                .messages_in(&format!("{queue}-dead-letters"))
                .await,
            0
        );
    }
}
