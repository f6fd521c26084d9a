//! Auto-response: it runs on schedule, keeps its cap, and stops at "off".

use defendable::controls::ViolationType;
use defendable::finding::{Actor, Finding, State};
use serde_json::json;

use crate::support::fault_proxy::{Fault, Tampering};
use crate::support::installation::Installation;
use crate::support::payload::{click, interact};
use crate::support::{
    ALICE, BOB, FAST, Options, World, eventually, finding_of_group, several_ticks,
};

#[tokio::test]
async fn a_run_stops_at_its_cap_and_asks() {
    let variables = &[
        ("DEFENDABLE_SCHEDULE_SECONDS", "1"),
        ("DEFENDABLE_BLAST_RADIUS", "3"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    let question = world
        .slack
        .channel_says("Auto-response has stopped to ask")
        .await;
    several_ticks().await;
    let fixed = async || {
        let findings = world.slack.findings().await;
        findings
            .iter()
            .filter(|finding| finding.words().contains("Fixed by auto-response"))
            .count()
    };
    eventually("three are fixed", async || {
        (fixed().await == 3).then_some(())
    })
    .await;
    world.slack.click(ALICE, &question, "autoresponse_on").await;
    eventually("the fourth is fixed too", async || {
        (fixed().await == 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_was_enabled_elsewhere_is_disabled_again() {
    let variables = &[("DEFENDABLE_SCHEDULE_SECONDS", "1")];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    world.slack.command(ALICE, "autoresponse off").await;
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
        .channel_says("turned the scheduled rule on outside Slack")
        .await;
    assert!(!world.aws.rule_is_enabled().await);
    assert_eq!(
        world.aws.messages_in("remediation").await,
        4,
        "nothing was fixed"
    );
}

#[tokio::test]
async fn an_unusable_message_is_parked_and_reported_while_the_rest_goes_on() {
    let variables = &[("DEFENDABLE_SCHEDULE_SECONDS", "1")];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let unknown = json!({"raisedByRule": "r", "targetResourceType": "AWS::RDS::DBInstance", "targetResourceId": "db",
        "awsRegion": "us-east-1", "violationType": "RDS_PUBLIC", "violationDetails": {}});
    world.aws.send("remediation", &unknown).await;
    world.aws.send_text("events", "not json").await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world.slack.channel_says("RDS\u{200b}_PUBLIC").await;
    world
        .slack
        .channel_says("dead-letter queue of `defendable-events`")
        .await;
    for bucket in ["defendable-demo-downloads", "defendable-demo-website"] {
        world
            .slack
            .finding_says(bucket, "Fixed by auto-response")
            .await;
    }
    assert_eq!(world.aws.messages_in("remediation-dead-letters").await, 1);
    assert_eq!(world.aws.messages_in("events-dead-letters").await, 1);
    assert!(
        world
            .slack
            .command(ALICE, "status")
            .await
            .words()
            .contains("*Dead letters:* 2 messages could not be handled")
    );

    assert!(
        world
            .slack
            .command(BOB, "retry")
            .await
            .words()
            .contains("not an operator")
    );
    let queue = world.slack.command(BOB, "queue").await;
    let words = queue.words();
    assert!(
        words.contains("Dead letters of* `defendable-remediation`") && words.contains("RDS"),
        "{words}"
    );
    assert!(
        words.contains("not JSON") || words.contains("not a notification"),
        "{words}"
    );
    assert!(
        world
            .slack
            .command(ALICE, "retry")
            .await
            .words()
            .contains("2 messages went back")
    );
    eventually("they are parked again", async || {
        let parked = world.aws.messages_in("remediation-dead-letters").await;
        (parked + world.aws.messages_in("events-dead-letters").await == 2).then_some(())
    })
    .await;
    let first_id = |words: &str| Some(words.split("events`").nth(1)?.split('`').nth(1)?.to_owned());
    let id = first_id(&words).expect("a dead letter with an id");
    eventually(
        "the dead letter is listed again, by its first id",
        async || (first_id(&world.slack.command(BOB, "queue").await.words())? == id).then_some(()),
    )
    .await;
    assert!(
        world
            .slack
            .command(BOB, "history")
            .await
            .words()
            .contains("<@U0ALICE> retried 2 dead letters")
    );

    let queue = eventually("the dead letters can be seen again", async || {
        let queue = world.slack.command(ALICE, "queue").await;
        queue.button("retry").is_some().then_some(queue)
    })
    .await;
    world.slack.click(ALICE, &queue, "retry").await;
    eventually("the button does the same", async || {
        let history = world.slack.command(BOB, "history").await.words();
        (history.matches("<@U0ALICE> retried").count() >= 2).then_some(())
    })
    .await;

    let discard = format!("discard {id}");
    let refused = world.slack.command(BOB, &discard).await.words();
    assert!(refused.contains("not an operator"), "{refused}");
    let discarded = eventually("the dead letter can be seen again", async || {
        let discarded = world.slack.command(ALICE, &discard).await.words();
        discarded.contains("was deleted").then_some(discarded)
    })
    .await;
    assert!(discarded.contains(&id), "{discarded}");
    assert_eq!(world.aws.messages_in("events-dead-letters").await, 0);
    let history = world.slack.command(BOB, "history").await.words();
    assert!(
        history.contains(&format!("<@U0ALICE> discarded the dead letter {id} of")),
        "{history}"
    );
    let gone = world.slack.command(ALICE, &discard).await.words();
    assert!(gone.contains("I see no dead letter"), "{gone}");
}

#[tokio::test]
async fn a_request_that_is_delivered_twice_survives_a_failed_fix() {
    let world =
        Installation::start(&[], vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())]).await;
    world
        .to_aws
        .tamper("defendable-remediation", Tampering::Duplicate);
    world.to_aws.set_unseen("defendable-remediation", 3);
    let group = world.aws.create_group("twice").await;
    world.aws.open_port(&group, 443).await;
    world.aws.open_port(&group, 22).await;
    let id = finding_of_group(&group);
    // A removal is not retried within a run: each run tries once.
    let down = world.to_aws.inject(
        "ec2:RevokeSecurityGroupIngress",
        &group,
        Fault::Unavailable,
        0,
        3,
    );
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    eventually("three fixes fail", async || {
        (world.to_aws.hits(down) == 3).then_some(())
    })
    .await;
    eventually("it is fixed by a fourth", async || {
        let fixed = world.aws.finding(&id).await?["state"] == "fixed";
        (fixed && world.aws.ingress(&group).await == ["tcp 443-443 0.0.0.0/0"]).then_some(())
    })
    .await;
    eventually("nothing is left", async || {
        (world.aws.messages_in("remediation").await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_fix_of_auto_response_is_not_requested_again_once_it_is_off() {
    let world = World::seeded().await;
    world.slack.command(ALICE, "autoresponse off").await;
    let group = world.aws.create_group("begun").await;
    let id = finding_of_group(&group);
    let mut request = json!({"raisedByRule": "defendable-restricted-ports", "awsRegion": "us-east-1",
        "targetResourceType": "AWS::EC2::SecurityGroup", "targetResourceId": group, "violationDetails": {},
        "violationType": "EC2_SG_PROHIBITED_PORT", "findingId": id});
    // A remediator announced its changes before AWS Config's notification, and then died.
    let range = json!({"change": "revokeIngress", "ruleId": "sgr-1", "protocol": "tcp", "fromPort": 22, "toPort": 22,
        "cidr": "0.0.0.0/0", "description": null});
    let begun = json!({"remediationSource": "ec2-remediator", "resourceId": group, "action": "None",
        "resourceType": "AWS::EC2::SecurityGroup", "actionCompleteTime": jiff::Timestamp::now(), "message": "",
        "awsAccountId": "123456789012", "outcome": "begun", "changes": [range], "request": request});
    world.aws.send("events", &begun).await;
    eventually("the finding is there", async || {
        world.aws.finding(&id).await
    })
    .await;
    world.aws.open_port(&group, 22).await;
    let finding = world
        .slack
        .finding_says(&group, "Open to the internet: tcp 22")
        .await;
    assert!(
        finding.button("fix").is_some(),
        "nobody is at it, and people may ask for it"
    );
    // Version 0.1 took that for a fix under way, and requested it again after a minute.
    let since = jiff::Timestamp::now();
    let being_fixed = |finding: Option<&Finding>| {
        let waiting_for = [ViolationType::Ec2SgProhibitedPort].into();
        let (asked_by, failure, ignored) = (Actor::AutoResponse, None, None);
        let (plan, compliant) = (
            finding
                .and_then(Finding::fix_plan)
                .map(|plan| plan.digest()),
            None,
        );
        let state = State::Fixing {
            asked_by,
            since,
            waiting_for,
            failure,
            ignored,
            plan,
            compliant,
        };
        Ok::<_, ()>(Finding {
            state,
            ..finding.unwrap().clone()
        })
    };
    world.aws.table().change(&id, being_fixed).await.unwrap();
    let record = world.aws.finding(&id).await.unwrap();
    request["plan"] = record["finding"]["state"]["plan"].clone();
    assert!(
        request["plan"].as_str().unwrap().starts_with("p-"),
        "all is as in a request that counts"
    );
    request["askedAt"] = json!(since);
    world.aws.send("fix", &request).await;
    eventually("it has been looked at", async || {
        let waiting = world.aws.messages_in("fix").await + world.aws.messages_in("ec2").await;
        (waiting == 0).then_some(())
    })
    .await;
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&group).await,
        ["tcp 22-22 0.0.0.0/0"],
        "off means off"
    );
}

#[tokio::test]
async fn off_stops_a_remediator_that_is_reading_the_resource() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start(&[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 3);
    let group = world.aws.open_group("slow").await;
    let id = finding_of_group(&group);
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    let switch = async |to: &str| {
        interact(
            &world.app_url,
            &click(ALICE, &format!("autoresponse_{to}"), to),
        )
        .await
        .unwrap();
        let recorded = async || (world.aws.auto_response_wanted().await? == to).then_some(());
        eventually("it is switched", recorded).await;
    };
    // The remediator has read that auto-response is on, and reading the group takes long.
    let slow = world
        .to_aws
        .inject("ec2:DescribeSecurityGroupRules", &group, Fault::Hangs, 0, 1);
    switch("on").await;
    eventually("it is looked at", async || {
        (world.to_aws.hits(slow) > 0).then_some(())
    })
    .await;
    switch("off").await;
    eventually("it has been looked at", async || {
        let left = world.logged().contains("it may not: auto-response is off");
        (left || world.aws.ingress(&group).await.is_empty()).then_some(())
    })
    .await;
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&group).await,
        ["tcp 22-22 0.0.0.0/0"],
        "off means off"
    );
    assert!(
        world
            .to_aws
            .calls("ec2:RevokeSecurityGroupIngress")
            .is_empty()
    );
    switch("on").await;
    eventually("it is fixed", async || {
        world.aws.ingress(&group).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn merged_ranges_are_left_to_people_unless_a_setting_allows_them() {
    let world = World::seeded_with(FAST).await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    let group = world.aws.create_group("halves").await;
    world
        .aws
        .open_port_to(&group, 22, &["0.0.0.0/1", "128.0.0.0/1", "198.51.100.7/32"])
        .await;
    let halves = [
        "tcp 22-22 0.0.0.0/1",
        "tcp 22-22 128.0.0.0/1",
        "tcp 22-22 198.51.100.7/32",
    ];
    let message = world
        .slack
        .finding_says(&group, "• revoke tcp 22 from 128.0.0.0/1")
        .await;
    let words = message.words();
    assert!(
        words.contains("the rest takes a person") && !words.contains("198.51.100.7"),
        "{words}"
    );
    // Beside the merged range, port 3306 is open to everybody.
    world.aws.open_port(&group, 3306).await;
    eventually("auto-response takes what is for everybody", async || {
        (world.aws.ingress(&group).await == halves).then_some(())
    })
    .await;
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&group).await,
        halves,
        "and leaves the rest"
    );
    let open = world
        .slack
        .finding_says(&group, "Open · high severity")
        .await;
    assert!(
        open.words().contains("the rest takes a person"),
        "{}",
        open.words()
    );
    assert!(
        open.button("undo").is_some(),
        "what it took can be put back"
    );
    eventually("its thread tells", async || {
        let thread = world.slack.thread(&open).await;
        thread
            .iter()
            .any(|reply| reply.words().contains("The rest is left to people"))
            .then_some(())
    })
    .await;
    assert_eq!(open.ts(), message.ts(), "it was open all the time");
    world.slack.click(ALICE, &open, "fix").await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert_eq!(
        world.aws.ingress(&group).await,
        ["tcp 22-22 198.51.100.7/32"]
    );
}

#[tokio::test]
async fn a_setting_lets_auto_response_take_broad_ranges() {
    let variables = &[
        ("DEFENDABLE_SCHEDULE_SECONDS", "1"),
        ("DEFENDABLE_AUTO_RESPONSE_BROAD_RANGES", "true"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    let group = world.aws.create_group("broad").await;
    world.aws.open_port_to(&group, 22, &["64.0.0.0/7"]).await;
    world
        .slack
        .finding_says(&group, "Fixed by auto-response")
        .await;
    assert!(world.aws.ingress(&group).await.is_empty());
}

#[tokio::test]
async fn changes_beside_what_is_left_to_people_are_recorded_though_the_report_is_lost() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start_with_unseen(5, &[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 2);
    let group = world.aws.create_group("mixed").await;
    let lost = world.to_aws.inject(
        "ec2:RevokeSecurityGroupIngress",
        &group,
        Fault::AnswerLost,
        0,
        1,
    );
    world
        .aws
        .open_port_to(&group, 22, &["0.0.0.0/1", "128.0.0.0/1"])
        .await;
    world.aws.open_port(&group, 3306).await;
    let id = finding_of_group(&group);
    world.slack.finding_says(&group, "• revoke tcp 3306").await;
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    eventually("what was taken away is on record", async || {
        let record = world.aws.finding(&id).await?;
        let late = record["finding"]["late"].as_array()?;
        (late.len() == 1 && late[0]["changes"][0]["fromPort"] == 3306).then_some(())
    })
    .await;
    assert_eq!(world.to_aws.hits(lost), 1);
    eventually("the request is over", async || {
        (world.aws.messages_in("remediation").await == 0).then_some(())
    })
    .await;
    let record = world.aws.finding(&id).await.unwrap();
    assert_eq!(record["state"], "open", "{record}");
    assert_eq!(
        world.aws.ingress(&group).await,
        ["tcp 22-22 0.0.0.0/1", "tcp 22-22 128.0.0.0/1"]
    );
}
