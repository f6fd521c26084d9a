//! Answers, modals and refusals, and the secrets that they need, with every fault.

use std::time::Instant;

use serde_json::{Value, json};

use super::SLACKS_PATIENCE;
use super::actions::telling;
use super::boundary::{REVOKE, times};
use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::payload::{click, command, interact, submission};
use crate::support::{
    ALICE, BOB, BOT_TOKEN, SIGNING_SECRET, because, eventually, finding_of_group,
};

/// The modal as Alice submits it.
fn filled_in(reason: &str) -> Value {
    let option = json!({"text": {"type": "plain_text", "text": "1 day"}, "value": "1d"});
    json!({"duration": {"duration": {"type": "static_select", "selected_option": option}}, "reason": because(reason)})
}

#[tokio::test]
async fn a_modal_that_did_not_open_opens_at_the_next_click() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("fenced").await;
    let id = finding_of_group(&group);
    for fault in telling() {
        let open = world.slack.finding_says(&group, "Open").await;
        let told = world.slack.told(ALICE).await.len();
        let injected = world
            .to_slack
            .inject("slack:views.open", id.as_str(), fault, 0, 1);
        let begun = Instant::now();
        world.slack.click(ALICE, &open, "ignore").await;
        assert!(
            begun.elapsed() < SLACKS_PATIENCE,
            "{fault:?}: answered after {:?}",
            begun.elapsed()
        );
        assert_eq!(world.to_slack.hits(injected), 1, "{fault:?}");
        let opened = world.slack.modal().await.contains("Ignore");
        let sorry = world.slack.told(ALICE).await.into_iter().skip(told);
        let sorry = sorry
            .filter(|told| told.words().contains("Slack did not do as it was asked"))
            .count();
        // The person gets a modal or a message. Where only the answer was lost, the person gets both.
        assert!(
            opened || sorry == 1,
            "{fault:?}: {sorry} times told, and opened is {opened}"
        );
        if !opened {
            world.slack.click(ALICE, &open, "ignore").await;
            world.slack.modal_says("Ignore").await;
        }
        world
            .slack
            .submit(ALICE, filled_in(&format!("{fault:?}")))
            .await;
        let ignored = world
            .slack
            .finding_says(&group, &format!("{fault:?}"))
            .await;
        world.slack.click(ALICE, &ignored, "unignore").await;
    }
    assert_eq!(world.slack.findings().await.len(), 1);
}

/// The number that a line of the history has: "(3 times within the hour)".
fn times_in(line: &str) -> usize {
    let times = line
        .split_once(" times)")
        .and_then(|(before, _)| before.rsplit('(').next());
    times.map_or(1, |times| times.parse().unwrap())
}

#[tokio::test]
async fn a_refused_click_changes_nothing_though_the_refusal_cannot_be_posted() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("fenced").await;
    let id = finding_of_group(&group);
    let open = world.slack.finding(&group).await;
    for (number, fault) in telling().into_iter().enumerate() {
        let injected = world
            .to_slack
            .inject("slack:chat.postEphemeral", BOB, fault, 0, 1);
        let begun = Instant::now();
        assert_eq!(
            interact(
                &world.app_url,
                &click(BOB, "fix", &world.aws.fix_value(&id).await)
            )
            .await,
            Some(200),
            "{fault:?}"
        );
        assert!(
            begun.elapsed() < SLACKS_PATIENCE,
            "{fault:?}: answered after {:?}",
            begun.elapsed()
        );
        assert_eq!(world.to_slack.hits(injected), 1, "{fault:?}");
        let told = world.slack.told(BOB).await.len();
        world.slack.click(BOB, &open, "fix").await;
        eventually(&format!("Bob is told after {fault:?}"), async || {
            (world.slack.told(BOB).await.len() > told).then_some(())
        })
        .await;
        let history = command(&world.app_url, &format!("history {id}"))
            .await
            .unwrap();
        let times = history
            .lines()
            .filter(|line| line.contains("was refused"))
            .map(times_in)
            .sum::<usize>();
        assert_eq!(times, 2 * (number + 1), "{fault:?}: {history}");
    }
    assert_eq!(world.aws.ingress(&group).await, ["tcp 22-22 0.0.0.0/0"]);
}

