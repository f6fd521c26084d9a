//! An ignore covers what was ignored, and auto-response does not compete with a program that opens things.

use serde_json::json;

use super::{MYSQL, SSH, open_for_every_protocol, open_group};
use crate::support::peers::CloudTrail;
use crate::support::slack::Message;
use crate::support::{ALICE, BOB, FAST, Options, World, because, eventually, several_ticks};

async fn ignore(world: &World, message: &Message) {
    world.slack.click(ALICE, message, "ignore").await;
    world.slack.modal_says("*This is ignored*").await;
    let option = json!({"text": {"type": "plain_text", "text": "7 days"}, "value": "7d"});
    let duration = json!({"duration": {"type": "static_select", "selected_option": option}});
    world
        .slack
        .submit(
            ALICE,
            json!({"duration": duration, "reason": because("Ticket 42")}),
        )
        .await;
}

#[tokio::test]
async fn a_group_that_opens_beyond_an_ignore_is_open_again_and_the_ignored_part_stays() {
    let world = World::seeded().await;
    let (group, _, message) = open_group(&world, "ignored").await;
    ignore(&world, &message).await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    open_for_every_protocol(&world, &group).await;
    let opened = world
        .slack
        .finding_says(&group, ":red_circle: Open · critical severity")
        .await;
    let words = opened.words();
    assert_eq!(opened.ts(), message.ts());
    assert!(
        words.contains("*Fix will*\n• revoke all traffic from 0.0.0.0/0"),
        "{words}"
    );
    assert!(
        words.contains("*Ignored by <@U0ALICE>*") && words.contains("Ticket 42"),
        "{words}"
    );
    assert!(
        words.contains("• tcp 22 is reachable from 0.0.0.0/0"),
        "{words}"
    );

    world.slack.click(ALICE, &opened, "fix").await;
    let left = world
        .slack
        .finding_says(&group, "*Ignored*, and nothing beyond it")
        .await;
    assert!(
        left.words()
            .contains("• revoked all traffic from 0.0.0.0/0"),
        "{}",
        left.words()
    );
    assert_eq!(
        world.aws.ingress(&group).await,
        [SSH],
        "what is ignored is left by a fix of the rest"
    );
    // The fix can be undone, though the rest is ignored.
    assert!(left.button("undo").is_some() && left.button("unignore").is_some());
}

#[tokio::test]
async fn auto_response_fixes_only_what_is_beyond_an_ignore() {
    let world = World::seeded_with(FAST).await;
    let (group, _, message) = open_group(&world, "ignored").await;
    ignore(&world, &message).await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world
        .slack
        .finding_says("defendable-demo-website", "Fixed by auto-response")
        .await;
    several_ticks().await;
    assert_eq!(world.aws.ingress(&group).await, [SSH]);
    open_for_every_protocol(&world, &group).await;
    eventually("what is new is gone", async || {
        let calls = world.slack.finding(&group).await.words();
        (calls.contains("• revoked all traffic") && world.aws.ingress(&group).await == [SSH])
            .then_some(())
    })
    .await;
    several_ticks().await;
    assert_eq!(world.aws.ingress(&group).await, [SSH]);
}

#[tokio::test]
async fn an_undo_ignores_what_it_put_back_and_nothing_more() {
    let world = World::seeded().await;
    let (group, _, message) = open_group(&world, "undone").await;
    world.slack.click(ALICE, &message, "fix").await;
    let fixed = world.slack.finding_says(&group, "*What was done*").await;
    world.slack.click(ALICE, &fixed, "undo").await;
    world
        .slack
        .submit(ALICE, json!({"reason": because("The build fails")}))
        .await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    assert_eq!(world.aws.ingress(&group).await, [SSH]);
    open_for_every_protocol(&world, &group).await;
    let opened = world
        .slack
        .finding_says(&group, ":red_circle: Open · critical severity")
        .await;
    let words = opened.words();
    assert!(
        words.contains("*Fix will*\n• revoke all traffic from 0.0.0.0/0"),
        "{words}"
    );
    assert!(
        words.contains("*Ignored by <@U0ALICE>*") && words.contains("The build fails"),
        "{words}"
    );
    assert!(
        words.contains("• tcp 22 is reachable from 0.0.0.0/0"),
        "{words}"
    );
}

