//! What a call that CloudTrail has recorded did to one of the things that a fix takes away, or has.

use serde_json::Value;

use super::trace::Trace;
use crate::controls::{
    Change, Grant, Grantee, IngressRule, IngressSource, PrefixList, protocol_name,
};
use crate::shapes::bucket_policy::BucketPolicy;

/// What decides whether something is open. A document is replaced as a whole by each call; so are block
/// settings, of the bucket and of the account.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Ingress,
    Acl,
    Policy,
    BucketBlock,
    AccountBlock,
}

/// What a call did to a part, as far as a change is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is open after it.
    Opened,
    /// It is open after it, and whether that was a step down is only known where it is known to have been
    /// closed before.
    LeftOpen,
    /// It is closed after it.
    Closed,
}

impl Effect {
    fn of(is_open: bool) -> Self {
        if is_open { Self::Opened } else { Self::Closed }
    }
}

impl Part {
    /// Every part.
    pub(super) const ALL: [Self; 5] = [
        Self::Ingress,
        Self::Acl,
        Self::Policy,
        Self::BucketBlock,
        Self::AccountBlock,
    ];

    /// What a call did to this part, as far as the change is concerned; `None` where it did nothing to it.
    /// Only what the call asked for tells: elsewhere a record has stars, and `false`, of its own.
    pub(super) fn effect(self, trace: &Trace, change: &Change) -> Option<Effect> {
        let (name, asked) = (trace.event_name.as_str(), &trace.request_parameters);
        match (self, change) {
            (Self::Ingress, Change::RevokeIngress(rule)) => {
                let adds = matches!(
                    name,
                    "AuthorizeSecurityGroupIngress" | "ModifySecurityGroupRules"
                );
                (adds && names_rule(asked, rule)).then_some(Effect::Opened)
            }
            // A bucket begins with the ACL that is asked for, and is private otherwise.
            (Self::Acl, Change::RemoveGrant(grant)) => {
                matches!(name, "PutBucketAcl" | "CreateBucket")
                    .then(|| Effect::of(grants(asked, grant)))
            }
            (Self::Policy, Change::RemoveStatement { statement, .. }) => {
                policy(name, asked, Some(statement))
            }
            (Self::Policy, Change::DeletePolicy { .. }) => policy(name, asked, None),
            (_, Change::RevokeIngress(_)) => None,
            (Self::BucketBlock, change) => match name {
                "PutBucketPublicAccessBlock" => Some(block(asked, change)),
                "DeleteBucketPublicAccessBlock" => Some(Effect::Opened),
                _ => None,
            },
            (Self::AccountBlock, change) => match name {
                "PutAccountPublicAccessBlock" | "PutPublicAccessBlock" => {
                    Some(block(asked, change))
                }
                "DeleteAccountPublicAccessBlock" | "DeletePublicAccessBlock" => {
                    Some(Effect::Opened)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whether a permission somewhere in the parameters has a rule's protocol, ports and source.
fn names_rule(parameters: &Value, rule: &IngressRule) -> bool {
    let (IngressSource::Cidr(source) | IngressSource::PrefixList(PrefixList { id: source, .. })) =
        &rule.source;
    let field = |names: [&str; 2]| names.iter().find_map(|name| parameters.get(name));
    let here = field(["ipProtocol", "IpProtocol"]).is_some_and(|protocol| {
        let said = protocol
            .as_str()
            .map_or_else(|| protocol.to_string(), str::to_owned);
        let port = |names| field(names).and_then(Value::as_i64).unwrap_or(-1);
        let ports = (port(["fromPort", "FromPort"]), port(["toPort", "ToPort"]));
        let wanted = (
            rule.from_port.map_or(-1, i64::from),
            rule.to_port.map_or(-1, i64::from),
        );
        protocol_name(&said) == protocol_name(&rule.protocol)
            && (rule.protocol == "-1" || ports == wanted)
            && parameters.to_string().contains(&format!("\"{source}\""))
    });
    here || match parameters {
        Value::Object(fields) => fields.values().any(|value| names_rule(value, rule)),
        Value::Array(items) => items.iter().any(|value| names_rule(value, rule)),
        _ => false,
    }
}

/// Whether an ACL that was asked for has a grant to the same group, by its URI or by the canned ACL that
/// stands for it. The bucket's own name says nothing.
fn grants(parameters: &Value, grant: &Grant) -> bool {
    let Grantee::Group(uri) = &grant.grantee else {
        return false;
    };
    let (group, canned): (_, &[&str]) = match uri.rsplit('/').next() {
        Some("AllUsers") => ("global/AllUsers", &["public-read", "public-read-write"]),
        Some("AuthenticatedUsers") => ("global/AuthenticatedUsers", &["authenticated-read"]),
        _ => return false,
    };
    texts(parameters)
        .iter()
        .any(|text| text.contains(group) || canned.contains(text))
}

/// The texts in the parameters, but for those that only say which bucket is meant.
fn texts(parameters: &Value) -> Vec<&str> {
    match parameters {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "bucketName" | "Host" | "host"))
            .flat_map(|(_, value)| texts(value))
            .collect(),
        _ => Vec::new(),
    }
}

/// Whether the policy has a public statement after a call: that one, or any. `None` where it cannot be read.
fn policy(name: &str, parameters: &Value, statement: Option<&str>) -> Option<Effect> {
    match name {
        "DeleteBucketPolicy" => return Some(Effect::Closed),
        "PutBucketPolicy" => {}
        _ => return None,
    }
    let policy = match parameters.get("bucketPolicy")? {
        Value::String(text) => text.clone(),
        policy => policy.to_string(),
    };
    let public = BucketPolicy::parse(&policy)
        .ok()?
        .public_statements()
        .ok()?;
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    Some(Effect::of(match statement.and_then(json) {
        Some(wanted) => public
            .iter()
            .any(|public| json(&public.text).as_ref() == Some(&wanted)),
        None => !public.is_empty(),
    }))
}

/// Whether block settings that were put let the change's grant or statement count.
fn block(parameters: &Value, change: &Change) -> Effect {
    let on = |name: &str| setting(parameters, name).unwrap_or(false);
    let counts = match change {
        Change::RemoveGrant(_) => !on("IgnorePublicAcls"),
        _ => !on("RestrictPublicBuckets"),
    };
    let names = [
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ];
    match counts {
        false => Effect::Closed,
        true if names.iter().any(|name| on(name)) => Effect::LeftOpen,
        true => Effect::Opened,
    }
}

/// A setting, wherever it is in the parameters, as JSON or as a text.
fn setting(parameters: &Value, name: &str) -> Option<bool> {
    match parameters {
        Value::Object(fields) => match fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
        {
            Some((_, Value::Bool(on))) => Some(*on),
            Some((_, Value::String(on))) => on.to_ascii_lowercase().parse().ok(),
            _ => fields.values().find_map(|value| setting(value, name)),
        },
        Value::Array(items) => items.iter().find_map(|value| setting(value, name)),
        _ => None,
    }
}
