//! A scheduled run, the switch and undos, with every fault.

use std::time::Instant;

use defendable::ids::FindingId;
use serde_json::Value;

use super::boundary::{REVOKE, times};
use super::cell::{LOOK, PUBLIC_POLICY, create_bucket, is_at_length, patience};
use crate::support::fault_proxy::{Fault, Injected, Tampering};
use crate::support::installation::Installation;
use crate::support::payload::{click, interact, submission};
use crate::support::{ALICE, eventually, finding_of_bucket, finding_of_group, removed};

/// The calls of a scheduled run and of the deliveries around it, which fail one at a time.
const OF_A_RUN: [(&str, &str); 8] = [
    ("events:DescribeRule", ""),
    ("dynamodb:GetItem", "AUTO_RESPONSE"),
    ("sqs:ReceiveMessage", "defendable-remediation"),
    ("sqs:DeleteMessage", "defendable-remediation"),
    ("sqs:ReceiveMessage", "defendable-events"),
    ("sqs:DeleteMessage", "defendable-events"),
    ("sqs:ReceiveMessage", "defendable-ec2"),
    ("sqs:DeleteMessage", "defendable-ec2"),
];

#[tokio::test]
async fn auto_response_survives_every_fault() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    // A lost delivery is visible again after five seconds.
    let mut world = Installation::start_with_unseen(5, &[], every_second).await;
    world.to_aws.set_unseen("defendable-remediation", 5);
    world.spawn_helpers(1);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    let mut groups = Vec::new();
    for fault in Fault::ALL {
        let group = world.aws.create_group(&format!("{fault:?}")).await;
        world.aws.open_port(&group, 443).await;
        let inject =
            |(operation, about): (&str, &str)| world.to_aws.inject(operation, about, fault, 0, 1);
        let injected = OF_A_RUN.map(inject);
        world.aws.open_port(&group, 22).await;
        let id = finding_of_group(&group);
        let fixed = async || {
            // AWS Config may report the group as compliant before the remediator's report; the removed changes
            // must follow.
            let record = world.aws.finding(&id).await?;
            (record["state"] == "fixed" && removed(&record) == 1 && world.aws.is_shown(&id).await)
                .then_some(())
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

/// The faults that differ for the AWS SDK; in `scripts/soak` all of them.
pub fn telling() -> Vec<Fault> {
    let alike = |fault: &Fault| {
        use Fault::{ThrottledWait, TooMany, TooManyWait, Unavailable, UnavailableWait};
        matches!(
            fault,
            TooManyWait | TooMany | UnavailableWait | Unavailable | ThrottledWait
        )
    };
    Fault::ALL
        .into_iter()
        .filter(|fault| is_at_length() || !alike(fault))
        .collect()
}

/// A call fails until the AWS SDK gives up.
fn inject(world: &Installation, operation: &str, about: &str, fault: Fault) -> Injected {
    world
        .to_aws
        .inject(operation, about, fault, 0, times(REVOKE, fault))
}

#[tokio::test]
async fn the_switch_survives_every_fault() {
    let world = Installation::start(&[], Vec::new()).await;
    for fault in telling() {
        for (wanted, operation) in [("on", "events:EnableRule"), ("off", "events:DisableRule")] {
            let injected = [
                inject(&world, operation, "", fault),
                inject(&world, "dynamodb:UpdateItem", "AUTO_RESPONSE", fault),
            ];
            let pressed = async || {
                // A click is answered whether or not it could be carried out, so that a person clicks again.
                interact(
                    &world.app_url,
                    &click(ALICE, &format!("autoresponse_{wanted}"), wanted),
                )
                .await?;
                let recorded = world.aws.auto_response_wanted().await?;
                let enabled = world.aws.rule_is_enabled().await;
                // A switch that is not recorded as off is not disabled either.
                assert!(enabled || recorded == "off" || wanted == "on", "{fault:?}");
                let hits = injected
                    .iter()
                    .all(|injected| world.to_aws.hits(*injected) > 0);
                (hits && recorded == wanted && enabled == (wanted == "on")).then_some(())
            };
            eventually(&format!("it is {wanted} in spite of {fault:?}"), pressed).await;
        }
    }
}

#[tokio::test]
async fn two_simultaneous_deliveries_lose_no_undo_data_though_one_gets_no_answer() {
    let world = Installation::start_with_unseen(5, &[], Vec::new()).await;
    world.to_aws.tamper("defendable-ec2", Tampering::Duplicate);
    for number in 0..4 {
        let group = world.aws.create_group(&format!("twice-{number}")).await;
        world.aws.open_port(&group, 443).await;
        let lost = world.to_aws.inject(
            "ec2:RevokeSecurityGroupIngress",
            &group,
            Fault::AnswerLost,
            0,
            1,
        );
        world.aws.open_port(&group, 22).await;
        let id = finding_of_group(&group);
        eventually("it is found", async || world.aws.finding(&id).await).await;
        interact(
            &world.app_url,
            &click(ALICE, "fix", &world.aws.fix_value(&id).await),
        )
        .await
        .unwrap();
        // The delivery that has done nothing may report first.
        let record = eventually(&format!("{group} is fixed"), async || {
            let record = world.aws.finding(&id).await?;
            let is_fixed = record["state"] == "fixed" && removed(&record) > 0;
            (is_fixed && world.aws.is_shown(&id).await).then_some(record)
        })
        .await;
        assert_eq!(world.to_aws.hits(lost), 1);
        assert_eq!(removed(&record), 1, "{record}");
        assert_eq!(world.aws.ingress(&group).await, ["tcp 443-443 0.0.0.0/0"]);
    }
}

#[tokio::test]
async fn a_fix_that_is_delivered_again_after_its_undo_changes_nothing() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("wanted").await;
    let id = finding_of_group(&group);
    eventually("it is found", async || world.aws.finding(&id).await).await;
    interact(
        &world.app_url,
        &click(ALICE, "fix", &world.aws.fix_value(&id).await),
    )
    .await
    .unwrap();
    eventually("it is fixed", async || {
        is_reported(&world, &group).await.then_some(())
    })
    .await;
    let undo = submission(ALICE, "undo", &world.aws.undo_value(&id).await);
    interact(&world.app_url, &undo).await.unwrap();
    let undone = async || (state(&world, &group).await?.0 == "ignored").then_some(());
    eventually("it is undone", undone).await;
    let events = async || {
        let finding = world.aws.finding(&id).await.unwrap()["finding"].take();
        ["state", "removed", "undone", "thread"].map(|field| finding[field].clone())
    };
    let before = events().await;
    for call in world.to_aws.calls("sqs:SendMessage/defendable-ec2") {
        let sent: Value = serde_json::from_str(call.said.split_once(' ').unwrap().1).unwrap();
        world
            .aws
            .send_text("ec2", sent["MessageBody"].as_str().unwrap())
            .await;
    }
    let done = async || (world.aws.messages_in("ec2").await == 0).then_some(());
    eventually("the fix and the undo have been delivered again", done).await;
    // No report may be on its way.
    let told = async || world.aws.waits_in("events").await.is_none().then_some(());
    eventually("everything has been told", told).await;
    assert_eq!(world.aws.ingress(&group).await, ["tcp 22-22 0.0.0.0/0"]);
    // AWS Config may have seen the undo, and Slack have shown it; nothing else has happened.
    assert_eq!(events().await, before);
}

/// The calls of an undo of a group or bucket, which fail one at a time.
const OF_AN_UNDO: [(bool, &str); 9] = [
    (false, "ec2:AuthorizeSecurityGroupIngress"),
    (false, "ec2:DescribeSecurityGroupRules"),
    (false, "sqs:SendMessage/defendable-fix"),
    (false, "sqs:SendMessage/defendable-ec2"),
    (false, "sqs:SendMessage/defendable-events"),
    (true, "s3:PUT acl"),
    (true, "s3:PUT policy"),
    (true, "s3:GET acl"),
    (true, "s3:GET policy"),
];

/// The deliveries of requests by people.
const DELIVERIES: [(&str, &str); 4] = [
    ("sqs:ReceiveMessage", "defendable-fix"),
    ("sqs:DeleteMessage", "defendable-fix"),
    ("sqs:ReceiveMessage", "defendable-s3"),
    ("sqs:DeleteMessage", "defendable-s3"),
];

/// The state of a finding in the table, with its record.
async fn state(world: &Installation, group: &str) -> Option<(String, Value)> {
    let record = world.aws.finding(&finding_of_group(group)).await?;
    Some((
        record["state"].as_str()?.to_owned(),
        record["finding"]["state"].clone(),
    ))
}

/// Whether the report of the fix has come; AWS Config may report the finding as fixed before.
async fn is_reported(world: &Installation, group: &str) -> bool {
    let id = finding_of_group(group);
    removed(&world.aws.finding(&id).await.unwrap_or_default()) > 0 && world.aws.is_shown(&id).await
}

/// A resource that breaks a rule, and must do so again after a fix and an undo.
struct Wanted {
    resource: String,
    is_bucket: bool,
    fault: Fault,
    operation: &'static str,
    injected: Option<Injected>,
    before: Vec<String>,
}

impl Wanted {
    async fn new(
        world: &Installation,
        number: usize,
        fault: Fault,
        call: (bool, &'static str),
    ) -> Self {
        let (is_bucket, operation) = call;
        let name = format!("wanted-{number}");
        let resource = if is_bucket {
            create_bucket(world, &name, &[]).await;
            world
                .aws
                .set_acl(&name, aws_sdk_s3::types::BucketCannedAcl::PublicRead)
                .await;
            world
                .aws
                .set_policy(&name, &PUBLIC_POLICY.replace("BUCKET", &name))
                .await;
            name
        } else {
            let group = world.aws.create_group(&name).await;
            world.aws.open_port(&group, 443).await;
            world.aws.open_port(&group, 22).await;
            group
        };
        let new = Self {
            resource,
            is_bucket,
            fault,
            operation,
            injected: None,
            before: Vec::new(),
        };
        Self {
            before: new.opened(world).await,
            ..new
        }
    }

    fn id(&self) -> FindingId {
        if self.is_bucket {
            finding_of_bucket(&self.resource)
        } else {
            finding_of_group(&self.resource)
        }
    }

    /// The open ports, grants and statements.
    async fn opened(&self, world: &Installation) -> Vec<String> {
        let mut opened = if self.is_bucket {
            let policy = world.aws.policy(&self.resource).await.unwrap_or_default();
            let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
            let statements = policy["Statement"]
                .as_array()
                .into_iter()
                .flatten()
                .map(Value::to_string);
            world
                .aws
                .grants(&self.resource)
                .await
                .into_iter()
                .chain(statements)
                .collect()
        } else {
            world.aws.ingress(&self.resource).await
        };
        opened.sort();
        opened
    }

    /// Whether it was fixed and is restored.
    async fn is_undone(&self, world: &Installation, record: &Value) -> bool {
        record["state"] == "ignored" && self.opened(world).await == self.before
    }

    /// The next click of a person who wants it fixed, and then restored.
    async fn press(&mut self, world: &Installation, record: &Value) -> Option<Value> {
        let id = self.id();
        let all_told = removed(record) == if self.is_bucket { 2 } else { 1 };
        match record["state"].as_str()? {
            "open" => Some(click(ALICE, "fix", &world.aws.fix_value(&id).await)),
            "fixed" if all_told && world.aws.is_shown(&id).await => {
                let about = &self.resource;
                self.injected
                    .get_or_insert_with(|| inject(world, self.operation, about, self.fault));
                Some(submission(ALICE, "undo", &world.aws.undo_value(&id).await))
            }
            // A part could not be put back: the person repeats the fix and the undo.
            "ignored" => Some(click(ALICE, "fix_ignored", &world.aws.fix_value(&id).await)),
            _ => None,
        }
    }
}

#[tokio::test]
async fn fixes_and_undos_survive_every_fault() {
    let variables = vec![("DEFENDABLE_SCHEDULE_SECONDS", "60".to_owned())];
    let mut world = Installation::start_with_unseen(5, &[], variables).await;
    world.spawn_helpers(1);
    // The faults are tried one after the other.
    let late = telling()
        .into_iter()
        .flat_map(|fault| DELIVERIES.map(|call| (fault, call)));
    let late: Vec<_> = late
        .map(|(fault, (call, queue))| {
            (
                fault,
                call,
                queue,
                world.to_aws.inject(call, queue, fault, 0, 1),
            )
        })
        .collect();
    let calls = telling()
        .into_iter()
        .flat_map(|fault| OF_AN_UNDO.map(|call| (fault, call)));
    let mut all = Vec::new();
    for (number, (fault, call)) in calls.enumerate() {
        all.push(Wanted::new(&world, number, fault, call).await);
    }
    let begun = Instant::now();
    loop {
        let mut left = 0;
        for wanted in &mut all {
            let record = world.aws.finding(&wanted.id()).await.unwrap_or_default();
            if wanted.is_undone(&world, &record).await {
                continue;
            }
            left += 1;
            if let Some(press) = wanted.press(&world, &record).await {
                interact(&world.app_url, &press).await.unwrap();
            }
        }
        if left == 0 {
            break;
        }
        eprintln!("{:?}: {left} are left", begun.elapsed());
        assert!(
            begun.elapsed() < patience(),
            "{left} of {} are not undone",
            all.len()
        );
        tokio::time::sleep(LOOK).await;
    }
    for wanted in &all {
        let hits = world.to_aws.hits(wanted.injected.unwrap());
        assert!(
            hits > 0,
            "{} went wrong: {:?}",
            wanted.operation,
            wanted.fault
        );
        assert_eq!(
            wanted.opened(&world).await,
            wanted.before,
            "{:?} {}",
            wanted.fault,
            wanted.operation
        );
    }
    for (fault, call, queue, injected) in late {
        assert_eq!(
            world.to_aws.hits(injected),
            1,
            "{call} {queue} went wrong: {fault:?}"
        );
    }
}
