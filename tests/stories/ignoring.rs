//! Ignore: by a modal, with a reason and an end; auto-response leaves the finding alone.

use serde_json::json;

use crate::support::installation::Installation;
use crate::support::payload::{click, interact};
use crate::support::{
    ALICE, BOB, FAST, World, because, eventually, finding_of_group, several_ticks,
};

pub fn filled_in(duration: &str) -> serde_json::Value {
    let option = json!({"text": {"type": "plain_text", "text": duration}, "value": duration});
    json!({
        "duration": {"duration": {"type": "static_select", "selected_option": option}},
        "reason": because("Ticket 42 <!channel>"),
    })
}

#[tokio::test]
async fn auto_response_fixes_findings_that_are_not_ignored_until_it_is_off() {
    let world = World::seeded_with(FAST).await;
    let kept = world.slack.finding("defendable-demo-downloads").await;
    let grants = world.aws.grants("defendable-demo-downloads").await;
    world.slack.click(ALICE, &kept, "ignore").await;
    world
        .slack
        .submit(ALICE, json!({"reason": filled_in("7d")["reason"]}))
        .await;
    world.slack.is_told(ALICE, "Nothing is ignored").await;
    world.slack.click(ALICE, &kept, "ignore").await;
    world.slack.submit(ALICE, filled_in("7d")).await;
    let ignored = world
        .slack
        .finding_says("defendable-demo-downloads", "Ignored by <@U0ALICE>")
        .await;
    assert!(
        ignored.words().contains("Ticket 42 &lt;!channel&gt;")
            && ignored.button("unignore").is_some()
    );
    let status = world.slack.command(ALICE, "status").await.words();
    assert!(
        status.contains("Auto-response is off") && status.contains("3 open, 0 fixing, 1 ignored"),
        "{status}"
    );
    assert!(
        status.contains("*Auto-response would:* fix 3 · skip 1 (ignored) · ask for 0"),
        "{status}"
    );

    let asked = world.slack.command(ALICE, "autoresponse on").await;
    assert!(
        asked
            .words()
            .contains("It would fix 3 · skip 1 (ignored) · ask for 0"),
        "{}",
        asked.words()
    );
    assert!(!world.aws.rule_is_enabled().await, "it asks first");
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world
        .slack
        .channel_says("<@U0ALICE> turned auto-response *on*")
        .await;
    assert!(world.aws.rule_is_enabled().await);
    world
        .slack
        .finding_says("defendable-demo-website", "Fixed by auto-response")
        .await;
    let group = world.aws.group_id("batch-workers").await;
    world
        .slack
        .finding_says(&group, "Fixed by auto-response")
        .await;
    assert_eq!(world.aws.grants("defendable-demo-downloads").await, grants);
    let status = world.slack.command(ALICE, "status").await.words();
    assert!(
        status.contains("*Auto-response is on* since") && status.contains("by <@U0ALICE>"),
        "{status}"
    );

    world.slack.command(ALICE, "autoresponse off").await;
    world.slack.channel_says("turned auto-response *off*").await;
    assert!(!world.aws.rule_is_enabled().await);
    world.aws.open_port(&group, 22).await;
    world.slack.finding_says(&group, "Fix will").await;
    several_ticks().await;
    assert!(
        world
            .aws
            .ingress(&group)
            .await
            .contains(&"tcp 22-22 0.0.0.0/0".to_owned()),
        "off means off"
    );

    let ignored = world.slack.finding("defendable-demo-downloads").await;
    let list = world.slack.command(BOB, "ignored").await.words();
    assert!(
        list.contains(&ignored.finding_id()) && list.contains("Ignored by <@U0ALICE> until"),
        "{list}"
    );
    world.slack.click(ALICE, &ignored, "unignore").await;
    let open = world
        .slack
        .finding_says("defendable-demo-downloads", "Open")
        .await;
    assert!(open.button("fix").is_some());
}

#[tokio::test]
async fn an_operator_ends_an_ignore_by_a_command() {
    let world = World::seeded().await;
    let bucket = "defendable-demo-downloads";
    let message = world.slack.finding(bucket).await;
    let id = message.finding_id();
    world.slack.command(ALICE, &format!("ignore {id}")).await;
    world.slack.submit(ALICE, filled_in("1d")).await;
    world.slack.finding_says(bucket, "Ignored by").await;
    let unignore = format!("unignore {id}");
    let refused = world.slack.command(BOB, &unignore).await.words();
    assert!(refused.contains("not an operator"), "{refused}");
    let done = world.slack.command(ALICE, &unignore).await.words();
    assert!(done.contains("is not ignored any more"), "{done}");
    let open = world.slack.finding_says(bucket, "Open").await;
    assert!(open.button("fix").is_some(), "{}", open.words());
    let again = world.slack.command(ALICE, &unignore).await.words();
    assert!(again.contains("is not ignored."), "{again}");
    let which = world.slack.command(ALICE, "unignore").await.words();
    assert!(which.contains("Which finding?"), "{which}");
}

