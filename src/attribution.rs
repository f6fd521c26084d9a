//! Attribution: CloudTrail tells whose call broke a rule, often some minutes later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::operation::lookup_events::builders::LookupEventsFluentBuilder;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};

use crate::aws::{Aws, AwsError};
use crate::controls::Change;
use crate::controls::cause::{Call, Effect, Identity};
use crate::finding::attribution::Attribution;
use crate::ids::Resource;
use crate::text::cut;

/// The IAM actions of asking CloudTrail, which answers two requests a second in an account and region
/// ([LookupEvents](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html)).
pub const ACTIONS: &[&str] = &[LOOKUP];

const LOOKUP: &str = "cloudtrail:LookupEvents";

/// How long one look may take in production.
const BUDGET: Duration = Duration::from_secs(6);

/// The number of pages of calls that one look reads at most. Most calls are reads, which tell nothing.
const PAGES: usize = 5;

/// The most by which the clocks of AWS Config and CloudTrail are expected to differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Asks CloudTrail.
#[derive(Debug, Clone)]
pub struct CloudTrail {
    aws: Arc<Aws>,
    /// How long one look may take.
    budget: Duration,
}

/// The newest call before `recorded_at` that opened one of the changes, by CloudTrail's records, each of
/// which is a JSON object as text. A call after which it was open as before, or closed, is attributed to
/// nobody, and so is a record that cannot be read.
pub fn attribution(
    records: &[String],
    changes: &[Change],
    recorded_at: Timestamp,
) -> Option<Attribution> {
    let meant = |call: &Call| call.error_code.is_none() && call.event_time <= recorded_at + SKEW;
    let mut calls: Vec<Call> = records
        .iter()
        .filter_map(|record| serde_json::from_str(record).ok())
        .filter(meant)
        .collect();
    calls.sort_by_key(|call| call.event_time);
    let openings = changes
        .iter()
        .filter_map(|change| last_opening(&calls, change));
    let call = &calls[openings.max()?];
    let Identity {
        arn,
        user_name,
        invoked_by,
        kind,
    } = call.user_identity.clone();
    Some(Attribution {
        principal: cut(&arn.or(user_name).or(invoked_by).or(kind)?, 300),
        call: call.event_name.clone(),
        at: call.event_time,
        source_address: call
            .source_ip_address
            .as_deref()
            .map(|address| cut(address, 100)),
        agent: call.user_agent.as_deref().and_then(tool).map(str::to_owned),
    })
}

/// The index of the newest call that opened something which was closed before, or of which nothing is known
/// before; only where there is none, the index of a call that may have opened it.
fn last_opening(calls: &[Call], change: &Change) -> Option<usize> {
    let (mut opening, mut perhaps, mut before) = (None, None, BTreeMap::new());
    for (place, call) in calls.iter().enumerate() {
        for (decides, effect) in change.effects(call) {
            let last = before.insert(decides, effect);
            let was_closed = last == Some(Effect::Closed);
            let has_opened = match effect {
                Effect::Added => true,
                Effect::Opened => was_closed || last.is_none(),
                Effect::Lifted | Effect::LeftOpen => was_closed,
                Effect::Closed => false,
            };
            if has_opened {
                opening = Some(place);
            } else if effect == Effect::Lifted && last.is_none() {
                perhaps = Some(place);
            }
        }
    }
    opening.or(perhaps)
}

/// The tool of a user agent, if it is one that sets resources back to its configuration: a console, CLI or
/// SDK of a person is none.
fn tool(user_agent: &str) -> Option<&'static str> {
    const TOOLS: [(&str, &str); 8] = [
        ("terraform", "Terraform"),
        ("opentofu", "OpenTofu"),
        ("pulumi", "Pulumi"),
        ("cloudformation", "CloudFormation"),
        ("ansible", "Ansible"),
        ("crossplane", "Crossplane"),
        ("k8s", "a Kubernetes controller"),
        ("kubernetes", "a Kubernetes controller"),
    ];
    let lower = user_agent.to_lowercase();
    TOOLS
        .iter()
        .find(|(mark, _)| lower.contains(mark))
        .map(|(_, tool)| *tool)
}

