//! Each cell of the table has a resource of its own, and an operator clicks **Fix** until it is fixed.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use defendable::ids::FindingId;
use futures::future::join_all;
use tokio::task::JoinHandle;

use super::boundary::{
    Boundary, DELETE_POLICY, HISTORY, LOOK_BACK, LOOK_FOR_REPLY, Names, POST, Peer, UPDATE, times,
};
use crate::support::fault_proxy::{Fault, FaultProxy, Injected};
use crate::support::installation::Installation;
use crate::support::slack::Message;
use crate::support::{ALICE, finding_of_bucket, finding_of_group, removed};

/// The time in which an operator must have fixed everything; four times as long with every call and every
/// fault.
pub fn patience() -> Duration {
    Duration::from_secs(if is_at_length() { 1920 } else { 480 })
}

/// Whether `scripts/soak` runs.
pub fn is_at_length() -> bool {
    std::env::var_os("DEFENDABLE_EVERY_FAULT").is_some()
}

/// How often the operator looks at the channels.
pub const LOOK: Duration = Duration::from_millis(400);
const PRESS_AGAIN: Duration = Duration::from_secs(3);

/// The channel of findings whose tags name none.
const DEFAULT: &str = "C0ALERTS";

/// The number of findings of one rule that a channel shows singly within a minute.
const SINGLE: usize = 5;

/// One statement for the account, and one for everybody.
pub const PUBLIC_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Team","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"},{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}]}"#;

/// One statement, for everybody: a fix deletes the policy.
const ALL_PUBLIC_POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}}"#;

/// One cell of the table: a resource, a call, and how the call fails.
pub struct Cell {
    pub boundary: Boundary,
    pub fault: Fault,
    pub channel: String,
    pub resource: String,
    pub id: FindingId,
    injected: Option<Injected>,
}

impl Cell {
    /// How often the call has failed.
    pub fn hits(&self, world: &Installation) -> usize {
        self.injected
            .map_or(0, |injected| proxy(world, self.boundary).hits(injected))
    }

    /// Edits in quick succession are merged into one: then the later call does not occur.
    pub fn is_never_due(&self, world: &Installation) -> bool {
        let edits = || {
            let calls = proxy(world, self.boundary)
                .calls(UPDATE.operation)
                .into_iter();
            calls
                .filter(|call| call.said.contains(self.id.as_str()))
                .count()
        };
        self.boundary.operation == UPDATE.operation && edits() <= self.boundary.skip
    }

    fn is_all_public(&self) -> bool {
        self.boundary.operation == DELETE_POLICY.operation
    }

    pub fn name(&self) -> String {
        format!(
            "{} (after {}) × {:?}: {}",
            self.boundary.what, self.boundary.skip, self.fault, self.id
        )
    }
}

/// A bucket that breaks no rule.
pub async fn create_bucket(world: &Installation, name: &str, tags: &[(&str, &str)]) {
    world
        .aws
        .s3
        .create_bucket()
        .bucket(name)
        .send()
        .await
        .unwrap();
    world.aws.tag_bucket(name, tags).await;
}

/// Makes a group's configuration item too large for a rule's event, by many long tags.
async fn enlarge(world: &Installation, group: &str) {
    for number in 0..25 {
        world
            .aws
            .tag(group, &format!("note-{number}"), &"n".repeat(256))
            .await;
    }
}

/// A resource that breaks no rule yet.
pub async fn prepare(
    world: &Installation,
    number: usize,
    boundary: Boundary,
    fault: Fault,
) -> Cell {
    let channel = channel(number);
    let resource = if boundary.is_bucket {
        let name = format!("cell-{number:03}");
        create_bucket(world, &name, &[("channel", &channel)]).await;
        name
    } else {
        let group = world.aws.create_group(&format!("cell-{number:03}")).await;
        world.aws.tag(&group, "channel", &channel).await;
        if boundary.operation == HISTORY.operation {
            enlarge(world, &group).await;
        }
        world.aws.open_port(&group, 443).await;
        group
    };
    let id = if boundary.is_bucket {
        finding_of_bucket(&resource)
    } else {
        finding_of_group(&resource)
    };
    Cell {
        boundary,
        fault,
        channel,
        resource,
        id,
        injected: None,
    }
}

