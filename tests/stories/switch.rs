//! The switch: the record, what AWS does, and what people are told when the two differ.

use serde_json::json;

use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::payload::{click, interact};
use crate::support::{ALICE, FAST, Options, World, eventually, several_ticks};

#[tokio::test]
async fn off_holds_and_is_retried_when_aws_does_not_disable_the_rule() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start(&[], every_second).await;
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    eventually("it is on", async || {
        world.aws.rule_is_enabled().await.then_some(())
    })
    .await;
    let refused = world
        .to_aws
        .inject("events:DisableRule", "", Fault::Denied, 0, 2);
    interact(&world.app_url, &click(ALICE, "autoresponse_off", "off"))
        .await
        .unwrap();
    world
        .slack
        .is_told(ALICE, "AWS did not switch the schedule's rule off")
        .await;
    world
        .slack
        .channel_says("AWS did not switch the scheduled rule off; that is tried again")
        .await;
    world
        .slack
        .channel_says("*The scheduled rule is off now*, as <@U0ALICE> had asked")
        .await;
    assert!(!world.aws.rule_is_enabled().await);
    assert_eq!(world.to_aws.hits(refused), 2);
    let channel = world.slack.channel().await;
    let accused = channel
        .iter()
        .any(|message| message.words().contains("outside Slack"));
    assert!(!accused, "nobody is accused of what a failed call left");
}

#[tokio::test]
async fn off_while_it_is_off_tells_only_the_person_who_typed_it() {
    let world = World::seeded().await;
    let off = async || world.slack.command(ALICE, "autoresponse off").await.words();
    assert!(off().await.contains("Everybody in the channel is told"));
    world
        .slack
        .channel_says("<@U0ALICE> turned auto-response *off*")
        .await;
    let before = world.slack.channel().await.len();
    let again = off().await;
    assert!(
        again.contains("*Auto-response is off* since") && again.contains("Nothing was changed"),
        "{again}"
    );
    several_ticks().await;
    assert_eq!(world.slack.channel().await.len(), before);
    // Where AWS has another opinion, it is switched again.
    let rule = "defendable-auto-response";
    let enabled = world.aws.events.enable_rule().name(rule).send();
    enabled.await.unwrap();
    assert!(off().await.contains("Everybody in the channel is told"));
    assert!(!world.aws.rule_is_enabled().await);
}

#[tokio::test]
async fn a_first_run_records_what_was_deployed_and_only_that_is_obeyed() {
    // The rule is deployed as off and enabled in the console: nobody has said "on".
    let world = World::seeded_with(FAST).await;
    world
        .aws
        .events
        .enable_rule()
        .name("defendable-auto-response")
        .send()
        .await
        .unwrap();
    world
        .slack
        .channel_says("though the deployment turned auto-response off")
        .await;
    assert!(!world.aws.rule_is_enabled().await);
    assert_eq!(
        world.aws.auto_response_wanted().await.as_deref(),
        Some("off")
    );
    assert_eq!(
        world.aws.messages_in("remediation").await,
        4,
        "nothing was fixed"
    );
    let status = world.slack.command(ALICE, "status").await.words();
    assert!(
        status.contains("*Auto-response is off* since") && status.contains("by the deployment"),
        "{status}"
    );
}

#[tokio::test]
async fn deployed_on_it_fixes_from_the_first_run() {
    let variables = &[
        ("DEFENDABLE_SCHEDULE_SECONDS", "1"),
        ("DEFENDABLE_ENABLE_AUTO_RESPONSE", "true"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    world
        .aws
        .events
        .enable_rule()
        .name("defendable-auto-response")
        .send()
        .await
        .unwrap();
    world
        .slack
        .finding_says("defendable-demo-website", "Fixed by auto-response")
        .await;
    let status = world.slack.command(ALICE, "status").await.words();
    assert!(
        status.contains("*Auto-response is on* since") && status.contains("by the deployment"),
        "{status}"
    );
}

#[tokio::test]
async fn a_rule_that_was_disabled_elsewhere_stays_off_and_people_are_asked() {
    let world = World::seeded_with(FAST).await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world
        .slack
        .finding_says("defendable-demo-website", "Fixed by auto-response")
        .await;
    world
        .aws
        .events
        .disable_rule()
        .name("defendable-auto-response")
        .send()
        .await
        .unwrap();
    let told = world
        .slack
        .channel_says("*The scheduled rule was turned off outside Slack*")
        .await;
    several_ticks().await;
    assert!(
        !world.aws.rule_is_enabled().await,
        "only a person enables it"
    );
    let channel = world.slack.channel().await;
    let times = channel
        .iter()
        .filter(|message| message.words().contains("turned off outside Slack"))
        .count();
    assert_eq!(times, 1, "once");
    world.slack.click(ALICE, &told, "autoresponse_on").await;
    eventually("it is on again", async || {
        world.aws.rule_is_enabled().await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_switch_counts_as_off_and_changes_no_rule() {
    let world = World::seeded_with(FAST).await;
    let item = json!({"pk": "AUTO_RESPONSE", "sk": "AUTO_RESPONSE", "wanted": "on, I think"});
    world.aws.put_item(&item).await;
    world
        .aws
        .events
        .enable_rule()
        .name("defendable-auto-response")
        .send()
        .await
        .unwrap();
    several_ticks().await;
    assert!(world.aws.rule_is_enabled().await, "no rule is changed");
    assert_eq!(
        world.aws.messages_in("remediation").await,
        4,
        "nothing was fixed"
    );
}
