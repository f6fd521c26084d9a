//! Which conditions limit a statement to some, as AWS sees it.
//!
//! S3 user guide,
//! [The meaning of "public"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status),
//! and for the keys about organisations and networks that came later, IAM user guide,
//! [Global condition keys](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html):
//! a condition limits a statement where it holds a key that names a principal or a network of one's own
//! against *fixed values*: without wildcards, but for those that AWS itself makes, and without policy
//! variables.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::address_block::{Broadest, blocks};

/// `{"StringEquals": {"aws:SourceVpc": ["vpc-1"]}}`
pub(super) type Conditions = BTreeMap<String, BTreeMap<String, OneOrMany>>;

/// A JSON value, or a list of them, where a policy allows both.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

impl OneOrMany {
    pub(super) fn values(&self) -> &[Value] {
        match self {
            Self::Many(values) => values,
            Self::One(value) => std::slice::from_ref(value),
        }
    }
}

/// A key whose value callers choose themselves. AWS's page has named it nevertheless; whether AWS counts it, its
/// answer tells: [`PolicyStatus::ForAwsToSay`](super::bucket_policy::PolicyStatus::ForAwsToSay).
const CALLERS_CHOICE: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";

/// Conditions are joined by "and": one that narrows is enough.
pub(super) fn narrow(conditions: &Conditions) -> bool {
    narrowing_keys(conditions).next().is_some()
}

/// Whether nothing narrows but what callers choose themselves.
pub(super) fn narrow_by_callers_choice(conditions: &Conditions) -> bool {
    let mut keys = narrowing_keys(conditions).peekable();
    keys.peek().is_some() && keys.all(|key| key.eq_ignore_ascii_case(CALLERS_CHOICE))
}

fn narrowing_keys(conditions: &Conditions) -> impl Iterator<Item = &str> {
    conditions
        .iter()
        .filter(|(operator, _)| can_narrow(operator))
        .flat_map(|(_, keys)| keys)
        .filter(|(key, values)| narrows(key, values.values()))
        .map(|(key, _)| key.as_str())
}

/// Whether a condition operator can only match what it names. Negated ones let everybody else
/// in, `…IfExists` lets a request without the key in, and so does `ForAllValues:`.
fn can_narrow(operator: &str) -> bool {
    let operator = operator.to_ascii_lowercase();
    let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
    matches!(
        operator,
        "stringequals"
            | "stringequalsignorecase"
            | "stringlike"
            | "arnequals"
            | "arnlike"
            | "ipaddress"
            | "numericequals"
    )
}

/// Whether a Deny with these conditions denies to all strangers: each lets out only what is one's own, and a
/// request that lacks a key meets it. Conditions are joined by "and", so that one of another kind is an
/// exception for others. A key whose value callers choose lets out everybody who chooses it.
pub(super) fn deny_to_strangers(conditions: &Conditions) -> bool {
    !conditions.is_empty()
        && conditions.iter().all(|(operator, keys)| {
            is_negated(operator) && keys.iter().all(|(key, values)| lets_out_own(key, values))
        })
}

fn lets_out_own(key: &str, values: &OneOrMany) -> bool {
    !key.eq_ignore_ascii_case(CALLERS_CHOICE) && narrows(key, values.values())
}

/// Whether a Deny with these conditions lets out some of one's own, whatever else they say.
pub(super) fn deny_to_others(conditions: &Conditions) -> bool {
    conditions.iter().any(|(operator, keys)| {
        let operator = operator.to_ascii_lowercase();
        let negated = is_negated(operator.strip_prefix("foranyvalue:").unwrap_or(&operator));
        negated && keys.iter().any(|(key, values)| lets_out_own(key, values))
    })
}

