//! Rules: a configuration item in, an evaluation out. Pure, but for what [`aws_answer`], [`prefix_lists`] and
//! [`live_bucket`] ask AWS.

pub mod aws_answer;
mod configuration_item;
pub mod lines;
pub mod live_bucket;
mod parameters;
pub mod prefix_lists;
mod ranges;
mod restricted_ports;
pub mod rule_event;
mod s3_public_access;
mod security_group;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

pub use configuration_item::{ConfigurationItem, from_stringified};
pub use parameters::{InvalidParameter, RuleParameters, list};
pub use restricted_ports::RestrictedPorts;
pub use s3_public_access::{S3PublicAccess, is_public_group};

use self::aws_answer::AwsAnswer;
use self::s3_public_access::Unjudged;
use crate::controls::{Control, ViolationType};
use crate::ids::{FindingId, Resource, ResourceType, RuleName};
use crate::text::cut;

/// The longest annotation that PutEvaluations takes, in characters
/// ([Evaluation](https://docs.aws.amazon.com/config/latest/APIReference/API_Evaluation.html)).
pub const ANNOTATION_LIMIT: usize = 256;

/// AWS Config's compliance types, less INSUFFICIENT_DATA, which PutEvaluations refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ComplianceType {
    /// `COMPLIANT`
    Compliant,
    /// `NON_COMPLIANT`
    NonCompliant,
    /// `NOT_APPLICABLE`: deleted, out of scope, or of another type.
    NotApplicable,
}

/// One breach of a rule, as a remediation request carries it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Which remediation mends it.
    pub violation_type: ViolationType,
    /// The offending part: a permission, grants, statements.
    pub details: Value,
    /// Whether auto-response leaves it to people.
    #[serde(skip)]
    pub is_left_to_people: bool,
}

/// What a rule says of a resource that exists.
#[derive(Debug)]
pub struct Verdict {
    compliance_type: ComplianceType,
    annotation: String,
    violations: Vec<Violation>,
    /// The prefix lists that matter for it, whether they were looked into or not.
    prefix_lists: BTreeSet<String>,
}

impl Verdict {
    fn compliant(annotation: &str) -> Self {
        Self {
            compliance_type: ComplianceType::Compliant,
            annotation: annotation.to_owned(),
            violations: Vec::new(),
            prefix_lists: BTreeSet::new(),
        }
    }
}

/// The outcome of a rule for one resource.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// `AWS::EC2::SecurityGroup`
    pub resource_type: String,
    /// `sg-0123456789abcdef0`
    pub resource_id: String,
    /// The verdict.
    pub compliance_type: ComplianceType,
    /// Why, in at most [`ANNOTATION_LIMIT`] characters.
    pub annotation: String,
    /// The breaches; empty unless non-compliant.
    pub violations: Vec<Violation>,
    /// The ids of the prefix lists that matter for it, whether they were looked into or not.
    #[serde(skip)]
    pub prefix_lists: BTreeSet<String>,
}

/// Why a rule could not judge an item.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The rule's own parameters are wrong.
    #[error(transparent)]
    Parameter(#[from] InvalidParameter),
    /// The item is not of the shape that its type has.
    #[error("the configuration item of {resource_id} cannot be read: {source}")]
    Item {
        /// Whose item it is.
        resource_id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The item lacks a part, which AWS Config could not read.
    #[error(
        "the configuration item of {resource_id} does not say what the bucket's {part} is, so that nothing can be said of it"
    )]
    Unread {
        /// Whose item it is.
        resource_id: String,
        /// `ACL`, `policy`, `ACL and policy`
        part: &'static str,
    },
}

/// The custom rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RuleKind {
    /// No security group opens a prohibited port to everybody.
    RestrictedPorts,
    /// No bucket is public.
    S3PublicAccess,
}

impl RuleKind {
    /// The parameters that the rule reads.
    pub fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::RestrictedPorts => &[
                "prohibitedPorts",
                "exemptSecurityGroups",
                "broadestIpv4",
                "broadestIpv6",
                "sqsUrl",
            ],
            Self::S3PublicAccess => &["bucketWhitelist", "sqsUrl"],
        }
    }

    /// The one resource type that the rule judges.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::RestrictedPorts => ResourceType::SECURITY_GROUP,
            Self::S3PublicAccess => ResourceType::BUCKET,
        }
    }
}

/// What every rule is told where its own parameters say nothing. The remediations plan by the
/// same values.
#[derive(Debug, Clone, Default)]
pub struct RuleDefaults {
    /// For restricted-ports.
    pub restricted_ports: RestrictedPorts,
    /// For s3-public-access.
    pub s3_public_access: S3PublicAccess,
    /// The names that restricted-ports has in AWS Config.
    pub restricted_ports_names: BTreeSet<String>,
    /// The names that s3-public-access has in AWS Config.
    pub s3_public_access_names: BTreeSet<String>,
}

impl RuleDefaults {
    /// The remediations for what a rule of AWS Config complains of: none, unless it is one of
    /// ours. Other rules judge groups and buckets too, by measures that are not ours.
    pub fn kinds(&self, rule: &RuleName, resource_type: &ResourceType) -> Vec<ViolationType> {
        let ours = self.names(resource_type).any(|name| name == rule.as_str());
        if ours {
            ViolationType::of_resource(resource_type)
        } else {
            Vec::new()
        }
    }

