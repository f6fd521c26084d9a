//! What AWS Config reports of a resource that breaks a rule.

use jiff::Timestamp;

use crate::controls::{Control, Severity};
use crate::ids::{FindingId, Resource, RuleName};

/// A compliance change as AWS Config tells it, of a resource that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule's name in AWS Config.
    pub rule: RuleName,
    /// The rule's ARN, where AWS Config says it.
    pub rule_arn: Option<String>,
    /// The control that the rule speaks of, if we have one.
    pub control: Option<Control>,
    /// The resource.
    pub resource: Resource,
    /// What people call it, where that is not its id.
    pub resource_name: Option<String>,
    /// The annotation of the rule's evaluation.
    pub annotation: Option<String>,
    /// The severity of what is exposed.
    pub severity: Severity,
    /// The channel that it goes to, where that is not the default one.
    pub channel: Option<String>,
    /// When AWS Config recorded the result.
    pub recorded_at: Timestamp,
}

impl Breach {
    /// The id of its finding.
    pub fn finding(&self) -> FindingId {
        match self.control {
            Some(control) => control.finding(&self.resource),
            None => FindingId::of_rule(&self.rule, &self.resource),
        }
    }
}
