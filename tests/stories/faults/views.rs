//! The Home tab and the report, with every fault.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::SLACKS_PATIENCE;
use super::actions::telling;
use super::boundary::{REVOKE, times};
use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::payload::command;
use crate::support::{ALICE, eventually, finding_of_group, request, signed, within};

/// Alice opens the Home tab; returns the status of the answer.
async fn open_home(world: &Installation) -> Option<u16> {
    let event = json!({"type": "app_home_opened", "user": ALICE, "channel": "D1", "tab": "home", "event_ts": "1.2"});
    let id = uuid::Uuid::new_v4().to_string();
    let callback =
        json!({"type": "event_callback", "team_id": "T0DEMO", "api_app_id": "A0DEFENDABLE", "event_id": id,
        "event_time": 1, "event": event})
        .to_string();
    let mut headers = signed(&callback, Timestamp::now().as_second());
    headers.retain(|(name, _)| *name != "content-type");
    headers.push(("content-type", "application/json".to_owned()));
    let url = format!("{}/slack/events", world.app_url);
    request("POST", &url, &headers, &callback)
        .await
        .map(|(status, _)| status)
}

#[tokio::test]
async fn a_home_tab_that_could_not_be_published_is_published_at_the_next_visit() {
    let world = Installation::start(&[], Vec::new()).await;
    for (number, fault) in telling().into_iter().enumerate() {
        let group = world.aws.open_group(&format!("{fault:?}")).await;
        let id = finding_of_group(&group);
        eventually("it is found", async || world.aws.finding(&id).await).await;
        let injected = world
            .to_slack
            .inject("slack:views.publish", ALICE, fault, 0, 1);
        let begun = Instant::now();
        open_home(&world)
            .await
            .unwrap_or_else(|| panic!("{fault:?}: no answer"));
        assert!(
            begun.elapsed() < SLACKS_PATIENCE,
            "{fault:?}: answered after {:?}",
            begun.elapsed()
        );
        eventually("it goes wrong", async || {
            (world.to_slack.hits(injected) == 1).then_some(())
        })
        .await;
        assert_eq!(open_home(&world).await, Some(200), "{fault:?}");
        let words = format!("*Findings:* {} open", number + 1);
        eventually(&format!("{words} after {fault:?}"), async || {
            world
                .slack
                .shown_home(ALICE)
                .await
                .contains(&words)
                .then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_home_tab_lacks_only_what_aws_does_not_answer() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("seen").await;
    let id = finding_of_group(&group);
    eventually("it is found", async || world.aws.finding(&id).await).await;
    let silent = world
        .to_aws
        .inject("events:DescribeRule", "", Fault::Hangs, 0, usize::MAX);
    let begun = Instant::now();
    assert_eq!(open_home(&world).await, Some(200));
    assert!(
        begun.elapsed() < SLACKS_PATIENCE,
        "answered after {:?}",
        begun.elapsed()
    );
    assert!(world.to_aws.hits(silent) > 0);
    let home = world.slack.shown_home(ALICE).await;
    assert!(
        home.contains("*Auto-response:* could not be read in time"),
        "{home}"
    );
    assert!(
        home.contains("*Findings:* 1 open") && home.contains(&group),
        "{home}"
    );
}

/// The calls of a report that fail, and texts in them.
const OF_A_REPORT: [(bool, &str, &str); 4] = [
    (false, "sqs:SendMessage/defendable-events", "report"),
    (false, "dynamodb:Query", r#"{"S":"history"}"#),
    (true, "slack:files.getUploadURLExternal", ""),
    (true, "slack:files.completeUploadExternal", ""),
];

/// A report whose answer was lost is tried again after eighty seconds, and may fail twice.
const COMES: Duration = Duration::from_secs(240);

/// The keys of the reports that were requested from the notifier; each is posted once.
fn requested(world: &Installation) -> BTreeSet<String> {
    let calls = world
        .to_aws
        .calls("sqs:SendMessage/defendable-events")
        .into_iter();
    let bodies = calls.filter_map(|call| {
        let sent: Value = serde_json::from_str(call.said.split_once(' ')?.1).ok()?;
        serde_json::from_str::<Value>(sent["MessageBody"].as_str()?).ok()
    });
    let reports = bodies.filter(|body| body["notice"] == "report");
    reports
        .map(|body| format!("report {} {ALICE}", body["at"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn every_requested_report_is_posted() {
    let world = Installation::start_with_unseen(5, &[], Vec::new()).await;
    let mut injected = Vec::new();
    for fault in telling() {
        for (of_slack, operation, about) in OF_A_REPORT {
            let (proxy, times) = if of_slack {
                (&world.to_slack, 1)
            } else {
                (&world.to_aws, times(REVOKE, fault))
            };
            injected.push((
                proxy,
                fault,
                operation,
                proxy.inject(operation, about, fault, 0, times),
            ));
        }
    }
    let mut asked = 0;
    while asked < telling().len() {
        let begun = Instant::now();
        let answer = command(&world.app_url, "report").await.expect("an answer");
        assert!(
            begun.elapsed() < SLACKS_PATIENCE,
            "answered after {:?}",
            begun.elapsed()
        );
        asked += usize::from(answer.contains("is being drawn"));
    }
    let sent = requested(&world);
    assert!(sent.len() >= asked, "{} of {asked}", sent.len());
    let table = world.aws.table();
    // Where Slack refuses the upload, people are told, and no report is posted.
    let refused = telling()
        .iter()
        .filter(|fault| **fault == Fault::Denied)
        .count()
        * 2;
    within(
        COMES,
        "every report is there, or somebody is told that there is none",
        async || {
            let mut posted = 0;
            for key in &sent {
                posted += usize::from(table.is_posted(key).await.unwrap());
            }
            let messages = world.slack.messages().await.into_iter();
            let pictures = messages
                .filter(|message| message.0["files"].is_array())
                .count();
            let told = world.slack.told(ALICE).await.into_iter();
            let told = told
                .filter(|told| told.words().contains("does not take the report"))
                .count();
            (told == refused && posted + told == sent.len() && pictures >= posted).then_some(())
        },
    )
    .await;
    let done = async || (world.aws.messages_in("events").await == 0).then_some(());
    eventually("nothing is left", done).await;
    for (proxy, fault, operation, injected) in injected {
        assert!(
            proxy.hits(injected) > 0,
            "{operation} goes wrong: {fault:?}"
        );
    }
    assert_eq!(world.aws.messages_in("events-dead-letters").await, 0);
}
