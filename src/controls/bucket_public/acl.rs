//! `S3_BUCKET_PUBLIC_ACL`: rewrite the ACL without its public grants; owner and every other
//! grant stay as they are.

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AccessControlPolicy, Grant as S3Grant, Grantee as S3Grantee, Permission, Type,
};
use futures::FutureExt;

use super::answer::BucketAnswer;
use super::grant::{Grant, Grantee};
use super::live_bucket;
use super::rule::{S3PublicAccess, is_public_group};
use crate::aws::bucket::{self, PublicAccessBlock};
use crate::aws::{Aws, AwsError};
use crate::controls::change::Change;
use crate::controls::evaluation::RuleDefaults;
use crate::controls::kind::Service;
use crate::controls::remediation::{Live, Prepared, PutBack, Remediation, equals};
use crate::controls::undo_error::UndoError;
use crate::ids::{Resource, ResourceId};

/// The remediation.
pub(in crate::controls) struct PublicAcl;

#[async_trait]
impl Remediation for PublicAcl {
    fn service(&self) -> Service {
        Service::S3
    }

    fn plan_actions(&self) -> &'static [&'static str] {
        &[
            "s3:GetAccountPublicAccessBlock",
            "s3:GetBucketAcl",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
        ]
    }

    fn apply_actions(&self) -> &'static [&'static str] {
        &["s3:PutBucketAcl"]
    }

    fn call(&self, _: &[Change]) -> &'static str {
        "PutBucketAcl"
    }

    fn undo_call(&self) -> &'static str {
        "PutBucketAcl"
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
        let mut acl = read(&s3, &resource.id).await?.acl;
        let missing = missing(&acl, removed)?;
        if missing.is_empty() {
            return Ok(None);
        }
        acl.grants.get_or_insert_default().extend(missing);
        Ok(Some(Box::new(Restored(acl)) as Box<dyn PutBack>))
    }
}

#[async_trait]
impl Live for LiveAcl {
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

/// The ACL with the grants that were removed, beside those that are there now.
struct Restored(AccessControlPolicy);

#[async_trait]
impl PutBack for Restored {
    async fn put(self: Box<Self>, aws: &Aws, resource: &Resource) -> Result<(), AwsError> {
        let s3 = aws.s3(&resource.account, &resource.region)?;
        put(&s3, &resource.id, self.0).await
    }
}

/// A bucket's ACL and what limits it.
#[derive(Debug, PartialEq)]
struct LiveAcl {
    acl: AccessControlPolicy,
    block: PublicAccessBlock,
    /// Why the block could not be read.
    unread: Option<String>,
}

async fn read(s3: &Client, id: &ResourceId) -> Result<LiveAcl, AwsError> {
    let acl = bucket::acl(s3, id.as_str()).await?;
    let acl = AccessControlPolicy::builder()
        .set_owner(acl.owner)
        .set_grants(acl.grants)
        .build();
    let (block, unread) = live_bucket::block(s3, id.as_str()).await?;
    Ok(LiveAcl { acl, block, unread })
}

fn is_public(grant: &S3Grant) -> bool {
    grant
        .grantee()
        .and_then(|grantee| grantee.uri())
        .is_some_and(is_public_group)
}

/// The public grants that have an effect.
fn plan(id: &ResourceId, live: &LiveAcl, rule: &S3PublicAccess) -> Vec<Change> {
    if rule.bucket_whitelist.contains(id.as_str()) || live.block.ignore_public_acls {
        return Vec::new();
    }
    let public = live.acl.grants().iter().filter(|grant| is_public(grant));
    public
        .filter_map(own_grant)
        .map(Change::RemoveGrant)
        .collect()
}

fn own_grant(grant: &S3Grant) -> Option<Grant> {
    let grantee = grant.grantee()?;
    let grantee = match grantee.r#type() {
        Type::AmazonCustomerByEmail => Grantee::Email(grantee.email_address()?.to_owned()),
        Type::CanonicalUser => Grantee::CanonicalUser(grantee.id()?.to_owned()),
        _ => Grantee::Group(grantee.uri()?.to_owned()),
    };
    Some(Grant {
        grantee,
        permission: grant.permission()?.as_str().to_owned(),
        is_unconfirmed: false,
    })
}

/// The counterpart of [`own_grant`].
fn s3_grant(grant: &Grant) -> Result<S3Grant, UndoError> {
    let grantee = match &grant.grantee {
        Grantee::Group(uri) => S3Grantee::builder().r#type(Type::Group).uri(uri),
        Grantee::CanonicalUser(id) => S3Grantee::builder().r#type(Type::CanonicalUser).id(id),
        Grantee::Email(address) => S3Grantee::builder()
            .r#type(Type::AmazonCustomerByEmail)
            .email_address(address),
    };
    let grantee = grantee
        .build()
        .map_err(|error| UndoError::Differs(error.to_string()))?;
    Ok(S3Grant::builder()
        .grantee(grantee)
        .permission(Permission::from(grant.permission.as_str()))
        .build())
}