#[tokio::test]
async fn a_fix_of_an_ignored_finding_does_not_take_what_was_opened_since() {
    let world = World::seeded().await;
    let (group, id, message) = open_group(&world, "ignored").await;
    ignore(&world, &message).await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    let asked = world.slack.command(ALICE, &format!("fix {id}")).await;
    assert!(
        asked.words().contains("is ignored by <@U0ALICE>"),
        "{}",
        asked.words()
    );
    world.aws.open_port(&group, 3306).await;
    world.slack.finding_says(&group, "• revoke tcp 3306").await;
    world.slack.click(ALICE, &asked, "fix_ignored").await;
    let asks = world
        .slack
        .finding_says(&group, "<@U0ALICE> had agreed to less. New is:")
        .await;
    assert!(
        asks.words()
            .contains("• tcp 3306 is reachable from 0.0.0.0/0"),
        "{}",
        asks.words()
    );
    assert_eq!(
        world.aws.ingress(&group).await,
        [SSH, MYSQL],
        "nothing was changed"
    );
    assert!(
        asks.words().contains("*Ignored by <@U0ALICE>*"),
        "{}",
        asks.words()
    );
}

#[tokio::test]
async fn a_tag_covers_the_resource_and_its_thread_says_once_that_it_is_worse() {
    let world = World::seeded().await;
    let group = world.aws.create_group("tagged").await;
    world
        .aws
        .tag(&group, "defendable:ignore", "a honeypot")
        .await;
    world.aws.open_port(&group, 22).await;
    let ignored = world
        .slack
        .finding_says(&group, "Ignored while tagged")
        .await;
    world.aws.open_port(&group, 3306).await;
    let told = async || {
        let thread = world.slack.thread(&ignored).await;
        thread
            .iter()
            .filter(|reply| reply.words().contains("exposes more now: critical"))
            .count()
    };
    eventually("the thread says so", async || {
        (told().await == 1).then_some(())
    })
    .await;
    world.aws.open_port(&group, 1433).await;
    world.slack.finding_says(&group, "• revoke tcp 1433").await;
    assert_eq!(told().await, 1, "once");
    assert!(
        world
            .slack
            .finding(&group)
            .await
            .words()
            .contains("Ignored while tagged")
    );
}

#[tokio::test]
async fn auto_response_leaves_an_exposure_that_a_program_keeps_opening_and_names_the_program() {
    let trail = CloudTrail::start().await;
    let arguments: &'static [&str] = Box::leak(vec!["--cloudtrail", trail.url].into_boxed_slice());
    let world = World::seeded_with(Options { arguments, ..FAST }).await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    let group = world.aws.create_group("fought-over").await;
    for round in 0..3 {
        trail.learn(&group, "deploy", &format!("{:.0}", jiff::Timestamp::now()));
        world.aws.open_port(&group, 22).await;
        eventually(&format!("it is fixed, {round}"), async || {
            world.aws.ingress(&group).await.is_empty().then_some(())
        })
        .await;
        world
            .slack
            .finding_says(&group, "Fixed by auto-response")
            .await;
        // AWS Config must see the group as compliant before it opens again.
        several_ticks().await;
    }
    world.aws.open_port(&group, 22).await;
    let asks = world
        .slack
        .finding_says(&group, "*Auto-response has stopped for this:*")
        .await;
    assert!(
        asks.words().contains("fixed 3 times within a day"),
        "{}",
        asks.words()
    );
    assert!(
        asks.words()
            .contains("opened by `arn:aws:iam::123456789012:user/deploy`"),
        "{}",
        asks.words()
    );
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&group).await,
        [SSH],
        "auto-response leaves it"
    );
    let queue = world.slack.command(BOB, "queue").await.words();
    assert!(queue.contains("ask for 1"), "{queue}");
    world.slack.click(ALICE, &asks, "fix").await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
}
