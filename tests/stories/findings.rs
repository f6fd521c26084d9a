//! Violations are posted in Slack once, with the plan of a fix.

use aws_sdk_s3::types::BucketCannedAcl;
use jiff::Timestamp;
use serde_json::json;

use crate::support::{ALICE, BOB, Options, World, eventually, request, signed};

#[tokio::test]
async fn seeded_findings_appear_with_their_plans() {
    let world = World::seeded().await;
    let desktops = world
        .slack
        .finding(&world.aws.group_id("remote-desktops").await)
        .await;
    assert!(
        desktops
            .words()
            .contains("Security group remote-desktops (sg-"),
        "{}",
        desktops.words()
    );
    assert!(
        desktops
            .words()
            .contains("*Fix will*\n• revoke tcp 3389 from ::/0 (sgr-"),
        "{}",
        desktops.words()
    );
    let workers = world
        .slack
        .finding(&world.aws.group_id("batch-workers").await)
        .await;
    assert!(
        workers
            .words()
            .contains("• revoke tcp 1024-65535 from 0.0.0.0/0 (sgr-"),
        "{}",
        workers.words()
    );
    let downloads = world.slack.finding("defendable-demo-downloads").await;
    assert!(
        downloads
            .words()
            .contains("• remove the ACL grant READ to everybody (AllUsers)")
    );
    let website = world.slack.finding("defendable-demo-website").await;
    assert!(
        website
            .words()
            .contains("• remove the statement \"Everybody\" from the bucket policy")
    );
    for finding in world.slack.findings().await {
        assert!(
            finding.button("fix").unwrap()["confirm"]["text"]["text"]
                .as_str()
                .unwrap()
                .contains("This will")
        );
        assert!(!finding.words().contains("payroll") && !finding.text().is_empty());
    }
}

#[tokio::test]
async fn a_finding_fixed_by_others_is_edited_and_a_new_violation_gets_a_new_message() {
    let world = World::seeded().await;
    let first = world.slack.finding("defendable-demo-downloads").await;
    world
        .aws
        .set_acl("defendable-demo-downloads", BucketCannedAcl::Private)
        .await;
    let remediated = world
        .slack
        .finding_says("defendable-demo-downloads", "Compliant again")
        .await;
    assert_eq!(remediated.ts(), first.ts());
    assert!(remediated.button("fix").is_none());

    world
        .aws
        .set_acl("defendable-demo-downloads", BucketCannedAcl::PublicRead)
        .await;
    let again = eventually("a new message", async || {
        let newest = world.slack.finding("defendable-demo-downloads").await;
        (newest.ts() != first.ts()).then_some(newest)
    })
    .await;
    assert!(
        again
            .words()
            .contains(&format!("p{}", first.ts().replace('.', ""))),
        "it links to the first one"
    );
    assert_eq!(again.finding_id(), first.finding_id());
}

#[tokio::test]
async fn deleting_a_resource_closes_its_finding() {
    let world = World::seeded().await;
    let group = world.aws.open_group("short-lived").await;
    world.slack.finding_says(&group, "Fix will").await;
    world
        .aws
        .ec2
        .delete_security_group()
        .group_id(&group)
        .send()
        .await
        .unwrap();
    world.slack.finding_says(&group, "was deleted").await;
    world.slack.finding_says(&group, "Deleted").await;
}

#[tokio::test]
async fn oversized_items_are_fetched_from_the_history() {
    let world = World::seeded_with(Options {
        arguments: &["--oversized-above", "300"],
        ..Options::default()
    })
    .await;
    world
        .slack
        .finding_says("defendable-demo-website", "remove the statement")
        .await;
    world
        .slack
        .finding_says("defendable-demo-downloads", "remove the ACL grant")
        .await;
}