/// What the account's block makes ineffective stays; a block that cannot be read counts as off, and why is
/// told.
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
    let changes = plan(id, &live, rule);
    if changes.is_empty() {
        return Ok(prepared(changes, live, None));
    }
    let answer = BucketAnswer::of_account(aws, account, region).await;
    let is_excused = answer
        .account_block
        .given()
        .is_some_and(|block| block.ignore_public_acls);
    let doubt = live.unread.as_deref().or(answer.failure());
    let doubt = doubt.map(str::to_owned);
    let changes = match (is_excused, &doubt) {
        (true, _) => Vec::new(),
        (false, None) => changes,
        (false, Some(_)) => changes.into_iter().map(unconfirmed).collect(),
    };
    Ok(prepared(changes, live, doubt))
}

/// The change, of which AWS could not be asked.
fn unconfirmed(change: Change) -> Change {
    match change {
        Change::RemoveGrant(grant) => Change::RemoveGrant(Grant {
            is_unconfirmed: true,
            ..grant
        }),
        other => other,
    }
}

fn prepared(changes: Vec<Change>, live: LiveAcl, doubt: Option<String>) -> Prepared {
    Prepared {
        changes,
        live: Box::new(live),
        doubt,
    }
}

impl LiveAcl {
    /// The ACL without the grants that the changes remove.
    fn without(self, changes: &[Change]) -> AccessControlPolicy {
        let mut acl = self.acl;
        let is_removed = |grant: &S3Grant| {
            own_grant(grant).is_some_and(|grant| {
                changes.iter().any(
                    |change| matches!(change, Change::RemoveGrant(removed) if removed.is_same(&grant)),
                )
            })
        };
        acl.grants
            .iter_mut()
            .for_each(|grants| grants.retain(|grant| !is_removed(grant)));
        acl
    }
}

fn missing(acl: &AccessControlPolicy, removed: &[Change]) -> Result<Vec<S3Grant>, UndoError> {
    let there: Vec<Grant> = acl.grants().iter().filter_map(own_grant).collect();
    let mut missing: Vec<&Grant> = Vec::new();
    for change in removed {
        if let Change::RemoveGrant(grant) = change
            && !there.iter().any(|there| there.is_same(grant))
            && !missing.iter().any(|missing| missing.is_same(grant))
        {
            missing.push(grant);
        }
    }
    missing.into_iter().map(s3_grant).collect()
}

/// A call that is not made again by itself: meanwhile somebody may have put something else there. The
/// task comes back, looks, and knows.
pub(super) fn once() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled())
}

