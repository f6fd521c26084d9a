//! Verdicts and evaluations of a rule.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::parameters::InvalidParameter;
use crate::controls::ViolationType;
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
    /// The kind of violation, which has one remediation.
    pub violation_type: ViolationType,
    /// The offending part: a permission, grants, statements.
    pub details: Value,
    /// Whether auto-response leaves it to people.
    #[serde(skip)]
    pub is_left_to_people: bool,
}

/// The verdict about a resource that exists.
#[derive(Debug)]
pub struct Verdict {
    pub(in crate::controls) compliance_type: ComplianceType,
    pub(in crate::controls) annotation: String,
    pub(in crate::controls) violations: Vec<Violation>,
    /// The prefix lists that matter for it, whether they were looked into or not.
    pub(in crate::controls) prefix_lists: BTreeSet<String>,
    /// Whether it is compliant unless AWS says otherwise, and AWS has not said.
    pub(in crate::controls) is_for_aws_to_say: bool,
}

/// The most that notices take of a long annotation, in characters.
const NOTICES_LIMIT: usize = 170;

/// An annotation that PutEvaluations takes: what is said of the resource is cut, so that the notices behind it
/// (what AWS could not be asked, what was not looked into) are there.
pub(in crate::controls) fn annotation(said: &str, notices: &str) -> String {
    let unused = ANNOTATION_LIMIT.saturating_sub(said.chars().count());
    let notices = cut(notices, NOTICES_LIMIT.max(unused));
    let left = ANNOTATION_LIMIT - notices.chars().count();
    cut(said, left) + &notices
}

impl Verdict {
    /// The verdict about a resource that keeps the rule.
    pub(in crate::controls) fn compliant(annotation: &str) -> Self {
        Self {
            compliance_type: ComplianceType::Compliant,
            annotation: annotation.to_owned(),
            violations: Vec::new(),
            prefix_lists: BTreeSet::new(),
            is_for_aws_to_say: false,
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
    /// Whether it is compliant unless AWS says otherwise, and AWS has not said.
    #[serde(skip)]
    pub is_for_aws_to_say: bool,
}

/// The reason why a rule could not judge an item.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The rule's own parameters are wrong.
    #[error(transparent)]
    Parameter(#[from] InvalidParameter),
    /// The item is not of the shape that its type has.
    #[error("the configuration item of {resource_id} cannot be read: {source}")]
    Item {
        /// The resource of the item.
        resource_id: String,
        /// The mistake in the item.
        source: serde_json::Error,
    },
    /// The item lacks a part, which AWS Config could not read.
    #[error(
        "the configuration item of {resource_id} does not say what the bucket's {part} is, so that nothing can be said of it"
    )]
    Unread {
        /// The resource of the item.
        resource_id: String,
        /// `ACL`, `policy`, `ACL and policy`
        part: &'static str,
    },
}
