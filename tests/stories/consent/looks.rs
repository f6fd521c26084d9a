//! Messages show the present state: failed looks, channels and mentions that follow, and the right names.

use jiff::SignedDuration;
use serde_json::json;

use super::{close_port, open_group, send};
use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::movable_clock::MovableClock;
use crate::support::payload::{click, interact, submission};
use crate::support::{
    ALICE, Options, World, eventually, finding_of_bucket, finding_of_group, several_ticks,
};

const ROUTING: &str = r#"
mention = "S0ONCALL"
[[routes]]
channel = "C0PAYMENTS"
severity = "critical"
"#;

#[tokio::test]
async fn the_channel_and_the_mention_follow_the_exposure() {
    let variables = &[("DEFENDABLE_ROUTING", ROUTING)];
    let world = World::start(Options {
        variables,
        ..Options::default()
    })
    .await;
    let (group, _, message) = open_group(&world, "worse").await;
    assert!(
        !message.words().contains("<!subteam"),
        "{}",
        message.words()
    );
    world.aws.open_port(&group, 3306).await;
    let moved = eventually("it is where the worst go", async || {
        let messages = world.slack.messages_of("C0PAYMENTS").await;
        messages
            .into_iter()
            .find(|message| message.text().contains(&group))
    })
    .await;
    assert!(
        moved.words().contains("critical severity")
            && moved.words().contains("<!subteam^S0ONCALL>")
    );
    assert!(moved.button("fix").is_some() && moved.words().contains("• revoke tcp 3306"));
    assert!(
        !moved.words().contains("Open to the internet: tcp 22"),
        "what the rule said is old: {}",
        moved.words()
    );
    eventually("the old message says where it is", async || {
        let messages = world.slack.channel().await;
        let old = messages.iter().find(|old| old.ts() == message.ts())?;
        (old.words().contains("Its route has changed") && old.button("fix").is_none()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn look_again_reads_the_resource_at_once() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.create_group("unseen").await;
    let denied = world.to_aws.inject(
        "ec2:DescribeSecurityGroupRules",
        &group,
        Fault::Denied,
        0,
        2,
    );
    world.aws.open_port(&group, 22).await;
    let id = finding_of_group(&group);
    let unknown = world
        .slack
        .finding_says(&group, "What a fix would change could not be found out")
        .await;
    assert!(unknown.button("fix").is_none(), "{}", unknown.words());
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    // AWS Config and the rule function both report the violation. After a denied look no further one is made
    // at once.
    eventually("it is denied twice", async || {
        (world.to_aws.hits(denied) == 2).then_some(())
    })
    .await;
    several_ticks().await;
    assert!(world.slack.finding(&group).await.button("fix").is_none());
    world.slack.click(ALICE, &unknown, "look_again").await;
    let known = world.slack.finding_says(&group, "• revoke tcp 22").await;
    assert!(known.button("fix").is_some());
}

#[tokio::test]
async fn a_plan_that_fails_is_made_later_and_the_severity_is_critical_meanwhile() {
    let routing = ("DEFENDABLE_ROUTING", ROUTING.to_owned());
    let world = Installation::start(&[], vec![routing]).await;
    let group = world.aws.create_group("unseen").await;
    // All attempts of the AWS SDK fail, and those of the next look.
    let injected = world.to_aws.inject(
        "ec2:DescribeSecurityGroupRules",
        &group,
        Fault::Unavailable,
        0,
        6,
    );
    world.aws.open_port(&group, 22).await;
    let unknown = eventually("it is shown as one of the worst", async || {
        let messages = world.slack.messages_of("C0PAYMENTS").await;
        messages
            .into_iter()
            .find(|message| message.text().contains(&group))
    })
    .await;
    let words = unknown.words();
    assert!(
        words.contains("is being looked at again") && words.contains("· critical severity"),
        "{words}"
    );
    assert!(
        unknown.button("fix").is_none() && unknown.button("look_again").is_some(),
        "{words}"
    );
    let known = world.slack.finding_says(&group, "• revoke tcp 22").await;
    assert!(known.words().contains("· high severity") && known.button("fix").is_some());
    assert_eq!(world.to_aws.hits(injected), 6);
}

#[tokio::test]
async fn compliance_during_a_fix_names_nobody_before_the_report() {
    let world = World::seeded().await;
    let (group, id, _) = open_group(&world, "mended-elsewhere").await;
    let requests = world.aws.asked(&id, ALICE).await;
    close_port(&world, &group, 22).await;
    eventually("AWS Config has said so", async || {
        let record = world.aws.finding(&id).await?;
        record["finding"]["state"]["compliant"]
            .is_string()
            .then_some(())
    })
    .await;
    let record = world.aws.finding(&id).await.unwrap();
    assert_eq!(record["state"], "fixing", "nobody is credited yet");
    send(&world, requests).await;
    let over = world.slack.finding_says(&group, "Compliant again").await;
    assert!(!over.words().contains("Fixed by"), "{}", over.words());
}

#[tokio::test]
async fn a_deleted_resource_closes_its_finding_with_or_without_a_tag() {
    let world = World::seeded().await;
    let tagged = world.aws.create_group("tagged").await;
    world
        .aws
        .tag(&tagged, "defendable:ignore", "a honeypot")
        .await;
    world.aws.open_port(&tagged, 22).await;
    world
        .slack
        .finding_says(&tagged, "Ignored while tagged")
        .await;
    let (plain, _, _) = open_group(&world, "plain").await;
    for group in [&tagged, &plain] {
        world
            .aws
            .ec2
            .delete_security_group()
            .group_id(group)
            .send()
            .await
            .unwrap();
        let deleted = world
            .slack
            .finding_says(group, ":wastebasket: Deleted")
            .await;
        assert!(deleted.button("unignore").is_none() && deleted.button("fix").is_none());
    }
    let listed = world.slack.command(ALICE, "findings deleted").await.words();
    assert!(
        listed.contains(&tagged) && listed.contains(&plain),
        "{listed}"
    );
}

#[tokio::test]
async fn an_edit_that_takes_too_long_is_handed_over_at_once() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("slow-slack").await;
    let id = finding_of_group(&group);
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    // The edit after the click never ends.
    let hangs = world
        .to_slack
        .inject("slack:chat.update", id.as_str(), Fault::Hangs, 0, 1);
    let pressed = click(ALICE, "fix", &world.aws.fix_value(&id).await);
    assert_eq!(interact(&world.app_url, &pressed).await, Some(200));
    // The lease lasts 80 seconds: a story that waited for it would time out.
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert_eq!(world.to_slack.hits(hangs), 1);
}

#[tokio::test]
async fn a_message_keeps_its_mark_when_it_is_edited() {
    let world = World::seeded().await;
    let message = world.slack.finding("defendable-demo-downloads").await;
    let mark = format!("{}/1", message.finding_id());
    assert_eq!(message.0["blocks"][0]["block_id"], mark.as_str());
    world.slack.click(ALICE, &message, "fix").await;
    let fixed = world
        .slack
        .finding_says("defendable-demo-downloads", "*What was done*")
        .await;
    assert_eq!(fixed.0["blocks"][0]["block_id"], mark.as_str());
}

#[tokio::test]
async fn a_message_that_was_found_by_its_mark_keeps_the_mark_too() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.create_group("lost").await;
    let id = finding_of_group(&group);
    let lost = world.to_slack.inject(
        "slack:chat.postMessage",
        id.as_str(),
        Fault::AnswerLost,
        0,
        1,
    );
    world.aws.open_port(&group, 22).await;
    eventually("it is found by its mark", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    assert_eq!(world.to_slack.hits(lost), 1);
    let message = world.slack.finding(&group).await;
    world.slack.click(ALICE, &message, "fix").await;
    let fixed = world.slack.finding_says(&group, "*What was done*").await;
    assert_eq!(fixed.0["blocks"][0]["block_id"], format!("{id}/1"));
    assert_eq!(
        (fixed.ts(), world.slack.findings().await.len()),
        (message.ts(), 1),
        "it is posted once"
    );
}

#[tokio::test]
async fn the_result_of_an_undo_in_a_digest_is_told_to_the_person_who_asked() {
    let world = World::seeded().await;
    for number in 0..6 {
        world.aws.open_group(&format!("storm-{number}")).await;
    }
    let digest = world
        .slack
        .channel_says("*3 more findings within a short time*")
        .await;
    let words = digest.words();
    let id = words
        .split('`')
        .find(|part| part.starts_with("f-"))
        .unwrap()
        .to_owned();
    let asked = world.slack.command(ALICE, &format!("fix {id}")).await;
    world.slack.click(ALICE, &asked, "fix").await;
    world.slack.channel_says("1 fixed").await;
    eventually("the fix has reported back", async || {
        let record = world.aws.finding(&id.parse().unwrap()).await?;
        (crate::support::removed(&record) == 1).then_some(())
    })
    .await;
    world.slack.command(ALICE, &format!("undo {id}")).await;
    let why = json!({"reason": crate::support::because("The build fails")});
    world.slack.submit(ALICE, why).await;
    world.slack.is_told(ALICE, "the fix was undone").await;
    let bucket = "defendable-demo-website";
    let message = world.slack.finding(bucket).await;
    world.slack.click(ALICE, &message, "fix").await;
    let fixed = world.slack.finding_says(bucket, "*What was done*").await;
    world
        .aws
        .set_policy(
            bucket,
            &world
                .aws
                .policy(bucket)
                .await
                .unwrap()
                .replace("Deployments", "Everybody"),
        )
        .await;
    world.slack.click(ALICE, &fixed, "undo").await;
    world
        .slack
        .submit(
            ALICE,
            json!({"reason": crate::support::because("The site is down")}),
        )
        .await;
    world.slack.is_told(ALICE, "not undone: ").await;
    let failed = world.slack.finding_says(bucket, "*The undo failed*").await;
    assert!(
        failed.words().contains("Fixed by <@U0ALICE>"),
        "{}",
        failed.words()
    );
    assert_eq!(finding_of_bucket(bucket).as_str(), failed.finding_id());
    assert_ne!(
        world
            .aws
            .ingress(&world.aws.group_id("storm-0").await)
            .await,
        [""; 0]
    );
}

/// A group whose message shows port 22. Port 3306 was opened later, which AWS Config does not report, because
/// the compliance type stays.
async fn grown_in_silence(world: &mut Installation, name: &str) -> String {
    let group = world.aws.open_group(name).await;
    let id = finding_of_group(&group);
    world.slack.finding_says(&group, "• revoke tcp 22").await;
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    world.silence_config();
    world.aws.open_port(&group, 3306).await;
    group
}

#[tokio::test]
async fn housekeeping_reads_resources_again_after_an_hour() {
    let schedule = ("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned());
    let clock = MovableClock::default();
    let mut world = Installation::start_by(&clock, vec![schedule]).await;
    let group = grown_in_silence(&mut world, "unwatched").await;
    let looks = || world.to_aws.calls("ec2:DescribeSecurityGroupRules").len();
    let before = looks();
    let kept_house = async |times: usize| {
        // Each run records its place in the list of open findings.
        let count = || {
            world
                .to_aws
                .calls("dynamodb:UpdateItem")
                .iter()
                .filter(|call| call.said.contains("HOUSEKEEPING#open"))
                .count()
        };
        let begun = count();
        eventually("it has kept house", async || {
            (count() >= begun + times).then_some(())
        })
        .await;
    };
    clock.pass(SignedDuration::from_mins(58));
    kept_house(2).await;
    assert_eq!(looks(), before, "it was looked at less than an hour ago");
    clock.pass(SignedDuration::from_mins(2));
    let message = world.slack.finding_says(&group, "• revoke tcp 3306").await;
    assert!(
        message.words().contains("· critical severity"),
        "{}",
        message.words()
    );
}

#[tokio::test]
async fn a_click_on_an_outdated_message_updates_it() {
    let mut world = Installation::start(&[], Vec::new()).await;
    let group = grown_in_silence(&mut world, "clicked").await;
    let message = world.slack.finding(&group).await;
    assert!(!message.words().contains("3306"), "{}", message.words());
    world.slack.click(ALICE, &message, "ignore").await;
    world.slack.finding_says(&group, "• revoke tcp 3306").await;
}

#[tokio::test]
async fn a_request_of_an_unknown_resource_without_a_plan_is_posted_and_asks() {
    let mut world = Installation::start(&[], Vec::new()).await;
    world.silence_config();
    let group = world.aws.open_group("unheard-of").await;
    // The first look after the click fails.
    let fails = world.to_aws.inject(
        "ec2:DescribeSecurityGroupRules",
        &group,
        Fault::Unavailable,
        0,
        3,
    );
    let request = json!({"raisedByRule": "defendable-restricted-ports", "targetResourceId": group,
        "targetResourceType": "AWS::EC2::SecurityGroup", "awsRegion": "us-east-1", "requestedBy": ALICE,
        "violationType": "EC2_SG_PROHIBITED_PORT", "violationDetails": {}});
    world.aws.send("fix", &request).await;
    let asks = world
        .slack
        .finding_says(&group, "did not say which plan was agreed to")
        .await;
    let asks = match asks.button("fix") {
        Some(_) => asks,
        None => world.slack.finding_says(&group, "• revoke tcp 22").await,
    };
    assert!(
        world.to_aws.hits(fails) > 0 && asks.words().contains("<@U0ALICE>"),
        "{}",
        asks.words()
    );
    assert_eq!(world.aws.ingress(&group).await, ["tcp 22-22 0.0.0.0/0"]);
    world.slack.click(ALICE, &asks, "fix").await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    // The rule has sent no result yet, so that its first one is not old.
    let record = world.aws.finding(&finding_of_group(&group)).await.unwrap();
    assert_eq!(record["finding"]["sources"], json!({}));
}

#[tokio::test]
async fn the_person_who_asked_for_an_undo_is_told_when_it_is_abandoned() {
    let schedule = ("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned());
    let clock = MovableClock::default();
    let world = Installation::start_by(&clock, vec![schedule]).await;
    let group = world.aws.open_group("given-up").await;
    let id = finding_of_group(&group);
    let message = world.slack.finding_says(&group, "• revoke tcp 22").await;
    world.slack.click(ALICE, &message, "fix").await;
    world.slack.finding_says(&group, "*What was done*").await;
    // No remediator answers.
    let mute = world.to_aws.inject(
        "ec2:AuthorizeSecurityGroupIngress",
        &group,
        Fault::Hangs,
        0,
        50,
    );
    let submission = submission(ALICE, "undo", &world.aws.undo_value(&id).await);
    assert_eq!(interact(&world.app_url, &submission).await, Some(200));
    eventually("it is being undone", async || {
        (world.to_aws.hits(mute) > 0).then_some(())
    })
    .await;
    clock.pass(SignedDuration::from_mins(14));
    several_ticks().await;
    assert_eq!(world.aws.finding(&id).await.unwrap()["state"], "undoing");
    clock.pass(SignedDuration::from_mins(2));
    world
        .slack
        .is_told(
            ALICE,
            "not undone: the undo has not reported back for 15 minutes",
        )
        .await;
    let failed = world.slack.finding_says(&group, "*The undo failed*").await;
    assert!(failed.words().contains("Fixed by <@U0ALICE>") && failed.button("undo").is_some());
    several_ticks().await;
    let told = world.slack.told(ALICE).await;
    assert_eq!(
        told.iter()
            .filter(|told| told.words().contains("has not reported back"))
            .count(),
        1,
        "once"
    );
}
