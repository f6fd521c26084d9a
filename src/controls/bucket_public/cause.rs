//! The calls that make a bucket public, as CloudTrail records them. A document is replaced as a whole by each
//! call; so are block settings, of the bucket and of the account. Only what the call asked for tells: elsewhere
//! a record has stars, and `false`, of its own.

use serde_json::Value;

use super::grant::{Grant, Grantee};
use crate::controls::cause::{Call, Effect};
use crate::shapes::bucket_policy::{BucketPolicy, PolicyStatus};

/// The calls that change the account's block, which name no bucket.
pub(super) const OF_ACCOUNTS: &[&str] = &[
    "DeleteAccountPublicAccessBlock",
    "PutAccountPublicAccessBlock",
];

/// What a call did to what decides whether a grant is public. A bucket begins with the ACL that is asked for,
/// and is private otherwise.
pub(super) fn on_grant(call: &Call, grant: &Grant) -> Vec<(&'static str, Effect)> {
    let acl = matches!(call.event_name.as_str(), "PutBucketAcl" | "CreateBucket")
        .then(|| Effect::of(grants(&call.request_parameters, grant)));
    with_blocks("ACL", acl, call, "IgnorePublicAcls")
}

/// What a call did to what decides whether a statement is public; without one, whether any is.
pub(super) fn on_policy(call: &Call, statement: Option<&str>) -> Vec<(&'static str, Effect)> {
    with_blocks(
        "policy",
        policy(call, statement),
        call,
        "RestrictPublicBuckets",
    )
}

fn with_blocks(
    own: &'static str,
    effect: Option<Effect>,
    call: &Call,
    setting: &str,
) -> Vec<(&'static str, Effect)> {
    let put = || Some(block(&call.request_parameters, setting));
    let (of_bucket, of_account) = match call.event_name.as_str() {
        "PutBucketPublicAccessBlock" => (put(), None),
        "DeleteBucketPublicAccessBlock" => (Some(Effect::Opened), None),
        "PutAccountPublicAccessBlock" | "PutPublicAccessBlock" => (None, put().map(lifted)),
        "DeleteAccountPublicAccessBlock" | "DeletePublicAccessBlock" => {
            (None, Some(Effect::Lifted))
        }
        _ => (None, None),
    };
    let effects = [
        (own, effect),
        ("the bucket's block", of_bucket),
        ("the account's block", of_account),
    ];
    effects
        .into_iter()
        .filter_map(|(decides, effect)| Some((decides, effect?)))
        .collect()
}

