//! The channel, severity and mention of a finding.

use serde_json::{Value, json};

use crate::support::slack::Message;
use crate::support::{Options, World, eventually, finding_of_group};

const ROUTING: &str = r#"
mention = "S0ONCALL"
[[routes]]
channel = "C0PAYMENTS"
tags = { team = "payments" }
[[routes]]
channel = "C0NOWHERE"
rules = ["defendable-s3-public-access"]
"#;

#[tokio::test]
async fn findings_go_where_their_tags_say_and_the_worst_call_people() {
    let world = World::seeded_with(Options {
        variables: &[("DEFENDABLE_ROUTING", ROUTING)],
        ..Options::default()
    })
    .await;
    // A route to a channel that does not exist does not hide the finding.
    world
        .slack
        .finding_says("defendable-demo-website", "high")
        .await;
    let desktops = world
        .slack
        .finding(&world.aws.group_id("remote-desktops").await)
        .await;
    assert!(
        desktops.words().contains("· high severity"),
        "{}",
        desktops.words()
    );
    assert!(
        !desktops.words().contains("<!subteam"),
        "{}",
        desktops.words()
    );
    // The range of ports from 1024 on contains those of databases.
    let workers = world
        .slack
        .finding(&world.aws.group_id("batch-workers").await)
        .await;
    assert!(
        workers.words().contains("· critical severity"),
        "{}",
        workers.words()
    );
    assert!(
        workers.words().contains("<!subteam^S0ONCALL>"),
        "{}",
        workers.words()
    );

    let group = world.aws.create_group("ledger").await;
    world.aws.tag(&group, "team", "payments").await;
    world.aws.open_port(&group, 22).await;
    let routed = eventually(
        "the finding is in the payments team's channel",
        async || {
            let messages = world.slack.messages_of("C0PAYMENTS").await;
            messages
                .into_iter()
                .find(|message| message.text().contains(&group))
        },
    )
    .await;
    assert!(routed.words().contains("· high severity") && routed.button("fix").is_some());
    assert!(
        !world
            .slack
            .findings()
            .await
            .iter()
            .any(|message| message.text().contains(&group))
    );

    world
        .aws
        .ec2
        .delete_security_group()
        .group_id(&group)
        .send()
        .await
        .unwrap();
    eventually("it is edited where it is", async || {
        let messages = world.slack.messages_of("C0PAYMENTS").await;
        let same = |message: &&Message| message.ts() == routed.ts();
        messages
            .iter()
            .find(same)?
            .words()
            .contains("was deleted")
            .then_some(())
    })
    .await;
}

/// A compliance change of a group. It is newer than the result of the sandbox's recorder, which says
/// compliant.
fn notification(group: &str, before: Option<&str>, now: &str) -> Value {
    let recorded_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let old = before.map(|before| json!({"complianceType": before}));
    json!({"awsAccountId": "123456789012", "configRuleName": "defendable-restricted-ports",
        "resourceType": "AWS::EC2::SecurityGroup", "resourceId": group, "awsRegion": "us-east-1",
        "oldEvaluationResult": old, "messageType": "ComplianceChangeNotification",
        "newEvaluationResult": {"complianceType": now, "resultRecordedTime": recorded_at,
                                "annotation": "Open to the internet: tcp 3306 from 0.0.0.0/0."}})
}

/// A report of auto-response that closed a database's port.
fn report(group: &str) -> Value {
    let range = json!({"change": "revokeIngress", "ruleId": "sgr-1", "protocol": "tcp", "fromPort": 3306,
        "toPort": 3306, "cidr": "0.0.0.0/0", "description": null});
    let request = json!({"raisedByRule": "defendable-restricted-ports", "awsRegion": "us-east-1",
        "targetResourceType": "AWS::EC2::SecurityGroup", "targetResourceId": group, "violationDetails": {},
        "violationType": "EC2_SG_PROHIBITED_PORT", "findingId": finding_of_group(group)});
    json!({"remediationSource": "ec2-remediator", "resourceId": group, "action": "None",
        "resourceType": "AWS::EC2::SecurityGroup", "actionCompleteTime": jiff::Timestamp::now(), "message": "",
        "awsAccountId": "123456789012", "outcome": "fixed", "changes": [range], "request": request})
}

#[tokio::test]
async fn a_finding_that_was_fixed_before_its_notification_is_posted_in_its_channel() {
    let world = World::start(Options {
        variables: &[("DEFENDABLE_ROUTING", ROUTING)],
        ..Options::default()
    })
    .await;
    let tagged = async |name: &str| {
        let group = world.aws.create_group(name).await;
        world.aws.tag(&group, "team", "payments").await;
        group
    };
    let in_channel = async |group: &str, words: &str| {
        let messages = world.slack.messages_of("C0PAYMENTS").await;
        let is_it =
            |message: &Message| message.text().contains(group) && message.words().contains(words);
        messages.into_iter().find(is_it)
    };
    // The group opened, and was fixed before the notifier read the notification.
    let ledger = tagged("ledger").await;
    let broke = notification(&ledger, None, "NON_COMPLIANT");
    world.aws.send("events", &broke).await;
    let found = eventually("it is in the payments team's channel", async || {
        in_channel(&ledger, "medium severity").await
    })
    .await;
    // The newer notification, which says compliant, comes first.
    let wages = tagged("wages").await;
    let complied = notification(&wages, Some("NON_COMPLIANT"), "COMPLIANT");
    world.aws.send("events", &complied).await;
    eventually("it is on record", async || {
        world.aws.finding(&finding_of_group(&wages)).await
    })
    .await;
    for group in [&ledger, &wages] {
        world.aws.send("events", &report(group)).await;
        let fixed = eventually("it says so in the payments team's channel", async || {
            in_channel(group, "Fixed by").await
        })
        .await;
        assert!(group == &wages || fixed.ts() == found.ts());
        let record = world.aws.finding(&finding_of_group(group)).await.unwrap();
        assert!(
            group == &ledger || record["finding"]["severity"] == "critical",
            "what was revoked tells how bad it was, unless people were told before"
        );
        let default = world.slack.findings().await;
        assert!(!default.iter().any(|other| other.text().contains(group)));
    }
}
