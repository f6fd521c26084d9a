//! AWS decides what is public: what AWS does not call public, or the account blocks, is not a violation.

use aws_sdk_s3::types::BucketCannedAcl;
use serde_json::{Value, json};

use crate::faults::cell::{PUBLIC_POLICY, create_bucket};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::installation::Installation;
use crate::support::lambda::{config_service, function_command, runtime_api};
use crate::support::payload::{click, interact};
use crate::support::{ALICE, Process, World, eventually, finding_of_bucket, removed};

/// A Deny of everything but writing covers the Allow, which the analyser cannot prove.
const UNPROVABLY_PRIVATE: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"},{"Sid":"Network","Effect":"Deny","Principal":"*","NotAction":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}}]}"#;

async fn publish(world: &Installation, bucket: &str, policy: &str) {
    create_bucket(world, bucket, &[]).await;
    world
        .aws
        .set_policy(bucket, &policy.replace("BUCKET", bucket))
        .await;
}

/// The last evaluation of a bucket that the rule has put.
async fn judged(world: &Installation, bucket: &str, words: &str) -> String {
    eventually(&format!("{bucket} is judged: {words}"), async || {
        let calls = world
            .rules_to_config
            .calls("config:PutEvaluations")
            .into_iter();
        calls
            .map(|call| call.said)
            .rfind(|said| said.contains(bucket) && said.contains(words))
    })
    .await
}

#[tokio::test]
async fn a_policy_that_aws_does_not_call_public_is_compliant_and_says_why_we_would() {
    let world = Installation::start(&[], Vec::new()).await;
    publish(&world, "network-only", UNPROVABLY_PRIVATE).await;
    let said = judged(
        &world,
        "network-only",
        "which AWS itself does not call public",
    )
    .await;
    assert!(
        said.contains("\"COMPLIANT\"") && said.contains("which the Deny"),
        "{said}"
    );
    publish(&world, "public", PUBLIC_POLICY).await;
    world.slack.finding("public").await;
    assert_eq!(
        world.slack.findings().await.len(),
        1,
        "nothing is said of the other"
    );
    // A request of version 0.1 about the bucket changes nothing either.
    let request = json!({"raisedByRule": "defendable-s3-public-access", "targetResourceId": "network-only",
        "targetResourceType": "AWS::S3::Bucket", "awsRegion": "us-east-1",
        "violationType": "S3_BUCKET_PUBLIC_POLICY", "violationDetails": []});
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    world.aws.send("remediation", &request).await;
    eventually("the request is over", async || {
        (world.aws.messages_in("remediation").await == 0).then_some(())
    })
    .await;
    assert!(
        world
            .aws
            .policy("network-only")
            .await
            .unwrap()
            .contains("Everybody")
    );
}

