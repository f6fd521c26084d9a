//! What is said of the grants and statements that are removed, and how they count.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cause;
use super::grant::{Grant, Grantee};
use super::statement::{PolicyStatement, WholePolicy};
use crate::controls::cause::{Call, Effect};
use crate::controls::change::ChangeFacts;
use crate::controls::exposure::Exposure;
use crate::controls::kind::ViolationType;
use crate::controls::severity::Severity;

impl ChangeFacts for Grant {
    fn kind(&self) -> ViolationType {
        ViolationType::S3BucketPublicAcl
    }

    fn exposes(&self) -> String {
        format!("{} has {} by the ACL", self.grantee, self.permission)
    }

    fn will(&self) -> String {
        self.removal("remove")
    }

    fn done(&self) -> String {
        self.removal("removed")
    }

    fn is_unconfirmed(&self) -> bool {
        self.is_unconfirmed
    }

    fn confirm(&mut self) {
        self.is_unconfirmed = false;
    }

    fn severity(&self) -> Severity {
        match self.permission.starts_with("READ") {
            true => Severity::High,
            false => Severity::Critical,
        }
    }

    fn exposure(&self) -> Option<Exposure> {
        let (Grantee::Group(grantee) | Grantee::CanonicalUser(grantee) | Grantee::Email(grantee)) =
            &self.grantee;
        Some(Exposure::Grant {
            grantee: grantee.clone(),
            permission: self.permission.clone(),
        })
    }

    fn effects(&self, call: &Call) -> Vec<(&'static str, Effect)> {
        cause::on_grant(call, self)
    }

    fn calls_on_others(&self) -> &'static [&'static str] {
        cause::OF_ACCOUNTS
    }
}

impl ChangeFacts for PolicyStatement {
    fn kind(&self) -> ViolationType {
        ViolationType::S3BucketPublicPolicy
    }

    fn exposes(&self) -> String {
        format!("{} of the bucket policy lets everybody in", self.name())
    }

    fn will(&self) -> String {
        self.removal("remove")
    }

    fn done(&self) -> String {
        self.removal("removed")
    }

    fn is_unconfirmed(&self) -> bool {
        self.is_unconfirmed
    }

    fn confirm(&mut self) {
        self.is_unconfirmed = false;
    }

    fn severity(&self) -> Severity {
        match only_reads(&self.statement) {
            true => Severity::High,
            false => Severity::Critical,
        }
    }

    fn exposure(&self) -> Option<Exposure> {
        Some(Exposure::Statement {
            json: canonical_statement(&self.statement),
        })
    }

    fn effects(&self, call: &Call) -> Vec<(&'static str, Effect)> {
        cause::on_policy(call, Some(&self.statement))
    }

    fn calls_on_others(&self) -> &'static [&'static str] {
        cause::OF_ACCOUNTS
    }
}

impl ChangeFacts for WholePolicy {
    fn kind(&self) -> ViolationType {
        ViolationType::S3BucketPublicPolicy
    }

    fn exposes(&self) -> String {
        "the bucket policy is in force".to_owned()
    }

    fn will(&self) -> String {
        "delete the bucket policy, in which no other statement is left".to_owned()
    }

    fn done(&self) -> String {
        "deleted the bucket policy, in which no other statement is left".to_owned()
    }

    /// Low: the changes that remove its statements tell how bad these are.
    fn severity(&self) -> Severity {
        Severity::Low
    }

    /// Its statements are changes of their own: whether another one is left exposes nothing.
    fn exposure(&self) -> Option<Exposure> {
        None
    }

    fn effects(&self, call: &Call) -> Vec<(&'static str, Effect)> {
        cause::on_policy(call, None)
    }

    fn calls_on_others(&self) -> &'static [&'static str] {
        cause::OF_ACCOUNTS
    }
}

impl Grant {
    fn removal(&self, verb: &str) -> String {
        let removal = format!(
            "{verb} the ACL grant {} to {}",
            self.permission, self.grantee
        );
        match self.is_unconfirmed {
            true => {
                format!("{removal} (AWS could not be asked whether a block makes it ineffective)")
            }
            false => removal,
        }
    }
}

impl PolicyStatement {
    fn removal(&self, verb: &str) -> String {
        let mut removal = format!("{verb} {} from the bucket policy", self.name());
        if self.is_unconfirmed {
            removal.push_str(" (AWS could not be asked whether it is public)");
        }
        if !self.limited_by.is_empty() {
            let limits = self.limited_by.join(" and ");
            removal.push_str(&format!(
                " (the Deny {limits} limits it: those who are meant lose access, too)"
            ));
        }
        removal
    }
}