/// Whether a condition operator is met by a request that has another value, or lacks the key.
/// `ForAnyValue:` is not met without the key.
fn is_negated(operator: &str) -> bool {
    let operator = operator.to_ascii_lowercase();
    let operator = operator.strip_prefix("forallvalues:").unwrap_or(&operator);
    let operator = operator.strip_suffix("ifexists").unwrap_or(operator);
    matches!(
        operator,
        "stringnotequals"
            | "stringnotequalsignorecase"
            | "stringnotlike"
            | "arnnotequals"
            | "arnnotlike"
            | "notipaddress"
    )
}

/// Values are joined by "or": each must be fixed.
fn narrows(key: &str, values: &[Value]) -> bool {
    let Some(texts) = values.iter().map(text).collect::<Option<Vec<String>>>() else {
        return false;
    };
    if texts.is_empty() {
        return false;
    }
    let fixed: fn(&str) -> bool = match key.to_ascii_lowercase().as_str() {
        "aws:sourceip" => return are_narrow(&texts),
        "s3:dataaccesspointarn" => has_fixed_account,
        "aws:userid" => is_fixed_user,
        "aws:principalorgpaths" | "aws:sourceorgpaths" | "aws:vpceorgpaths" => {
            has_fixed_organisation
        }
        "aws:sourcearn"
        | "aws:sourcevpc"
        | "aws:sourcevpce"
        | "aws:sourceowner"
        | "aws:sourceaccount"
        | "aws:sourceorgid"
        | "aws:principalarn"
        | "aws:principalaccount"
        | "aws:principalorgid"
        | "aws:principalservicename"
        | "aws:vpceaccount"
        | "aws:vpceorgid"
        | CALLERS_CHOICE
        | "s3:dataaccesspointaccount" => is_fixed,
        _ => return false,
    };
    texts.iter().all(|text| fixed(text))
}

/// A value as IAM compares it: quotation marks are optional around numbers and booleans.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a value stands for itself alone, and for somebody: requests that nobody has signed have the
/// user id and the account `anonymous`.
fn is_fixed(value: &str) -> bool {
    !value.is_empty()
        && !value.contains(['*', '?'])
        && !value.contains("${")
        && !value.eq_ignore_ascii_case("anonymous")
}

/// `AROAEXAMPLE:*` is every session of one role: the role's id is fixed.
fn is_fixed_user(value: &str) -> bool {
    let role = value.strip_suffix(":*").filter(|id| id.starts_with("AROA"));
    is_fixed(role.unwrap_or(value))
}

/// `o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/*`: what is below a fixed place in a fixed organisation, by the
/// wildcard at the end with which AWS writes it.
fn has_fixed_organisation(value: &str) -> bool {
    let path = value.strip_suffix('*').unwrap_or(value);
    let organisation = path.split_once('/').map(|(organisation, _)| organisation);
    is_fixed(path) && organisation.is_some_and(|organisation| organisation.starts_with("o-"))
}

/// Ranges that together make up a block broader than /8 (IPv4) or /32 (IPv6) are public too.
fn are_narrow(values: &[String]) -> bool {
    let range = |value: &String| {
        value
            .parse::<IpNet>()
            .ok()
            .or_else(|| Some(value.parse::<IpAddr>().ok()?.into()))
    };
    let ranges: Option<Vec<IpNet>> = values.iter().map(range).collect();
    ranges.is_some_and(|ranges| {
        !blocks(ranges)
            .into_iter()
            .any(|block| block.is_broader_than(Broadest::default()))
    })
}

