//! Who opened it: CloudTrail knows whose call broke the rule, often some minutes later.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::{Aws, AwsError};
use crate::evaluation::cut;
use crate::ids::{Resource, ResourceType};
use crate::remediation::{Change, IngressRange, protocol_name};

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
    /// The tool that made the call, where its name tells: `Terraform`, `a Kubernetes controller`.
    #[serde(default)]
    pub agent: Option<String>,
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
    user_agent: Option<String>,
    #[serde(default)]
    user_identity: Identity,
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default)]
    request_parameters: Value,
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

/// Whether it is worth asking about a resource.
pub fn can_be_known(resource: &Resource) -> bool {
    matches!(resource.resource_type.as_str(), ResourceType::SECURITY_GROUP | ResourceType::BUCKET)
}

/// Whether a call can have brought about one of the changes that a fix takes away, or has. Only what
/// it asked for tells: elsewhere a record has stars, and `false`, of its own.
fn opens(trace: &Trace, change: &Change) -> bool {
    let parameters = &trace.request_parameters;
    let asked = parameters.to_string();
    let says = |words: &[&str]| words.iter().any(|word| asked.contains(word));
    match (change, trace.event_name.as_str()) {
        (Change::RevokeIngress(range), "AuthorizeSecurityGroupIngress" | "ModifySecurityGroupRules") => {
            names_range(parameters, range)
        }
        (Change::RemoveGrant(_), "PutBucketAcl" | "CreateBucket") => {
            says(&["AllUsers", "AuthenticatedUsers", "public-read", "authenticated-read"])
        }
        (Change::RemoveStatement { .. } | Change::DeletePolicy { .. }, "PutBucketPolicy") => says(&["*"]),
        (
            Change::RemoveGrant(_) | Change::RemoveStatement { .. } | Change::DeletePolicy { .. },
            "DeleteBucketPublicAccessBlock" | "DeletePublicAccessBlock",
        ) => true,
        (
            Change::RemoveGrant(_) | Change::RemoveStatement { .. } | Change::DeletePolicy { .. },
            "PutBucketPublicAccessBlock" | "PutPublicAccessBlock",
        ) => says(&[":false", ":\"false\""]),
        _ => false,
    }
}

/// Whether a permission somewhere in the parameters has a range's protocol, ports and addresses.
fn names_range(parameters: &Value, range: &IngressRange) -> bool {
    let field = |names: [&str; 2]| names.iter().find_map(|name| parameters.get(name));
    let here = field(["ipProtocol", "IpProtocol"]).is_some_and(|protocol| {
        let said = protocol.as_str().map_or_else(|| protocol.to_string(), str::to_owned);
        let port = |names| field(names).and_then(Value::as_i64).unwrap_or(-1);
        let ports = (port(["fromPort", "FromPort"]), port(["toPort", "ToPort"]));
        let wanted = (range.from_port.map_or(-1, i64::from), range.to_port.map_or(-1, i64::from));
        protocol_name(&said) == protocol_name(&range.protocol)
            && (range.protocol == "-1" || ports == wanted)
            && parameters.to_string().contains(&format!("\"{}\"", range.cidr))
    });
    here || match parameters {
        Value::Object(fields) => fields.values().any(|value| names_range(value, range)),
        Value::Array(items) => items.iter().any(|value| names_range(value, range)),
        _ => false,
    }
}

/// Of CloudTrail's records, each a JSON object in text, the newest call before `recorded_at` that
/// can have brought about one of the changes; what cannot be read is nobody's.
pub fn opener(records: &[String], changes: &[Change], recorded_at: Timestamp) -> Option<Opener> {
    let traces = records.iter().filter_map(|record| {
        let trace: Trace = serde_json::from_str(record).ok()?;
        let meant = trace.error_code.is_none()
            && trace.event_time <= recorded_at + SKEW
            && changes.iter().any(|change| opens(&trace, change));
        meant.then_some(trace)
    });
    let trace = traces.max_by_key(|trace| trace.event_time)?;
    let Identity { arn, user_name, invoked_by, kind } = trace.user_identity;
    Some(Opener {
        principal: cut(&arn.or(user_name).or(invoked_by).or(kind)?, 300),
        call: trace.event_name,
        at: trace.event_time,
        source_address: trace.source_ip_address.map(|address| cut(&address, 100)),
        agent: trace.user_agent.as_deref().and_then(tool).map(str::to_owned),
    })
}

/// The tool behind a user agent, where it is one that puts things back as its configuration has them:
/// a person's console, CLI or SDK is not.
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
    TOOLS.iter().find(|(mark, _)| lower.contains(mark)).map(|(_, tool)| *tool)
}

