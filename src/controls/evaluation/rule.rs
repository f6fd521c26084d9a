//! Our rules: what each is told, and how it judges an item.

use std::collections::BTreeSet;

use super::aws_answer::AwsAnswer;
use super::configuration_item::ConfigurationItem;
use super::judge::Rule;
use super::parameters::RuleParameters;
use super::verdict::{self, ComplianceType, Evaluation, EvaluationError, Verdict};
use crate::controls::bucket_public::S3PublicAccess;
use crate::controls::ingress_prohibited_ports::RestrictedPorts;
use crate::controls::{Control, ViolationType};
use crate::ids::{FindingId, Resource, ResourceType, RuleName};

/// The custom rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RuleKind {
    /// No security group opens a prohibited port to everybody.
    RestrictedPorts,
    /// No bucket is public.
    S3PublicAccess,
}

impl RuleKind {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::RestrictedPorts, Self::S3PublicAccess];

    /// `restricted-ports`
    pub fn name(self) -> &'static str {
        match self {
            Self::RestrictedPorts => "restricted-ports",
            Self::S3PublicAccess => "s3-public-access",
        }
    }

    /// The control that the rule judges by.
    pub fn control(self) -> Control {
        match self {
            Self::RestrictedPorts => Control::IngressProhibitedPorts,
            Self::S3PublicAccess => Control::BucketPublic,
        }
    }

    /// The one resource type that the rule judges.
    pub fn resource_type(self) -> &'static str {
        self.control().resource_type()
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
    pub restricted_ports_names: BTreeSet<RuleName>,
    /// The names that s3-public-access has in AWS Config.
    pub s3_public_access_names: BTreeSet<RuleName>,
}

impl RuleDefaults {
    /// The remediations for what a rule of AWS Config complains of: none, unless it is one of
    /// ours. Other rules judge groups and buckets too, by measures that are not ours.
    pub fn kinds(&self, rule: &RuleName, resource_type: &ResourceType) -> Vec<ViolationType> {
        let ours = self.names(resource_type).any(|name| name == rule);
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
        self.names(&resource.resource_type)
            .map(|rule| FindingId::of_rule(rule, resource))
            .collect()
    }

    /// A rule of ours.
    pub fn rule(&self, rule: RuleKind) -> &dyn Rule {
        match rule {
            RuleKind::RestrictedPorts => &self.restricted_ports,
            RuleKind::S3PublicAccess => &self.s3_public_access,
        }
    }

    /// The names that a rule of ours has in AWS Config.
    pub fn names_of(&self, rule: RuleKind) -> &BTreeSet<RuleName> {
        match rule {
            RuleKind::RestrictedPorts => &self.restricted_ports_names,
            RuleKind::S3PublicAccess => &self.s3_public_access_names,
        }
    }

    /// The names of our rules about a type of resource.
    pub fn names(&self, resource_type: &ResourceType) -> impl Iterator<Item = &RuleName> {
        let rules = RuleKind::ALL
            .into_iter()
            .filter(|rule| rule.resource_type() == resource_type.as_str());
        rules.flat_map(|rule| self.names_of(rule))
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
        let verdict = match not_applicable(rule, item, left_scope) {
            Some(annotation) => Verdict {
                compliance_type: ComplianceType::NotApplicable,
                ..Verdict::compliant(&annotation)
            },
            None => self.rule(rule).judge(parameters, item, answer)?,
        };
        Ok(Evaluation {
            resource_type: item.resource_type.to_string(),
            resource_id,
            compliance_type: verdict.compliance_type,
            annotation: verdict::annotation(&verdict.annotation, ""),
            violations: verdict.violations,
            prefix_lists: verdict.prefix_lists,
            is_for_aws_to_say: verdict.is_for_aws_to_say,
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

    #[test]
    fn each_rule_has_the_name_by_which_it_is_typed() {
        let names = RuleKind::ALL.map(RuleKind::name);
        assert_eq!(names, ["restricted-ports", "s3-public-access"]);
    }

    #[test]
    fn version_0_1_derived_an_id_from_each_name_of_a_rule() {
        let names = ["ports", "ports-of-old"].map(|name| name.parse::<RuleName>().unwrap());
        let rules = RuleDefaults {
            restricted_ports_names: names.clone().into(),
            ..RuleDefaults::default()
        };
        let mut resource = Resource {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            resource_type: ResourceType::SECURITY_GROUP.parse().unwrap(),
            id: "sg-1".parse().unwrap(),
        };
        let of_names = names.map(|name| FindingId::of_rule(&name, &resource));
        assert_eq!(rules.older_ids(&resource), of_names);
        resource.resource_type = ResourceType::BUCKET.parse().unwrap();
        assert_eq!(rules.older_ids(&resource), []);
    }
}
