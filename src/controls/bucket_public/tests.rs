//! The remediations and the rule of buckets, before an S3 that keeps one bucket.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::acl::PublicAcl;
use super::policy::PublicPolicy;
use super::rule::S3PublicAccess;
use crate::aws::test_client::{Asked, TestClient};
use crate::aws::{Aws, AwsErrorKind};
use crate::controls::Change;
use crate::controls::evaluation::aws_answer::AwsAnswer;
use crate::controls::evaluation::{ConfigurationItem, Rule, RuleDefaults};
use crate::controls::remediation::{Prepared, Remediation};
use crate::ids::{AccountId, Region, Resource, ResourceType};

const OPEN: &str = r#"{"Sid":"Open","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#;
const CLOSED: &str = r#"{"Sid":"Closed","Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}"#;

fn policy(statements: &[&str]) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        statements.join(",")
    )
}

fn grant(group: &str) -> String {
    format!(
        r#"<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/groups/{group}</URI></Grantee><Permission>READ</Permission></Grant>"#
    )
}

fn acl(grants: &[&str]) -> String {
    format!(
        "<AccessControlPolicy><Owner><ID>owner</ID></Owner><AccessControlList>{}</AccessControlList></AccessControlPolicy>",
        grants.iter().map(|group| grant(group)).collect::<String>()
    )
}

