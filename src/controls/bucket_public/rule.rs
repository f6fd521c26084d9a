//! The rule *s3-public-access*: no bucket is public by its ACL or by its policy.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::BucketAnswer;
use crate::aws::answer::Answer;
use crate::aws::bucket::PublicAccessBlock;
use crate::controls::evaluation::{
    ComplianceType, ConfigurationItem, RuleParameters, Verdict, Violation, annotation, list,
    stringified,
};
use crate::controls::kind::ViolationType;
use crate::shapes::bucket_policy::{BucketPolicy, PolicyStatus, PublicStatement};

/// The rule with its parameters.
#[derive(Debug, Clone, Default)]
pub struct S3PublicAccess {
    /// `bucketWhitelist` (DD-AWS's name): buckets that may be public, `assets,downloads`.
    pub bucket_whitelist: BTreeSet<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Supplement {
    /// Absent where AWS Config could not read it, which is not to have none.
    #[serde(default, deserialize_with = "stringified")]
    access_control_list: Option<AccessControlList>,
    #[serde(default, deserialize_with = "stringified")]
    bucket_policy: Option<PolicyHolder>,
    #[serde(default, deserialize_with = "stringified")]
    public_access_block_configuration: PublicAccessBlock,
}

/// AWS Config writes one of the lists, and `null` for the other.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessControlList {
    #[serde(default)]
    grant_list: Option<Vec<Grant>>,
    #[serde(default)]
    grant_set: Option<Vec<Grant>>,
}

impl AccessControlList {
    /// Whether neither list is there, which is not to have no grants.
    fn is_unread(&self) -> bool {
        self.grant_list.is_none() && self.grant_set.is_none()
    }
}

#[derive(Deserialize)]
struct Grant {
    grantee: Value,
    permission: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyHolder {
    policy_text: Option<String>,
}

/// Whether a grantee is one of the two groups that hold everybody. AWS Config writes the bare
/// name, S3 the URI `http://acs.amazonaws.com/groups/global/AllUsers`.
pub(super) fn is_public_group(grantee: &str) -> bool {
    matches!(
        grantee.rsplit('/').next(),
        Some("AllUsers" | "AuthenticatedUsers")
    )
}

impl Grant {
    fn public_group(&self) -> Option<&str> {
        let name = match &self.grantee {
            Value::String(name) => Some(name.as_str()),
            Value::Object(fields) => ["uri", "URI", "identifier"]
                .iter()
                .find_map(|key| fields.get(*key)?.as_str()),
            _ => None,
        };
        name.filter(|name| is_public_group(name))
    }
}

/// Why a bucket could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum Unjudged {
    /// The item is not of the shape that buckets' items have.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// The item is of the proactive mode.
    #[error("it is in CloudFormation's shape: this rule judges what exists, not templates")]
    Template,
    /// AWS Config could not read these.
    #[error("it does not say what the bucket's {0} is, so that nothing can be said of it")]
    Unread(&'static str),
}

/// One way in which a bucket is public, and what makes it ineffective, if something does.
struct Exposure {
    what: String,
    violation: Violation,
    excused_by: Option<Excuse>,
}

/// A setting that makes public access ineffective.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Excuse {
    /// A setting of the bucket's Public Access Block.
    Bucket(&'static str),
    /// A setting of the account's.
    Account(&'static str),
    /// AWS does not call it public.
    Aws,
    /// Only AWS can call it public, and was not asked.
    NotAsked,
}

impl fmt::Display for Excuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(setting) => {
                write!(
                    f,
                    "which {setting} of the Public Access Block makes ineffective"
                )
            }
            Self::Account(setting) => {
                write!(
                    f,
                    "which {setting} of the account's Public Access Block makes ineffective"
                )
            }
            Self::Aws => f.write_str("which AWS itself does not call public"),
            Self::NotAsked => f.write_str("of which only AWS can say whether it is public"),
        }
    }
}

/// The setting of bucket or account that is on.
fn blocked(
    bucket: PublicAccessBlock,
    answer: &BucketAnswer,
    setting: &'static str,
    is_on: impl Fn(&PublicAccessBlock) -> bool,
) -> Option<Excuse> {
    let by_account = || {
        answer
            .account_block
            .given()
            .is_some_and(&is_on)
            .then_some(Excuse::Account(setting))
    };
    is_on(&bucket)
        .then_some(Excuse::Bucket(setting))
        .or_else(by_account)
}