/// Arms the fault of a cell. The rule has judged the resource as compliant before.
fn inject(world: &Installation, cell: &mut Cell) {
    let Boundary {
        operation,
        names,
        skip,
        ..
    } = cell.boundary;
    let about = match names {
        Names::Resource => cell.resource.clone(),
        Names::Finding => cell.id.to_string(),
        Names::Channel => cell.channel.clone(),
    };
    // The post or reply has been made, and its answer was lost.
    let lost = [(LOOK_BACK, 0), (LOOK_FOR_REPLY, 1)].into_iter();
    for (_, skip) in lost.filter(|(look, _)| look.operation == operation) {
        world
            .to_slack
            .inject(POST.operation, cell.id.as_str(), Fault::AnswerLost, skip, 1);
    }
    let times = times(cell.boundary, cell.fault);
    cell.injected =
        Some(proxy(world, cell.boundary).inject(operation, &about, cell.fault, skip, times));
}

fn proxy(world: &Installation, boundary: Boundary) -> &FaultProxy {
    match boundary.peer {
        Peer::Aws => &world.to_aws,
        Peer::Slack => &world.to_slack,
        Peer::AwsByRule => &world.rules_to_aws,
        Peer::Config => &world.rules_to_config,
    }
}

/// Makes a resource break its rule, with its fault armed.
pub async fn break_open(world: &Installation, cell: &mut Cell) {
    inject(world, cell);
    if cell.boundary.is_bucket {
        world
            .aws
            .set_acl(
                &cell.resource,
                aws_sdk_s3::types::BucketCannedAcl::PublicRead,
            )
            .await;
        let policy = if cell.is_all_public() {
            ALL_PUBLIC_POLICY
        } else {
            PUBLIC_POLICY
        };
        world
            .aws
            .set_policy(&cell.resource, &policy.replace("BUCKET", &cell.resource))
            .await;
    } else {
        world.aws.open_port(&cell.resource, 22).await;
    }
}

pub fn channel(number: usize) -> String {
    format!("C0CELL{:03}", number / SINGLE)
}

/// A routing table by the tag `channel`.
pub fn routing(channels: &[String]) -> String {
    let route = |channel: &String| {
        format!("[[routes]]\nchannel = \"{channel}\"\ntags = {{ channel = \"{channel}\" }}\n")
    };
    channels.iter().map(route).collect()
}

/// The messages of a finding outside threads.
fn of_finding<'a>(messages: &'a [Message], id: &str) -> Vec<&'a Message> {
    let top = messages
        .iter()
        .filter(|message| message.0["thread_ts"].is_null());
    top.filter(|message| message.0["ephemeral_to"].is_null() && message.words().contains(id))
        .collect()
}

/// The replies in a message's thread.
pub fn replies_to<'a>(message: &Message, all: &'a [Message]) -> Vec<&'a Message> {
    let to_it = |reply: &&Message| {
        reply.0["thread_ts"] == message.0["ts"] && reply.0["ephemeral_to"].is_null()
    };
    all.iter().filter(to_it).collect()
}

