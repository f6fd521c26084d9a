//! Every boundary of the flow, and every way in which it can go wrong: whatever happens once, a
//! finding is shown once, fixed once, with undo data, and nothing beside it is touched.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use defendable::ids::FindingId;
use futures::future::join_all;

use crate::support::fault_proxy::{Fault, FaultProxy, Injected};
use crate::support::installation::Installation;
use crate::support::payload::{click, interact};
use crate::support::slack::Message;
use crate::support::{ALICE, eventually, finding_of_bucket, finding_of_group};

/// Until when a person has to press **Fix**, at most, before all is fixed.
const PATIENCE: Duration = Duration::from_secs(480);

/// How often a person looks, and so how long they wait before they press again.
const LOOK: Duration = Duration::from_millis(400);
const PRESS_AGAIN: Duration = Duration::from_secs(3);

/// Where a finding goes whose tags say nothing.
const DEFAULT: &str = "C0ALERTS";

/// Findings of one rule that a channel shows singly within a minute.
const SINGLE: usize = 5;

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Aws,
    Slack,
    /// AWS, called by a rule's function.
    AwsByRule,
    /// AWS Config, called by a rule's function.
    Config,
}

/// What the request of the call has in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Resource,
    Finding,
}

/// A call between two boxes of the flow picture.
#[derive(Debug, Clone, Copy)]
struct Boundary {
    what: &'static str,
    peer: Peer,
    operation: &'static str,
    names: Names,
    is_bucket: bool,
    /// How many such calls come before it in a finding's life.
    skip: usize,
}

const fn boundary(what: &'static str, peer: Peer, operation: &'static str, names: Names) -> Boundary {
    Boundary { what, peer, operation, names, is_bucket: false, skip: 0 }
}

const fn bucket(what: &'static str, operation: &'static str) -> Boundary {
    Boundary { what, peer: Peer::Aws, operation, names: Names::Resource, is_bucket: true, skip: 0 }
}

const fn later(boundary: Boundary, skip: usize) -> Boundary {
    Boundary { skip, ..boundary }
}

const READ: Boundary = boundary("read a finding", Peer::Aws, "dynamodb:GetItem", Names::Finding);
const WRITE: Boundary = boundary("write a finding", Peer::Aws, "dynamodb:UpdateItem", Names::Finding);
const REPORT: Boundary =
    boundary("remediator → events queue", Peer::Aws, "sqs:SendMessage/defendable-events", Names::Resource);
const UPDATE: Boundary = boundary("slack → its message", Peer::Slack, "slack:chat.update", Names::Finding);

const POST: Boundary = boundary("notifier → Slack", Peer::Slack, "slack:chat.postMessage", Names::Finding);
const WISH: Boundary =
    boundary("slack → fix queue", Peer::Aws, "sqs:SendMessage/defendable-fix", Names::Resource);
const DISPATCH: Boundary = boundary(
    "coordinator → remediator",
    Peer::Aws,
    "sqs:SendMessage/defendable-security-group",
    Names::Resource,
);
const REVOKE: Boundary =
    boundary("remediator → EC2", Peer::Aws, "ec2:RevokeSecurityGroupIngress", Names::Resource);

const BOUNDARIES: &[Boundary] = &[
    boundary("rule → remediation queue", Peer::AwsByRule, "sqs:SendMessageBatch", Names::Resource),
    boundary("rule → AWS Config", Peer::Config, "config:PutEvaluations", Names::Resource),
    boundary("preview: group", Peer::Aws, "ec2:DescribeSecurityGroups", Names::Resource),
    boundary("preview: rules", Peer::Aws, "ec2:DescribeSecurityGroupRules", Names::Resource),
    READ,
    later(READ, 1),
    WRITE,
    later(WRITE, 1),
    later(WRITE, 2),
    later(WRITE, 3),
    later(WRITE, 4),
    later(WRITE, 5),
    POST,
    UPDATE,
    later(UPDATE, 1),
    WISH,
    DISPATCH,
    later(boundary("plan: rules", Peer::Aws, "ec2:DescribeSecurityGroupRules", Names::Resource), 1),
    REVOKE,
    REPORT,
    later(REPORT, 1),
    bucket("preview: tags", "s3:GET tagging"),
    bucket("preview: ACL", "s3:GET acl"),
    bucket("preview: policy", "s3:GET policy"),
    bucket("preview: block", "s3:GET publicAccessBlock"),
    bucket("coordinator → bucket remediator", "sqs:SendMessage/defendable-s3-bucket"),
    bucket("remediator → S3: ACL", "s3:PUT acl"),
    bucket("remediator → S3: policy", "s3:PUT policy"),
];