impl S3PublicAccess {
    /// Reads the rule's parameters; those that are absent keep the values of `self`.
    pub fn with_parameters(&self, parameters: &RuleParameters) -> Self {
        let whitelist = parameters.text("bucketWhitelist").map(list);
        Self {
            bucket_whitelist: whitelist.unwrap_or_else(|| self.bucket_whitelist.clone()),
        }
    }

    /// Judges a bucket that exists, and by what AWS says of it, where that is known.
    pub fn evaluate(
        &self,
        item: &ConfigurationItem,
        answer: &BucketAnswer,
    ) -> Result<Verdict, Unjudged> {
        if self.bucket_whitelist.contains(item.resource_id.as_ref()) {
            return Ok(Verdict::compliant(
                "Exempt: the rule's bucketWhitelist names this bucket.",
            ));
        }
        if item.is_template() {
            return Err(Unjudged::Template);
        }
        // An item without any supplement says no more of the bucket than one whose supplement is empty.
        let supplement = match item.has_supplement() {
            true => item.supplementary_configuration::<Supplement>()?,
            false => Supplement::default(),
        };
        let exposures: Vec<Exposure> = acl_exposure(&supplement, answer)
            .into_iter()
            .chain(policy_exposure(&supplement, answer)?)
            .collect();
        let mut verdict = verdict(exposures);
        let is_public = verdict.compliance_type == ComplianceType::NonCompliant;
        let unasked = answer.failure().filter(|_| is_public);
        let mut notices = unasked.map_or_else(String::new, |reason| {
            format!(" AWS could not be asked: {reason}.")
        });
        notices.push_str(&callers_choice(&supplement)?);
        verdict.annotation = annotation(&verdict.annotation, &notices);
        let acl = supplement.access_control_list.as_ref();
        let acl = acl.filter(|acl| !acl.is_unread());
        let unread = match (acl, &supplement.bucket_policy) {
            (Some(_), Some(_)) => return Ok(verdict),
            (None, None) => "ACL and policy",
            (None, Some(_)) => "ACL",
            (Some(_), None) => "policy",
        };
        match verdict.compliance_type {
            // What is public is so, whatever else is not known.
            ComplianceType::NonCompliant => Ok(verdict),
            _ => Err(Unjudged::Unread(unread)),
        }
    }
}

fn acl_exposure(supplement: &Supplement, answer: &BucketAnswer) -> Option<Exposure> {
    let acl = supplement.access_control_list.as_ref()?;
    let public = acl.grant_list.iter().chain(&acl.grant_set).flatten();
    let public: BTreeSet<(&str, &str)> = public
        .filter_map(|grant| Some((grant.public_group()?, grant.permission.as_str())))
        .collect();
    let say = |(group, permission): &(&str, &str)| format!("{permission} to {group}");
    let block = supplement.public_access_block_configuration;
    (!public.is_empty()).then(|| Exposure {
        what: format!(
            "the ACL grants {}",
            public.iter().map(say).collect::<Vec<_>>().join(" and ")
        ),
        violation: Violation {
            violation_type: ViolationType::S3BucketPublicAcl,
            details: public
                .iter()
                .map(|(grantee, permission)| json!({"grantee": grantee, "permission": permission}))
                .collect(),
            is_left_to_people: false,
        },
        excused_by: blocked(block, answer, "IgnorePublicAcls", |block| {
            block.ignore_public_acls
        }),
    })
}

impl Supplement {
    fn policy(&self) -> serde_json::Result<Option<BucketPolicy<'_>>> {
        let text = self
            .bucket_policy
            .as_ref()
            .and_then(|policy| policy.policy_text.as_deref());
        text.filter(|text| !text.trim().is_empty())
            .map(BucketPolicy::parse)
            .transpose()
    }
}

/// What to say of statements whose condition anybody can meet.
fn callers_choice(supplement: &Supplement) -> serde_json::Result<String> {
    let Some(policy) = supplement.policy()? else {
        return Ok(String::new());
    };
    let statements = policy.limited_by_callers_choice()?;
    let statements: Vec<String> = statements
        .iter()
        .filter(|statement| statement.limited_by.is_empty())
        .map(PublicStatement::name)
        .collect();
    Ok(match statements.is_empty() {
        true => String::new(),
        false => format!(
            " Statement {} is limited only by a KMS key, which callers choose themselves.",
            statements.join(", ")
        ),
    })
}