/// The account's settings are off from the beginning, so that turning them off may be no step down.
fn lifted(effect: Effect) -> Effect {
    match effect {
        Effect::Opened => Effect::Lifted,
        other => other,
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

/// Whether the policy lets everybody do what a statement does after a call, or anything without a statement: who
/// puts a narrower statement in the place of a broader one has opened nothing. `None` where it cannot be read.
fn policy(call: &Call, statement: Option<&str>) -> Option<Effect> {
    match call.event_name.as_str() {
        "DeleteBucketPolicy" => return Some(Effect::Closed),
        "PutBucketPolicy" => {}
        _ => return None,
    }
    let policy = match call.request_parameters.get("bucketPolicy")? {
        Value::String(text) => text.clone(),
        policy => policy.to_string(),
    };
    let policy = BucketPolicy::parse(&policy).ok()?;
    Some(Effect::of(match statement {
        Some(statement) => policy.lets_everybody_do(statement).ok()?,
        None => policy.status().ok()? != PolicyStatus::Private,
    }))
}

/// Whether block settings that were put let a grant, or a statement, count, which the setting `decides`.
fn block(parameters: &Value, decides: &str) -> Effect {
    let on = |name: &str| setting(parameters, name).unwrap_or(false);
    let counts = !on(decides);
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

#[cfg(test)]
mod tests {
    use Effect::{Closed, LeftOpen, Lifted, Opened};
    use serde_json::json;

    use super::*;

    const OPEN: &str = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#;

    fn call(name: &str, parameters: &Value) -> Call {
        let call = json!({"eventName": name, "eventTime": "2026-01-01T00:00:00Z",
            "requestParameters": parameters});
        serde_json::from_value(call).unwrap()
    }

    fn grant_to(group: &str) -> Grant {
        Grant {
            grantee: Grantee::Group(format!("http://acs.amazonaws.com/groups/{group}")),
            permission: "READ".to_owned(),
            is_unconfirmed: false,
        }
    }

    #[test]
    fn an_acl_is_opened_by_its_groups_uri_or_by_a_canned_acl() {
        let everybody = grant_to("global/AllUsers");
        let accounts = grant_to("global/AuthenticatedUsers");
        let uri = |group: &str| {
            json!({"bucketName": "b", "AccessControlPolicy": {"AccessControlList": {"Grant": [
                {"Grantee": {"URI": format!("http://acs.amazonaws.com/groups/global/{group}")}}]}}})
        };
        for (parameters, by_everybody, by_accounts) in [
            (uri("AllUsers"), Opened, Closed),
            (uri("AuthenticatedUsers"), Closed, Opened),
            (json!({"x-amz-acl": ["public-read"]}), Opened, Closed),
            (json!({"x-amz-acl": ["public-read-write"]}), Opened, Closed),
            (json!({"x-amz-acl": ["authenticated-read"]}), Closed, Opened),
            (json!({"x-amz-acl": ["private"]}), Closed, Closed),
            // A bucket may be called like a canned ACL.
            (
                json!({"bucketName": "public-read", "Host": "public-read"}),
                Closed,
                Closed,
            ),
            (
                json!({"acl": "", "host": "authenticated-read"}),
                Closed,
                Closed,
            ),
        ] {
            let put = call("PutBucketAcl", &parameters);
            assert_eq!(
                on_grant(&put, &everybody),
                [("ACL", by_everybody)],
                "{parameters}"
            );
            assert_eq!(
                on_grant(&put, &accounts),
                [("ACL", by_accounts)],
                "{parameters}"
            );
        }
        let put = call("PutBucketAcl", &uri("AllUsers"));
        assert_eq!(
            on_grant(&put, &grant_to("s3/LogDelivery")),
            [("ACL", Closed)]
        );
        assert_eq!(
            on_grant(&call("GetBucketAcl", &uri("AllUsers")), &everybody),
            []
        );
    }

    #[test]
    fn a_policy_is_opened_by_a_statement_for_everybody_and_closed_with_it() {
        let put = |policy: &Value| call("PutBucketPolicy", &json!({"bucketPolicy": policy}));
        let open: Value = serde_json::from_str(&format!(r#"{{"Statement":[{OPEN}]}}"#)).unwrap();
        let as_text = json!(open.to_string());
        let closed = json!({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]});
        for statement in [Some(OPEN), None] {
            assert_eq!(on_policy(&put(&open), statement), [("policy", Opened)]);
            assert_eq!(on_policy(&put(&as_text), statement), [("policy", Opened)]);
            assert_eq!(on_policy(&put(&closed), statement), [("policy", Closed)]);
            let deleted = call("DeleteBucketPolicy", &json!({}));
            assert_eq!(on_policy(&deleted, statement), [("policy", Closed)]);
            let other = call("PutBucketTagging", &json!({"bucketPolicy": open}));
            assert_eq!(on_policy(&other, statement), []);
        }
        assert_eq!(on_policy(&put(&json!("no policy")), None), []);
    }

    #[test]
    fn a_block_is_lifted_by_what_it_is_set_to() {
        let of = |name: &str, parameters: &Value| on_policy(&call(name, parameters), None);
        let settings = |restrict: Value, other: bool| json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": restrict, "BlockPublicAcls": other}});
        let (bucket, account) = ("the bucket's block", "the account's block");
        for (parameters, effect) in [
            (settings(json!(true), false), Closed),
            (settings(json!("True"), false), Closed),
            (settings(json!(false), true), LeftOpen),
            (settings(json!("false"), false), Opened),
            (json!([{"restrictPublicBuckets": true}]), Closed),
            (json!({"RestrictPublicBuckets": null}), Opened),
            (json!("RestrictPublicBuckets"), Opened),
        ] {
            assert_eq!(
                of("PutBucketPublicAccessBlock", &parameters),
                [(bucket, effect)],
                "{parameters}"
            );
            let lifted = if effect == Opened { Lifted } else { effect };
            for name in ["PutAccountPublicAccessBlock", "PutPublicAccessBlock"] {
                assert_eq!(of(name, &parameters), [(account, lifted)], "{parameters}");
            }
        }
        assert_eq!(
            of("DeleteBucketPublicAccessBlock", &json!({})),
            [(bucket, Opened)]
        );
        for name in ["DeleteAccountPublicAccessBlock", "DeletePublicAccessBlock"] {
            assert_eq!(of(name, &json!({})), [(account, Lifted)]);
        }
        assert_eq!(of("GetBucketPolicy", &json!({})), []);
    }
}