/// Later calls of the same kinds: `scripts/soak` has these too.
const AT_LENGTH: &[Boundary] = &[
    later(READ, 2),
    later(READ, 3),
    later(WRITE, 6),
    later(WRITE, 7),
    later(WRITE, 8),
    later(boundary("preview: group", Peer::Aws, "ec2:DescribeSecurityGroups", Names::Resource), 1),
];

/// One cell of the table: a resource of its own, on whose way one call goes wrong.
struct Cell {
    boundary: Boundary,
    fault: Fault,
    channel: String,
    resource: String,
    id: FindingId,
    injected: Injected,
}

impl Cell {
    fn name(&self) -> String {
        format!("{} (after {}) × {:?}: {}", self.boundary.what, self.boundary.skip, self.fault, self.id)
    }
}

const PUBLIC: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Team","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"},{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}"#;

/// The SDK tries three times: what gives up at once goes wrong once, the rest as often as it takes.
fn times(boundary: Boundary, fault: Fault) -> usize {
    match fault {
        Fault::AnswerLost | Fault::Garbled | Fault::Denied | Fault::Hangs => 1,
        _ if boundary.peer == Peer::Slack => 1,
        _ => 3,
    }
}

/// A resource that breaks no rule yet, and the fault that waits for it.
async fn prepare(world: &Installation, number: usize, boundary: Boundary, fault: Fault) -> Cell {
    let channel = channel(number);
    let resource = if boundary.is_bucket {
        let name = format!("cell-{number:03}");
        world.aws.s3.create_bucket().bucket(&name).send().await.unwrap();
        world.aws.tag_bucket(&name, "channel", &channel).await;
        name
    } else {
        let group = world.aws.create_group(&format!("cell-{number:03}")).await;
        world.aws.tag(&group, "channel", &channel).await;
        world.aws.open_port(&group, 443).await;
        group
    };
    let id = if boundary.is_bucket { finding_of_bucket(&resource) } else { finding_of_group(&resource) };
    let about = match boundary.names {
        Names::Resource => resource.clone(),
        Names::Finding => id.to_string(),
    };
    let times = times(boundary, fault);
    let injected = proxy(world, boundary).inject(boundary.operation, &about, fault, boundary.skip, times);
    Cell { boundary, fault, channel, resource, id, injected }
}

fn proxy(world: &Installation, boundary: Boundary) -> &FaultProxy {
    match boundary.peer {
        Peer::Aws => &world.to_aws,
        Peer::Slack => &world.to_slack,
        Peer::AwsByRule => &world.rules_to_aws,
        Peer::Config => &world.rules_to_config,
    }
}

async fn break_open(world: &Installation, cell: &Cell) {
    if cell.boundary.is_bucket {
        world.aws.set_acl(&cell.resource, aws_sdk_s3::types::BucketCannedAcl::PublicRead).await;
        world.aws.set_policy(&cell.resource, &PUBLIC.replace("BUCKET", &cell.resource)).await;
    } else {
        world.aws.open_port(&cell.resource, 22).await;
    }
}

fn channel(number: usize) -> String {
    format!("C0CELL{:03}", number / SINGLE)
}

/// Routes by the tag `channel`.
pub fn routing(channels: &[String]) -> String {
    let route = |channel: &String| {
        format!("[[routes]]\nchannel = \"{channel}\"\ntags = {{ channel = \"{channel}\" }}\n")
    };
    channels.iter().map(route).collect()
}

/// Messages outside threads that are of a finding.
fn of_finding<'a>(messages: &'a [Message], id: &str) -> Vec<&'a Message> {
    let top = messages.iter().filter(|message| message.0["thread_ts"].is_null());
    top.filter(|message| message.0["ephemeral_to"].is_null() && message.words().contains(id)).collect()
}