/// Everybody who names one KMS key may write. AWS's documentation does not say whether that is public.
const LIMITED_BY_KMS_KEY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Upload","Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::BUCKET/*","Condition":{"StringEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:us-east-1:123456789012:key/1"}}}]}"#;

const PUBLIC_STATUS: &str = "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>";

#[tokio::test]
async fn aws_says_whether_a_kms_key_that_callers_choose_keeps_a_bucket_private() {
    let world = Installation::start(&[], Vec::new()).await;
    publish(&world, "by-key", LIMITED_BY_KMS_KEY).await;
    let warning = "which AWS itself does not call public. Statement \\\"Upload\\\" is limited only by a KMS key";
    let said = judged(&world, "by-key", warning).await;
    assert!(said.contains("\"COMPLIANT\""), "{said}");

    let bucket = "public-by-key";
    let says = |proxy: &FaultProxy| {
        let status = Fault::Says(PUBLIC_STATUS);
        proxy.inject("s3:GET policyStatus", bucket, status, 0, 100)
    };
    says(&world.rules_to_aws);
    let asked = says(&world.to_aws);
    publish(&world, bucket, LIMITED_BY_KMS_KEY).await;
    let plan = "• remove the statement \"Upload\"";
    let message = world.slack.finding_says(bucket, plan).await;
    assert!(message.words().contains("KMS key"), "{}", message.words());
    world.slack.click(ALICE, &message, "fix").await;
    world
        .slack
        .finding_says(bucket, "Fixed by <@U0ALICE>")
        .await;
    assert!(world.to_aws.hits(asked) > 0);
    assert_eq!(world.aws.policy(bucket).await, None);
    assert_eq!(
        world.slack.findings().await.len(),
        1,
        "nothing is said of the other"
    );
}

#[tokio::test]
async fn access_that_the_account_blocks_is_no_violation_until_the_block_is_lifted() {
    let world = Installation::start(&[], Vec::new()).await;
    world.aws.block_account(true).await;
    publish(&world, "blocked", PUBLIC_POLICY).await;
    world
        .aws
        .set_acl("blocked", aws_sdk_s3::types::BucketCannedAcl::PublicRead)
        .await;
    let said = judged(
        &world,
        "blocked",
        "IgnorePublicAcls of the account's Public Access Block",
    )
    .await;
    assert!(
        said.contains("RestrictPublicBuckets of the account's") && said.contains("\"COMPLIANT\""),
        "{said}"
    );
    world.aws.block_account(false).await;
    // The new tag makes AWS Config judge the bucket again.
    world.aws.tag_bucket("blocked", &[("seen", "again")]).await;
    let open = world
        .slack
        .finding_says("blocked", "• remove the statement \"Everybody\"")
        .await;
    assert!(
        open.words()
            .contains("• remove the ACL grant READ to everybody"),
        "{}",
        open.words()
    );

    // A fix removes nothing once the account blocks the access.
    world.aws.block_account(true).await;
    world.slack.click(ALICE, &open, "fix").await;
    eventually("there was nothing to fix", async || {
        let record = world.aws.finding(&finding_of_bucket("blocked")).await?;
        (record["state"] == "fixed" && removed(&record) == 0).then_some(())
    })
    .await;
    assert!(
        world
            .aws
            .policy("blocked")
            .await
            .unwrap()
            .contains("Everybody")
    );
    assert_eq!(world.aws.grants("blocked").await.len(), 2);
}

#[tokio::test]
async fn where_aws_cannot_be_asked_people_are_warned_and_auto_response_waits() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start_with_unseen(5, &[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 2);
    let bucket = "unasked";
    let by_rule = world
        .rules_to_aws
        .inject("s3:GET policyStatus", bucket, Fault::Denied, 0, 100);
    let by_us = world
        .to_aws
        .inject("s3:GET policyStatus", bucket, Fault::Denied, 0, 4);
    publish(&world, bucket, PUBLIC_POLICY).await;
    let words = world
        .slack
        .finding_says(bucket, "AWS could not be asked whether it is public")
        .await
        .words();
    assert!(
        words.contains("AWS could not be asked: s3:GetBucketPolicyStatus failed"),
        "{words}"
    );
    assert!(world.rules_to_aws.hits(by_rule) > 0);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    eventually("auto-response has tried", async || {
        (world.to_aws.hits(by_us) == 4).then_some(())
    })
    .await;
    let fixed = world
        .slack
        .finding_says(bucket, "Fixed by auto-response")
        .await;
    assert!(
        !world
            .aws
            .policy(bucket)
            .await
            .unwrap()
            .contains("Everybody"),
        "{}",
        fixed.words()
    );

    // A person can fix it nevertheless.
    let other = "unasked-too";
    world
        .to_aws
        .inject("s3:GET policyStatus", other, Fault::Denied, 0, 100);
    interact(&world.app_url, &click(ALICE, "autoresponse_off", "off"))
        .await
        .unwrap();
    publish(&world, other, PUBLIC_POLICY).await;
    let message = world
        .slack
        .finding_says(other, "AWS could not be asked whether it is public")
        .await;
    world.slack.click(ALICE, &message, "fix").await;
    world.slack.finding_says(other, "Fixed by <@U0ALICE>").await;
}

#[tokio::test]
async fn auto_response_waits_where_aws_cannot_be_asked_at_the_last_look() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start_with_unseen(5, &[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 2);
    let bucket = "asked-once";
    publish(&world, bucket, PUBLIC_POLICY).await;
    world
        .slack
        .finding_says(bucket, "• remove the statement \"Everybody\"")
        .await;
    // AWS answers at the first look, and not at the one before the change.
    let last = world
        .to_aws
        .inject("s3:GET policyStatus", bucket, Fault::Denied, 1, 1);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    eventually("auto-response waits", async || {
        let words = "it may not: AWS could not be asked whether it is public";
        world.logged().contains(words).then_some(())
    })
    .await;
    assert_eq!(world.to_aws.hits(last), 1);
    world
        .slack
        .finding_says(bucket, "Fixed by auto-response")
        .await;
}

#[tokio::test]
async fn a_grant_that_the_account_may_block_is_removed_by_people_after_a_warning() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start_with_unseen(5, &[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 2);
    let account_block = "configuration/publicAccessBlock";
    let by_us = world
        .to_aws
        .inject("s3:GET ", account_block, Fault::Denied, 0, 1000);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    let bucket = "perhaps-blocked";
    create_bucket(&world, bucket, &[]).await;
    world.aws.set_acl(bucket, BucketCannedAcl::PublicRead).await;
    let warning = "• remove the ACL grant READ to everybody (AllUsers) (AWS could not be asked whether a block makes it ineffective)";
    let message = world.slack.finding_says(bucket, warning).await;
    let seen = world.to_aws.hits(by_us);
    eventually("auto-response has tried", async || {
        (world.to_aws.hits(by_us) > seen).then_some(())
    })
    .await;
    assert_eq!(world.aws.grants(bucket).await.len(), 2, "it waits");

    world.slack.click(ALICE, &message, "fix").await;
    world
        .slack
        .finding_says(bucket, "Fixed by <@U0ALICE>")
        .await;
    assert_eq!(world.aws.grants(bucket).await.len(), 1);

    // A bucket's own block that may not be read is treated in the same way.
    interact(&world.app_url, &click(ALICE, "autoresponse_off", "off"))
        .await
        .unwrap();
    let other = "perhaps-blocked-itself";
    world
        .to_aws
        .inject("s3:GET publicAccessBlock", other, Fault::Denied, 0, 1000);
    publish(&world, other, PUBLIC_POLICY).await;
    let message = world
        .slack
        .finding_says(other, "(AWS could not be asked whether it is public)")
        .await;
    world.slack.click(ALICE, &message, "fix").await;
    world.slack.finding_says(other, "Fixed by <@U0ALICE>").await;
}

/// A public bucket that the account's block excuses; Defendable has seen the block.
async fn excused(schedule_seconds: &str) -> Installation {
    let schedule = vec![("DEFENDABLE_SCHEDULE_SECONDS", schedule_seconds.to_owned())];
    let world = Installation::start(&[], schedule).await;
    world.aws.block_account(true).await;
    publish(&world, "excused", PUBLIC_POLICY).await;
    judged(&world, "excused", "of the account's Public Access Block").await;
    eventually("the notifier has seen the block", async || {
        let noted = world
            .aws
            .item("JUDGED_AGAIN#defendable-s3-public-access", "JUDGED_AGAIN")
            .await?;
        noted["judgedAgain"]["block"]["restrictPublicBuckets"]
            .as_bool()
            .filter(|is_on| *is_on)
    })
    .await;
    assert!(world.slack.findings().await.is_empty());
    world
}

/// Lifts the account's block. Nobody changes the bucket, and AWS Config is asked once to judge again.
async fn lifted_block_opens_the_finding(world: &Installation) {
    world.aws.block_account(false).await;
    world
        .slack
        .finding_says("excused", "• remove the statement \"Everybody\"")
        .await;
    let asked = world
        .rules_to_config
        .calls("config:StartConfigRulesEvaluation");
    assert_eq!(asked.len(), 1);
}

/// The same happens when an organisation's policy is lifted, of which the account has no item.
#[tokio::test]
async fn a_bucket_that_the_account_s_block_excused_opens_once_the_block_is_lifted() {
    let world = excused("1").await;
    // The recorder cannot read the block any more, so that the rule is not invoked with it.
    let blinded = world.rules_to_aws.inject(
        "s3:GET ",
        "configuration/publicAccessBlock",
        Fault::Denied,
        0,
        1000,
    );
    lifted_block_opens_the_finding(&world).await;
    assert!(world.rules_to_aws.hits(blinded) > 0);
}

#[tokio::test]
async fn the_rule_runs_on_the_account_s_block_and_waits_for_no_housekeeping() {
    let world = excused("600").await;
    lifted_block_opens_the_finding(&world).await;
}

/// A rule event of a bucket whose ACL and policy AWS Config could not read.
fn unread(bucket: &str, account: &str) -> Value {
    half_read(bucket, account, &json!({}))
}

/// The same with a part of the supplement.
fn half_read(bucket: &str, account: &str, supplement: &Value) -> Value {
    let item = json!({"resourceType": "AWS::S3::Bucket", "resourceId": bucket, "awsAccountId": account,
        "awsRegion": "us-east-1", "configurationItemStatus": "OK",
        "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z",
        "configuration": {"name": bucket}, "supplementaryConfiguration": supplement});
    let invoking =
        json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item});
    json!({"invokingEvent": invoking.to_string(), "resultToken": "known", "configRuleName": "a-rule"})
}

#[tokio::test]
async fn a_bucket_that_aws_config_could_not_read_is_read_live_or_not_judged() {
    let world = World::seeded().await;
    for bucket in ["private", "network-only"] {
        world
            .aws
            .s3
            .create_bucket()
            .bucket(bucket)
            .send()
            .await
            .unwrap();
    }
    let policy = UNPROVABLY_PRIVATE.replace("BUCKET", "network-only");
    world.aws.set_policy("network-only", &policy).await;
    let only_policy = json!({"BucketPolicy": {"policyText": policy}});
    let (config, puts) = config_service().await;
    let ours = "123456789012";
    let events = [
        unread("defendable-demo-website", ours),
        unread("defendable-demo-downloads", ours),
        unread("private", ours),
        unread("not-there-any-more", ours),
        // AWS does not call the policy public, and the ACL is not known.
        half_read("network-only", ours, &only_policy),
        unread("of-others", "999999999999"),
    ];
    let (runtime, shared) = runtime_api(events).await;
    let mut command = function_command(&world, "s3-public-access-rule", &runtime);
    let _function = Process::spawn(command.env("AWS_ENDPOINT_URL_CONFIG_SERVICE", &config));
    let answers = eventually("all are answered", async || {
        let answers = shared.lock().unwrap().answers.clone();
        (answers.len() == 6).then_some(answers)
    })
    .await;
    let put: Vec<Value> = puts
        .lock()
        .unwrap()
        .iter()
        .map(|put| put["Evaluations"][0]["ComplianceType"].clone())
        .collect();
    assert_eq!(
        put,
        [
            "NON_COMPLIANT",
            "NON_COMPLIANT",
            "COMPLIANT",
            "NOT_APPLICABLE",
            "COMPLIANT"
        ]
    );
    let error = answers[5]["errorMessage"].as_str().unwrap();
    assert!(
        error.contains("has no access to account 999999999999"),
        "{error}"
    );
}
