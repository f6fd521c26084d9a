//! A resource that breaks a rule during the soak, what people do about it, and what must hold in the end.

use std::time::{Duration, Instant};

use defendable::ids::FindingId;
use serde_json::Value;

use super::{Notes, channel};
use crate::faults::cell::{PUBLIC_POLICY, create_bucket, replies_to};
use crate::support::fault_proxy::Call;
use crate::support::installation::Installation;
use crate::support::payload::command;
use crate::support::slack::Message;
use crate::support::{finding_of_bucket, finding_of_group, removed};

/// A change that is under way when "off" is recorded may end so much later.
const IN_FLIGHT: Duration = Duration::from_secs(2);

/// What people do about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A person requests a fix.
    Asked,
    /// Nobody does anything; auto-response may fix it while it is on.
    Left,
    /// A tag ignores it.
    Tagged,
    /// A person ignores it.
    Ignored,
    /// A person requests a fix, and then its undo.
    Undone,
}

/// By the number of the resource, modulo ten.
const FATES: [Fate; 10] = [
    Fate::Asked,
    Fate::Left,
    Fate::Asked,
    Fate::Tagged,
    Fate::Asked,
    Fate::Undone,
    Fate::Left,
    Fate::Ignored,
    Fate::Tagged,
    Fate::Asked,
];

/// What a person requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionRequest {
    Fix,
    Ignore,
    Undo,
}

/// The violation. Beside it each resource has something that breaks no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    Ingress,
    Acl,
    Policy,
}