fn policy_exposure(
    supplement: &Supplement,
    answer: &BucketAnswer,
) -> serde_json::Result<Option<Exposure>> {
    let Some(policy) = supplement.policy()? else {
        return Ok(None);
    };
    let (statements, not_asked) = match policy.status()? {
        PolicyStatus::Private => return Ok(None),
        PolicyStatus::Public(statements) => (statements, None),
        PolicyStatus::ForAwsToSay(statements) => (statements, Some(Excuse::NotAsked)),
    };
    let block = supplement.public_access_block_configuration;
    let by_block = blocked(block, answer, "RestrictPublicBuckets", |block| {
        block.restrict_public_buckets
    });
    let by_aws = match &answer.policy_is_public {
        // An error must not close a finding that AWS's own answer has opened.
        Answer::Given(true) | Answer::Failed(_) => None,
        Answer::Given(false) => Some(Excuse::Aws),
        Answer::NotAsked => not_asked,
    };
    let names = statements.iter().map(named);
    Ok(Some(Exposure {
        what: format!(
            "the policy allows everybody (statement {})",
            names.collect::<Vec<_>>().join(", ")
        ),
        violation: Violation {
            violation_type: ViolationType::S3BucketPublicPolicy,
            details: details(&statements)?,
            is_left_to_people: false,
        },
        excused_by: by_block.or(by_aws),
    }))
}

/// A statement's name, and the Denies that limit it.
fn named(statement: &PublicStatement) -> String {
    let name = statement.name();
    match statement.limited_by.is_empty() {
        true => name,
        false => format!(
            "{name}, which the Deny {} limits",
            statement.limited_by.join(" and ")
        ),
    }
}

fn details(statements: &[PublicStatement]) -> serde_json::Result<Value> {
    let statements = statements.iter();
    statements
        .map(|statement| serde_json::from_str::<Value>(&statement.text))
        .collect()
}

