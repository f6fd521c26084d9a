//! A fix makes exactly the announced changes, once, for operators only.

use aws_sdk_s3::types::BucketCannedAcl;
use serde_json::json;

use crate::support::{ALICE, BOB, Options, World, eventually, finding_of_bucket, several_ticks};

#[tokio::test]
async fn a_fix_closes_only_the_open_range_and_the_message_says_so() {
    let world = World::seeded().await;
    let group = world.aws.group_id("batch-workers").await;
    let before = world.aws.ingress(&group).await;
    let message = world.slack.finding(&group).await;

    world.slack.click(ALICE, &message, "fix").await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    // AWS Config may have reported the compliance before the remediator's report.
    let fixed = world.slack.finding_says(&group, "*What was done*").await;

    let open = "tcp 1024-65535 0.0.0.0/0";
    let expected: Vec<String> = before
        .iter()
        .filter(|line| *line != open)
        .cloned()
        .collect();
    assert_eq!((before.len(), expected.len()), (3, 2));
    assert_eq!(world.aws.ingress(&group).await, expected);
    assert_eq!(fixed.ts(), message.ts());
    assert!(
        fixed.button("fix").is_none()
            && fixed
                .words()
                .contains("• revoked tcp 1024-65535 from 0.0.0.0/0")
    );
    eventually("the thread has the detail", async || {
        (world.slack.thread(&fixed).await.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_kind_of_bucket_loses_only_what_is_public() {
    let world = World::seeded().await;
    let grants = world.aws.grants("defendable-demo-downloads").await;
    let policy = world.aws.policy("defendable-demo-website").await.unwrap();
    for bucket in ["defendable-demo-downloads", "defendable-demo-website"] {
        let id = world.slack.finding(bucket).await.finding_id();
        let before = (
            world.aws.grants(bucket).await,
            world.aws.policy(bucket).await,
        );
        let asked = world.slack.command(ALICE, &format!("fix {id}")).await;
        assert!(
            asked.words().contains("will\n• remove the"),
            "{}",
            asked.words()
        );
        several_ticks().await;
        let now = (
            world.aws.grants(bucket).await,
            world.aws.policy(bucket).await,
        );
        assert_eq!(now, before, "the command shows the plan, and asks");
        world.slack.click(ALICE, &asked, "fix").await;
        world
            .slack
            .finding_says(bucket, "Fixed by <@U0ALICE>")
            .await;
    }
    let private: Vec<String> = grants
        .into_iter()
        .filter(|grant| !grant.contains("AllUsers"))
        .collect();
    assert_eq!(world.aws.grants("defendable-demo-downloads").await, private);
    let rest = world.aws.policy("defendable-demo-website").await.unwrap();
    let start = policy.find(r#"{"Sid":"Deployments""#).unwrap();
    assert!(
        rest.contains(&policy[start..]),
        "{rest} keeps the other statement byte for byte"
    );
    assert!(!rest.contains("Everybody"));
}

#[tokio::test]
async fn a_non_operator_is_refused_privately() {
    let world = World::seeded().await;
    let group = world.aws.group_id("remote-desktops").await;
    let (before, message) = (
        world.aws.ingress(&group).await,
        world.slack.finding(&group).await,
    );
    world.slack.click(BOB, &message, "fix").await;
    world.slack.is_told(BOB, "not an operator").await;
    let id = message.finding_id();
    assert!(
        world
            .slack
            .command(BOB, &format!("fix {id}"))
            .await
            .words()
            .contains("not an operator")
    );
    assert!(
        world
            .slack
            .command(BOB, "autoresponse on")
            .await
            .words()
            .contains("not an operator")
    );
    assert!(
        world
            .slack
            .command(BOB, "status")
            .await
            .words()
            .contains("Auto-response is off")
    );
    assert_eq!(world.aws.ingress(&group).await, before);
    assert_eq!(world.slack.finding(&group).await.0, message.0);
}

#[tokio::test]
async fn two_clicks_make_one_fix() {
    let world = World::seeded().await;
    let group = world.aws.group_id("remote-desktops").await;
    let message = world.slack.finding(&group).await;
    // The clicks are a moment apart, because moto's conditional writes are not atomic.
    let second = async {
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        world.slack.click(ALICE, &message, "fix").await;
    };
    tokio::join!(world.slack.click(ALICE, &message, "fix"), second);
    let fixed = world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    world.slack.is_told(ALICE, "already").await;
    eventually("the queues are empty", async || {
        let waiting = world.aws.messages_in("fix").await + world.aws.messages_in("ec2").await;
        (waiting + world.aws.messages_in("events").await == 0).then_some(())
    })
    .await;
    assert_eq!(world.slack.thread(&fixed).await.len(), 1);
}

#[tokio::test]
async fn socket_mode_works_as_http_does() {
    let world = World::seeded_with(Options {
        socket_mode: true,
        ..Options::default()
    })
    .await;
    let message = world.slack.finding("defendable-demo-downloads").await;
    world.slack.click(ALICE, &message, "fix").await;
    world
        .slack
        .finding_says("defendable-demo-downloads", "Fixed by <@U0ALICE>")
        .await;
    assert!(
        world
            .slack
            .command(ALICE, "status")
            .await
            .words()
            .contains("*Findings:* 3 open")
    );
    assert!(world.slack.home(ALICE).await.contains("*Findings:* 3 open"));
}

#[tokio::test]
async fn a_late_announcement_is_shown_too() {
    let world = World::seeded().await;
    let bucket = "defendable-demo-downloads";
    world.slack.finding(bucket).await;
    let request = json!({"raisedByRule": "defendable-s3-public-access", "targetResourceType": "AWS::S3::Bucket",
        "targetResourceId": bucket, "awsRegion": "us-east-1", "violationType": "S3_BUCKET_PUBLIC_ACL",
        "violationDetails": {}, "requestedBy": ALICE});
    let everybody = json!({"group": "http://acs.amazonaws.com/groups/global/AllUsers"});
    let report = |second: u32, outcome: &str, changes| {
        json!({"remediationSource": "s3-remediator", "resourceId": bucket, "resourceType": "AWS::S3::Bucket",
            "action": "PutBucketAcl", "actionCompleteTime": format!("2100-01-01T00:00:{second:02}Z"),
            "awsAccountId": "123456789012", "message": "", "outcome": outcome, "changes": changes, "request": request})
    };
    // A remediator fixes the bucket and dies; the second delivery finds nothing to do, and reports first.
    world.aws.set_acl(bucket, BucketCannedAcl::Private).await;
    world
        .aws
        .send("events", &report(2, "nothingToDo", json!([])))
        .await;
    eventually("the table says so", async || {
        let record = world.aws.finding(&finding_of_bucket(bucket)).await?;
        (!record["finding"]["mended"].as_array()?.is_empty()).then_some(())
    })
    .await;
    // AWS Config has reported the compliance by then, so that no later message shows the fix.
    several_ticks().await;
    let grant = json!({"change": "removeGrant", "permission": "READ", "grantee": everybody});
    world
        .aws
        .send("events", &report(1, "begun", json!([grant])))
        .await;
    world
        .slack
        .finding_says(bucket, "removed the ACL grant READ to everybody")
        .await;
}
