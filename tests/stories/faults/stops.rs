//! A stop at any moment finishes the messages in hand, or returns them.

use std::time::{Duration, Instant};

use super::boundary::{
    ASK, Boundary, DISPATCH, POST, PUT_ACL, PUT_POLICY, REPORT, REVOKE, WRITE, later,
};
use super::cell::{break_open, channel, check, fix_everything, prepare, routing, waiting};
use crate::support::fault_proxy::{Fault, Injected};
use crate::support::installation::Installation;
use crate::support::payload::{click, interact, submission};
use crate::support::{ALICE, eventually, finding_of_group, removed};

/// Ten seconds of grace, and a margin for a slow machine.
const STOPS: Duration = Duration::from_secs(25);

/// Stops `serve` by SIGTERM, and starts it again.
async fn stop_and_start(world: &mut Installation, at: &str) {
    let begun = Instant::now();
    let status = world.terminate().await;
    assert!(status.success(), "{at}: {status}");
    assert!(begun.elapsed() < STOPS, "{at}: {:?}", begun.elapsed());
    world.serve().await;
}

/// Waits until the call has been made.
async fn is_in_hand(world: &Installation, injected: Injected, at: &str) {
    eventually(at, async || (world.to_aws.hits(injected) > 0).then_some(())).await;
}

/// A message that is not returned would stay invisible for so many seconds, longer than the story waits.
const TOO_LONG: u32 = 3600;

/// The calls during which `serve` is stopped.
const IN_HAND: [Boundary; 8] = [
    POST,
    WRITE,
    ASK,
    DISPATCH,
    REVOKE,
    PUT_ACL,
    PUT_POLICY,
    later(REPORT, 1),
];

#[tokio::test]
async fn a_stop_finishes_or_returns_the_messages_in_hand() {
    let channels = vec![channel(0), channel(IN_HAND.len() - 1)];
    let variables = vec![("DEFENDABLE_ROUTING", routing(&channels))];
    let mut world = Installation::start_with_unseen(TOO_LONG, &channels, variables).await;
    for (number, boundary) in IN_HAND.into_iter().enumerate() {
        let mut cells = [prepare(&world, number, boundary, Fault::Hangs).await];
        break_open(&world, &mut cells[0]).await;
        let stopping = async {
            loop {
                if cells[0].hits(&world) > 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = stopping => {}
            () = fix_everything(&world, &cells) => panic!("{} was not hit", cells[0].name()),
        }
        stop_and_start(&mut world, &cells[0].name()).await;
        fix_everything(&world, &cells).await;
        eventually("all of it is told", async || {
            waiting(&world, &cells).await.is_none().then_some(())
        })
        .await;
        let broken = check(&world, &cells[0]).await;
        assert!(broken.is_empty(), "{broken:?}");
    }
}

/// The calls of a scheduled run and of the functions beside it, during which `serve` is stopped.
const IN_A_RUN: [(&str, &str); 6] = [
    ("events:DescribeRule", ""),
    ("dynamodb:Query", "ignored"),
    ("dynamodb:GetItem", "AUTO_RESPONSE"),
    ("sqs:SendMessage/defendable-ec2", ""),
    ("sqs:DeleteMessage", "defendable-remediation"),
    ("ec2:RevokeSecurityGroupIngress", ""),
];

#[tokio::test]
async fn a_stop_during_a_scheduled_run_or_an_undo_loses_nothing() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let mut world = Installation::start_with_unseen(TOO_LONG, &[], every_second).await;
    // Requests that a run has read but not decided become visible again.
    world.to_aws.set_unseen("defendable-remediation", 5);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    for (operation, about) in IN_A_RUN {
        let group = world
            .aws
            .create_group(&operation.replace([':', '/'], " "))
            .await;
        let injected = world.to_aws.inject(operation, about, Fault::Hangs, 0, 1);
        world.aws.open_port(&group, 22).await;
        is_in_hand(&world, injected, operation).await;
        stop_and_start(&mut world, operation).await;
        let id = finding_of_group(&group);
        eventually(
            &format!("{group} is fixed after a stop at {operation}"),
            async || {
                let record = world.aws.finding(&id).await?;
                (record["state"] == "fixed"
                    && removed(&record) == 1
                    && world.aws.is_shown(&id).await)
                    .then_some(())
            },
        )
        .await;

        let injected = world.to_aws.inject(
            "ec2:AuthorizeSecurityGroupIngress",
            &group,
            Fault::Hangs,
            0,
            1,
        );
        interact(
            &world.app_url,
            &submission(ALICE, "undo", &world.aws.undo_value(&id).await),
        )
        .await
        .unwrap();
        is_in_hand(&world, injected, "an undo").await;
        stop_and_start(&mut world, "an undo").await;
        eventually(&format!("the fix of {group} is undone"), async || {
            (world.aws.finding(&id).await?["state"] == "ignored" && world.aws.is_shown(&id).await)
                .then_some(())
        })
        .await;
        assert_eq!(
            world.aws.ingress(&group).await,
            ["tcp 22-22 0.0.0.0/0"],
            "{operation}"
        );
    }
    for queue in ["events", "remediation", "fix", "ec2"] {
        assert_eq!(
            world
                .aws
                .messages_in(&format!("{queue}-dead-letters"))
                .await,
            0,
            "{queue}"
        );
    }
}