#[tokio::test]
async fn an_ignored_finding_is_fixed_after_a_second_confirmation() {
    let world = World::seeded().await;
    let message = world.slack.finding("defendable-demo-downloads").await;
    let (id, grants) = (
        message.finding_id(),
        world.aws.grants("defendable-demo-downloads").await,
    );
    world.slack.command(ALICE, &format!("ignore {id}")).await;
    world.slack.submit(ALICE, filled_in("1d")).await;
    world
        .slack
        .finding_says("defendable-demo-downloads", "Ignored by <@U0ALICE>")
        .await;
    world.slack.command(BOB, &format!("fix {id}")).await;

    let asked = world.slack.command(ALICE, &format!("fix {id}")).await;
    assert!(
        asked
            .words()
            .contains("is ignored by <@U0ALICE>: Ticket 42"),
        "{}",
        asked.words()
    );
    assert_eq!(
        world.aws.grants("defendable-demo-downloads").await,
        grants,
        "it asks first"
    );
    world.slack.click(ALICE, &asked, "fix_ignored").await;
    world
        .slack
        .finding_says("defendable-demo-downloads", "Fixed by <@U0ALICE>")
        .await;
    world
        .slack
        .finding_says("defendable-demo-downloads", "*What was done*")
        .await;

    let story = world
        .slack
        .command(BOB, &format!("show {id}"))
        .await
        .words();
    let lines = [
        "<@U0ALICE> removed the ACL grant READ to everybody (AllUsers)",
        "<@U0ALICE> asked for a fix",
        "<@U0ALICE> ignored it until",
        "AWS Config found it non-compliant",
    ];
    let places: Vec<usize> = lines
        .iter()
        .map(|line| {
            story
                .find(line)
                .unwrap_or_else(|| panic!("{line} in {story}"))
        })
        .collect();
    assert!(
        places.is_sorted() && story.contains("no longer public"),
        "{story}"
    );
    let all = world.slack.command(ALICE, "history").await.words();
    assert!(
        all.contains(&format!(
            "<@U0BOB> was refused (not an operator here): /dd fix {id}"
        )),
        "{all}"
    );
    assert!(
        all.contains(&format!(
            "asked for a fix (`{id}` defendable-demo-downloads)"
        )),
        "{all}"
    );
    let none = world
        .slack
        .command(BOB, "history f-000000000000")
        .await
        .words();
    assert!(
        none.contains("Nothing is known of `f-000000000000`"),
        "{none}"
    );
}

#[tokio::test]
async fn a_tag_ignores_a_resource_while_it_is_there() {
    let world = World::seeded_with(FAST).await;
    let (workers, desktops) = (
        world.aws.group_id("batch-workers").await,
        world.aws.group_id("remote-desktops").await,
    );
    let before = world.aws.ingress(&workers).await;
    // The finding was open before it is tagged.
    world
        .aws
        .tag(
            &workers,
            "defendable:ignore",
            "public by design, ticket 42 <!channel>",
        )
        .await;
    let ignored = world
        .slack
        .finding_says(&workers, "Ignored while tagged `defendable:ignore`")
        .await;
    assert!(
        ignored
            .words()
            .contains("*Reason:* public by design, ticket 42 &lt;!channel&gt;")
    );

    world.slack.click(ALICE, &ignored, "unignore").await;
    world
        .slack
        .is_told(
            ALICE,
            "Remove the tag from the resource to stop ignoring it.",
        )
        .await;

    // The group is tagged before anything is wrong with it.
    let born = world.aws.create_group("meant-to-be-open").await;
    world.aws.tag(&born, "defendable:ignore", "").await;
    world.aws.open_port(&born, 22).await;
    world.slack.finding_says(&born, "no reason given").await;
    let list = world.slack.command(BOB, "ignored").await.words();
    assert!(list.contains(&workers) && list.contains(&born), "{list}");

    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world
        .slack
        .finding_says(&desktops, "Fixed by auto-response")
        .await;
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&workers).await,
        before,
        "auto-response leaves it alone"
    );

    // A fix by a person asks once more, as for every ignored finding.
    let asked = world
        .slack
        .command(ALICE, &format!("fix {}", ignored.finding_id()))
        .await;
    assert!(
        asked
            .words()
            .contains("is ignored by its tag `defendable:ignore`"),
        "{}",
        asked.words()
    );

    world.aws.untag(&workers, "defendable:ignore").await;
    world
        .slack
        .finding_says(&workers, "Fixed by auto-response")
        .await;
    let thread = eventually("the thread tells of it", async || {
        let message = world.slack.finding(&workers).await;
        let thread = world.slack.thread(&message).await;
        thread
            .iter()
            .any(|reply| {
                reply
                    .words()
                    .contains("is gone: it is not ignored any more")
            })
            .then_some(thread)
    })
    .await;
    assert!(
        thread
            .iter()
            .any(|reply| reply.words().contains("Ignored, because its tag")),
        "{thread:?}"
    );
}

#[tokio::test]
async fn a_new_tag_stops_the_remediator() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let mut world = Installation::start(&[], every_second).await;
    let group = world.aws.open_group("tagged").await;
    let id = finding_of_group(&group);
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    // AWS Config does not report the tag: the coordinator passes the request on.
    world.silence_config();
    world
        .aws
        .tag(&group, "defendable:ignore", "ticket 42")
        .await;
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    world
        .slack
        .finding_says(&group, "Ignored while tagged")
        .await;
    assert!(
        world.logged().contains("LeftAlone"),
        "the remediator has said so"
    );
    several_ticks().await;
    assert_eq!(world.aws.ingress(&group).await, ["tcp 22-22 0.0.0.0/0"]);
    assert!(
        world
            .to_aws
            .calls("ec2:RevokeSecurityGroupIngress")
            .is_empty()
    );
}
