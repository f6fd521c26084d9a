//! How a rule of ours judges a resource: by its item, and by what AWS says beside it.

use super::aws_answer::AwsAnswer;
use super::configuration_item::ConfigurationItem;
use super::parameters::RuleParameters;
use super::verdict::{Evaluation, EvaluationError, Verdict};
use crate::aws::{Aws, AwsError};
use crate::ids::{AccountId, Region};
use async_trait::async_trait;

/// The rule of a control, with what it is told where its own parameters say nothing.
#[async_trait]
pub trait Rule: Sync {
    /// The parameters that it reads.
    fn parameters(&self) -> &'static [&'static str];

    /// The IAM actions for what it asks AWS.
    fn actions(&self) -> Vec<&'static str>;

    /// Judges an item of a resource that exists.
    fn judge(
        &self,
        parameters: &RuleParameters,
        item: &ConfigurationItem,
        answer: &AwsAnswer,
    ) -> Result<Verdict, EvaluationError>;

    /// Whether AWS has to be asked, after what the item alone says.
    fn has_to_ask(&self, by_item: &Result<Evaluation, EvaluationError>) -> bool;

    /// Asks AWS what the item does not say.
    async fn ask(
        &self,
        aws: &Aws,
        place: (&AccountId, &Region),
        item: &ConfigurationItem<'_>,
        by_item: &Result<Evaluation, EvaluationError>,
    ) -> Result<AwsAnswer, AwsError>;

    /// The item of a resource whose item lacks something, as JSON, completed from the live resource; none
    /// where it cannot be completed.
    async fn complete(
        &self,
        _: &Aws,
        _: (&AccountId, &Region),
        _: &ConfigurationItem<'_>,
    ) -> Result<Option<String>, AwsError> {
        Ok(None)
    }
}
