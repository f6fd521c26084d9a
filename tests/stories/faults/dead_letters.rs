//! Dead letters with every fault: parking, reporting, listing and retrying them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::SLACKS_PATIENCE;
use super::actions::telling;
use super::boundary::{POST, REVOKE, times};
use crate::support::fault_proxy::{Fault, Injected};
use crate::support::installation::Installation;
use crate::support::payload::{click, command, interact};
use crate::support::{ALICE, eventually, within};

/// The queues of the notifier, the coordinator (two) and a remediator.
const QUEUES: [&str; 4] = ["events", "fix", "remediation", "ec2"];

/// The delay of a message, in seconds, in which its faults are armed.
const LATER: i32 = 3;

/// How long an operator waits before clicking **Retry** again.
const PRESS_AGAIN: Duration = Duration::from_secs(4);

/// A report whose answer was lost is posted again after eighty seconds, unless it is found.
const TOLD: Duration = Duration::from_secs(240);

fn body(fault: Fault) -> String {
    format!("what nobody can use: {fault:?}")
}

/// Sends a message that cannot be handled, with a delay; returns its id.
async fn send(world: &Installation, queue: &str, fault: Fault) -> String {
    let url = format!("{}/123456789012/defendable-{queue}", world.aws.url());
    let send = world
        .aws
        .sqs
        .send_message()
        .queue_url(url)
        .message_body(body(fault))
        .delay_seconds(LATER);
    send.send().await.unwrap().message_id.unwrap()
}

/// How often the channel has a report of a message.
async fn told(world: &Installation, id: &str) -> usize {
    let channel = world.slack.channel().await;
    channel
        .iter()
        .filter(|message| message.words().contains(id))
        .count()
}

/// How often SQS accepted a message that contains a text.
fn sent(world: &Installation, queue: &str, about: &str) -> usize {
    let calls = world
        .to_aws
        .calls(&format!("sqs:SendMessage/defendable-{queue}"));
    calls
        .iter()
        .filter(|call| call.said.contains(about))
        .count()
}

/// Parks one message and sends it back, with every fault on the way.
async fn is_parked_and_retried(
    world: &Installation,
    queue: &str,
    fault: Fault,
) -> (String, String) {
    let id = send(world, queue, fault).await;
    let dead = format!("{queue}-dead-letters");
    let inject = |operation: &str, about: &str| {
        world
            .to_aws
            .inject(operation, about, fault, 0, times(REVOKE, fault))
    };
    let all_hit = |injected: &[Injected]| {
        injected
            .iter()
            .all(|injected| world.to_aws.hits(*injected) > 0)
    };
    let parking = [
        inject("sqs:SendMessage/defendable-events", &id),
        inject(&format!("sqs:SendMessage/defendable-{dead}"), &id),
        inject("sqs:DeleteMessage", &format!("defendable-{queue}\"")),
    ];
    let post = world.to_slack.inject(POST.operation, &id, fault, 0, 1);
    within(
        TOLD,
        &format!("{fault:?}: it is parked and told of"),
        async || {
            let hit = all_hit(&parking) && world.to_slack.hits(post) == 1;
            (hit && sent(world, &dead, &id) > 0 && told(world, &id).await > 0).then_some(())
        },
    )
    .await;
    let before = sent(world, &dead, &id);

    let retrying = [
        inject("sqs:ReceiveMessage", &format!("defendable-{dead}\"")),
        inject(&format!("sqs:SendMessage/defendable-{queue}"), &id),
        inject("sqs:DeleteMessage", &format!("defendable-{dead}\"")),
    ];
    let begun = Instant::now();
    while !all_hit(&retrying) || sent(world, &dead, &id) == before || told(world, &id).await < 2 {
        assert!(
            begun.elapsed() < super::patience(),
            "{fault:?}: it is not retried"
        );
        let pressed = Instant::now();
        let status = interact(
            &world.app_url,
            &click(ALICE, "retry", &format!("defendable-{queue}")),
        )
        .await;
        assert_eq!(status, Some(200), "{fault:?}");
        assert!(
            pressed.elapsed() < SLACKS_PATIENCE,
            "{fault:?}: answered after {:?}",
            pressed.elapsed()
        );
        tokio::time::sleep(PRESS_AGAIN).await;
    }
    (id, body(fault))
}

/// All dead letters of a queue: first ids and bodies.
async fn letters(world: &Installation, queue: &str) -> BTreeMap<String, String> {
    let url = format!(
        "{}/123456789012/defendable-{queue}-dead-letters",
        world.aws.url()
    );
    let mut letters = BTreeMap::new();
    loop {
        let receive = world
            .aws
            .sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(10);
        let receive = receive
            .visibility_timeout(600)
            .message_attribute_names("All");
        let received = receive.send().await.unwrap().messages.unwrap_or_default();
        if received.is_empty() {
            return letters;
        }
        for letter in received {
            let id = letter.message_attributes.unwrap()["originalMessageId"]
                .string_value
                .clone();
            letters.insert(id.unwrap(), letter.body.unwrap());
        }
    }
}

#[tokio::test]
async fn dead_letters_are_parked_reported_listed_and_retried_despite_every_fault() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start_with_unseen(5, &[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 5);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    let all = telling().into_iter().zip(QUEUES.iter().cycle());
    let all =
        all.map(async |(fault, queue)| (*queue, is_parked_and_retried(&world, queue, fault).await));
    let all: Vec<(&str, (String, String))> = join_all(all).await;
    eventually("everything is parked again", async || {
        for queue in QUEUES {
            if world.aws.waits_in(queue).await.is_some() {
                return None;
            }
        }
        Some(())
    })
    .await;

    for fault in telling() {
        let dead = "defendable-fix-dead-letters\"";
        let injected =
            world
                .to_aws
                .inject("sqs:ReceiveMessage", dead, fault, 0, times(REVOKE, fault));
        let begun = Instant::now();
        command(&world.app_url, "queue")
            .await
            .unwrap_or_else(|| panic!("{fault:?}: no answer"));
        assert!(
            begun.elapsed() < SLACKS_PATIENCE,
            "{fault:?}: answered after {:?}",
            begun.elapsed()
        );
        assert!(world.to_aws.hits(injected) > 0, "{fault:?}");
    }
    for queue in QUEUES {
        let listed = all
            .iter()
            .filter(|(of, _)| *of == queue)
            .map(|(_, (id, _))| id.as_str());
        let listed: Vec<&str> = listed.collect();
        eventually(&format!("{listed:?} are listed"), async || {
            let words = command(&world.app_url, "queue").await?;
            listed.iter().all(|id| words.contains(id)).then_some(())
        })
        .await;
        // Listed messages are visible again after two seconds.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let expected = all
            .iter()
            .filter(|(of, _)| *of == queue)
            .map(|(_, letter)| letter.clone());
        assert_eq!(letters(&world, queue).await, expected.collect(), "{queue}");
    }
}
