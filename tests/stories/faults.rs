//! Every boundary of the flow, and every way in which it can go wrong: whatever happens once, a
//! finding is shown once, fixed once, with undo data, and nothing beside it is touched.

mod boundary;
pub mod cell;
mod deeds;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;
use boundary::{
    AT_LENGTH, BOUNDARIES, Boundary, DISPATCH, POST, PUT_POLICY, REPORT, REVOKE, WISH, WRITE, is_telling,
    later,
};
use cell::{
    LOOK, break_open, channel, check, fix_everything, is_at_length, patience, prepare, proxy, routing,
    waiting,
};
use futures::future::join_all;

use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::slack::Message;
use crate::support::{eventually, finding_of_group};

#[tokio::test]
async fn every_boundary_stands_every_fault() {
    let at_length = is_at_length();
    let grid: Vec<(Boundary, Fault)> = BOUNDARIES
        .iter()
        .chain(if at_length { AT_LENGTH } else { &[] })
        .flat_map(|boundary| Fault::ALL.iter().map(move |fault| (*boundary, *fault)))
        .filter(|(boundary, fault)| at_length || is_telling(boundary, *fault))
        .collect();
    let channels: BTreeSet<String> = (0..grid.len()).map(channel).collect();
    let channels: Vec<String> = channels.into_iter().collect();
    let routing = routing(&channels);
    // A fast schedule, for the housekeeping.
    let variables = vec![("DEFENDABLE_ROUTING", routing), ("DEFENDABLE_SCHEDULE_SECONDS", "60".to_owned())];
    let mut world = Installation::start(&channels, variables).await;
    // One process posts a message a second, which is what Slack takes.
    world.spawn_helpers(5);
    let mut cells = Vec::new();
    for (number, (boundary, fault)) in grid.into_iter().enumerate() {
        cells.push(prepare(&world, number, boundary, fault).await);
    }
    for cell in &cells {
        break_open(&world, cell).await;
    }
    fix_everything(&world, &cells).await;
    let begun = Instant::now();
    while let Some(waiting) = waiting(&world, &cells).await {
        assert!(begun.elapsed() < patience(), "what waits still: {waiting}; {}", world.log.display());
        tokio::time::sleep(LOOK).await;
    }
    let broken = join_all(cells.iter().map(|cell| check(&world, cell))).await.concat();
    assert!(broken.is_empty(), "{} of {}:\n  {}", broken.len(), cells.len(), broken.join("\n  "));
    for queue in ["events", "remediation", "fix", "security-group", "s3-bucket"] {
        assert_eq!(world.aws.messages_in(&format!("{queue}-dead-letters")).await, 0, "{queue}");
    }
    // Every violation has been queued for auto-response: a bucket's by two requests.
    let requests: usize = cells.iter().map(|cell| if cell.boundary.is_bucket { 2 } else { 1 }).sum();
    assert!(world.aws.messages_in("remediation").await as usize >= requests);
}

#[tokio::test]
async fn while_slack_is_down_findings_wait_and_then_come_in_order_or_as_a_digest() {
    let world = Installation::start(&[], vec![("DEFENDABLE_SCHEDULE_SECONDS", "5".to_owned())]).await;
    world.to_slack.set_down(true);
    let mut groups = Vec::new();
    for number in 0..4 {
        let group = world.aws.create_group(&format!("quiet-{number}")).await;
        world.aws.open_port(&group, 22).await;
        groups.push(group);
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    // Long enough for each to have been tried a few times.
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert!(world.slack.channel().await.is_empty(), "Slack is down");
    world.to_slack.set_down(false);
    let shown = eventually("all four are shown", async || {
        Some(world.slack.findings().await).filter(|shown| shown.len() == 4)
    })
    .await;
    let ids: Vec<String> = shown.iter().map(Message::finding_id).collect();
    // AWS Config may see two at once, in any order: what counts is when it says that they broke.
    let mut expected = Vec::new();
    for group in &groups {
        let id = finding_of_group(group);
        let record = world.aws.finding(&id).await.unwrap();
        expected.push((record["finding"]["openedAt"].as_str().unwrap().to_owned(), id.to_string()));
    }
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, expected, "in the order in which they broke");

    world.to_slack.set_down(true);
    let mut many = Vec::new();
    for number in 0..25 {
        let group = world.aws.create_group(&format!("many-{number}")).await;
        world.aws.open_port(&group, 22).await;
        many.push(finding_of_group(&group));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.to_slack.set_down(false);
    eventually("every one is shown", async || {
        for id in &many {
            if !world.aws.is_shown(id).await {
                return None;
            }
        }
        Some(())
    })
    .await;
    let channel = eventually("there is a digest", async || {
        let channel = world.slack.channel().await;
        channel.iter().any(|message| message.button("show_all").is_some()).then_some(channel)
    })
    .await;
    assert!(channel.len() <= 11, "five and five singly, and a digest: {}", channel.len());
    for queue in ["events", "fix"] {
        assert_eq!(world.aws.messages_in(&format!("{queue}-dead-letters")).await, 0);
    }
}

/// Where a stop may find the work.
const IN_HAND: [Boundary; 7] = [POST, WRITE, WISH, DISPATCH, REVOKE, PUT_POLICY, later(REPORT, 1)];

#[tokio::test]
async fn a_stop_finishes_or_gives_back_what_is_in_hand() {
    let channels = vec![channel(0), channel(IN_HAND.len() - 1)];
    let mut world = Installation::start(&channels, vec![("DEFENDABLE_ROUTING", routing(&channels))]).await;
    for queue in ["events", "fix", "security-group", "s3-bucket"] {
        // What is not given back is not seen again before patience ends.
        world.aws.set_queue(queue, QueueAttributeName::VisibilityTimeout, "3600").await;
    }
    for (number, boundary) in IN_HAND.into_iter().enumerate() {
        let cells = [prepare(&world, number, boundary, Fault::Hangs).await];
        break_open(&world, &cells[0]).await;
        let proxy = proxy(&world, boundary);
        let stopping = async {
            loop {
                if proxy.hits(cells[0].injected) > 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = stopping => {}
            () = fix_everything(&world, &cells) => panic!("{} was not hit", cells[0].name()),
        }
        let begun = Instant::now();
        let status = world.terminate().await;
        assert!(status.success(), "{}: {status}", cells[0].name());
        // Ten seconds of grace, and a margin for a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(25), "{}: {:?}", cells[0].name(), begun.elapsed());
        world.serve().await;
        fix_everything(&world, &cells).await;
        let broken = check(&world, &cells[0]).await;
        assert!(broken.is_empty(), "{broken:?}");
    }
}