#[tokio::test]
async fn a_secret_that_could_not_be_read_is_read_at_the_next_request() {
    let mut world = Installation::start_with_unseen(5, &[], Vec::new()).await;
    for fault in telling() {
        // A process keeps the secrets that it has read.
        world.kill();
        world.serve().await;
        let inject = |name: &str| {
            world
                .to_aws
                .inject("ssm:GetParameter", name, fault, 0, times(REVOKE, fault))
        };
        let injected = [inject("signing-secret"), inject("bot-token")];
        let group = world.aws.open_group(&format!("{fault:?}")).await;
        let id = finding_of_group(&group);
        eventually(
            &format!("{group} is fixed in spite of {fault:?}"),
            async || {
                let status = interact(
                    &world.app_url,
                    &click(ALICE, "fix", &world.aws.fix_value(&id).await),
                )
                .await;
                assert!(matches!(status, Some(200 | 503)), "{fault:?}: {status:?}");
                (world.aws.finding(&id).await?["state"] == "fixed" && world.aws.is_shown(&id).await)
                    .then_some(())
            },
        )
        .await;
        for injected in injected {
            assert!(world.to_aws.hits(injected) > 0, "{fault:?}");
        }
        // A forged request is not accepted meanwhile, and neither is one that could not be verified.
        assert!(world.aws.ingress(&group).await.is_empty(), "{fault:?}");
    }
    let log = world.logged();
    assert!(
        log.contains("ssm:GetParameter failed"),
        "{}",
        world.log.display()
    );
    for secret in [BOT_TOKEN, SIGNING_SECRET] {
        assert!(!log.contains(secret), "{}", world.log.display());
    }
}

#[tokio::test]
async fn an_operator_may_act_again_once_slack_answers() {
    let mut world = Installation::start_with_unseen(5, &[], Vec::new()).await;
    // "Too many requests" is waited out, and causes no fault.
    let faults = telling()
        .into_iter()
        .filter(|fault| !matches!(fault, Fault::TooMany | Fault::TooManyWait));
    for fault in faults {
        let group = world.aws.open_group(&format!("{fault:?}")).await;
        let id = finding_of_group(&group);
        eventually("it is found", async || world.aws.finding(&id).await).await;
        // A process remembers Slack's answer for a minute.
        world.kill();
        world.serve().await;
        let injected = world
            .to_slack
            .inject("slack:users.info", ALICE, fault, 0, 1);
        let begun = Instant::now();
        assert_eq!(
            interact(
                &world.app_url,
                &click(ALICE, "fix", &world.aws.fix_value(&id).await)
            )
            .await,
            Some(200),
            "{fault:?}"
        );
        assert!(
            begun.elapsed() < SLACKS_PATIENCE,
            "{fault:?}: answered after {:?}",
            begun.elapsed()
        );
        assert_eq!(world.to_slack.hits(injected), 1, "{fault:?}");
        assert_eq!(
            world.aws.finding(&id).await.unwrap()["state"],
            "open",
            "{fault:?}"
        );
        eventually(&format!("she may again after {fault:?}"), async || {
            interact(
                &world.app_url,
                &click(ALICE, "fix", &world.aws.fix_value(&id).await),
            )
            .await;
            (world.aws.finding(&id).await?["state"] == "fixed").then_some(())
        })
        .await;
        interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
            .await
            .unwrap();
        assert_eq!(
            world.aws.auto_response_wanted().await.as_deref(),
            Some("on"),
            "{fault:?}"
        );
        world.kill();
        world.serve().await;
        // **Off** does not wait for Slack's answer.
        let injected = world
            .to_slack
            .inject("slack:users.info", ALICE, fault, 0, 1);
        interact(&world.app_url, &click(ALICE, "autoresponse_off", "off"))
            .await
            .unwrap();
        assert_eq!(world.to_slack.hits(injected), 1, "{fault:?}");
        assert_eq!(
            world.aws.auto_response_wanted().await.as_deref(),
            Some("off"),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_decision_is_shown_though_the_process_dies_before_it_edits_the_message() {
    let two_persons = vec![("DEFENDABLE_TWO_PERSON_ACCOUNTS", "123456789012".to_owned())];
    let mut world = Installation::start_with_unseen(5, &[], two_persons).await;
    let decisions = [("ignored", "forged"), ("asked for", "wants this fixed")];
    for (name, words) in decisions {
        let group = world.aws.open_group(name).await;
        let id = finding_of_group(&group);
        eventually("it is shown", async || {
            world.aws.is_shown(&id).await.then_some(())
        })
        .await;
        // A process takes a lease before it edits a message.
        let lease =
            world
                .to_aws
                .inject("dynamodb:UpdateItem", "SET leaseUntil", Fault::Hangs, 0, 1);
        let decided = match name {
            "ignored" => submission(ALICE, "ignore", &world.aws.fix_value(&id).await),
            _ => click(ALICE, "fix", &world.aws.fix_value(&id).await),
        };
        let (url, before) = (
            world.app_url.clone(),
            world.aws.finding(&id).await.unwrap()["version"].clone(),
        );
        let deciding = tokio::spawn(async move { interact(&url, &decided).await });
        eventually(words, async || (world.to_aws.hits(lease) > 0).then_some(())).await;
        world.kill();
        _ = deciding.await;
        assert_ne!(
            world.aws.finding(&id).await.unwrap()["version"],
            before,
            "{name}: it is decided"
        );
        assert!(
            !world.aws.is_shown(&id).await,
            "{name}: nobody has shown it"
        );
        world.serve().await;
        eventually(name, async || world.aws.is_shown(&id).await.then_some(())).await;
        assert!(
            world.slack.finding(&group).await.words().contains(words),
            "{name}"
        );
    }
}
