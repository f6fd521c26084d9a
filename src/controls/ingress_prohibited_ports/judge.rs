//! Judges security groups by their items, and by what AWS says is in their prefix lists.

use super::prefix_lists::{self, PrefixLists};
use super::rule::RestrictedPorts;
use crate::aws::{Aws, AwsError};
use crate::controls::evaluation::aws_answer::AwsAnswer;
use crate::controls::evaluation::{
    ConfigurationItem, Evaluation, EvaluationError, Rule, RuleParameters, Verdict,
};
use crate::ids::{AccountId, Region};
use async_trait::async_trait;

#[async_trait]
impl Rule for RestrictedPorts {
    fn parameters(&self) -> &'static [&'static str] {
        &[
            "prohibitedPorts",
            "exemptSecurityGroups",
            "broadestIpv4",
            "broadestIpv6",
            "sqsUrl",
        ]
    }

    fn actions(&self) -> Vec<&'static str> {
        prefix_lists::ACTIONS.to_vec()
    }

    fn judge(
        &self,
        parameters: &RuleParameters,
        item: &ConfigurationItem,
        answer: &AwsAnswer,
    ) -> Result<Verdict, EvaluationError> {
        let rule = self.with_parameters(parameters)?;
        let not_asked = PrefixLists::default();
        let lists = match answer {
            AwsAnswer::PrefixLists(lists) => lists,
            AwsAnswer::NotAsked | AwsAnswer::Bucket(_) => &not_asked,
        };
        let verdict = rule.evaluate(item, lists);
        verdict.map_err(|source| EvaluationError::Item {
            resource_id: item.resource_id.to_string(),
            source,
        })
    }

    fn has_to_ask(&self, by_item: &Result<Evaluation, EvaluationError>) -> bool {
        matches!(by_item, Ok(evaluation) if !evaluation.prefix_lists.is_empty())
    }

    async fn ask(
        &self,
        aws: &Aws,
        (account, region): (&AccountId, &Region),
        _: &ConfigurationItem<'_>,
        by_item: &Result<Evaluation, EvaluationError>,
    ) -> Result<AwsAnswer, AwsError> {
        let lists = by_item.as_ref().map(|one| one.prefix_lists.clone());
        let ec2 = aws.ec2(account, region)?;
        let lists = PrefixLists::read(&ec2, lists.unwrap_or_default()).await?;
        Ok(AwsAnswer::PrefixLists(lists))
    }
}
