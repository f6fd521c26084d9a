//! What else people and the schedule do, and every way in which it can go wrong: a scheduled run,
//! the switch, an undo.

use std::time::Instant;

use serde_json::Value;

use super::boundary::{REVOKE, times};
use super::cell::{LOOK, is_at_length, patience};
use crate::support::fault_proxy::{Fault, Injected, Tampering};
use crate::support::installation::Installation;
use crate::support::payload::{click, interact, submission};
use crate::support::{ALICE, eventually, finding_of_group};

/// A scheduled run with what comes before and after it, and the calls by which it may stumble.
const OF_A_RUN: [(&str, &str); 8] = [
    ("events:DescribeRule", ""),
    ("dynamodb:GetItem", "AUTO_RESPONSE"),
    ("sqs:ReceiveMessage", "defendable-remediation"),
    ("sqs:DeleteMessage", "defendable-remediation"),
    ("sqs:ReceiveMessage", "defendable-events"),
    ("sqs:DeleteMessage", "defendable-events"),
    ("sqs:ReceiveMessage", "defendable-security-group"),
    ("sqs:DeleteMessage", "defendable-security-group"),
];

#[tokio::test]
async fn auto_response_stands_every_fault() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    // A delivery that gets lost is unseen for so long.
    let mut world = Installation::start_with_unseen(5, &[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 5);
    world.spawn_helpers(1);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on")).await.unwrap();
    let mut groups = Vec::new();
    for fault in Fault::ALL {
        let group = world.aws.create_group(&format!("{fault:?}")).await;
        world.aws.open_port(&group, 443).await;
        let inject = |(operation, about): (&str, &str)| world.to_aws.inject(operation, about, fault, 0, 1);
        let injected = OF_A_RUN.map(inject);
        world.aws.open_port(&group, 22).await;
        let id = finding_of_group(&group);
        let fixed = async || {
            // AWS Config may tell before the report does that it is fixed; what was taken away must come.
            let record = world.aws.finding(&id).await?;
            let removed = record["finding"]["removed"].as_array().map_or(0, Vec::len);
            (record["state"] == "fixed" && removed == 1 && world.aws.is_shown(&id).await).then_some(())
        };
        eventually(&format!("{group} is fixed in spite of {fault:?}"), fixed).await;
        for (injected, (operation, about)) in injected.into_iter().zip(OF_A_RUN) {
            let hit = async || (world.to_aws.hits(injected) == 1).then_some(());
            eventually(&format!("{operation} {about} goes wrong: {fault:?}"), hit).await;
        }
        groups.push(group);
    }
    for group in groups {
        assert_eq!(world.aws.ingress(&group).await, ["tcp 443-443 0.0.0.0/0"]);
    }
}

/// The ways to go wrong that differ to the AWS SDK; at length all of them.
pub fn telling() -> Vec<Fault> {
    let alike = |fault: &Fault| {
        use Fault::{ThrottledWait, TooMany, TooManyWait, Unavailable, UnavailableWait};
        matches!(fault, TooManyWait | TooMany | UnavailableWait | Unavailable | ThrottledWait)
    };
    Fault::ALL.into_iter().filter(|fault| is_at_length() || !alike(fault)).collect()
}

/// From now on a call goes wrong, as often as it takes until the AWS SDK gives up.
fn inject(world: &Installation, operation: &str, about: &str, fault: Fault) -> Injected {
    world.to_aws.inject(operation, about, fault, 0, times(REVOKE, fault))
}

#[tokio::test]
async fn the_switch_stands_every_fault() {
    let world = Installation::start(&[], Vec::new()).await;
    for fault in telling() {
        for (wanted, operation) in [("on", "events:EnableRule"), ("off", "events:DisableRule")] {
            let injected = [
                inject(&world, operation, "", fault),
                inject(&world, "dynamodb:UpdateItem", "AUTO_RESPONSE", fault),
            ];
            let pressed = async || {
                // A click is answered whether or not it could be done: then they press again.
                interact(&world.app_url, &click(ALICE, &format!("autoresponse_{wanted}"), wanted)).await?;
                let recorded = world.aws.auto_response_wanted().await?;
                let enabled = world.aws.rule_is_enabled().await;
                // Whatever went wrong: what is not recorded as off is not switched off either.
                assert!(enabled || recorded == "off" || wanted == "on", "{fault:?}");
                let hits = injected.iter().all(|injected| world.to_aws.hits(*injected) > 0);
                (hits && recorded == wanted && enabled == (wanted == "on")).then_some(())
            };
            eventually(&format!("it is {wanted} in spite of {fault:?}"), pressed).await;
        }
    }
}

#[tokio::test]
async fn two_deliveries_at_once_lose_no_undo_data_though_one_never_hears_what_it_did() {
    let world = Installation::start_with_unseen(5, &[], Vec::new()).await;
    world.to_aws.tamper("defendable-security-group", Tampering::Duplicate);
    for number in 0..4 {
        let group = world.aws.create_group(&format!("twice-{number}")).await;
        world.aws.open_port(&group, 443).await;
        let lost = world.to_aws.inject("ec2:RevokeSecurityGroupIngress", &group, Fault::AnswerLost, 0, 1);
        world.aws.open_port(&group, 22).await;
        let id = finding_of_group(&group);
        eventually("it is found", async || world.aws.finding(&id).await).await;
        interact(&world.app_url, &click(ALICE, "fix", id.as_str())).await.unwrap();
        eventually(&format!("{group} is fixed"), async || {
            (state(&world, &group).await?.0 == "fixed" && world.aws.is_shown(&id).await).then_some(())
        })
        .await;
        assert_eq!(world.to_aws.hits(lost), 1);
        let record = world.aws.finding(&id).await.unwrap();
        assert_eq!(record["finding"]["removed"].as_array().map_or(0, Vec::len), 1, "{record}");
        assert_eq!(world.aws.ingress(&group).await, ["tcp 443-443 0.0.0.0/0"]);
    }
}