/// What S3 keeps.
#[derive(Debug, Clone)]
struct Bucket {
    acl: String,
    policy: Option<String>,
    /// What S3 says of the bucket's block: a status, and the code of an error.
    block: (u16, &'static str),
    /// The same of the account's block; in place of a code, settings that are on.
    account_block: (u16, &'static str),
    is_public: bool,
}

const NO_BLOCK: (u16, &str) = (404, "NoSuchPublicAccessBlockConfiguration");

impl Bucket {
    fn of_policy(statements: &[&str]) -> Self {
        Self {
            acl: acl(&["s3/LogDelivery"]),
            policy: Some(policy(statements)),
            block: NO_BLOCK,
            account_block: NO_BLOCK,
            is_public: true,
        }
    }

    fn of_acl(groups: &[&str]) -> Self {
        Self {
            acl: acl(groups),
            policy: None,
            ..Self::of_policy(&[])
        }
    }

    fn answer(&mut self, asked: &Asked) -> (u16, String) {
        let error = |(status, code): (u16, &str)| match status {
            200 => (
                200,
                format!(
                    "<PublicAccessBlockConfiguration><{code}>true</{code}></PublicAccessBlockConfiguration>"
                ),
            ),
            status => (
                status,
                format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
            ),
        };
        let is_for = |name: &str| asked.path.contains(name);
        match (asked.method.as_str(), &self.policy) {
            (_, _) if asked.host.contains("s3-control") => {
                // The errors of S3 Control have a frame that those of S3 have not.
                let (status, body) = error(self.account_block);
                match status {
                    200 => (status, body),
                    _ => (status, format!("<ErrorResponse>{body}</ErrorResponse>")),
                }
            }
            (_, _) if is_for("publicAccessBlock") => error(self.block),
            ("GET", _) if is_for("acl") => (200, self.acl.clone()),
            ("GET", None) => error((404, "NoSuchBucketPolicy")),
            ("GET", _) if is_for("policyStatus") => (
                200,
                format!(
                    "<PolicyStatus><IsPublic>{}</IsPublic></PolicyStatus>",
                    self.is_public
                ),
            ),
            ("GET", Some(policy)) => (200, policy.clone()),
            ("DELETE", _) => {
                self.policy = None;
                (204, String::new())
            }
            ("PUT", _) if is_for("acl") => {
                self.acl.clone_from(&asked.body);
                (200, String::new())
            }
            _ => {
                self.policy = Some(asked.body.clone());
                (200, String::new())
            }
        }
    }
}

struct S3 {
    bucket: Arc<Mutex<Bucket>>,
    aws: Aws,
}

impl S3 {
    fn with(bucket: Bucket) -> Self {
        let bucket = Arc::new(Mutex::new(bucket));
        let kept = bucket.clone();
        let client = TestClient::new(move |asked| kept.lock().unwrap().answer(asked));
        let aws = client.aws(&account());
        Self { bucket, aws }
    }

    fn policy(&self) -> Option<String> {
        self.bucket.lock().unwrap().policy.clone()
    }

    /// The groups that have a grant.
    fn groups(&self) -> Vec<String> {
        let acl = self.bucket.lock().unwrap().acl.clone();
        let uris = acl.split("/groups/").skip(1);
        uris.filter_map(|rest| Some(rest.split('<').next()?.to_owned()))
            .collect()
    }

    async fn prepare(&self, remediation: &dyn Remediation) -> Prepared {
        let rules = RuleDefaults::default();
        remediation
            .prepare(&self.aws, &rules, &resource())
            .await
            .unwrap()
    }

    /// Plans, and carries the plan out.
    async fn fix(&self, remediation: &dyn Remediation) -> Vec<Change> {
        let Prepared { changes, live, .. } = self.prepare(remediation).await;
        live.apply(&self.aws, &resource(), &changes).await.unwrap();
        changes
    }

    /// Whether there was something to put back.
    async fn undo(&self, remediation: &dyn Remediation, removed: &[Change]) -> bool {
        let resource = resource();
        let prepared = remediation.prepare_undo(&self.aws, &resource, removed);
        match prepared.await.unwrap() {
            Some(put_back) => {
                put_back.put(&self.aws, &resource).await.unwrap();
                true
            }
            None => false,
        }
    }
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn resource() -> Resource {
    Resource {
        account: account(),
        region: region(),
        resource_type: ResourceType::BUCKET.parse().unwrap(),
        id: "b".parse().unwrap(),
    }
}

fn said(changes: &[Change]) -> Vec<String> {
    changes.iter().map(Change::to_string).collect()
}

#[tokio::test]
async fn a_fix_takes_the_public_statement_and_an_undo_puts_it_back() {
    let s3 = S3::with(Bucket::of_policy(&[OPEN, CLOSED]));
    let removed = s3.fix(&PublicPolicy).await;
    assert_eq!(
        said(&removed),
        ["remove the statement \"Open\" from the bucket policy"]
    );
    assert_eq!(s3.policy(), Some(policy(&[CLOSED])));
    assert!(s3.undo(&PublicPolicy, &removed).await);
    assert_eq!(s3.policy(), Some(policy(&[OPEN, CLOSED])));
    assert!(
        !s3.undo(&PublicPolicy, &removed).await,
        "it is back already"
    );
}

#[tokio::test]
async fn a_policy_without_other_statements_is_deleted() {
    let s3 = S3::with(Bucket::of_policy(&[OPEN]));
    let removed = s3.fix(&PublicPolicy).await;
    assert_eq!((removed.len(), s3.policy()), (2, None));
    assert!(s3.undo(&PublicPolicy, &removed).await);
    assert_eq!(s3.policy(), Some(policy(&[OPEN])));
}

#[tokio::test]
async fn of_a_plan_only_the_wanted_statements_are_taken() {
    let other = OPEN.replace("Open", "Other");
    let s3 = S3::with(Bucket::of_policy(&[OPEN, &other]));
    let named = |name: &'static str| move |change: &Change| change.to_string().contains(name);
    let part = s3.prepare(&PublicPolicy).await.only(named("Other"));
    assert_eq!(
        said(part.changes()),
        ["remove the statement \"Other\" from the bucket policy"]
    );
    let none = s3
        .prepare(&PublicPolicy)
        .await
        .only(named("of another bucket"));
    assert_eq!(none.changes(), []);
}

#[tokio::test]
async fn a_fix_takes_the_public_grants_and_an_undo_puts_them_back() {
    let public = ["global/AllUsers", "global/AuthenticatedUsers"];
    let s3 = S3::with(Bucket::of_acl(&[public[0], "s3/LogDelivery", public[1]]));
    let removed = s3.fix(&PublicAcl).await;
    assert_eq!(
        said(&removed),
        [
            "remove the ACL grant READ to everybody (AllUsers)",
            "remove the ACL grant READ to every AWS account (AuthenticatedUsers)"
        ]
    );
    assert_eq!(s3.groups(), ["s3/LogDelivery"]);
    assert!(s3.undo(&PublicAcl, &removed).await);
    assert_eq!(s3.groups(), ["s3/LogDelivery", public[0], public[1]]);
    assert!(
        !s3.undo(&PublicAcl, &removed).await,
        "they are back already"
    );
}

#[tokio::test]
async fn a_bucket_that_has_changed_since_it_was_read_is_not_the_same() {
    let s3 = S3::with(Bucket::of_policy(&[OPEN, CLOSED]));
    s3.bucket.lock().unwrap().acl = acl(&["global/AllUsers"]);
    let remediations: [&dyn Remediation; 2] = [&PublicPolicy, &PublicAcl];
    for remediation in remediations {
        let before = s3.prepare(remediation).await;
        assert!(before.changes_the_same(&s3.prepare(remediation).await));
    }
    let (policy_before, acl_before) = (
        s3.prepare(&PublicPolicy).await,
        s3.prepare(&PublicAcl).await,
    );
    {
        let mut bucket = s3.bucket.lock().unwrap();
        bucket.policy = Some(policy(&[OPEN, CLOSED, CLOSED]));
        bucket.acl = acl(&["global/AllUsers", "s3/LogDelivery"]);
    }
    assert!(!policy_before.changes_the_same(&s3.prepare(&PublicPolicy).await));
    assert!(!acl_before.changes_the_same(&s3.prepare(&PublicAcl).await));
}

#[tokio::test]
async fn a_block_of_the_account_makes_a_plan_empty() {
    let of = |bucket: Bucket, setting| {
        S3::with(Bucket {
            account_block: (200, setting),
            ..bucket
        })
    };
    let acl = || Bucket::of_acl(&["global/AllUsers"]);
    let policy = || Bucket::of_policy(&[OPEN, CLOSED]);
    let plan =
        async |s3: S3, remediation: &dyn Remediation| s3.prepare(remediation).await.changes().len();
    assert_eq!(plan(of(acl(), "IgnorePublicAcls"), &PublicAcl).await, 0);
    assert_eq!(
        plan(of(acl(), "RestrictPublicBuckets"), &PublicAcl).await,
        1
    );
    assert_eq!(
        plan(of(policy(), "RestrictPublicBuckets"), &PublicPolicy).await,
        0
    );
    assert_eq!(
        plan(of(policy(), "IgnorePublicAcls"), &PublicPolicy).await,
        1
    );
    let private = Bucket {
        is_public: false,
        ..policy()
    };
    assert_eq!(plan(S3::with(private), &PublicPolicy).await, 0);
}

#[tokio::test]
async fn a_block_that_may_not_be_read_leaves_the_plan_unconfirmed_and_another_failure_leaves_none()
{
    let cases: [(Bucket, &dyn Remediation); 2] = [
        (Bucket::of_acl(&["global/AllUsers"]), &PublicAcl),
        (Bucket::of_policy(&[OPEN, CLOSED]), &PublicPolicy),
    ];
    for (bucket, remediation) in cases {
        let denied = S3::with(Bucket {
            block: (403, "AccessDenied"),
            ..bucket.clone()
        });
        let prepared = denied.prepare(remediation).await;
        assert!(prepared.changes()[0].is_unconfirmed(), "{prepared:?}");
        assert!(
            prepared
                .doubt
                .is_some_and(|doubt| doubt.contains("AccessDenied"))
        );
        let failing = S3::with(Bucket {
            block: (400, "InvalidRequest"),
            ..bucket
        });
        let (rules, resource) = (RuleDefaults::default(), resource());
        let prepared = remediation.prepare(&failing.aws, &rules, &resource);
        assert_eq!(prepared.await.unwrap_err().code, "InvalidRequest");
    }
}

#[test]
fn reports_name_the_calls_that_changes_make() {
    let deletion = Change::DeletePolicy(super::WholePolicy {
        policy: policy(&[OPEN]),
    });
    assert_eq!(PublicPolicy.call(&[deletion]), "DeleteBucketPolicy");
    assert_eq!(PublicPolicy.call(&[]), "PutBucketPolicy");
    assert_eq!(PublicPolicy.undo_call(), "PutBucketPolicy");
    assert_eq!(
        (PublicAcl.call(&[]), PublicAcl.undo_call()),
        ("PutBucketAcl", "PutBucketAcl")
    );
}

/// An item of which AWS Config could read neither ACL nor policy.
fn unread_item() -> Value {
    json!({"resourceType": "AWS::S3::Bucket", "resourceId": "b", "configurationItemStatus": "OK",
        "configurationItemCaptureTime": "2026-01-01T00:00:00Z", "tags": {"team": "web"},
        "supplementaryConfiguration": {"PublicAccessBlockConfiguration": {"ignorePublicAcls": true}}})
}

async fn completed(s3: &S3) -> Result<Value, crate::aws::AwsError> {
    let item = unread_item().to_string();
    let item: ConfigurationItem = serde_json::from_str(&item).unwrap();
    let rule = S3PublicAccess::default();
    let (account, region) = (account(), region());
    let completed = rule.complete(&s3.aws, (&account, &region), &item).await?;
    Ok(serde_json::from_str(&completed.expect("a bucket's item can be completed")).unwrap())
}

#[tokio::test]
async fn an_item_is_completed_from_the_live_bucket() {
    let s3 = S3::with(Bucket::of_policy(&[OPEN]));
    let item = completed(&s3).await.unwrap();
    assert_eq!(item["configurationItemStatus"], "OK");
    assert_eq!(item["tags"], json!({"team": "web"}));
    assert_eq!(
        item["supplementaryConfiguration"],
        json!({"AccessControlList": {"grantList": [
                {"grantee": "http://acs.amazonaws.com/groups/s3/LogDelivery", "permission": "READ"}]},
            "BucketPolicy": {"policyText": policy(&[OPEN])},
            "PublicAccessBlockConfiguration": {"ignorePublicAcls": false, "restrictPublicBuckets": false}})
    );
    s3.bucket.lock().unwrap().block = (403, "AccessDenied");
    let item = completed(&s3).await.unwrap();
    assert_eq!(
        item["supplementaryConfiguration"]["PublicAccessBlockConfiguration"],
        json!({"ignorePublicAcls": true}),
        "what AWS Config has read"
    );
}

#[tokio::test]
async fn the_item_of_a_bucket_that_is_gone_says_so_and_other_failures_are_told() {
    let s3 = S3::with(Bucket::of_policy(&[OPEN]));
    s3.bucket.lock().unwrap().block = (404, "NoSuchBucket");
    let item = completed(&s3).await.unwrap();
    assert_eq!(item["configurationItemStatus"], "ResourceDeleted");
    s3.bucket.lock().unwrap().block = (400, "InvalidRequest");
    assert_ne!(
        completed(&s3).await.unwrap_err().kind,
        AwsErrorKind::NotFound
    );
}

#[tokio::test]
async fn the_rule_asks_for_the_account_s_block_and_whether_the_policy_is_public() {
    for is_public in [true, false] {
        let s3 = S3::with(Bucket {
            is_public,
            account_block: (200, "IgnorePublicAcls"),
            ..Bucket::of_policy(&[OPEN])
        });
        let item = unread_item().to_string();
        let item: ConfigurationItem = serde_json::from_str(&item).unwrap();
        let by_item = Err(crate::controls::evaluation::EvaluationError::Unread {
            resource_id: "b".to_owned(),
            part: "ACL",
        });
        let rule = S3PublicAccess::default();
        let (account, region) = (account(), region());
        let answer = rule
            .ask(&s3.aws, (&account, &region), &item, &by_item)
            .await
            .unwrap();
        let AwsAnswer::Bucket(answer) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(answer.policy_is_public.given(), Some(&is_public));
        let block = answer.account_block.given().unwrap();
        assert!(block.ignore_public_acls && !block.restrict_public_buckets);
    }
}

#[tokio::test]
async fn a_change_that_fails_is_not_made_again_by_itself() {
    let cases: [(Bucket, &dyn Remediation); 2] = [
        (Bucket::of_acl(&["global/AllUsers"]), &PublicAcl),
        (Bucket::of_policy(&[OPEN, CLOSED]), &PublicPolicy),
    ];
    for (bucket, remediation) in cases {
        let client = TestClient::new(move |asked| match asked.method.as_str() {
            "PUT" => (503, "<Error><Code>SlowDown</Code></Error>".to_owned()),
            _ => bucket.clone().answer(asked),
        });
        let (aws, rules, resource) = (client.aws(&account()), RuleDefaults::default(), resource());
        let prepared = remediation.prepare(&aws, &rules, &resource).await.unwrap();
        let Prepared { changes, live, .. } = prepared;
        live.apply(&aws, &resource, &changes).await.unwrap_err();
        let puts = client.requests().into_iter();
        assert_eq!(puts.filter(|asked| asked.method == "PUT").count(), 1);
    }
}
