//! Cases from public bug reports of comparable tools, on live resources.

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, UserIdGroupPair};
use serde_json::json;

use crate::support::{ALICE, World};

/// `aws-solutions/automated-security-response-on-aws#246`: a fix of an open port 22 also took away the rules
/// for all traffic from a group and from an office. And `mondoohq/cnspec#3675`: revoking port 3389 by its
/// properties does nothing where the rule is wider.
#[tokio::test]
async fn a_fix_revokes_the_open_rules_of_a_group_by_id_and_keeps_the_others() {
    let world = World::seeded().await;
    let (other, group) = (
        world.aws.create_group("other").await,
        world.aws.create_group("mixed").await,
    );
    let all = || IpPermission::builder().ip_protocol("-1");
    let office = IpRange::builder()
        .cidr_ip("10.20.0.0/16")
        .description("office")
        .build();
    let everybody = || IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let wide = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(0)
        .to_port(65535);
    let permissions = vec![
        all()
            .user_id_group_pairs(UserIdGroupPair::builder().group_id(&other).build())
            .build(),
        all().ip_ranges(office).build(),
        IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(22)
            .ip_ranges(everybody())
            .build(),
        wide.ip_ranges(everybody())
            .ipv6_ranges(Ipv6Range::builder().cidr_ipv6("::/0").build())
            .build(),
    ];
    let authorize = world
        .aws
        .ec2
        .authorize_security_group_ingress()
        .group_id(&group);
    authorize
        .set_ip_permissions(Some(permissions))
        .send()
        .await
        .unwrap();
    let message = world
        .slack
        .finding_says(&group, "• revoke tcp, all ports from ::/0")
        .await;
    world.slack.click(ALICE, &message, "review_fix").await;
    world.slack.modal_says("revoke tcp 22 from 0.0.0.0/0").await;
    world.slack.submit(ALICE, json!({})).await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    let mut left = vec![
        "-1 -1--1 10.20.0.0/16".to_owned(),
        format!("-1 -1--1 {other}"),
    ];
    left.sort();
    assert_eq!(world.aws.ingress(&group).await, left);
}

/// A bucket whose name has dots, as buckets of static websites have; and
/// `Netflix-Skunkworks/policyuniverse#161`: a bucket that a Deny limits to a network.
#[tokio::test]
async fn a_fix_keeps_other_statements_of_a_bucket_with_dots_and_leaves_a_network_s_bucket() {
    let world = World::seeded().await;
    let statement = |sid: &str, principal: serde_json::Value, bucket: &str| {
        json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{bucket}/*")})
    };
    let deny = |bucket: &str| {
        json!({"Sid": "OnlyVpc", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{bucket}/*"),
            "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-0a1b2c3d"}}})
    };
    let put = async |bucket: &str, statements: Vec<serde_json::Value>| {
        world
            .aws
            .s3
            .create_bucket()
            .bucket(bucket)
            .send()
            .await
            .unwrap();
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        world.aws.set_policy(bucket, &policy.to_string()).await;
    };
    let (network, site) = ("of-a-network", "www.example.com");
    put(
        network,
        vec![statement("Read", json!("*"), network), deny(network)],
    )
    .await;
    let own = json!({"AWS": "arn:aws:iam::123456789012:root"});
    put(
        site,
        vec![
            statement("Everybody", json!("*"), site),
            statement("Own", own, site),
        ],
    )
    .await;
    let message = world
        .slack
        .finding_says(site, "• remove the statement \"Everybody\"")
        .await;
    world.slack.click(ALICE, &message, "fix").await;
    world.slack.finding_says(site, "Fixed by <@U0ALICE>").await;
    let policy = world.aws.policy(site).await.unwrap();
    assert!(
        policy.contains("Own") && !policy.contains("Everybody"),
        "{policy}"
    );
    // A finding of the first bucket would have come first.
    let findings = world.slack.findings().await;
    assert!(
        !findings
            .iter()
            .any(|finding| finding.words().contains(network)),
        "strangers are denied"
    );
}

/// An organisation's SNS topic also carries events of other accounts, in which the installation has no rights.
#[tokio::test]
async fn a_finding_of_another_account_is_shown_without_a_fix() {
    let world = World::seeded().await;
    let group = "sg-0ffff000011112222";
    let result = json!({"complianceType": "NON_COMPLIANT", "resultRecordedTime": "2026-11-27T21:08:12.332Z",
        "configRuleInvokedTime": "2026-11-27T21:08:12.000Z"});
    let event = json!({"version": "0", "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "Config Rules Compliance Change", "source": "aws.config", "account": "111122223333",
        "time": "2026-11-27T21:08:12.332Z", "region": "us-east-1", "resources": [],
        "detail": {"resourceId": group, "resourceType": "AWS::EC2::SecurityGroup", "awsRegion": "us-east-1",
            "awsAccountId": "111122223333", "configRuleName": "defendable-restricted-ports",
            "recordVersion": "1.0", "messageType": "ComplianceChangeNotification",
            "notificationCreationTime": "2026-11-27T21:08:12.332Z", "newEvaluationResult": result}});
    world.aws.send("events", &event).await;
    let message = world
        .slack
        .finding_says(group, "has no access to account 111122223333")
        .await;
    assert!(message.button("fix").is_none(), "{}", message.words());
    assert!(
        message.words().contains("`111122223333`"),
        "{}",
        message.words()
    );
}