impl Openers {
    /// Who brought about what a fix takes away, or has, before `recorded_at`; `None` where CloudTrail
    /// does not say (yet).
    pub async fn look(
        &self,
        resource: &Resource,
        changes: &[Change],
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
        Ok(opener(&records, changes, recorded_at))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(name: &str, time: &str, user: &str, port: i64, cidr: &str) -> String {
        json!({"eventVersion": "1.08", "eventName": name, "eventTime": time, "sourceIPAddress": "203.0.113.7",
            "readOnly": false, "managementEvent": true,
            "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::123456789012:user/{user}"), "userName": user,
                "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
            "requestParameters": {"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": port,
                "toPort": port, "ipRanges": {"items": [{"cidrIp": cidr}]}}]}}})
        .to_string()
    }

    fn range(protocol: &str, port: i32) -> Change {
        Change::RevokeIngress(IngressRange {
            rule_id: "sgr-1".to_owned(),
            protocol: protocol.to_owned(),
            from_port: Some(port),
            to_port: Some(port),
            cidr: "0.0.0.0/0".to_owned(),
            description: None,
        })
    }

    fn found(records: &[String], change: Change) -> Option<String> {
        let found = opener(records, &[change], "2026-01-01T00:05:00Z".parse().unwrap());
        found.map(|opener| opener.principal.rsplit('/').next().unwrap_or_default().to_owned())
    }

    #[test]
    fn the_newest_call_that_opened_just_that_is_it() {
        const ALLOW: &str = "AuthorizeSecurityGroupIngress";
        let records = [
            record(ALLOW, "2026-01-01T00:04:30Z", "web-team", 443, "0.0.0.0/0"),
            record(ALLOW, "2026-01-01T00:04:00Z", "carol", 22, "10.0.0.0/8"),
            record(ALLOW, "2026-01-01T00:03:00Z", "bob", 22, "0.0.0.0/0"),
            record(ALLOW, "2026-01-01T00:02:00Z", "alice", 22, "0.0.0.0/0"),
            record(ALLOW, "2026-01-01T09:00:00Z", "later", 22, "0.0.0.0/0"),
            record("RevokeSecurityGroupIngress", "2026-01-01T00:04:30Z", "mallory", 22, "0.0.0.0/0"),
        ];
        assert_eq!(found(&records, range("tcp", 22)).as_deref(), Some("bob"));
        assert_eq!(found(&records, range("tcp", 443)).as_deref(), Some("web-team"));
        assert_eq!(found(&records, range("tcp", 3389)), None);
        assert_eq!(found(&records, range("-1", -1)), None);
        let all =
            records[0].replace(r#""ipProtocol":"tcp","fromPort":443,"toPort":443"#, r#""ipProtocol":"-1""#);
        assert_ne!(all, records[0]);
        assert_eq!(found(&[all], range("-1", -1)).as_deref(), Some("web-team"));
        assert_eq!(found(&records, range("udp", 22)), None, "another protocol");
    }

    #[test]
    fn a_tool_that_puts_things_back_is_named() {
        let terraform =
            "APN/1.0 HashiCorp/1.0 Terraform/1.9.2 (+https://www.terraform.io) terraform-provider-aws/5.60.0";
        assert_eq!(tool(terraform), Some("Terraform"));
        assert_eq!(tool("elbv2.k8s.aws/v2.7.1 aws-sdk-go/1.51"), Some("a Kubernetes controller"));
        assert_eq!(tool("cloudformation.amazonaws.com"), Some("CloudFormation"));
        assert_eq!(tool("aws-cli/2.15.30 Python/3.11"), None);
    }

    #[test]
    fn ports_of_one_permission_and_addresses_of_another_are_no_match() {
        let mixed = json!({"eventName": "AuthorizeSecurityGroupIngress", "eventTime": "2026-01-01T00:03:00Z",
            "userIdentity": {"userName": "mixed"}, "requestParameters": {"ipPermissions": {"items": [
                {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}},
                {"ipProtocol": "6", "fromPort": 443, "toPort": 443, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}}});
        let records = [mixed.to_string()];
        assert_eq!(found(&records, range("tcp", 22)), None);
        assert_eq!(found(&records, range("tcp", 443)).as_deref(), Some("mixed"));
    }

    #[test]
    fn a_call_that_closed_a_bucket_did_not_open_it() {
        let policy = Change::RemoveStatement { index: 0, sid: None, statement: "{}".to_owned() };
        let call = |name: &str, user: &str, parameters: serde_json::Value| {
            json!({"eventName": name, "eventTime": "2026-01-01T00:03:00Z", "readOnly": false, "managementEvent": true,
                "userIdentity": {"userName": user, "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
                "requestParameters": parameters})
            .to_string()
        };
        let block = |on: bool| json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": on}});
        let closed = call("PutBucketPublicAccessBlock", "closer", block(true));
        let private = call("PutBucketAcl", "private", json!({"x-amz-acl": "private"}));
        let opened =
            call("PutBucketPolicy", "opener", json!({"bucketPolicy": {"Statement": [{"Principal": "*"}]}}));
        assert_eq!(found(&[closed, private, opened], policy.clone()).as_deref(), Some("opener"));
        let unblocked = call("PutBucketPublicAccessBlock", "unblocker", block(false));
        assert_eq!(found(&[unblocked], policy).as_deref(), Some("unblocker"));
    }

    #[test]
    fn a_refused_call_and_nonsense_are_nobody_s_deed() {
        let refused = record("AuthorizeSecurityGroupIngress", "2026-01-01T00:03:00Z", "bob", 22, "0.0.0.0/0");
        let refused = refused.replacen('{', r#"{"errorCode":"Client.UnauthorizedOperation","#, 1);
        assert_eq!(found(&[refused, "{}".to_owned(), "no json".to_owned()], range("tcp", 22)), None);
    }
}