    /// The control that a rule speaks of: none, unless the rule is one of ours.
    pub fn control(&self, rule: &RuleName, resource_type: &ResourceType) -> Option<Control> {
        self.kinds(rule, resource_type)
            .first()
            .map(|kind| kind.control())
    }

    /// The ids that findings about a resource had before version 0.2, which derived them from the rule.
    pub fn older_ids(&self, resource: &Resource) -> Vec<FindingId> {
        let names = self
            .names(&resource.resource_type)
            .filter_map(|name| name.parse().ok());
        names
            .map(|rule| FindingId::of_rule(&rule, resource))
            .collect()
    }

    /// The names of our rules about a type of resource.
    pub fn names(&self, resource_type: &ResourceType) -> impl Iterator<Item = &str> {
        let names = match resource_type.as_str() {
            ResourceType::SECURITY_GROUP => Some(&self.restricted_ports_names),
            ResourceType::BUCKET => Some(&self.s3_public_access_names),
            _ => None,
        };
        names.into_iter().flatten().map(String::as_str)
    }

    /// Judges one item by itself. `left_scope` is the rule event's `eventLeftScope`.
    pub fn evaluate(
        &self,
        rule: RuleKind,
        parameters: &RuleParameters,
        item: &ConfigurationItem,
        left_scope: bool,
    ) -> Result<Evaluation, EvaluationError> {
        self.evaluate_by(rule, parameters, item, left_scope, &AwsAnswer::default())
    }

    /// Judges one item, and by what AWS says beside it, where that is known.
    pub fn evaluate_by(
        &self,
        rule: RuleKind,
        parameters: &RuleParameters,
        item: &ConfigurationItem,
        left_scope: bool,
        answer: &AwsAnswer,
    ) -> Result<Evaluation, EvaluationError> {
        let resource_id = item.resource_id.to_string();
        let of_item = |source| EvaluationError::Item {
            resource_id: resource_id.clone(),
            source,
        };
        let verdict = match not_applicable(rule, item, left_scope) {
            Some(annotation) => Verdict {
                compliance_type: ComplianceType::NotApplicable,
                ..Verdict::compliant(&annotation)
            },
            None => match rule {
                RuleKind::RestrictedPorts => {
                    let rule = self.restricted_ports.with_parameters(parameters)?;
                    rule.evaluate(item, &answer.prefix_lists).map_err(of_item)?
                }
                RuleKind::S3PublicAccess => {
                    match self
                        .s3_public_access
                        .with_parameters(parameters)
                        .evaluate(item, answer)
                    {
                        Ok(verdict) => verdict,
                        Err(Unjudged::Shape(source)) => return Err(of_item(source)),
                        Err(Unjudged::Unread(part)) => {
                            return Err(EvaluationError::Unread { resource_id, part });
                        }
                    }
                }
            },
        };
        Ok(Evaluation {
            resource_type: item.resource_type.to_string(),
            resource_id,
            compliance_type: verdict.compliance_type,
            annotation: cut(&verdict.annotation, ANNOTATION_LIMIT),
            violations: verdict.violations,
            prefix_lists: verdict.prefix_lists,
        })
    }
}

fn not_applicable(rule: RuleKind, item: &ConfigurationItem, left_scope: bool) -> Option<String> {
    if item.resource_type != rule.resource_type() {
        return Some(format!(
            "The rule does not apply to resources of type {}.",
            item.resource_type
        ));
    }
    if left_scope {
        return Some("The resource has left the rule's scope.".to_owned());
    }
    let status = &item.configuration_item_status;
    (!item.exists()).then(|| format!("The resource is not there any more ({status})."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(item: &str, left_scope: bool) -> Evaluation {
        let item = serde_json::from_str(item).unwrap();
        let rules = RuleDefaults::default();
        rules
            .evaluate(
                RuleKind::RestrictedPorts,
                &RuleParameters::default(),
                &item,
                left_scope,
            )
            .unwrap()
    }

    fn item(resource_type: &str, status: &str) -> String {
        format!(
            r#"{{"resourceType":"{resource_type}","resourceId":"sg-1","configurationItemStatus":"{status}",
            "configuration":{{"ipPermissions":[{{"ipProtocol":"-1","ipRanges":["0.0.0.0/0"]}}]}}}}"#
        )
    }

    #[test]
    fn deleted_left_scope_and_other_types_are_not_applicable() {
        let group = ResourceType::SECURITY_GROUP;
        for (text, left_scope) in [
            (item(group, "ResourceDeleted"), false),
            (item(group, "ResourceNotRecorded"), false),
            (item(group, "ResourceDeletedNotRecorded"), false),
            (item(group, "OK"), true),
            (item(ResourceType::BUCKET, "OK"), false),
        ] {
            assert_eq!(
                evaluate(&text, left_scope).compliance_type,
                ComplianceType::NotApplicable,
                "{text}"
            );
        }
        let discovered = evaluate(&item(group, "ResourceDiscovered"), false);
        assert_eq!(discovered.compliance_type, ComplianceType::NonCompliant);
    }
}