/// A patient operator: looks at every channel, and presses **Fix** until everything is fixed.
async fn fix_everything(world: &Installation, cells: &[Cell]) {
    let begun = Instant::now();
    let mut open: Vec<&Cell> = cells.iter().collect();
    let mut pressed: HashMap<String, Instant> = HashMap::new();
    while !open.is_empty() {
        let channels = open.iter().map(|cell| cell.channel.as_str()).chain([DEFAULT]);
        let channels: BTreeSet<&str> = channels.collect();
        let looks =
            channels.into_iter().map(async |channel| (channel, world.slack.messages_of(channel).await));
        let messages: HashMap<&str, Vec<Message>> = join_all(looks).await.into_iter().collect();
        open.retain(|cell| {
            let places = [cell.channel.as_str(), DEFAULT];
            let found = places.iter().find_map(|channel| {
                Some((*channel, *of_finding(&messages[channel], cell.id.as_str()).first()?))
            });
            let Some((channel, message)) = found else { return true };
            if message.words().contains("Fixed by <@U0ALICE>") {
                return false;
            }
            let last = pressed.get(cell.id.as_str());
            if message.button("fix").is_some() && last.is_none_or(|at| at.elapsed() > PRESS_AGAIN) {
                pressed.insert(cell.id.to_string(), Instant::now());
                let (slack, message, channel) = (world.slack.clone(), message.clone(), channel.to_owned());
                drop(tokio::spawn(async move { slack.click_in(&channel, ALICE, &message, "fix").await }));
            }
            true
        });
        let waiting = || open.iter().map(|cell| cell.name()).collect::<Vec<_>>().join("\n  ");
        assert!(begun.elapsed() < PATIENCE, "not fixed:\n  {}\nlog: {}", waiting(), world.log.display());
        eprintln!(
            "{:?}: {} of {} are still to be fixed, {} pressed",
            begun.elapsed(),
            open.len(),
            cells.len(),
            pressed.len()
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether `scripts/test` has this cell too. To the AWS SDK the ways to say "slower" are alike; where
/// nothing is changed, or it is changed for the third time, one of them is enough.
fn is_telling(boundary: &Boundary, fault: Fault) -> bool {
    let reads = ["preview", "plan", "read"].iter().any(|word| boundary.what.starts_with(word));
    let is_repeated = reads || boundary.skip > 1;
    match fault {
        Fault::TooMany => boundary.peer == Peer::Slack,
        Fault::TooManyWait | Fault::Throttled | Fault::Unavailable => !is_repeated,
        Fault::Refused | Fault::Hangs | Fault::AnswerLost | Fault::Denied | Fault::Garbled => true,
    }
}

/// What must hold of a cell in the end.
async fn check(world: &Installation, cell: &Cell) -> Vec<String> {
    let mut broken = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            broken.push(format!("{}: {what}", cell.name()));
        }
    };
    must(proxy(world, cell.boundary).hits(cell.injected) > 0, "the fault never came".to_owned());
    // Where its tags cannot be read it goes to the default channel: better there than nowhere.
    let (own, default) = (world.slack.messages_of(&cell.channel).await, world.slack.messages().await);
    let shown = of_finding(&own, cell.id.as_str()).len() + of_finding(&default, cell.id.as_str()).len();
    must(shown == 1, format!("{shown} messages"));
    let record = world.aws.finding(&cell.id).await.unwrap_or_default();
    let removed = record["finding"]["removed"].as_array().map_or(0, Vec::len);
    if cell.boundary.is_bucket {
        let grants = world.aws.grants(&cell.resource).await;
        must(grants.len() == 1 && grants[0].ends_with("FULL_CONTROL"), format!("grants {grants:?}"));
        let policy = world.aws.policy(&cell.resource).await.unwrap_or_default();
        must(policy.contains("Team") && !policy.contains("Everybody"), format!("policy {policy}"));
        must(removed == 2, format!("undo data of {removed} changes"));
    } else {
        let ingress = world.aws.ingress(&cell.resource).await;
        must(ingress == ["tcp 443-443 0.0.0.0/0"], format!("ingress {ingress:?}"));
        must(removed == 1, format!("undo data of {removed} changes"));
    }
    broken
}

/// What is yet to be done.
async fn waiting(world: &Installation, cells: &[Cell]) -> Option<String> {
    for queue in ["events", "fix", "security-group", "s3-bucket"] {
        if let Some(waiting) = world.aws.waits_in(queue).await {
            return Some(waiting);
        }
    }
    for cell in cells {
        if !world.aws.is_shown(&cell.id).await {
            return Some(format!("{} is not shown as it is", cell.name()));
        }
    }
    None
}

#[tokio::test]
async fn every_boundary_stands_every_fault() {
    let at_length = std::env::var_os("DEFENDABLE_EVERY_FAULT").is_some();
    let grid: Vec<(Boundary, Fault)> = BOUNDARIES
        .iter()
        .chain(if at_length { AT_LENGTH } else { &[] })
        .flat_map(|boundary| Fault::ALL.iter().map(move |fault| (*boundary, *fault)))
        .filter(|(boundary, fault)| at_length || is_telling(boundary, *fault))
        .collect();
    let channels: BTreeSet<String> = (0..grid.len()).map(channel).collect();
    let channels: Vec<String> = channels.into_iter().collect();
    let routing = routing(&channels);
    // A fast schedule, for the housekeeping.
    let variables = vec![("DEFENDABLE_ROUTING", routing), ("DEFENDABLE_SCHEDULE_SECONDS", "60".to_owned())];
    let mut world = Installation::start(&channels, variables).await;
    // One process posts a message a second, which is what Slack takes.
    world.spawn_helpers(5);
    let mut cells = Vec::new();
    for (number, (boundary, fault)) in grid.into_iter().enumerate() {
        cells.push(prepare(&world, number, boundary, fault).await);
    }
    for cell in &cells {
        break_open(&world, cell).await;
    }
    fix_everything(&world, &cells).await;
    let begun = Instant::now();
    while let Some(waiting) = waiting(&world, &cells).await {
        assert!(begun.elapsed() < PATIENCE, "what waits still: {waiting}; {}", world.log.display());
        tokio::time::sleep(LOOK).await;
    }
    let broken = join_all(cells.iter().map(|cell| check(&world, cell))).await.concat();
    assert!(broken.is_empty(), "{} of {}:\n  {}", broken.len(), cells.len(), broken.join("\n  "));
    for queue in ["events", "remediation", "fix", "security-group", "s3-bucket"] {
        assert_eq!(world.aws.messages_in(&format!("{queue}-dead-letters")).await, 0, "{queue}");
    }
    // Every violation has been queued for auto-response: a bucket's by two requests.
    let requests: usize = cells.iter().map(|cell| if cell.boundary.is_bucket { 2 } else { 1 }).sum();
    assert!(world.aws.messages_in("remediation").await as usize >= requests);
}

/// A scheduled run, and the calls by which it may stumble.
const OF_A_RUN: [(&str, &str); 4] = [
    ("events:DescribeRule", ""),
    ("dynamodb:GetItem", "AUTO_RESPONSE"),
    ("sqs:ReceiveMessage", "defendable-remediation"),
    ("sqs:DeleteMessage", "defendable-remediation"),
];

#[tokio::test]
async fn auto_response_stands_every_fault() {
    let mut world = Installation::start(&[], vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())]).await;
    world.spawn_helpers(1);
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on")).await.unwrap();
    let mut groups = Vec::new();
    for fault in Fault::ALL {
        let group = world.aws.create_group(&format!("{fault:?}")).await;
        world.aws.open_port(&group, 443).await;
        // A delivery that gets lost is unseen for minutes, by SQS's own rules.
        let can_be = |operation: &str| {
            operation != "sqs:ReceiveMessage" || !matches!(fault, Fault::AnswerLost | Fault::Garbled)
        };
        let calls = || OF_A_RUN.into_iter().filter(|(operation, _)| can_be(operation));
        let inject = |(operation, about)| world.to_aws.inject(operation, about, fault, 0, 1);
        let injected: Vec<Injected> = calls().map(inject).collect();
        world.aws.open_port(&group, 22).await;
        let id = finding_of_group(&group);
        let fixed = async || {
            // AWS Config may tell before the report does that it is fixed; what was taken away must come.
            let record = world.aws.finding(&id).await?;
            let removed = record["finding"]["removed"].as_array().map_or(0, Vec::len);
            (record["state"] == "fixed" && removed == 1 && world.aws.is_shown(&id).await).then_some(())
        };
        eventually(&format!("{group} is fixed in spite of {fault:?}"), fixed).await;
        for (injected, (operation, _)) in injected.into_iter().zip(calls()) {
            let hit = async || (world.to_aws.hits(injected) == 1).then_some(());
            eventually(&format!("{operation} goes wrong: {fault:?}"), hit).await;
        }
        groups.push(group);
    }
    for group in groups {
        assert_eq!(world.aws.ingress(&group).await, ["tcp 443-443 0.0.0.0/0"]);
    }
}

