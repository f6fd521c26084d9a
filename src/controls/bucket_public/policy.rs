//! `S3_BUCKET_PUBLIC_POLICY`: take the public statements out of the policy; everything beside
//! them stays byte for byte. When none is left, the policy goes.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use futures::FutureExt;

use super::acl::once;
use super::answer::BucketAnswer;
use super::live_bucket;
use super::rule::S3PublicAccess;
use super::statement::{PolicyStatement, WholePolicy};
use crate::aws::answer::Answer;
use crate::aws::bucket::{self, PublicAccessBlock};
use crate::aws::{Aws, AwsError};
use crate::controls::change::Change;
use crate::controls::evaluation::RuleDefaults;
use crate::controls::kind::Service;
use crate::controls::remediation::{Live, Prepared, PutBack, Remediation, equals};
use crate::controls::undo_error::UndoError;
use crate::ids::{Resource, ResourceId};
use crate::shapes::bucket_policy::{BucketPolicy, PolicyStatus};

/// The remediation.
pub(in crate::controls) struct PublicPolicy;

#[async_trait]
impl Remediation for PublicPolicy {
    fn service(&self) -> Service {
        Service::S3
    }

    fn plan_actions(&self) -> &'static [&'static str] {
        &[
            "s3:GetAccountPublicAccessBlock",
            "s3:GetBucketPolicy",
            "s3:GetBucketPolicyStatus",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
        ]
    }

    fn apply_actions(&self) -> &'static [&'static str] {
        &["s3:DeleteBucketPolicy", "s3:PutBucketPolicy"]
    }

    fn call(&self, changes: &[Change]) -> &'static str {
        match changes.last() {
            Some(Change::DeletePolicy(_)) => "DeleteBucketPolicy",
            _ => "PutBucketPolicy",
        }
    }

    fn undo_call(&self) -> &'static str {
        "PutBucketPolicy"
    }

    async fn prepare(
        &self,
        aws: &Aws,
        rules: &RuleDefaults,
        resource: &Resource,
    ) -> Result<Prepared, AwsError> {
        prepare(aws, resource, &rules.s3_public_access).await
    }

    async fn prepare_undo(
        &self,
        aws: &Aws,
        resource: &Resource,
        removed: &[Change],
    ) -> Result<Option<Box<dyn PutBack>>, UndoError> {
        let s3 = aws.s3(&resource.account, &resource.region)?;
        let live = read(&s3, &resource.id).await?;
        let restored = restored(live.policy.as_deref(), removed)?;
        Ok(restored.map(|policy| Box::new(Restored(policy)) as Box<dyn PutBack>))
    }
}

#[async_trait]
impl Live for LivePolicy {
    /// With the deletion of the policy when no other statement is left.
    fn only(&self, changes: Vec<Change>, is_wanted: &dyn Fn(&Change) -> bool) -> Vec<Change> {
        let is_removal = |change: &Change| matches!(change, Change::RemoveStatement(_));
        let mut wanted: Vec<Change> = changes
            .into_iter()
            .filter(|change| is_removal(change) && is_wanted(change))
            .collect();
        if !wanted.is_empty() && self.rest(&wanted).is_none() {
            let policy = self.policy.clone();
            wanted.extend(policy.map(|policy| Change::DeletePolicy(WholePolicy { policy })));
        }
        wanted
    }

    fn is_same(&self, other: &dyn Live) -> bool {
        equals(self, other)
    }

    async fn apply(
        self: Box<Self>,
        aws: &Aws,
        resource: &Resource,
        changes: &[Change],
    ) -> Result<(), AwsError> {
        let s3 = aws.s3(&resource.account, &resource.region)?;
        put(&s3, &resource.id, self.without(changes)).await
    }
}

/// The policy with the statements that were removed.
struct Restored(String);

#[async_trait]
impl PutBack for Restored {
    async fn put(self: Box<Self>, aws: &Aws, resource: &Resource) -> Result<(), AwsError> {
        let s3 = aws.s3(&resource.account, &resource.region)?;
        put(&s3, &resource.id, Some(self.0)).await
    }
}

/// A bucket's policy, if it has one, and what limits it.
#[derive(Debug, PartialEq)]
struct LivePolicy {
    policy: Option<String>,
    block: PublicAccessBlock,
    /// Why the block could not be read.
    unread: Option<String>,
}

async fn read(s3: &Client, id: &ResourceId) -> Result<LivePolicy, AwsError> {
    let policy = bucket::policy(s3, id.as_str()).await?;
    let (block, unread) = live_bucket::block(s3, id.as_str()).await?;
    Ok(LivePolicy {
        policy,
        block,
        unread,
    })
}