/// An operator looks at every channel, and clicks **Fix** until everything is fixed.
pub async fn fix_everything(world: &Installation, cells: &[Cell]) {
    let begun = Instant::now();
    let mut open: Vec<&Cell> = cells.iter().collect();
    let mut pressed: HashMap<String, (Instant, JoinHandle<()>)> = HashMap::new();
    while !open.is_empty() {
        let channels = open
            .iter()
            .map(|cell| cell.channel.as_str())
            .chain([DEFAULT]);
        let channels: BTreeSet<&str> = channels.collect();
        let looks = channels
            .into_iter()
            .map(async |channel| (channel, world.slack.messages_of(channel).await));
        let messages: HashMap<&str, Vec<Message>> = join_all(looks).await.into_iter().collect();
        open.retain(|cell| {
            let places = [cell.channel.as_str(), DEFAULT];
            let found = places.iter().find_map(|channel| {
                Some((
                    *channel,
                    *of_finding(&messages[channel], cell.id.as_str()).first()?,
                ))
            });
            let Some((channel, message)) = found else {
                return true;
            };
            if message.words().contains("Fixed by <@U0ALICE>") {
                return false;
            }
            // The operator waits for the answer to an earlier click.
            let may_press = |(at, answered): &(Instant, JoinHandle<()>)| {
                answered.is_finished() && at.elapsed() > PRESS_AGAIN
            };
            if message.button("fix").is_some()
                && pressed.get(cell.id.as_str()).is_none_or(may_press)
            {
                let (slack, message, channel) =
                    (world.slack.clone(), message.clone(), channel.to_owned());
                let answered =
                    tokio::spawn(
                        async move { slack.click_in(&channel, ALICE, &message, "fix").await },
                    );
                pressed.insert(cell.id.to_string(), (Instant::now(), answered));
            }
            true
        });
        let waiting = || {
            open.iter()
                .map(|cell| cell.name())
                .collect::<Vec<_>>()
                .join("\n  ")
        };
        assert!(
            begun.elapsed() < patience(),
            "not fixed:\n  {}\nlog: {}",
            waiting(),
            world.log.display()
        );
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

/// What does not hold of a cell in the end.
pub async fn check(world: &Installation, cell: &Cell) -> Vec<String> {
    let mut broken = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            broken.push(format!("{}: {what}", cell.name()));
        }
    };
    must(
        cell.hits(world) > 0 || cell.is_never_due(world),
        "the fault never came".to_owned(),
    );
    // A finding whose tags cannot be read is posted in the default channel.
    let mut all = world.slack.messages_of(&cell.channel).await;
    all.extend(world.slack.messages().await);
    let shown = of_finding(&all, cell.id.as_str());
    must(shown.len() == 1, format!("{} messages", shown.len()));
    let record = world.aws.finding(&cell.id).await.unwrap_or_default();
    let said = record["finding"]["thread"].as_array().map_or(0, Vec::len);
    let replies = shown
        .first()
        .map_or(0, |message| replies_to(message, &all).len());
    must(
        replies == said && said > 0,
        format!("{replies} replies, of {said}"),
    );
    let removed = removed(&record);
    if cell.boundary.is_bucket {
        let grants = world.aws.grants(&cell.resource).await;
        must(
            grants.len() == 1 && grants[0].ends_with("FULL_CONTROL"),
            format!("grants {grants:?}"),
        );
        let policy = world.aws.policy(&cell.resource).await;
        let is_remediated = match &policy {
            None => cell.is_all_public(),
            Some(policy) => policy.contains("Team") && !policy.contains("Everybody"),
        };
        must(is_remediated, format!("policy {policy:?}"));
        // The grant, the statement, and in some cells the policy.
        let expected = if cell.is_all_public() { 3 } else { 2 };
        must(
            removed == expected,
            format!("undo data of {removed} changes"),
        );
    } else {
        let ingress = world.aws.ingress(&cell.resource).await;
        must(
            ingress == ["tcp 443-443 0.0.0.0/0"],
            format!("ingress {ingress:?}"),
        );
        must(removed == 1, format!("undo data of {removed} changes"));
    }
    broken
}

/// What is not finished yet.
pub async fn waiting(world: &Installation, cells: &[Cell]) -> Option<String> {
    for queue in ["events", "fix", "ec2", "s3"] {
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