impl CloudTrail {
    /// Asks by the clients of `aws`.
    pub fn new(aws: Arc<Aws>) -> Self {
        Self {
            aws,
            budget: BUDGET,
        }
    }

    /// Who opened, before `recorded_at`, what a fix takes away or has taken away; `None` where CloudTrail
    /// does not tell (yet). `is_last` says that CloudTrail is not asked again, so that what was read in time
    /// has to do.
    pub async fn look(
        &self,
        resource: &Resource,
        changes: &[Change],
        recorded_at: Timestamp,
        is_last: bool,
    ) -> Result<Option<Attribution>, AwsError> {
        let client = self.aws.cloudtrail(&resource.account, &resource.region)?;
        let mut records = Vec::new();
        let looked_up = looked_up(resource, changes)?;
        let will_do = is_last || looked_up.len() == 1;
        let read = async {
            let mut since = None;
            for (place, attribute) in looked_up.into_iter().enumerate() {
                let look = client
                    .lookup_events()
                    .lookup_attributes(attribute)
                    .set_start_time(since)
                    .end_time(DateTime::from_secs((recorded_at + SKEW).as_second()))
                    .max_results(50);
                let cut_at = read(look, &mut records).await?;
                // Calls on other resources are not read further back than calls on the resource itself.
                if place == 0 {
                    since = cut_at;
                }
            }
            Ok(())
        };
        // CloudTrail answers twice a second. The newest calls come first, so that those read in time are of
        // use, unless newer ones may be among the calls that were not asked for yet.
        match tokio::time::timeout(self.budget, read).await {
            Ok(read) => read?,
            Err(_) if will_do && !records.is_empty() => {}
            Err(_) => {
                let words = "CloudTrail takes too long";
                return Err(AwsError::transient(LOOKUP, Some("Slow"), words));
            }
        }
        Ok(attribution(&records, changes, recorded_at))
    }
}

/// The attributes that CloudTrail is asked for, one after the other, since it takes one at a time.
fn looked_up(resource: &Resource, changes: &[Change]) -> Result<Vec<LookupAttribute>, AwsError> {
    let others: BTreeSet<&str> = changes
        .iter()
        .flat_map(Change::calls_on_others)
        .copied()
        .collect();
    let of_itself = [(LookupAttributeKey::ResourceName, resource.id.as_str())];
    let of_others = others
        .into_iter()
        .map(|call| (LookupAttributeKey::EventName, call));
    let attribute = |(key, value)| {
        let attribute = LookupAttribute::builder()
            .attribute_key(key)
            .attribute_value(value);
        attribute
            .build()
            .map_err(|error| AwsError::other(LOOKUP, "Invalid", error.to_string()))
    };
    of_itself
        .into_iter()
        .chain(of_others)
        .map(attribute)
        .collect()
}

/// Reads the newest records of calls that change something, at most [`PAGES`] pages. Returns the time of the
/// oldest call that was read, if there are older ones.
async fn read(
    look: LookupEventsFluentBuilder,
    records: &mut Vec<String>,
) -> Result<Option<DateTime>, AwsError> {
    let (mut next, mut oldest) = (None, None);
    for _ in 0..PAGES {
        let page = look.clone().set_next_token(next.take());
        let page = page.send().boxed().await;
        let page = page.map_err(|error| AwsError::from_sdk("cloudtrail:LookupEvents", error))?;
        let changing = page
            .events()
            .iter()
            .filter(|event| event.read_only() != Some("true"));
        let texts = changing.filter_map(|event| event.cloud_trail_event());
        records.extend(texts.map(str::to_owned));
        oldest = page
            .events()
            .last()
            .and_then(|event| event.event_time)
            .or(oldest);
        next = page.next_token;
        if next.is_none() {
            return Ok(None);
        }
    }
    Ok(oldest)
}

#[cfg(test)]
mod tests;
