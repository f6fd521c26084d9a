//! Rules: a configuration item in, an evaluation out. Pure, but for what a [`Rule`] asks AWS.

pub mod aws_answer;
mod configuration_item;
mod judge;
pub mod lines;
mod parameters;
mod rule;
pub mod rule_event;
mod verdict;

pub use configuration_item::{ConfigurationItem, from_stringified};
pub(super) use configuration_item::{nullable, stringified};
pub use judge::Rule;
pub use parameters::{InvalidParameter, RuleParameters, list};
pub use rule::{RuleDefaults, RuleKind};
pub use verdict::{ANNOTATION_LIMIT, ComplianceType, Evaluation, EvaluationError, Violation};
pub(super) use verdict::{Verdict, annotation};
