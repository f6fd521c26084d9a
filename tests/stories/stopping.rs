//! Stopping: messages in hand are finished or returned.

use crate::support::{ALICE, Options, World, eventually};

#[tokio::test]
async fn sigterm_ends_it_cleanly_with_nothing_in_hand() {
    ends_cleanly(World::seeded().await).await;
}

#[tokio::test]
async fn in_socket_mode_too() {
    ends_cleanly(
        World::seeded_with(Options {
            socket_mode: true,
            ..Options::default()
        })
        .await,
    )
    .await;
}

async fn ends_cleanly(mut world: World) {
    let group = world.aws.group_id("batch-workers").await;
    let message = world.slack.finding(&group).await;
    world.slack.click(ALICE, &message, "fix").await;
    let status = world.app.terminate().await;
    assert!(status.success(), "{status}");
    // At every step of the fix, the fix is done or its message is in a queue, visible or not.
    let open = world
        .aws
        .ingress(&group)
        .await
        .contains(&"tcp 1024-65535 0.0.0.0/0".to_owned());
    let waiting = world.aws.messages_in("fix").await + world.aws.messages_in("ec2").await;
    assert!(!open || waiting > 0);
    eventually("nothing answers any more", async || {
        crate::support::status(&format!("{}/healthz", world.app_url))
            .await
            .is_none()
            .then_some(())
    })
    .await;
}