/// The statements that are public, or that AWS may call so, where they have an effect, with the deletion of the
/// policy when no other is left.
fn plan(
    id: &ResourceId,
    live: &LivePolicy,
    rule: &S3PublicAccess,
) -> Result<Vec<Change>, AwsError> {
    let Some(text) = live.policy.as_deref() else {
        return Ok(Vec::new());
    };
    if rule.bucket_whitelist.contains(id.as_str()) || live.block.restrict_public_buckets {
        return Ok(Vec::new());
    }
    let unreadable = |error: serde_json::Error| {
        AwsError::other(
            "s3:GetBucketPolicy",
            "UnreadablePolicy",
            format!("the policy of {id} cannot be read: {error}"),
        )
    };
    let policy = BucketPolicy::parse(text).map_err(unreadable)?;
    let statements = match policy.status().map_err(unreadable)? {
        PolicyStatus::Private => Vec::new(),
        PolicyStatus::Public(statements) | PolicyStatus::ForAwsToSay(statements) => statements,
    };
    let statements = statements.into_iter().map(|public| {
        Change::RemoveStatement(PolicyStatement {
            index: public.index,
            sid: public.sid,
            statement: public.text,
            limited_by: public.limited_by,
            is_unconfirmed: false,
        })
    });
    Ok(live.only(statements.collect(), &|_| true))
}

impl LivePolicy {
    /// The policy without the statements that the changes remove; `None` where none is left.
    fn rest(&self, changes: &[Change]) -> Option<String> {
        let indexes: Vec<usize> = changes
            .iter()
            .filter_map(|change| match change {
                Change::RemoveStatement(removed) => Some(removed.index),
                _ => None,
            })
            .collect();
        BucketPolicy::parse(self.policy.as_deref()?)
            .ok()?
            .without(&indexes)
    }

    /// The policy that the changes leave; `None` where they delete it.
    fn without(self, changes: &[Change]) -> Option<String> {
        let deletes = changes
            .iter()
            .any(|change| matches!(change, Change::DeletePolicy(_)));
        // What cannot be taken apart stays as it is: only an agreed deletion deletes.
        if deletes {
            None
        } else {
            self.rest(changes).or(self.policy)
        }
    }
}

/// What AWS does not call public stays, and so does what the account's block makes ineffective. Where
/// AWS cannot be asked, our own verdict stands, and why is told.
async fn prepare(
    aws: &Aws,
    resource: &Resource,
    rule: &S3PublicAccess,
) -> Result<Prepared, AwsError> {
    let Resource {
        account,
        region,
        id,
        ..
    } = resource;
    let live = read(&aws.s3(account, region)?, id).await?;
    let changes = plan(id, &live, rule)?;
    if changes.is_empty() {
        return Ok(prepared(changes, live, None));
    }
    let answer = BucketAnswer::of_bucket(aws, account, region, id.as_str()).await;
    let doubt = live.unread.as_deref().or(answer.failure());
    let doubt = doubt.map(str::to_owned);
    let changes = by_answer(changes, &answer, doubt.is_some());
    Ok(prepared(changes, live, doubt))
}

fn prepared(changes: Vec<Change>, live: LivePolicy, doubt: Option<String>) -> Prepared {
    Prepared {
        changes,
        live: Box::new(live),
        doubt,
    }
}

fn by_answer(mut changes: Vec<Change>, answer: &BucketAnswer, is_unconfirmed: bool) -> Vec<Change> {
    let is_blocked = answer
        .account_block
        .given()
        .is_some_and(|block| block.restrict_public_buckets);
    if is_blocked || answer.policy_is_public == Answer::Given(false) {
        return Vec::new();
    }
    for change in &mut changes {
        if let Change::RemoveStatement(statement) = change {
            statement.is_unconfirmed = is_unconfirmed;
        }
    }
    changes
}

/// The policy with the statements that were removed in their old places; `None` where they are there.
fn restored(live: Option<&str>, removed: &[Change]) -> Result<Option<String>, UndoError> {
    let deleted = removed.iter().rev().find_map(|change| match change {
        Change::DeletePolicy(whole) => Some(whole.policy.as_str()),
        _ => None,
    });
    let mut policy = match (live, deleted) {
        (Some(live), _) => live.to_owned(),
        (None, Some(deleted)) => deleted.to_owned(),
        (None, None) => {
            return Err(UndoError::Differs(
                "the bucket has no policy any more".to_owned(),
            ));
        }
    };
    for change in removed {
        if let Change::RemoveStatement(removed) = change {
            let inserted = BucketPolicy::parse(&policy)
                .map_err(differs)?
                .with(removed.index, &removed.statement);
            policy = inserted.map_err(differs)?.unwrap_or(policy);
        }
    }
    match live {
        Some(live) if live == policy => Ok(None),
        Some(_) if deleted.is_some() => Err(UndoError::Differs(
            "the bucket has another policy now, where it had none".to_owned(),
        )),
        _ => Ok(Some(policy)),
    }
}

