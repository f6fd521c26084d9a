//! What people can see: who opened it, what auto-response would do, and the report.

use serde_json::json;

use crate::support::peers::CloudTrail;
use crate::support::slack::Message;
use crate::support::{
    ALICE, BOB, BOT_TOKEN, FAST, Options, World, eventually, request, several_ticks,
};

/// An installation that uses a certain CloudTrail.
async fn seeded_with(trail: &CloudTrail) -> World {
    let arguments: &'static [&str] = Box::leak(vec!["--cloudtrail", trail.url].into_boxed_slice());
    World::seeded_with(Options {
        arguments,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn the_message_says_who_opened_it_once_cloudtrail_does() {
    let trail = CloudTrail::start().await;
    let world = seeded_with(&trail).await;
    let group = world.aws.create_group("opened-by-mallory").await;
    let now = jiff::Timestamp::now();
    trail.learn(&group, "mallory<!channel>", &format!("{now:.0}"));
    world.aws.open_port(&group, 22).await;
    let told = world.slack.finding_says(&group, "*Opened by*").await;
    let words = told.words();
    assert!(
        words.contains("`arn:aws:iam::123456789012:user/mallory&lt;!channel&gt;`"),
        "{words}"
    );
    assert!(
        words.contains("by `AuthorizeSecurityGroupIngress` from `203.0.113.7`"),
        "{words}"
    );
    // CloudTrail does not know who opened the others; their messages stay as they are.
    assert!(
        !world
            .slack
            .finding("defendable-demo-website")
            .await
            .words()
            .contains("Opened by")
    );
}

#[tokio::test]
async fn the_person_who_opened_a_prefix_list_is_named() {
    let trail = CloudTrail::start().await;
    let world = seeded_with(&trail).await;
    let list = world.aws.create_prefix_list("office", &["0.0.0.0/0"]).await;
    let now = jiff::Timestamp::now();
    trail.learn_list(&list, "mallory", &format!("{now:.0}"));
    let group = world.aws.create_group("opened-by-list").await;
    world.aws.open_port_to_list(&group, 22, &list).await;
    let told = world.slack.finding_says(&group, "*Opened by*").await;
    let words = told.words();
    assert!(
        words.contains("user/mallory`") && words.contains("by `ModifyManagedPrefixList`"),
        "{words}"
    );
}

#[tokio::test]
async fn the_queue_lists_what_auto_response_would_do_and_does_nothing() {
    let world = World::seeded().await;
    let group = world.aws.group_id("batch-workers").await;
    let before = world.aws.ingress(&group).await;
    let ignored = world
        .slack
        .finding("defendable-demo-downloads")
        .await
        .finding_id();
    world
        .slack
        .command(ALICE, &format!("ignore {ignored}"))
        .await;
    let option = json!({"text": {"type": "plain_text", "text": "1 day"}, "value": "1d"});
    let duration = json!({"duration": {"type": "static_select", "selected_option": option}});
    let reason = crate::support::because("Ticket 42");
    world
        .slack
        .submit(ALICE, json!({"duration": duration, "reason": reason}))
        .await;
    world
        .slack
        .finding_says("defendable-demo-downloads", "Ignored by")
        .await;
    // Somebody else has fixed this one, so that its request has no work left.
    world
        .aws
        .s3
        .delete_bucket_policy()
        .bucket("defendable-demo-website")
        .send()
        .await
        .unwrap();
    world
        .slack
        .finding_says("defendable-demo-website", "Compliant again")
        .await;

    for _ in 0..3 {
        let queue = world.slack.command(BOB, "queue").await.words();
        assert!(
            queue.contains("fix 2 · skip 1 (ignored) · ask for 0"),
            "{queue}"
        );
        assert!(queue.contains("at most 20 fixes"), "{queue}");
        assert!(
            queue.contains("would\n• revoke tcp 1024-65535 from 0.0.0.0/0"),
            "{queue}"
        );
        assert!(
            !queue.contains("downloads is public") && !queue.contains("website"),
            "{queue}"
        );
    }
    assert_eq!(world.aws.ingress(&group).await, before);
    assert_eq!(
        world.aws.messages_in("remediation").await,
        4,
        "nothing was taken"
    );
    assert_eq!(world.aws.messages_in("remediation-dead-letters").await, 0);
}

/// The pictures in a channel.
async fn pictures(world: &World, channel: &str) -> Vec<Message> {
    let messages = world.slack.messages_of(channel).await.into_iter();
    messages
        .filter(|message| {
            message.0["files"]
                .as_array()
                .is_some_and(|files| !files.is_empty())
        })
        .collect()
}

#[tokio::test]
async fn the_report_is_a_picture_with_its_figures_beside_it() {
    let world = World::seeded().await;
    let message = world.slack.finding("defendable-demo-website").await;
    world.slack.click(ALICE, &message, "fix").await;
    world
        .slack
        .finding_says("defendable-demo-website", "*What was done*")
        .await;
    let asked = world.slack.command(BOB, "report").await;
    assert!(
        asked.words().contains("is being drawn"),
        "{}",
        asked.words()
    );
    let picture = eventually("the report is posted", async || {
        pictures(&world, "C0ALERTS").await.pop()
    })
    .await;
    let words = picture.text();
    assert!(
        words.contains("3 open findings now, 0 thirty days ago"),
        "{words}"
    );
    assert!(
        words.contains("1 fixed by people, 0 by auto-response, 0 by others"),
        "{words}"
    );
    assert!(
        words.contains("`defendable-s3-public-access`: 1 fix, half within"),
        "{words}"
    );
    let file = &picture.0["files"][0];
    assert_eq!(file["mimetype"], "image/png");
    let token = ("authorization", format!("Bearer {BOT_TOKEN}"));
    let (status, bytes) = request("GET", file["url_private"].as_str().unwrap(), &[token], "")
        .await
        .unwrap();
    assert!(status == 200 && bytes[..20].contains("PNG"), "{file}");

    assert!(
        world
            .slack
            .command(BOB, "report weekly on")
            .await
            .words()
            .contains("not an operator")
    );
    assert!(
        world
            .slack
            .command(ALICE, "report weekly on")
            .await
            .words()
            .contains("every Monday")
    );
    assert!(
        world
            .slack
            .command(ALICE, "report weekly")
            .await
            .words()
            .contains("`/dd report [weekly on|off]`")
    );
    assert_eq!(
        pictures(&world, "C0ALERTS").await.len(),
        1,
        "a week has not passed"
    );
}

#[tokio::test]
async fn the_weekly_report_comes_once_a_week() {
    let world = World::seeded_with(FAST).await;
    world.slack.command(ALICE, "report weekly on").await;
    several_ticks().await;
    assert_eq!(
        pictures(&world, "C0ALERTS").await.len(),
        0,
        "no Monday has passed since"
    );
    // The report was requested two weeks ago.
    let ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 14);
    world
        .aws
        .set_text(
            "WEEKLY_REPORT",
            "WEEKLY_REPORT",
            "wanted.#at",
            &ago.to_string(),
        )
        .await;
    eventually("the report is posted", async || {
        pictures(&world, "C0ALERTS").await.pop()
    })
    .await;
    several_ticks().await;
    assert_eq!(pictures(&world, "C0ALERTS").await.len(), 1, "once");
    world.slack.command(ALICE, "report weekly off").await;
    assert!(
        world
            .slack
            .command(BOB, "history")
            .await
            .words()
            .contains("<@U0ALICE> turned the weekly report off")
    );
}