#[tokio::test]
async fn findings_without_a_plan_or_a_fix_are_shown_too() {
    let world = World::seeded().await;
    let breach = |account: &str, rule: &str, resource_type: &str, resource_id: &str| {
        json!({"awsAccountId": account, "configRuleName": rule, "resourceType": resource_type,
            "resourceId": resource_id, "awsRegion": "us-east-1", "oldEvaluationResult": null,
            "newEvaluationResult": {"complianceType": "NON_COMPLIANT", "resultRecordedTime": "2026-01-01T00:00:00Z",
                                    "annotation": "too *short* <!channel>"},
            "messageType": "ComplianceChangeNotification"})
    };
    world
        .aws
        .send(
            "events",
            &breach(
                "123456789012",
                "iam-password-policy",
                "AWS::::Account",
                "password-policy",
            ),
        )
        .await;
    let unsupported = world
        .slack
        .finding_says("password-policy", "no automatic fix")
        .await;
    assert!(unsupported.button("fix").is_none() && unsupported.button("ignore").is_some());
    assert!(unsupported.words().contains("&lt;!channel&gt;"));

    let encryption = breach(
        "123456789012",
        "bucket-encryption",
        "AWS::S3::Bucket",
        "defendable-demo-payroll",
    );
    world.aws.send("events", &encryption).await;
    let another_rule = world
        .slack
        .finding_says(
            "defendable-demo-payroll",
            "breaks the rule bucket-encryption",
        )
        .await;
    assert!(
        another_rule.button("fix").is_none(),
        "what other rules complain of is not ours to fix"
    );

    let elsewhere = breach(
        "999999999999",
        "defendable-s3-public-access",
        "AWS::S3::Bucket",
        "elsewhere",
    );
    world.aws.send("events", &elsewhere).await;
    let unplanned = world
        .slack
        .finding_says("elsewhere", "could not be found out")
        .await;
    assert!(
        unplanned
            .words()
            .contains("no access to account 999999999999"),
        "{}",
        unplanned.words()
    );
    assert!(
        unplanned.button("fix").is_none(),
        "nobody says yes to what is not known"
    );
    world.slack.click(BOB, &unplanned, "look_again").await;
    let again = world
        .slack
        .command(ALICE, &format!("fix {}", unplanned.finding_id()))
        .await;
    assert!(again.words().contains("is not known now") && again.button("fix").is_none());
}

#[tokio::test]
async fn late_and_repeated_notifications_change_nothing() {
    let world = World::seeded().await;
    let change = |recorded: &str, old: &str, new: &str| {
        json!({"awsAccountId": "123456789012", "configRuleName": "defendable-s3-public-access",
            "resourceType": "AWS::S3::Bucket", "resourceId": "defendable-demo-downloads", "awsRegion": "us-east-1",
            "newEvaluationResult": {"complianceType": new, "resultRecordedTime": recorded},
            "oldEvaluationResult": {"complianceType": old, "resultRecordedTime": recorded},
            "messageType": "ComplianceChangeNotification"})
    };
    let before = world.slack.finding("defendable-demo-downloads").await;
    world
        .aws
        .send(
            "events",
            &change("2020-01-01T00:00:00Z", "NON_COMPLIANT", "COMPLIANT"),
        )
        .await;
    world
        .aws
        .send(
            "events",
            &change("2099-01-01T00:00:00Z", "NON_COMPLIANT", "NON_COMPLIANT"),
        )
        .await;
    let snapshot = json!({"messageType": "ConfigurationSnapshotDeliveryCompleted"});
    world.aws.send("events", &snapshot).await;
    eventually("the queue is empty", async || {
        (world.aws.messages_in("events").await == 0).then_some(())
    })
    .await;
    let after = world.slack.finding("defendable-demo-downloads").await;
    assert_eq!(after.0, before.0);
    assert_eq!(world.slack.findings().await.len(), 4);
}