/// An access point's name may be a wildcard while its account is fixed:
/// `arn:aws:s3:us-west-2:123456789012:accesspoint/*`.
fn has_fixed_account(value: &str) -> bool {
    value.split(':').nth(4).is_some_and(is_fixed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deny_of_all_but_one_s_own_denies_to_strangers() {
        let denies = |condition: &Value| {
            deny_to_strangers(&serde_json::from_value(condition.clone()).unwrap())
        };
        for condition in [
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}),
            json!({"StringNotEqualsIfExists": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1", "aws:PrincipalOrgID": "o-1"}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}, "NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            json!({"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": "o-1/r-1/*"}}),
            json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/x"}}),
        ] {
            assert!(denies(&condition), "{condition}");
        }
        for condition in [
            json!({}),
            json!({"StringNotLike": {"aws:SourceVpc": "vpc-*"}}),
            json!({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/1"}}),
            json!({"StringNotEquals": {"aws:Referer": "https://example.com"}}),
            json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}),
            json!({"ForAnyValue:StringNotLike": {"aws:PrincipalOrgPaths": "o-1/r-1/*"}}),
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}, "Bool": {"aws:ViaAWSService": "false"}}),
        ] {
            assert!(!denies(&condition), "{condition}");
        }
    }

    fn narrows(condition: Value) -> bool {
        narrow(&serde_json::from_value(condition).unwrap())
    }

    #[test]
    fn a_fixed_value_of_one_s_own_narrows() {
        for condition in [
            json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
            json!({"StringLike": {"AWS:SOURCEVPC": ["vpc-1", "vpc-2"]}}),
            json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"]}}),
            json!({"ForAnyValue:StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:123456789012:accesspoint/*"}}),
            json!({"StringLike": {"aws:SourceVpc": "*"}, "StringEquals": {"aws:SourceAccount": "123456789012"}}),
            json!({"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": ["o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"]}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/*"}}),
            json!({"ForAnyValue:StringLike": {"aws:SourceOrgPaths": "o-a1b2c3d4e5/*"}}),
            json!({"ForAnyValue:StringLike": {"aws:VpceOrgPaths": "o-a1b2c3d4e5/r-ab12/*"}}),
            json!({"StringEquals": {"aws:VpceOrgID": "o-a1b2c3d4e5"}}),
            json!({"StringEquals": {"aws:VpceAccount": "123456789012"}}),
            json!({"StringEquals": {"aws:PrincipalServiceName": "cloudtrail.amazonaws.com"}}),
            json!({"StringLike": {"aws:userid": ["AROAEXAMPLEEXAMPLE00:*", "AIDAEXAMPLE"]}}),
            json!({"StringEquals": {"aws:SourceAccount": 111_122_223_333_u64}}),
            json!({"NumericEquals": {"aws:PrincipalAccount": [111_122_223_333_u64, 444_455_556_666_u64]}}),
        ] {
            assert!(narrows(condition.clone()), "{condition}");
        }
    }

    #[test]
    fn other_conditions_do_not_narrow() {
        for condition in [
            json!({"StringLike": {"aws:SourceVpc": "vpc-*"}}),
            json!({"StringLike": {"aws:SourceVpc": ["vpc-1", "vpc-*"]}}),
            json!({"StringEquals": {"aws:SourceVpc": []}}),
            json!({"StringEquals": {"aws:SourceVpc": null}}),
            json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}),
            json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}),
            json!({"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-1"}}),
            json!({"StringEquals": {"aws:userid": "${aws:userid}"}}),
            json!({"StringEquals": {"aws:userid": "anonymous"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": ["123456789012", "Anonymous"]}}),
            json!({"StringLike": {"aws:userid": "AROA*"}}),
            json!({"StringLike": {"aws:userid": "AIDAEXAMPLE:*"}}),
            json!({"StringLike": {"aws:userid": "*:*"}}),
            json!({"StringEquals": {"aws:Referer": "https://example.com"}}),
            json!({"StringEquals": {"aws:ResourceOrgID": "o-1"}}),
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}),
            json!({"IpAddress": {"aws:SourceIp": ["64.0.0.0/8", "65.0.0.0/8"]}}),
            json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "::/0"]}}),
            json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            json!({"Bool": {"aws:SecureTransport": true}}),
            json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}),
            json!({"StringLike": {"s3:DataAccessPointArn": "arn:aws:s3:us-west-2:*:accesspoint/x"}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-ab12/*"}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5*"}}),
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "*"}}),
            json!({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/*"}}),
        ] {
            assert!(!narrows(condition.clone()), "{condition}");
        }
    }
}