impl Breach {
    /// The call that fixes it.
    fn call(self) -> &'static str {
        match self {
            Self::Ingress => "ec2:RevokeSecurityGroupIngress",
            Self::Acl => "s3:PUT acl",
            Self::Policy => "s3:PUT policy",
        }
    }

    /// The line of the history about the fix.
    fn history(self) -> &'static str {
        match self {
            Self::Ingress => "revoked tcp 22",
            Self::Acl => "removed the ACL grant",
            Self::Policy => "removed the statement",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Subject {
    pub resource: String,
    pub breach: Breach,
    pub fate: Fate,
    pub broken_at: Instant,
}

impl Subject {
    /// A new resource that breaks a rule.
    pub async fn broken(world: &Installation, number: usize) -> Self {
        let fate = FATES[number % FATES.len()];
        let breach = [Breach::Ingress, Breach::Acl, Breach::Policy][number / 5 % 3];
        let channel = channel(number);
        let mut tags = vec![("channel", channel.as_str())];
        if fate == Fate::Tagged {
            tags.push(("defendable:ignore", "a honeypot"));
        }
        let name = format!("soak-{number:04}");
        let resource = match breach {
            Breach::Ingress => {
                let group = world.aws.create_group(&name).await;
                for (key, value) in tags {
                    world.aws.tag(&group, key, value).await;
                }
                world.aws.open_port(&group, 443).await;
                world.aws.open_port(&group, 22).await;
                group
            }
            Breach::Acl => {
                create_bucket(world, &name, &tags).await;
                world
                    .aws
                    .set_acl(&name, aws_sdk_s3::types::BucketCannedAcl::PublicRead)
                    .await;
                name
            }
            Breach::Policy => {
                create_bucket(world, &name, &tags).await;
                world
                    .aws
                    .set_policy(&name, &PUBLIC_POLICY.replace("BUCKET", &name))
                    .await;
                name
            }
        };
        Self {
            resource,
            breach,
            fate,
            broken_at: Instant::now(),
        }
    }

    pub fn finding_id(&self) -> FindingId {
        match self.breach {
            Breach::Ingress => finding_of_group(&self.resource),
            Breach::Acl | Breach::Policy => finding_of_bucket(&self.resource),
        }
    }

    /// What the person requests in the end.
    pub fn last_request(&self) -> Option<ActionRequest> {
        match self.fate {
            Fate::Asked => Some(ActionRequest::Fix),
            Fate::Ignored => Some(ActionRequest::Ignore),
            Fate::Undone => Some(ActionRequest::Undo),
            Fate::Left | Fate::Tagged => None,
        }
    }

    /// What the person requests next, by the state of the finding.
    pub fn request(&self, record: &Value) -> Option<ActionRequest> {
        let is_reported = removed(record) > 0;
        match (self.fate, state(record)) {
            (Fate::Asked, _) | (Fate::Undone, "open") => Some(ActionRequest::Fix),
            (Fate::Ignored, "open") => Some(ActionRequest::Ignore),
            (Fate::Undone, "fixed") if is_reported => Some(ActionRequest::Undo),
            _ => None,
        }
    }

    /// Whether the resource is as people want it.
    pub fn is_content(&self, record: &Value) -> bool {
        match self.fate {
            Fate::Asked => state(record) == "fixed",
            // Auto-response may have fixed it first.
            Fate::Ignored => matches!(state(record), "ignored" | "fixed"),
            Fate::Undone => state(record) == "ignored",
            Fate::Left | Fate::Tagged => true,
        }
    }

    /// Whether it breaks the rule, and whether the part that breaks no rule is still there.
    async fn is_open_and_whole(&self, world: &Installation) -> (bool, bool) {
        let resource = &self.resource;
        match self.breach {
            Breach::Ingress => {
                let ingress = world.aws.ingress(resource).await;
                let has = |range: &str| ingress.iter().any(|one| one == range);
                (has("tcp 22-22 0.0.0.0/0"), has("tcp 443-443 0.0.0.0/0"))
            }
            Breach::Acl => {
                let grants = world.aws.grants(resource).await;
                let has = |end: &str| grants.iter().any(|grant| grant.ends_with(end));
                (has("AllUsers READ"), has("FULL_CONTROL"))
            }
            Breach::Policy => {
                let policy = world.aws.policy(resource).await.unwrap_or_default();
                (policy.contains("Everybody"), policy.contains("Team"))
            }
        }
    }

    pub async fn is_open(&self, world: &Installation) -> bool {
        self.is_open_and_whole(world).await.0
    }

    /// The calls that changed it.
    fn changes(&self, world: &Installation) -> Vec<Call> {
        let calls = world.to_aws.calls(self.breach.call()).into_iter();
        calls
            .filter(|call| call.said.contains(&self.resource))
            .collect()
    }

    /// What does not hold in the end.
    pub async fn check(
        &self,
        world: &Installation,
        notes: &Notes,
        shown: &[Message],
    ) -> Vec<String> {
        let id = self.finding_id();
        let mut wrong = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                wrong.push(format!(
                    "{} ({:?}, {:?}, {id}): {what}",
                    self.resource, self.breach, self.fate
                ));
            }
        };
        let record = world.aws.finding(&id).await;
        must(record.is_some(), "the finding is lost".to_owned());
        let record: Value = record.unwrap_or_default();
        let of_it = |message: &&Message| {
            message.0["thread_ts"].is_null() && message.words().contains(id.as_str())
        };
        let messages: Vec<&Message> = shown.iter().filter(of_it).collect();
        must(messages.len() == 1, format!("{} messages", messages.len()));
        let said = messages
            .first()
            .map(|message| message.words())
            .unwrap_or_default();
        // A digest has a line for each finding, and no thread.
        let listed = said
            .lines()
            .find(|line| line.starts_with('•') && line.contains(id.as_str()));
        let says = |own: &str, in_digest: &str| {
            listed.map_or(said.contains(own), |line| line.contains(in_digest))
        };
        let thread = record["finding"]["thread"].as_array().map_or(0, Vec::len);
        let replies = messages
            .first()
            .map_or(0, |message| replies_to(message, shown).len());
        must(
            listed.is_some() || replies == thread,
            format!("{replies} replies, of {thread}"),
        );
        let (open, whole) = self.is_open_and_whole(world).await;
        must(whole, "what was in order is gone".to_owned());
        let removed = removed(&record);
        must(
            removed == usize::from(!open),
            format!("undo data of {removed} changes, and open is {open}"),
        );
        let history = command(&world.app_url, &format!("history {id}"))
            .await
            .unwrap();
        let (remediated, undone) = (
            history.matches(self.breach.history()).count(),
            history.matches("undid the fix").count(),
        );
        let is_undone = usize::from(self.fate == Fate::Undone);
        must(
            remediated == usize::from(!open) + is_undone && undone == is_undone,
            format!("the history tells of {remediated} fixes, {undone} undone, and open is {open}"),
        );
        let changes = self.changes(world);
        let asked = notes.change_asked.get(&self.resource);
        let unasked = changes
            .iter()
            .filter(|call| asked.is_none_or(|asked| call.at < *asked));
        let wild: Vec<_> = unasked
            .filter(|call| !notes.may_be_on(call.at, IN_FLIGHT))
            .collect();
        must(
            wild.is_empty(),
            format!("changed while auto-response was off: {wild:?}"),
        );
        match self.fate {
            Fate::Asked => {
                must(!open, "asked for and not fixed".to_owned());
                must(
                    says("Fixed by", "• fixed"),
                    format!("its message says {said}"),
                );
            }
            Fate::Tagged => {
                must(
                    open && changes.is_empty(),
                    "fixed in spite of its tag".to_owned(),
                );
                must(
                    says("honeypot", "• ignored"),
                    format!("its message says {said}"),
                );
            }
            Fate::Left => {}
            Fate::Ignored => {
                let ignored_at = notes
                    .acknowledged
                    .get(&(self.resource.clone(), ActionRequest::Ignore));
                let late = |call: &Call| ignored_at.is_some_and(|at| call.at > *at + IN_FLIGHT);
                must(
                    !changes.iter().any(late),
                    format!("ignored, and changed all the same: {changes:?}"),
                );
                let ignored = says("Ignored by", "• ignored");
                // Auto-response may have fixed it first, and have reported that later.
                let told = says("What was done", "• ignored") || says("Fixed by", "• fixed");
                must(
                    if open { ignored } else { told },
                    format!("its message says {said}"),
                );
            }
            Fate::Undone => {
                must(open, "wanted back and not put back".to_owned());
                must(
                    says("Ignored by", "• ignored"),
                    format!("its message says {said}"),
                );
            }
        }
        wrong
    }
}

/// The state of the finding in the table.
pub fn state(record: &Value) -> &str {
    record["state"].as_str().unwrap_or("none")
}