fn differs(what: impl std::fmt::Display) -> UndoError {
    UndoError::Differs(format!("the bucket policy has changed: {what}"))
}

/// Puts the policy, without its public statements or with them again, or deletes it.
async fn put(s3: &Client, id: &ResourceId, rest: Option<String>) -> Result<(), AwsError> {
    match rest {
        Some(policy) => {
            let put = s3.put_bucket_policy().bucket(id.as_str()).policy(policy);
            let put = put.customize().config_override(once()).send().boxed().await;
            put.map(drop)
                .map_err(|error| AwsError::from_sdk("s3:PutBucketPolicy", error))
        }
        None => {
            let deleted = s3.delete_bucket_policy().bucket(id.as_str());
            let deleted = deleted
                .customize()
                .config_override(once())
                .send()
                .boxed()
                .await;
            deleted
                .map(drop)
                .map_err(|error| AwsError::from_sdk("s3:DeleteBucketPolicy", error))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::controls::evaluation::{
        ComplianceType, ConfigurationItem, RuleDefaults, RuleKind, RuleParameters,
    };

    const OPEN: &str =
        r#"{"Sid":"Open","Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject"}"#;
    const CLOSED: &str = r#"{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:*"}"#;

    fn planned(statements: &[&str], block: PublicAccessBlock) -> Vec<String> {
        let policy = Some(format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            statements.join(",")
        ));
        let live = LivePolicy {
            policy,
            block,
            unread: None,
        };
        let changes = plan(&"b".parse().unwrap(), &live, &S3PublicAccess::default()).unwrap();
        changes.iter().map(Change::to_string).collect()
    }

    #[test]
    fn adjacent_public_statements_all_go_and_an_empty_policy_with_them() {
        let unblocked = PublicAccessBlock::default();
        assert_eq!(planned(&[CLOSED], unblocked), [""; 0]);
        let open = "remove the statement \"Open\" from the bucket policy";
        assert_eq!(planned(&[OPEN, OPEN, CLOSED], unblocked), [open, open]);
        assert_eq!(
            planned(&[OPEN], unblocked),
            [
                open,
                "delete the bucket policy, in which no other statement is left"
            ]
        );
    }

    #[test]
    fn an_undo_puts_statements_back_where_they_were() {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{OPEN},{CLOSED},{}]}}"#,
            OPEN.replace("Open", "Too")
        );
        let live = LivePolicy {
            policy: Some(text.clone()),
            block: PublicAccessBlock::default(),
            unread: None,
        };
        let removed = plan(&"b".parse().unwrap(), &live, &S3PublicAccess::default()).unwrap();
        let rest = live.without(&removed);
        assert_eq!(removed.len(), 2);
        assert_eq!(
            restored(rest.as_deref(), &removed).unwrap(),
            Some(text.clone())
        );
        assert_eq!(
            restored(Some(&text), &removed).unwrap(),
            None,
            "it is back already"
        );

        let said = |live: Option<&str>, removed: &[Change]| {
            restored(live, removed).unwrap_err().to_string()
        };
        assert_eq!(said(None, &removed), "the bucket has no policy any more");
        let taken = text.replace("GetObject", "PutObject");
        assert!(said(Some(&taken), &removed).contains("another statement \"Open\""));
        assert!(said(Some(r#"{"Statement":[]}"#), &removed[1..]).contains("fewer statements"));
    }

    #[test]
    fn an_undo_puts_a_deleted_policy_back_unless_there_is_another() {
        let text = format!(r#"{{"Version":"2012-10-17", "Statement":{OPEN}}}"#);
        let live = LivePolicy {
            policy: Some(text.clone()),
            block: PublicAccessBlock::default(),
            unread: None,
        };
        let removed = plan(&"b".parse().unwrap(), &live, &S3PublicAccess::default()).unwrap();
        let rest = live.without(&removed);
        assert_eq!(rest, None);
        assert_eq!(restored(None, &removed).unwrap(), Some(text.clone()));
        assert_eq!(restored(Some(&text), &removed).unwrap(), None);
        let other = format!(r#"{{"Statement":[{CLOSED}]}}"#);
        let refused = restored(Some(&other), &removed).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the bucket has another policy now, where it had none"
        );
    }

    #[test]
    fn a_statement_that_only_a_kms_key_limits_is_removed_unless_aws_calls_it_private() {
        let key = "s3:x-amz-server-side-encryption-aws-kms-key-id";
        let by_key = OPEN.replacen(
            '{',
            &format!(
                r#"{{"Condition":{{"StringEquals":{{"{key}":"arn:aws:kms:us-east-1:1:key/1"}}}},"#
            ),
            1,
        );
        let live = LivePolicy {
            policy: Some(format!(r#"{{"Statement":[{by_key},{CLOSED}]}}"#)),
            block: PublicAccessBlock::default(),
            unread: None,
        };
        let of_answer = |policy_is_public: Answer<bool>| {
            let changes = plan(&"b".parse().unwrap(), &live, &S3PublicAccess::default()).unwrap();
            let answer = BucketAnswer {
                policy_is_public,
                ..BucketAnswer::default()
            };
            let changes = by_answer(changes, &answer, answer.failure().is_some());
            changes.iter().map(Change::to_string).collect::<Vec<_>>()
        };
        let removal = "remove the statement \"Open\" from the bucket policy";
        assert_eq!(of_answer(Answer::Given(true)), [removal]);
        assert_eq!(of_answer(Answer::Given(false)), [""; 0]);
        let unconfirmed = format!("{removal} (AWS could not be asked whether it is public)");
        assert_eq!(
            of_answer(Answer::Failed("why".to_owned())),
            [unconfirmed.as_str()]
        );
        // Beside a public statement it stays, until AWS is asked of it alone.
        assert_eq!(
            planned(&[&by_key, OPEN, CLOSED], PublicAccessBlock::default()),
            [removal]
        );
    }

    #[test]
    fn a_restricted_bucket_is_left_alone() {
        let restricted = PublicAccessBlock {
            restrict_public_buckets: true,
            ..Default::default()
        };
        assert_eq!(planned(&[OPEN], restricted), [""; 0]);
    }

    /// What the rule says of a bucket with this policy.
    fn judged(policy: Option<&str>) -> ComplianceType {
        let item = json!({"resourceType": "AWS::S3::Bucket", "resourceId": "b", "configurationItemStatus": "OK",
            "configuration": {}, "supplementaryConfiguration": {"AccessControlList": {"grantList": []},
                "BucketPolicy": {"policyText": policy}}});
        let item = item.to_string();
        let item: ConfigurationItem = serde_json::from_str(&item).unwrap();
        let parameters = RuleParameters::default();
        let rules = RuleDefaults::default();
        rules
            .evaluate(RuleKind::S3PublicAccess, &parameters, &item, false)
            .unwrap()
            .compliance_type
    }

    proptest! {
        /// After the fix the rule says compliant, and what broke nothing is as it was; fix and then undo
        /// is the identity.
        #[test]
        fn a_fix_of_any_policy_removes_what_is_public_and_an_undo_restores_it(
            open in prop::collection::vec(any::<bool>(), 1..8),
        ) {
            let statement = |(number, open): (usize, &bool)| match open {
                true => OPEN.replace("Open", &format!("Open{number}")),
                false => CLOSED.replacen('{', &format!(r#"{{"Sid" : "Closed{number}","#), 1),
            };
            let statements: Vec<String> = open.iter().enumerate().map(statement).collect();
            let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
            let live = LivePolicy { policy: Some(text.clone()), block: PublicAccessBlock::default(), unread: None };
            let removed = plan(&"b".parse().unwrap(), &live, &S3PublicAccess::default()).unwrap();
            let breaks = judged(Some(&text)) == ComplianceType::NonCompliant;
            prop_assert_eq!(breaks, !removed.is_empty());
            if removed.is_empty() {
                return Ok(());
            }
            let rest = live.without(&removed);
            prop_assert_eq!(judged(rest.as_deref()), ComplianceType::Compliant);
            let kept: Vec<&str> =
                statements.iter().zip(&open).filter(|(_, open)| !**open).map(|(text, _)| text.as_str()).collect();
            let expected = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, kept.join(","));
            prop_assert_eq!(rest.clone(), (!kept.is_empty()).then_some(expected));
            prop_assert_eq!(restored(rest.as_deref(), &removed).unwrap(), Some(text));
        }
    }
}