#[tokio::test]
async fn while_slack_is_down_findings_wait_and_then_come_in_order_or_as_a_digest() {
    let world = Installation::start(&[], vec![("DEFENDABLE_SCHEDULE_SECONDS", "5".to_owned())]).await;
    world.to_slack.set_down(true);
    let mut groups = Vec::new();
    for number in 0..4 {
        let group = world.aws.create_group(&format!("quiet-{number}")).await;
        world.aws.open_port(&group, 22).await;
        groups.push(group);
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    // Long enough for each to have been tried a few times.
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert!(world.slack.channel().await.is_empty(), "Slack is down");
    world.to_slack.set_down(false);
    let shown = eventually("all four are shown", async || {
        Some(world.slack.findings().await).filter(|shown| shown.len() == 4)
    })
    .await;
    let ids: Vec<String> = shown.iter().map(Message::finding_id).collect();
    // AWS Config may see two at once, in any order: what counts is when it says that they broke.
    let mut expected = Vec::new();
    for group in &groups {
        let id = finding_of_group(group);
        let record = world.aws.finding(&id).await.unwrap();
        expected.push((record["finding"]["openedAt"].as_str().unwrap().to_owned(), id.to_string()));
    }
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, expected, "in the order in which they broke");

    world.to_slack.set_down(true);
    let mut many = Vec::new();
    for number in 0..25 {
        let group = world.aws.create_group(&format!("many-{number}")).await;
        world.aws.open_port(&group, 22).await;
        many.push(finding_of_group(&group));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.to_slack.set_down(false);
    eventually("every one is shown", async || {
        for id in &many {
            if !world.aws.is_shown(id).await {
                return None;
            }
        }
        Some(())
    })
    .await;
    let channel = eventually("there is a digest", async || {
        let channel = world.slack.channel().await;
        channel.iter().any(|message| message.button("show_all").is_some()).then_some(channel)
    })
    .await;
    assert!(channel.len() <= 11, "five and five singly, and a digest: {}", channel.len());
    for queue in ["events", "fix"] {
        assert_eq!(world.aws.messages_in(&format!("{queue}-dead-letters")).await, 0);
    }
}

/// Where a stop may find the work.
const IN_HAND: [Boundary; 6] = [POST, WRITE, WISH, DISPATCH, REVOKE, later(REPORT, 1)];

#[tokio::test]
async fn a_stop_finishes_or_gives_back_what_is_in_hand() {
    let channels = vec![channel(0), channel(IN_HAND.len() - 1)];
    let mut world = Installation::start(&channels, vec![("DEFENDABLE_ROUTING", routing(&channels))]).await;
    for (number, boundary) in IN_HAND.into_iter().enumerate() {
        let cells = [prepare(&world, number, boundary, Fault::Hangs).await];
        break_open(&world, &cells[0]).await;
        let proxy = proxy(&world, boundary);
        let stopping = async {
            loop {
                if proxy.hits(cells[0].injected) > 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = stopping => {}
            () = fix_everything(&world, &cells) => panic!("{} was not hit", cells[0].name()),
        }
        let begun = Instant::now();
        let status = world.terminate().await;
        assert!(status.success(), "{}: {status}", cells[0].name());
        eprintln!("{}: stopped after {:?}", cells[0].name(), begun.elapsed());
        world.serve().await;
        fix_everything(&world, &cells).await;
        let broken = check(&world, &cells[0]).await;
        assert!(broken.is_empty(), "{broken:?}");
    }
}
