//! Consent is to the plan that was shown: a fix does what is in that plan, or does nothing and asks again.

mod growth;
mod ids;
mod ignores;
mod kept;
mod looks;

use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range};
use defendable::finding::{Finding, Refusal, State};
use defendable::ids::{FindingId, PlanDigest};
use serde_json::{Value, json};

use crate::support::payload::{click, interact};
use crate::support::slack::Message;
use crate::support::{
    ALICE, BOB, CAROL, Options, World, eventually, finding_of_bucket, finding_of_group,
    several_ticks, within,
};

const SSH: &str = "tcp 22-22 0.0.0.0/0";
const MYSQL: &str = "tcp 3306-3306 0.0.0.0/0";

/// A group that is open on port 22, with its message.
async fn open_group(world: &World, name: &str) -> (String, FindingId, Message) {
    let group = world.aws.open_group(name).await;
    let message = world
        .slack
        .finding_says(&group, "• revoke tcp 22 from 0.0.0.0/0")
        .await;
    let id = finding_of_group(&group);
    (group, id, message)
}

/// Puts the requests of a click into the queue later than the click.
async fn send(world: &World, requests: Vec<defendable::contracts::RemediationRequest>) {
    for request in requests {
        world.aws.send("fix", &json!(request)).await;
    }
}

async fn open_for_every_protocol(world: &World, group: &str) {
    let range = IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let permission = IpPermission::builder()
        .ip_protocol("-1")
        .ip_ranges(range)
        .build();
    let opened = world
        .aws
        .ec2
        .authorize_security_group_ingress()
        .group_id(group)
        .ip_permissions(permission);
    opened.send().await.unwrap();
}

async fn close_port(world: &World, group: &str, port: i32) {
    let range = IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let permission = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port)
        .to_port(port)
        .ip_ranges(range);
    let closed = world
        .aws
        .ec2
        .revoke_security_group_ingress()
        .group_id(group)
        .ip_permissions(permission.build());
    closed.send().await.unwrap();
}

#[tokio::test]
async fn a_fix_of_a_plan_that_has_grown_changes_nothing_and_asks_again() {
    let world = World::seeded().await;
    let (group, _, seen) = open_group(&world, "grows").await;
    world.aws.open_port(&group, 3306).await;
    // AWS Config sends nothing while the group stays non-compliant; the rule function asks for the look.
    let grown = world
        .slack
        .finding_says(&group, "• revoke tcp 3306 from 0.0.0.0/0")
        .await;
    assert!(
        grown.words().contains("· critical severity"),
        "{}",
        grown.words()
    );
    assert_eq!(grown.ts(), seen.ts());

    world.slack.click(ALICE, &seen, "fix").await;
    world
        .slack
        .is_told(ALICE, "has grown since you saw it")
        .await;
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

    world.slack.click(ALICE, &asks, "fix").await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert!(world.aws.ingress(&group).await.is_empty());
    let history = world
        .slack
        .command(BOB, &format!("history {}", seen.finding_id()))
        .await
        .words();
    assert!(
        history.contains("had agreed to less than a fix would change now"),
        "{history}"
    );
}