fn verdict(exposures: Vec<Exposure>) -> Verdict {
    let say = |exposure: &Exposure| match exposure.excused_by {
        Some(excuse) => format!("{}, {excuse}", exposure.what),
        None => exposure.what.clone(),
    };
    let annotation = exposures.iter().map(say).collect::<Vec<_>>().join("; ");
    let is_for_aws_to_say = exposures
        .iter()
        .any(|exposure| exposure.excused_by == Some(Excuse::NotAsked));
    let violations: Vec<Violation> = exposures
        .into_iter()
        .filter(|exposure| exposure.excused_by.is_none())
        .map(|exposure| exposure.violation)
        .collect();
    match (violations.is_empty(), annotation.is_empty()) {
        (true, true) => Verdict::compliant("Neither the ACL nor the policy is public."),
        (true, false) => Verdict {
            is_for_aws_to_say,
            ..Verdict::compliant(&format!("Not public: {annotation}."))
        },
        (false, _) => Verdict {
            compliance_type: ComplianceType::NonCompliant,
            violations,
            ..Verdict::compliant(&format!("Public: {annotation}."))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::evaluation::ANNOTATION_LIMIT;

    const PUBLIC_POLICY: &str = r#"{"Statement":[{"Sid":"Open","Effect":"Allow","Principal":"*","Action":"s3:GetObject"}]}"#;

    fn judge(supplement: &Value) -> Result<Verdict, Unjudged> {
        judge_by(supplement, &BucketAnswer::default())
    }

    fn judge_by(supplement: &Value, answer: &BucketAnswer) -> Result<Verdict, Unjudged> {
        let item = json!({
            "resourceType": "AWS::S3::Bucket", "resourceId": "b", "configurationItemStatus": "OK",
            "configuration": {"name": "b"}, "supplementaryConfiguration": supplement,
        })
        .to_string();
        S3PublicAccess::default().evaluate(&serde_json::from_str(&item).unwrap(), answer)
    }

    /// A bucket that is private but for what a test says.
    fn bucket(supplement: Value) -> Verdict {
        let mut whole =
            json!({"AccessControlList": {"grantList": []}, "BucketPolicy": {"policyText": null}});
        whole
            .as_object_mut()
            .unwrap()
            .extend(supplement.as_object().unwrap().clone());
        judge(&whole).unwrap()
    }

    fn acl(grantee: &Value) -> Value {
        json!({"grantSet": null, "grantList": [
            {"grantee": {"id": "abc", "displayName": "owner"}, "permission": "FullControl"},
            {"grantee": grantee, "permission": "Read"},
        ]})
    }

    #[test]
    fn every_spelling_of_a_public_grant_is_found() {
        for grantee in [
            json!("AllUsers"),
            json!("AuthenticatedUsers"),
            json!("http://acs.amazonaws.com/groups/global/AuthenticatedUsers"),
            json!({"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}),
        ] {
            let once = acl(&grantee).to_string();
            let twice = serde_json::to_string(&once).unwrap();
            for list in [json!(once), json!(twice), acl(&grantee)] {
                let verdict = bucket(json!({"AccessControlList": list}));
                assert_eq!(
                    verdict.compliance_type,
                    ComplianceType::NonCompliant,
                    "{grantee}"
                );
                assert_eq!(
                    verdict.violations[0].violation_type,
                    ViolationType::S3BucketPublicAcl
                );
            }
        }
        let private = bucket(json!({"AccessControlList": acl(&json!("LogDelivery")).to_string()}));
        assert_eq!(private.compliance_type, ComplianceType::Compliant);
    }

    #[test]
    fn a_bucket_can_be_public_in_both_ways() {
        let verdict = bucket(json!({
            "AccessControlList": acl(&json!("AllUsers")).to_string(),
            "BucketPolicy": {"policyText": PUBLIC_POLICY},
        }));
        assert_eq!(verdict.violations.len(), 2);
        assert_eq!(
            verdict.annotation,
            "Public: the ACL grants Read to AllUsers; the policy allows everybody (statement \"Open\")."
        );
    }

    #[test]
    fn a_statement_that_only_a_kms_key_limits_gets_a_warning() {
        let by_key = |condition: &Value| {
            let statement = json!({"Sid": "Upload", "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": condition}});
            bucket(
                json!({"BucketPolicy": {"policyText": json!({"Statement": [statement]}).to_string()}}),
            )
        };
        let key = "arn:aws:kms:us-east-1:123456789012:key/1";
        let verdict = by_key(&json!({"s3:x-amz-server-side-encryption-aws-kms-key-id": key}));
        assert_eq!(verdict.compliance_type, ComplianceType::Compliant);
        let warning =
            " Statement \"Upload\" is limited only by a KMS key, which callers choose themselves.";
        assert!(
            verdict.annotation.ends_with(warning),
            "{}",
            verdict.annotation
        );
        assert!(
            verdict.annotation.contains("of which only AWS can say"),
            "{}",
            verdict.annotation
        );
        assert!(verdict.is_for_aws_to_say);
        let vpc = json!({"s3:x-amz-server-side-encryption-aws-kms-key-id": key, "aws:SourceVpc": "vpc-1"});
        assert!(!by_key(&vpc).annotation.contains("KMS"));
        assert!(!by_key(&vpc).is_for_aws_to_say);
    }

    #[test]
    fn aws_says_whether_a_kms_key_that_callers_choose_keeps_strangers_out() {
        let supplement = json!({"AccessControlList": {"grantList": []}, "BucketPolicy": {"policyText":
            PUBLIC_POLICY.replace("\"Action\"", "\"Condition\": {\"StringEquals\": {\"s3:x-amz-server-side-encryption-aws-kms-key-id\": \"arn:aws:kms:us-east-1:1:key/1\"}}, \"Action\"")}});
        let judged = |policy_is_public: Answer<bool>| {
            let account_block = Answer::Given(PublicAccessBlock::default());
            let answer = BucketAnswer {
                account_block,
                policy_is_public,
            };
            let verdict = judge_by(&supplement, &answer).unwrap();
            assert!(
                verdict.annotation.contains("limited only by a KMS key"),
                "{}",
                verdict.annotation
            );
            verdict
        };
        let public = judged(Answer::Given(true));
        assert_eq!(public.compliance_type, ComplianceType::NonCompliant);
        assert_eq!(public.violations[0].details[0]["Sid"], "Open");
        let private = judged(Answer::Given(false));
        assert_eq!(private.compliance_type, ComplianceType::Compliant);
        assert!(
            private
                .annotation
                .contains("which AWS itself does not call public")
        );
        let unasked = judged(Answer::Failed("why".to_owned()));
        assert_eq!(unasked.compliance_type, ComplianceType::NonCompliant);
        assert!(
            unasked.annotation.ends_with("AWS could not be asked: why. Statement \"Open\" is limited only by a KMS key, which callers choose themselves."),
            "{}",
            unasked.annotation
        );
    }

    #[test]
    fn the_answer_of_aws_outranks_the_analysis() {
        let supplement = json!({"AccessControlList": acl(&json!("AllUsers")),
            "BucketPolicy": {"policyText": PUBLIC_POLICY}});
        let judged = |answer: &BucketAnswer| judge_by(&supplement, answer).unwrap();
        let both = PublicAccessBlock {
            ignore_public_acls: true,
            restrict_public_buckets: true,
        };
        let blocked = judged(&BucketAnswer {
            account_block: Answer::Given(both),
            ..BucketAnswer::default()
        });
        assert_eq!(blocked.compliance_type, ComplianceType::Compliant);
        assert!(
            blocked
                .annotation
                .contains("of the account's Public Access Block"),
            "{}",
            blocked.annotation
        );
        let not_public = judged(&BucketAnswer {
            policy_is_public: Answer::Given(false),
            ..BucketAnswer::default()
        });
        assert_eq!(not_public.violations.len(), 1, "the ACL is not the policy");
        assert!(
            not_public
                .annotation
                .contains("which AWS itself does not call public")
        );
        let unasked = judged(&BucketAnswer {
            policy_is_public: Answer::Failed("why".to_owned()),
            ..BucketAnswer::default()
        });
        assert_eq!(unasked.violations.len(), 2);
        assert!(
            unasked.annotation.ends_with("AWS could not be asked: why."),
            "{}",
            unasked.annotation
        );
    }

    #[test]
    fn blocked_access_is_compliant_and_says_by_which_setting() {
        let verdict = bucket(json!({
            "BucketPolicy": {"policyText": PUBLIC_POLICY},
            "PublicAccessBlockConfiguration": {"restrictPublicBuckets": true, "blockPublicPolicy": false},
        }));
        assert_eq!(verdict.compliance_type, ComplianceType::Compliant);
        assert!(
            verdict.annotation.contains("RestrictPublicBuckets"),
            "{}",
            verdict.annotation
        );
        let refused_only = bucket(json!({
            "BucketPolicy": json!({"policyText": PUBLIC_POLICY}).to_string(),
            "PublicAccessBlockConfiguration": json!({"blockPublicPolicy": true}).to_string(),
        }));
        assert_eq!(refused_only.compliance_type, ComplianceType::NonCompliant);
    }

    #[test]
    fn a_bucket_without_grants_or_policy_is_private() {
        for supplement in [json!({}), json!({"BucketPolicy": {"policyText": " "}})] {
            assert_eq!(
                bucket(supplement).compliance_type,
                ComplianceType::Compliant
            );
        }
    }

    #[test]
    fn a_template_is_refused_whatever_its_supplement() {
        for supplement in [json!({}), json!(null)] {
            let item = json!({"resourceType": "AWS::S3::Bucket", "resourceId": "Downloads",
                "configurationItemStatus": "ResourceDiscovered", "supplementaryConfiguration": supplement,
                "configuration": {"AccessControl": "PublicRead", "BucketName": "downloads"}})
            .to_string();
            let item = serde_json::from_str(&item).unwrap();
            let judged = S3PublicAccess::default().evaluate(&item, &BucketAnswer::default());
            let error = judged.unwrap_err();
            assert!(matches!(error, Unjudged::Template), "{error}");
        }
    }

    #[test]
    fn a_long_annotation_keeps_what_aws_could_not_be_asked() {
        let sids = "Everybody ".repeat(40);
        let policy = PUBLIC_POLICY.replace("Open", &sids);
        let supplement = json!({"BucketPolicy": {"policyText": policy}});
        let answer = BucketAnswer {
            policy_is_public: Answer::Failed("why".to_owned()),
            ..BucketAnswer::default()
        };
        let annotation = judge_by(&supplement, &answer).unwrap().annotation;
        assert!(
            annotation.ends_with("AWS could not be asked: why."),
            "{annotation}"
        );
        assert!(annotation.chars().count() <= ANNOTATION_LIMIT);
    }

    #[test]
    fn an_item_without_acl_or_policy_is_not_called_private() {
        let (no_grants, no_policy) = (json!({"grantList": []}), json!({"policyText": null}));
        for (supplement, unread) in [
            (json!({}), "ACL and policy"),
            (json!({"AccessControlList": no_grants}), "policy"),
            (
                json!({"AccessControlList": no_grants, "BucketPolicy": null}),
                "policy",
            ),
            (json!({"BucketPolicy": no_policy}), "ACL"),
            (
                json!({"BucketPolicy": no_policy, "AccessControlList": {}}),
                "ACL",
            ),
            (
                json!({"BucketPolicy": no_policy, "AccessControlList": {"grantList": null, "grantSet": null}}),
                "ACL",
            ),
            (json!(null), "ACL and policy"),
        ] {
            let error = judge(&supplement).unwrap_err().to_string();
            assert!(
                error.contains(&format!("what the bucket's {unread} is")),
                "{error}"
            );
        }
        let public = judge(&json!({"BucketPolicy": {"policyText": PUBLIC_POLICY}})).unwrap();
        assert_eq!(
            public.compliance_type,
            ComplianceType::NonCompliant,
            "that much is known"
        );
    }
}