#[tokio::test]
async fn commands_answer_only_the_person_who_typed_them() {
    let world = World::seeded().await;
    let findings = world.slack.command(ALICE, "findings").await;
    for finding in world.slack.findings().await {
        assert!(
            findings.words().contains(&finding.finding_id()),
            "{}",
            findings.words()
        );
    }
    assert!(
        world
            .slack
            .command(ALICE, "findings fixed")
            .await
            .words()
            .contains("No finding is fixed")
    );
    let downloads = world
        .slack
        .command(BOB, "findings open Downloads")
        .await
        .words();
    assert!(
        downloads.contains("downloads is public") && !downloads.contains("website"),
        "{downloads}"
    );
    // Each word is looked for by itself, and a severity is a word too.
    for typed in ["findings batch workers", "findings workers critical batch"] {
        let found = world.slack.command(BOB, typed).await.words();
        assert!(
            found.contains("batch-workers") && !found.contains("downloads"),
            "{typed}: {found}"
        );
    }
    let meant = world.slack.command(BOB, "findings opne").await.words();
    assert!(
        meant.contains("Did you mean `/dd findings open`?"),
        "{meant}"
    );
    assert!(
        world
            .slack
            .command(ALICE, "help")
            .await
            .words()
            .contains("/dd autoresponse")
    );
    assert!(
        world
            .slack
            .command(ALICE, "statsu")
            .await
            .words()
            .contains("Did you mean `/dd status`")
    );
    assert!(
        world
            .slack
            .command(ALICE, "fix f-000000000000")
            .await
            .words()
            .contains("There is no finding")
    );
}

#[tokio::test]
async fn the_home_tab_shows_everybody_the_status() {
    let world = World::seeded().await;
    let home = world.slack.home(BOB).await;
    assert!(
        home.contains("*Findings:* 4 open") && home.contains("/dd autoresponse"),
        "{home}"
    );
    assert!(home.contains("less than a day: 4"), "{home}");

    let fix = async |user: &str| {
        let message = world.slack.finding("defendable-demo-downloads").await;
        let value = message.button("fix").unwrap()["value"].clone();
        let payload = json!({"type": "block_actions", "team": {"id": "T0DEMO"}, "api_app_id": "A0DEFENDABLE",
            "user": {"id": user}, "trigger_id": "1.2.3", "container": {"type": "view", "view_id": "V1"},
            "view": {"id": "V1", "type": "home", "blocks": [{"type": "of_tomorrow"}]},
            "actions": [{"type": "button", "action_id": "fix", "value": value}]});
        let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap();
        let url = format!("{}/slack/events", world.app_url);
        let answer = request(
            "POST",
            &url,
            &signed(&body, Timestamp::now().as_second()),
            &body,
        )
        .await
        .unwrap();
        assert_eq!(answer.0, 200);
        world.slack.shown_home(user).await
    };
    assert!(fix(BOB).await.contains("You are not an operator"));
    assert!(fix(ALICE).await.contains("<@U0ALICE> asked for a fix"));
    world
        .slack
        .finding_says("defendable-demo-downloads", "Fixed by <@U0ALICE>")
        .await;
}

#[tokio::test]
async fn a_long_list_of_findings_has_pages_for_everybody() {
    let world = World::seeded().await;
    for number in 0..8 {
        let change = json!({"awsAccountId": "123456789012", "configRuleName": format!("somebody-else-s-rule-{}", number % 2),
            "resourceType": "AWS::IAM::User", "resourceId": format!("user-{number}"), "awsRegion": "us-east-1",
            "newEvaluationResult": {"complianceType": "NON_COMPLIANT", "resultRecordedTime": format!("2020-01-01T00:00:0{number}Z")},
            "messageType": "ComplianceChangeNotification"});
        world.aws.send("events", &change).await;
    }
    eventually("twelve findings", async || {
        (world.slack.findings().await.len() == 12).then_some(())
    })
    .await;
    // The worst come first, and of one severity the oldest.
    let first = world.slack.command(BOB, "findings open").await;
    let words = first.words();
    assert!(
        words.contains("*Open*: 12 (") && words.contains(" · 1–10 of 12, the worst first"),
        "{words}"
    );
    assert!(
        words.contains("user-5 ") && !words.contains("user-6 "),
        "{words}"
    );
    assert!(first.button("newest_findings").is_none());
    world.slack.click(BOB, &first, "older_findings").await;
    let second = world.slack.is_told(BOB, "11–12 of 12").await;
    assert!(
        second.words().contains("user-7 ") && !second.words().contains("user-5 "),
        "{}",
        second.words()
    );
    assert!(second.button("older_findings").is_none());
    world.slack.click(BOB, &second, "newest_findings").await;
    world.slack.is_told(BOB, "1–10 of 12").await;
}
