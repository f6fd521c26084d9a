//! Who opened it: CloudTrail knows whose call broke the rule, often some minutes later.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::aws::{Aws, AwsError};
use crate::evaluation::cut;
use crate::ids::{Resource, ResourceType};

/// What asking CloudTrail calls. It answers two requests a second in an account and region
/// ([LookupEvents](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html)).
pub const ACTIONS: &[&str] = &["cloudtrail:LookupEvents"];

/// How long one look may take.
const BUDGET: Duration = Duration::from_secs(3);

/// When to look, seconds after the finding was shown and after each look that found nothing:
/// CloudTrail
/// [delivers](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html)
/// within five minutes on average. SQS delays a message for 15 minutes at most.
pub const LOOKS: [u32; 4] = [1, 60, 240, 600];

/// AWS Config's clock and CloudTrail's may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Whose call it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opener {
    /// The principal: `arn:aws:iam::123456789012:user/alice`.
    pub principal: String,
    /// The call: `AuthorizeSecurityGroupIngress`.
    pub call: String,
    /// When.
    pub at: Timestamp,
    /// From where: an address, or an AWS service's name.
    pub source_address: Option<String>,
}

/// Asks CloudTrail.
#[derive(Debug, Clone)]
pub struct Openers {
    /// AWS clients by account and region.
    pub aws: Arc<Aws>,
}

/// A record of CloudTrail, as far as we read it.
/// ([Record contents](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html))
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    event_name: String,
    event_time: Timestamp,
    #[serde(default, rename = "sourceIPAddress")]
    source_ip_address: Option<String>,
    #[serde(default)]
    user_identity: Identity,
    #[serde(default)]
    error_code: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    invoked_by: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// The calls that can open a resource of a type.
fn opening_calls(resource_type: &str) -> &'static [&'static str] {
    match resource_type {
        ResourceType::SECURITY_GROUP => &["AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules"],
        ResourceType::BUCKET => &[
            "CreateBucket",
            "DeleteBucketPublicAccessBlock",
            "DeletePublicAccessBlock",
            "PutBucketAcl",
            "PutBucketPolicy",
            "PutBucketPublicAccessBlock",
            "PutPublicAccessBlock",
        ],
        _ => &[],
    }
}

/// Whether it is worth asking about a resource.
pub fn can_be_known(resource: &Resource) -> bool {
    !opening_calls(resource.resource_type.as_str()).is_empty()
}

/// Of CloudTrail's records, the newest call before `recorded_at` that can have opened the resource:
/// if one of them names an address range of everybody, the newest of those.
fn opener(records: &[String], resource_type: &str, recorded_at: Timestamp) -> Option<Opener> {
    let calls = opening_calls(resource_type);
    let mut found: Vec<(bool, Trace)> = records
        .iter()
        .filter_map(|record| {
            let trace: Trace = serde_json::from_str(record).ok()?;
            let names_everybody = record.contains("0.0.0.0/0") || record.contains("::/0");
            Some((names_everybody, trace))
        })
        .filter(|(_, trace)| {
            trace.error_code.is_none()
                && calls.contains(&trace.event_name.as_str())
                && trace.event_time <= recorded_at + SKEW
        })
        .collect();
    found.sort_by_key(|(names_everybody, trace)| (*names_everybody, trace.event_time));
    let (_, Trace { event_name, event_time, source_ip_address, user_identity, .. }) = found.pop()?;
    let Identity { arn, user_name, invoked_by, kind } = user_identity;
    Some(Opener {
        principal: cut(&arn.or(user_name).or(invoked_by).or(kind)?, 300),
        call: event_name,
        at: event_time,
        source_address: source_ip_address.map(|address| cut(&address, 100)),
    })
}

impl Openers {
    /// Who opened the resource before `recorded_at`; `None` where CloudTrail does not say (yet).
    pub async fn look(
        &self,
        resource: &Resource,
        recorded_at: Timestamp,
    ) -> Result<Option<Opener>, AwsError> {
        let client = self.aws.cloudtrail(&resource.account, &resource.region)?;
        let name = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::ResourceName)
            .attribute_value(resource.id.as_str())
            .build()
            .map_err(|error| AwsError::other("cloudtrail:LookupEvents", "Invalid", error.to_string()))?;
        let found = client
            .lookup_events()
            .lookup_attributes(name)
            .end_time(DateTime::from_secs((recorded_at + SKEW).as_second()))
            .max_results(50)
            .send();
        let found = tokio::time::timeout(BUDGET, found).await.map_err(|_| {
            AwsError::transient("cloudtrail:LookupEvents", Some("Slow"), "CloudTrail takes too long")
        })?;
        let found = found.map_err(|error| AwsError::from_sdk("cloudtrail:LookupEvents", error))?;
        let records = found.events().iter().filter_map(|event| event.cloud_trail_event());
        let records: Vec<String> = records.map(str::to_owned).collect();
        Ok(opener(&records, resource.resource_type.as_str(), recorded_at))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, time: &str, user: &str, cidr: &str) -> String {
        json!({"eventVersion": "1.08", "eventName": name, "eventTime": time, "sourceIPAddress": "203.0.113.7",
            "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::123456789012:user/{user}"), "userName": user},
            "requestParameters": {"groupId": "sg-1", "ipPermissions": {"items": [{"ipRanges": {"items": [{"cidrIp": cidr}]}}]}}})
        .to_string()
    }

    fn found(records: &[String]) -> Option<String> {
        let recorded_at = "2026-01-01T00:05:00Z".parse().unwrap();
        opener(records, ResourceType::SECURITY_GROUP, recorded_at).map(|opener| opener.principal)
    }

    #[test]
    fn the_newest_call_that_lets_everybody_in_is_it() {
        let records = [
            record("AuthorizeSecurityGroupIngress", "2026-01-01T00:04:00Z", "carol", "10.0.0.0/8"),
            record("AuthorizeSecurityGroupIngress", "2026-01-01T00:03:00Z", "bob", "0.0.0.0/0"),
            record("AuthorizeSecurityGroupIngress", "2026-01-01T00:02:00Z", "alice", "0.0.0.0/0"),
            record("AuthorizeSecurityGroupIngress", "2026-01-01T09:00:00Z", "later", "0.0.0.0/0"),
            record("RevokeSecurityGroupIngress", "2026-01-01T00:04:30Z", "mallory", "0.0.0.0/0"),
        ];
        assert_eq!(found(&records).as_deref(), Some("arn:aws:iam::123456789012:user/bob"));
        assert_eq!(found(&records[..1]).as_deref(), Some("arn:aws:iam::123456789012:user/carol"));
        assert_eq!(found(&records[3..]), None);
    }

    #[test]
    fn a_refused_call_and_nonsense_are_nobody_s_deed() {
        let refused = record("AuthorizeSecurityGroupIngress", "2026-01-01T00:03:00Z", "bob", "0.0.0.0/0");
        let refused = refused.replacen('{', r#"{"errorCode":"Client.UnauthorizedOperation","#, 1);
        assert_eq!(found(&[refused, "{}".to_owned(), "no json".to_owned()]), None);
    }
}