#[tokio::test]
async fn a_fix_that_is_delivered_again_after_its_undo_takes_nothing_away() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("wanted").await;
    let id = finding_of_group(&group);
    eventually("it is found", async || world.aws.finding(&id).await).await;
    interact(&world.app_url, &click(ALICE, "fix", id.as_str())).await.unwrap();
    eventually("it is fixed", async || is_reported(&world, &group).await.then_some(())).await;
    let (_, finding) = state(&world, &group).await.unwrap();
    let undo = submission(ALICE, "undo", &format!("{id} {}", finding["at"].as_str().unwrap()));
    interact(&world.app_url, &undo).await.unwrap();
    let undone = async || (state(&world, &group).await?.0 == "ignored").then_some(());
    eventually("it is undone", undone).await;
    let deeds = async || {
        let finding = world.aws.finding(&id).await.unwrap()["finding"].take();
        ["state", "removed", "undone", "thread"].map(|field| finding[field].clone())
    };
    let before = deeds().await;
    for call in world.to_aws.calls("sqs:SendMessage/defendable-security-group") {
        let sent: Value = serde_json::from_str(call.said.split_once(' ').unwrap().1).unwrap();
        world.aws.send_text("security-group", sent["MessageBody"].as_str().unwrap()).await;
    }
    let done = async || (world.aws.messages_in("security-group").await == 0).then_some(());
    eventually("the fix and the undo have been delivered again", done).await;
    // As for a report, should there be one.
    let told = async || world.aws.waits_in("events").await.is_none().then_some(());
    eventually("everything has been told", told).await;
    assert_eq!(world.aws.ingress(&group).await, ["tcp 22-22 0.0.0.0/0"]);
    // AWS Config may have seen the undo meanwhile, and Slack told of it; nothing else has been done.
    assert_eq!(deeds().await, before);
}

/// An undo, and the calls by which it may stumble.
const OF_AN_UNDO: [&str; 5] = [
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:DescribeSecurityGroupRules",
    "sqs:SendMessage/defendable-fix",
    "sqs:SendMessage/defendable-security-group",
    "sqs:SendMessage/defendable-events",
];

/// The state in which the table has a finding.
async fn state(world: &Installation, group: &str) -> Option<(String, Value)> {
    let record = world.aws.finding(&finding_of_group(group)).await?;
    Some((record["state"].as_str()?.to_owned(), record["finding"]["state"].clone()))
}

/// Whether the fix has told what it took away; AWS Config may tell before that it is fixed.
async fn is_reported(world: &Installation, group: &str) -> bool {
    let record = world.aws.finding(&finding_of_group(group)).await.unwrap_or_default();
    record["finding"]["removed"].as_array().is_some_and(|removed| !removed.is_empty())
        && world.aws.is_shown(&finding_of_group(group)).await
}

#[tokio::test]
async fn an_undo_stands_every_fault() {
    let variables = vec![("DEFENDABLE_SCHEDULE_SECONDS", "60".to_owned())];
    let mut world = Installation::start(&[], variables).await;
    world.spawn_helpers(1);
    let mut groups = Vec::new();
    for (fault, operation) in telling().into_iter().flat_map(|fault| OF_AN_UNDO.map(|call| (fault, call))) {
        let group = world.aws.create_group(&format!("{fault:?} {operation}")).await;
        world.aws.open_port(&group, 443).await;
        world.aws.open_port(&group, 22).await;
        groups.push((group, fault, operation, None::<Injected>));
    }
    let begun = Instant::now();
    loop {
        let mut left = 0;
        for (group, fault, operation, injected) in &mut groups {
            let id = finding_of_group(group);
            let payload = match state(&world, group).await {
                Some((state, _)) if state == "open" => click(ALICE, "fix", id.as_str()),
                Some((state, finding)) if state == "fixed" && is_reported(&world, group).await => {
                    injected.get_or_insert_with(|| inject(&world, operation, group, *fault));
                    submission(ALICE, "undo", &format!("{id} {}", finding["at"].as_str().unwrap()))
                }
                Some((state, _)) if state == "ignored" => continue,
                _ => {
                    left += 1;
                    continue;
                }
            };
            left += 1;
            interact(&world.app_url, &payload).await.unwrap();
        }
        if left == 0 {
            break;
        }
        eprintln!("{:?}: {left} are left", begun.elapsed());
        assert!(begun.elapsed() < patience(), "{left} of {} are not undone", groups.len());
        tokio::time::sleep(LOOK).await;
    }
    for (group, fault, operation, injected) in groups {
        assert!(world.to_aws.hits(injected.unwrap()) > 0, "{operation} went wrong: {fault:?}");
        let mut ingress = world.aws.ingress(&group).await;
        ingress.sort();
        assert_eq!(ingress, ["tcp 22-22 0.0.0.0/0", "tcp 443-443 0.0.0.0/0"], "{fault:?} {operation}");
    }
}