#[tokio::test]
async fn a_plan_that_grows_after_the_click_is_not_carried_out() {
    let world = World::seeded().await;
    let (group, id, _) = open_group(&world, "grows").await;
    let requests = world.aws.asked(&id, ALICE).await;
    world.aws.open_port(&group, 3306).await;
    send(&world, requests).await;
    let asks = world
        .slack
        .finding_says(&group, "<@U0ALICE> had agreed to less")
        .await;
    assert_eq!(world.aws.ingress(&group).await, [SSH, MYSQL]);
    assert!(asks.button("fix").is_some() && asks.words().contains("Open. Nothing was changed"));
    eventually("the thread tells of it", async || {
        let thread = world.slack.thread(&asks).await;
        let told = |reply: &Message| {
            reply
                .words()
                .contains("A fix would now also: revoke tcp 3306")
        };
        thread.iter().any(told).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_fix_skips_what_has_gone_and_takes_what_came_back_unchanged() {
    let world = World::seeded().await;
    // Another security group rule opens the same: another id, the same exposure.
    let (same, id, _) = open_group(&world, "same-again").await;
    let requests = world.aws.asked(&id, ALICE).await;
    close_port(&world, &same, 22).await;
    world.aws.open_port(&same, 22).await;
    send(&world, requests).await;
    world
        .slack
        .finding_says(&same, "*What was done*\n• revoked tcp 22")
        .await;

    let shrinks = world.aws.create_group("shrinks").await;
    world.aws.open_port(&shrinks, 3306).await;
    world.aws.open_port(&shrinks, 22).await;
    let id = finding_of_group(&shrinks);
    world.slack.finding_says(&shrinks, "• revoke tcp 22").await;
    let requests = world.aws.asked(&id, ALICE).await;
    close_port(&world, &shrinks, 3306).await;
    send(&world, requests).await;
    let done = world
        .slack
        .finding_says(&shrinks, "*What was done*\n• revoked tcp 22")
        .await;
    assert!(
        !done.words().contains("revoked tcp 3306") && world.aws.ingress(&shrinks).await.is_empty()
    );

    let bucket = "defendable-demo-website";
    let id = finding_of_bucket(bucket);
    let requests = world.aws.asked(&id, ALICE).await;
    let mut policy: Value = serde_json::from_str(&world.aws.policy(bucket).await.unwrap()).unwrap();
    policy["Statement"].as_array_mut().unwrap().reverse();
    world.aws.set_policy(bucket, &policy.to_string()).await;
    send(&world, requests).await;
    world
        .slack
        .finding_says(
            bucket,
            "*What was done*\n• removed the statement \"Everybody\"",
        )
        .await;
    let rest: Value = serde_json::from_str(&world.aws.policy(bucket).await.unwrap()).unwrap();
    assert_eq!(rest["Statement"].as_array().map_or(1, Vec::len), 1);
    assert!(!rest.to_string().contains("Everybody") && rest.to_string().contains("Deployments"));
}

#[tokio::test]
async fn a_bucket_whose_acl_or_policy_has_grown_keeps_both() {
    let world = World::seeded().await;
    let bucket = "defendable-demo-downloads";
    let (id, grants) = (finding_of_bucket(bucket), world.aws.grants(bucket).await);
    let requests = world.aws.asked(&id, ALICE).await;
    let public = crate::faults::cell::PUBLIC_POLICY.replace("BUCKET", bucket);
    world.aws.set_policy(bucket, &public).await;
    send(&world, requests).await;
    let asks = world.slack.finding_says(bucket, "had agreed to less").await;
    assert!(
        asks.words()
            .contains("the statement \"Everybody\" of the bucket policy lets everybody in")
    );
    assert_eq!(
        world.aws.grants(bucket).await,
        grants,
        "no part is changed where one has grown"
    );
}

#[tokio::test]
async fn a_request_without_a_plan_changes_nothing_and_asks() {
    let world = World::seeded().await;
    let (group, id, _) = open_group(&world, "old-style").await;
    let mut request = json!({"raisedByRule": "defendable-restricted-ports", "targetResourceId": group,
        "targetResourceType": "AWS::EC2::SecurityGroup", "awsRegion": "us-east-1", "requestedBy": ALICE,
        "violationType": "EC2_SG_PROHIBITED_PORT", "violationDetails": {}});
    world.aws.send("fix", &request).await;
    let asks = world
        .slack
        .finding_says(&group, "did not say which plan was agreed to")
        .await;
    assert!(asks.button("fix").is_some() && asks.words().contains("• revoke tcp 22"));
    // The plan of another resource, and a plan that is not stored, change nothing either.
    let (other, other_id, _) = open_group(&world, "another").await;
    let plan_of_other = world
        .aws
        .fix_value(&other_id)
        .await
        .split_once(' ')
        .unwrap()
        .1
        .to_owned();
    for (round, plan) in [plan_of_other, format!("p-{}", "0".repeat(64))]
        .into_iter()
        .enumerate()
    {
        // The finding waits for this request; only its plan is wrong.
        let fixing = world.aws.asked(&id, ALICE).await.remove(0);
        let digest: PlanDigest = plan.parse().unwrap();
        let waits_for_it = |finding: &Finding| {
            let mut finding = finding.clone();
            let State::Fixing { plan, .. } = &mut finding.state else {
                return Err(Refusal::NotFixing);
            };
            *plan = Some(digest.clone());
            Ok(finding)
        };
        world
            .aws
            .table()
            .change_existing(&id, waits_for_it)
            .await
            .unwrap();
        let task = json!({"messageBody": {"raisedByRule": "r", "targetResourceId": group, "awsRegion": "us-east-1",
            "targetResourceType": "AWS::EC2::SecurityGroup", "violationType": "EC2_SG_PROHIBITED_PORT",
            "requestedBy": ALICE, "askedAt": fixing.asked_at, "plan": plan}});
        world.aws.send("ec2", &task).await;
        eventually("it asks again", async || {
            let history = world
                .slack
                .command(BOB, &format!("history {id}"))
                .await
                .words();
            let refused = history.matches("nothing was changed").count();
            let record = world.aws.finding(&id).await?;
            (refused == round + 2 && record["state"] == "open").then_some(())
        })
        .await;
    }
    request["plan"] = json!(format!("p-{}", "0".repeat(64)));
    world.aws.send("fix", &request).await;
    eventually("all of it is done with", async || {
        let waiting = world.aws.messages_in("fix").await + world.aws.messages_in("ec2").await;
        (waiting == 0).then_some(())
    })
    .await;
    assert_eq!(world.aws.ingress(&group).await, [SSH]);
    assert_eq!(world.aws.ingress(&other).await, [SSH]);
}

#[tokio::test]
async fn an_approval_of_a_plan_that_has_grown_changes_nothing() {
    let variables = &[
        ("DEFENDABLE_TWO_PERSON_ACCOUNTS", "123456789012"),
        ("DEFENDABLE_OPERATORS", "U0ALICE,U0CAROL"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let (group, _, message) = open_group(&world, "two").await;
    world.slack.click(ALICE, &message, "fix").await;
    let waiting = world
        .slack
        .finding_says(&group, "<@U0ALICE> wants this fixed")
        .await;
    world.aws.open_port(&group, 3306).await;
    let grown = world.slack.finding_says(&group, "• revoke tcp 3306").await;
    assert_eq!(
        grown.button("approve").unwrap()["value"],
        waiting.button("approve").unwrap()["value"]
    );
    world.slack.click(CAROL, &grown, "approve").await;
    world
        .slack
        .is_told(CAROL, "has grown since you saw it")
        .await;
    let asks = world.slack.finding_says(&group, "had agreed to less").await;
    assert!(asks.button("approve").is_none() && asks.button("fix").is_some());
    assert_eq!(world.aws.ingress(&group).await, [SSH, MYSQL]);
}

#[tokio::test]
async fn of_fifty_fixed_at_once_the_three_that_grew_are_left_and_listed() {
    let world = World::seeded().await;
    let mut groups = Vec::new();
    for number in 0..53 {
        groups.push(world.aws.create_group(&format!("storm-{number}")).await);
    }
    for group in &groups {
        world.aws.open_port(group, 22).await;
    }
    // The channel shows five findings of a rule singly within a minute, and has two already.
    let digest = world
        .slack
        .channel_says("*50 more findings within a short time*")
        .await;
    let value = digest.button("fix_all").unwrap()["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let listed: Vec<&String> = {
        let words: Vec<String> = world
            .slack
            .findings()
            .await
            .iter()
            .map(|message| message.text().to_owned())
            .collect();
        groups
            .iter()
            .filter(|group| !words.iter().any(|text| text.contains(group.as_str())))
            .collect()
    };
    assert_eq!(listed.len(), 50);
    for group in &listed[..3] {
        world.aws.open_port(group, 3306).await;
    }
    // The question was about the list that the digest showed.
    let (id, list) = value.split_once(' ').unwrap();
    let yes = crate::support::payload::submission(ALICE, "fix_all", &format!("{id} {list}"));
    assert_eq!(interact(&world.app_url, &yes).await, Some(200));
    // Moto answers one call at a time.
    let done = within(
        Duration::from_secs(180),
        "the three are listed",
        async || {
            world.slack.channel().await.into_iter().find(|message| {
                let words = message.words();
                words.contains("<@U0ALICE> fixed 47 of 50")
                    && words.contains("3 would change more than was agreed to")
            })
        },
    )
    .await;
    for group in &listed[..3] {
        assert_eq!(world.aws.ingress(group).await, [SSH, MYSQL]);
        assert!(
            done.words().contains(finding_of_group(group).as_str()),
            "{}",
            done.words()
        );
    }
    for group in &listed[3..] {
        assert!(world.aws.ingress(group).await.is_empty());
    }
}

#[tokio::test]
async fn go_on_after_a_hold_agrees_to_the_list_that_was_shown() {
    let variables = &[
        ("DEFENDABLE_SCHEDULE_SECONDS", "1"),
        ("DEFENDABLE_BLAST_RADIUS", "2"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let mut groups = Vec::new();
    for number in 0..4 {
        groups.push(world.aws.open_group(&format!("held-{number}")).await);
    }
    for group in &groups {
        let id = finding_of_group(group);
        eventually("it is found", async || world.aws.finding(&id).await).await;
    }
    assert_eq!(
        interact(&world.app_url, &click(ALICE, "autoresponse_on", "on")).await,
        Some(200)
    );
    let question = world
        .slack
        .channel_says("*Go on* fixes 6 findings, as they are now")
        .await;
    let mut later = Vec::new();
    for number in 0..3 {
        later.push(world.aws.open_group(&format!("later-{number}")).await);
    }
    // A finding that was fixed and opened again is not in the agreed list either.
    close_port(&world, &groups[0], 22).await;
    let id = finding_of_group(&groups[0]);
    eventually("it is compliant again", async || {
        (world.aws.finding(&id).await?["state"] == "fixed").then_some(())
    })
    .await;
    world.aws.open_port(&groups[0], 22).await;
    later.push(groups.remove(0));
    for group in &later {
        let id = finding_of_group(group);
        eventually("it is open", async || {
            (world.aws.finding(&id).await?["state"] == "open").then_some(())
        })
        .await;
    }
    let value = question.button("autoresponse_on").unwrap()["value"]
        .as_str()
        .unwrap();
    assert!(
        value.starts_with("hold ") && value.contains(" l-"),
        "{value}"
    );
    world.slack.click(ALICE, &question, "autoresponse_on").await;
    // The findings of the list are fixed at once, though the cap is two, because people agreed to them. Later
    // findings count towards the cap: two of the four are fixed, and a question follows.
    let closed = async |groups: &[String]| {
        let mut closed = 0;
        for group in groups {
            closed += usize::from(world.aws.ingress(group).await.is_empty());
        }
        closed
    };
    eventually("all of the list are fixed", async || {
        (closed(&groups).await == groups.len()).then_some(())
    })
    .await;
    // The answer replaces the first question.
    world
        .slack
        .channel_says("<@U0ALICE> let auto-response go on")
        .await;
    let again = world
        .slack
        .channel_says("*Go on* fixes 2 findings, as they are now")
        .await;
    assert_ne!(again.ts(), question.ts());
    several_ticks().await;
    assert_eq!(
        closed(&later).await,
        2,
        "what came later counts against the cap"
    );
}

/// Opens eight ports, each by a security group rule of its own: to one range, or to two.
async fn open_widely(world: &World, group: &str, everybody: bool) {
    for port in [22, 1433, 3306, 3389] {
        for protocol in ["tcp", "udp"] {
            let permission = IpPermission::builder()
                .ip_protocol(protocol)
                .from_port(port)
                .to_port(port);
            let permission = permission.ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build());
            let permission = match everybody {
                true => permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6("::/0").build()),
                false => permission,
            };
            let opened = world
                .aws
                .ec2
                .authorize_security_group_ingress()
                .group_id(group);
            opened
                .ip_permissions(permission.build())
                .send()
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_plan_too_long_for_a_dialog_opens_a_modal() {
    let world = World::seeded().await;
    let group = world.aws.create_group("long").await;
    open_widely(&world, &group, false).await;
    let message = world.slack.finding_says(&group, "• revoke udp 3389").await;
    assert!(message.button("fix").is_none());
    world.slack.click(ALICE, &message, "review_fix").await;
    let shown = world.slack.modal_says("Fix will").await;
    assert_eq!(shown.matches("• revoke").count(), 8, "{shown}");
    assert_eq!(world.aws.ingress(&group).await.len(), 8, "it asks first");
    world.slack.submit(ALICE, json!({})).await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert!(world.aws.ingress(&group).await.is_empty());
}

#[tokio::test]
async fn a_plan_too_long_for_the_message_is_approved_and_undone_in_modals_that_list_all_of_it() {
    let variables = &[
        ("DEFENDABLE_TWO_PERSON_ACCOUNTS", "123456789012"),
        ("DEFENDABLE_OPERATORS", "U0ALICE,U0CAROL"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let group = world.aws.create_group("longer").await;
    open_widely(&world, &group, true).await;
    let message = world.slack.finding_says(&group, "• and 4 more").await;
    world.slack.click(ALICE, &message, "review_fix").await;
    world.slack.modal_says("Fix will").await;
    world.slack.submit(ALICE, json!({})).await;
    let waiting = world
        .slack
        .finding_says(&group, "<@U0ALICE> wants this fixed")
        .await;
    world.slack.click(ALICE, &waiting, "approve").await;
    world
        .slack
        .is_told(ALICE, "You asked for it yourself")
        .await;
    world.slack.click(CAROL, &waiting, "approve").await;
    let shown = world.slack.modal_says("Approve the fix").await;
    assert_eq!(shown.matches("• revoke").count(), 16, "{shown}");
    assert_eq!(world.aws.ingress(&group).await.len(), 16, "it asks first");
    world.slack.submit(CAROL, json!({})).await;
    let fixed = world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert!(world.aws.ingress(&group).await.is_empty());
    world.slack.click(ALICE, &fixed, "undo").await;
    let shown = world.slack.modal_says("After the undo").await;
    assert_eq!(shown.matches("again").count(), 16, "{shown}");
}