/// Whether a policy statement allows nothing but reading. What cannot be read counts as more.
fn only_reads(statement: &str) -> bool {
    let statement: Value = serde_json::from_str(statement).unwrap_or_default();
    let reads = |action: &Value| {
        let action = action.as_str().and_then(|action| action.split_once(':'));
        action.is_some_and(|(_, name)| {
            ["get", "list"]
                .iter()
                .any(|verb| name.to_lowercase().starts_with(verb))
        })
    };
    match statement.get("Action") {
        Some(Value::Array(actions)) => !actions.is_empty() && actions.iter().all(reads),
        Some(action) => reads(action),
        None => false,
    }
}

/// A statement's JSON in the one form that all spellings of it have: keys in order, a list of one as
/// that one, other lists as sets. What is no JSON stays as it is.
fn canonical_statement(statement: &str) -> String {
    match serde_json::from_str::<Value>(statement) {
        Ok(value) => canonical(value).to_string(),
        Err(_) => statement.to_owned(),
    }
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<String, Value> = fields
                .into_iter()
                .map(|(key, value)| (key, canonical(value)))
                .collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => {
            let sorted: BTreeMap<String, Value> = items
                .into_iter()
                .map(|item| {
                    let item = canonical(item);
                    (item.to_string(), item)
                })
                .collect();
            let mut items: Vec<Value> = sorted.into_values().collect();
            if items.len() == 1 {
                items.remove(0)
            } else {
                Value::Array(items)
            }
        }
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_write_outranks_public_read() {
        let grant = |permission: &str| {
            let grantee =
                Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
            let permission = permission.to_owned();
            Grant {
                grantee,
                permission,
                is_unconfirmed: false,
            }
            .severity()
        };
        assert_eq!(
            (grant("READ"), grant("FULL_CONTROL")),
            (Severity::High, Severity::Critical)
        );
        let statement = |action: &str| {
            let statement = format!(r#"{{"Effect":"Allow","Principal":"*","Action":{action}}}"#);
            let statement = PolicyStatement {
                index: 0,
                sid: None,
                statement,
                limited_by: Vec::new(),
                is_unconfirmed: false,
            };
            statement.severity()
        };
        assert_eq!(
            statement(r#"["s3:GetObject","s3:ListBucket"]"#),
            Severity::High
        );
        for action in [
            r#""s3:*""#,
            r#""*""#,
            r#"["s3:GetObject","s3:PutObject"]"#,
            "[]",
        ] {
            assert_eq!(statement(action), Severity::Critical, "{action}");
        }
    }

    #[test]
    fn a_plan_names_the_deny_that_limits_a_statement_and_what_aws_could_not_be_asked() {
        let statement = PolicyStatement {
            index: 1,
            sid: None,
            statement: "{}".to_owned(),
            limited_by: vec!["\"OnlyVpc\"".to_owned()],
            is_unconfirmed: true,
        };
        assert_eq!(
            statement.will(),
            "remove statement number 2 from the bucket policy (AWS could not be asked whether it is public) (the Deny \"OnlyVpc\" limits it: those who are meant lose access, too)"
        );
    }

    #[test]
    fn a_statement_and_a_policy_are_told_of_in_words() {
        let mut statement = PolicyStatement {
            index: 0,
            sid: Some("Open".to_owned()),
            statement: "{}".to_owned(),
            limited_by: Vec::new(),
            is_unconfirmed: true,
        };
        assert_eq!(
            statement.exposes(),
            "the statement \"Open\" of the bucket policy lets everybody in"
        );
        assert!(statement.is_unconfirmed());
        statement.confirm();
        assert!(!statement.is_unconfirmed());
        assert_eq!(
            statement.done(),
            "removed the statement \"Open\" from the bucket policy"
        );
        let whole = WholePolicy {
            policy: "{}".to_owned(),
        };
        assert_eq!(whole.exposes(), "the bucket policy is in force");
        assert_eq!(
            (whole.done().as_str(), whole.severity()),
            (
                "deleted the bucket policy, in which no other statement is left",
                Severity::Low
            )
        );
    }

    #[test]
    fn who_let_everybody_in_is_looked_for_among_the_calls_on_bucket_and_account() {
        let statement = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject"}"#;
        let put = serde_json::json!({"eventName": "PutBucketPolicy", "eventTime": "2026-01-01T00:00:00Z",
            "requestParameters": {"bucketPolicy": {"Statement": [
                serde_json::from_str::<Value>(statement).unwrap()]}}});
        let put: Call = serde_json::from_value(put).unwrap();
        let statement = PolicyStatement {
            index: 0,
            sid: None,
            statement: statement.to_owned(),
            limited_by: Vec::new(),
            is_unconfirmed: false,
        };
        let whole = WholePolicy {
            policy: String::new(),
        };
        let facts: [&dyn ChangeFacts; 2] = [&statement, &whole];
        for change in facts {
            assert_eq!(change.effects(&put), [("policy", Effect::Opened)]);
            assert_eq!(change.calls_on_others(), cause::OF_ACCOUNTS);
        }
    }
}