/// Puts the ACL: without its public grants, or with them again.
async fn put(s3: &Client, id: &ResourceId, acl: AccessControlPolicy) -> Result<(), AwsError> {
    let put = s3
        .put_bucket_acl()
        .bucket(id.as_str())
        .access_control_policy(acl);
    let put = put.customize().config_override(once()).send().boxed().await;
    put.map(drop)
        .map_err(|error| AwsError::from_sdk("s3:PutBucketAcl", error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::controls::evaluation::{
        ComplianceType, ConfigurationItem, RuleDefaults, RuleKind, RuleParameters,
    };

    fn group(name: &str) -> S3Grant {
        let uri = format!("http://acs.amazonaws.com/groups/global/{name}");
        let grantee = S3Grantee::builder()
            .r#type(Type::Group)
            .uri(uri)
            .build()
            .unwrap();
        S3Grant::builder()
            .grantee(grantee)
            .permission(Permission::Read)
            .build()
    }

    fn live(grants: Vec<S3Grant>, ignore_public_acls: bool) -> LiveAcl {
        let acl = AccessControlPolicy::builder()
            .set_grants(Some(grants))
            .build();
        LiveAcl {
            acl,
            block: PublicAccessBlock {
                ignore_public_acls,
                ..Default::default()
            },
            unread: None,
        }
    }

    #[test]
    fn adjacent_public_grants_are_all_planned_and_log_delivery_stays() {
        let grants = vec![
            group("AllUsers"),
            group("AuthenticatedUsers"),
            group("LogDelivery"),
        ];
        let changes = plan(
            &"b".parse().unwrap(),
            &live(grants, false),
            &S3PublicAccess::default(),
        );
        let said: Vec<String> = changes.iter().map(Change::to_string).collect();
        assert_eq!(
            said,
            [
                "remove the ACL grant READ to everybody (AllUsers)",
                "remove the ACL grant READ to every AWS account (AuthenticatedUsers)",
            ]
        );
    }

    #[test]
    fn an_undo_brings_back_the_grants_that_are_missing() {
        let grants = vec![group("AllUsers"), group("AuthenticatedUsers")];
        let removed = plan(
            &"b".parse().unwrap(),
            &live(grants.clone(), false),
            &S3PublicAccess::default(),
        );
        let acl = |grants| live(grants, false).acl;
        assert_eq!(
            missing(&acl(vec![group("LogDelivery")]), &removed).unwrap(),
            grants
        );
        assert_eq!(
            missing(&acl(vec![grants[0].clone()]), &removed).unwrap(),
            grants[1..]
        );
        assert_eq!(missing(&acl(grants), &removed).unwrap(), []);
    }

    #[test]
    fn ineffective_and_exempt_grants_stay() {
        let id = "b".parse().unwrap();
        assert_eq!(
            plan(
                &id,
                &live(vec![group("AllUsers")], true),
                &S3PublicAccess::default()
            ),
            []
        );
        let exempt = S3PublicAccess {
            bucket_whitelist: ["b".to_owned()].into(),
        };
        assert_eq!(
            plan(&id, &live(vec![group("AllUsers")], false), &exempt),
            []
        );
    }

    #[test]
    fn a_grant_of_any_grantee_is_read_and_written() {
        let grantees = [
            Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned()),
            Grantee::CanonicalUser("0123abcd".to_owned()),
            Grantee::Email("developer@example.com".to_owned()),
        ];
        for grantee in grantees {
            let grant = Grant {
                grantee,
                permission: "FULL_CONTROL".to_owned(),
                is_unconfirmed: false,
            };
            assert_eq!(own_grant(&s3_grant(&grant).unwrap()), Some(grant));
        }
    }

    /// What the rule says of the bucket, of which AWS Config spells the groups and permissions its own way.
    fn judged(live: &LiveAcl, rule: &S3PublicAccess) -> ComplianceType {
        let grant = |grant: &S3Grant| {
            let grantee = grant.grantee().unwrap();
            let group = grantee.uri().and_then(|uri| uri.rsplit('/').next());
            let grantee = group.map_or_else(|| json!({"id": grantee.id()}), |group| json!(group));
            json!({"grantee": grantee, "permission": grant.permission().unwrap().as_str()})
        };
        let grants: Vec<Value> = live.acl.grants().iter().map(grant).collect();
        let list = json!({"grantSet": null, "grantList": grants}).to_string();
        let block = json!({"ignorePublicAcls": live.block.ignore_public_acls});
        let item = json!({"resourceType": "AWS::S3::Bucket", "resourceId": "b", "configurationItemStatus": "OK",
            "supplementaryConfiguration": {"AccessControlList": list, "BucketPolicy": {"policyText": null},
                "PublicAccessBlockConfiguration": block}});
        let item = item.to_string();
        let item: ConfigurationItem = serde_json::from_str(&item).unwrap();
        let rules = RuleDefaults {
            s3_public_access: rule.clone(),
            ..RuleDefaults::default()
        };
        let parameters = RuleParameters::default();
        rules
            .evaluate(RuleKind::S3PublicAccess, &parameters, &item, false)
            .unwrap()
            .compliance_type
    }

    /// Any grant, by the numbers of whom and what.
    fn any_grant((whom, what): (usize, usize)) -> S3Grant {
        let grantee = match ["AllUsers", "AuthenticatedUsers", "LogDelivery"].get(whom) {
            Some(name) => group(name).grantee.unwrap(),
            None => S3Grantee::builder()
                .r#type(Type::CanonicalUser)
                .id(format!("user-{whom}"))
                .build()
                .unwrap(),
        };
        let permission = Permission::from(Permission::values()[what]);
        S3Grant::builder()
            .grantee(grantee)
            .permission(permission)
            .build()
    }

    proptest! {
        /// After the fix the rule says compliant, and what broke nothing is as it was; fix and then undo
        /// is the identity, but for the order, which means nothing.
        #[test]
        fn a_fix_of_any_acl_removes_what_is_public_and_an_undo_restores_it(
            grants in prop::collection::btree_set((0..5_usize, 0..Permission::values().len()), 0..12),
            ignore_public_acls in any::<bool>(),
            exempt in any::<bool>(),
        ) {
            let bucket_whitelist = exempt.then(|| "b".to_owned()).into_iter().collect();
            let rule = S3PublicAccess { bucket_whitelist };
            let mut live = live(grants.into_iter().map(any_grant).collect(), ignore_public_acls);
            let removed = plan(&"b".parse().unwrap(), &live, &rule);
            prop_assert_eq!(judged(&live, &rule) == ComplianceType::Compliant, removed.is_empty());
            if removed.is_empty() {
                return Ok(());
            }
            let all = |acl: &AccessControlPolicy| -> BTreeSet<String> {
                acl.grants().iter().map(|grant| format!("{grant:?}")).collect()
            };
            let before = all(&live.acl);
            live.acl = LiveAcl { acl: live.acl, block: live.block, unread: None }.without(&removed);
            prop_assert_eq!(judged(&live, &rule), ComplianceType::Compliant);
            let public = |grant: &String| grant.contains("/AllUsers") || grant.contains("/AuthenticatedUsers");
            let kept: BTreeSet<String> = before.iter().filter(|grant| !public(grant)).cloned().collect();
            prop_assert_eq!(all(&live.acl), kept);
            let back = missing(&live.acl, &removed).unwrap();
            live.acl.grants.get_or_insert_default().extend(back);
            prop_assert_eq!(all(&live.acl), before);
        }
    }
}
