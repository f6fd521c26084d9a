//! Judges buckets by their items, and by what AWS says of what looks public or may be. An item that lacks the ACL or the
//! policy is completed from the live bucket.

use async_trait::async_trait;
use serde::de::Error;

use super::answer::{self, BucketAnswer};
use super::live_bucket;
use super::rule::{S3PublicAccess, Unjudged};
use crate::aws::{Aws, AwsError};
use crate::controls::evaluation::aws_answer::AwsAnswer;
use crate::controls::evaluation::{
    ConfigurationItem, Evaluation, EvaluationError, Rule, RuleParameters, Verdict,
};
use crate::ids::{AccountId, Region};

#[async_trait]
impl Rule for S3PublicAccess {
    fn parameters(&self) -> &'static [&'static str] {
        &["bucketWhitelist", "sqsUrl"]
    }

    fn actions(&self) -> Vec<&'static str> {
        [answer::ACTIONS, live_bucket::ACTIONS].concat()
    }

    fn judge(
        &self,
        parameters: &RuleParameters,
        item: &ConfigurationItem,
        answer: &AwsAnswer,
    ) -> Result<Verdict, EvaluationError> {
        let resource_id = || item.resource_id.to_string();
        let not_asked = BucketAnswer::default();
        let answer = match answer {
            AwsAnswer::Bucket(answer) => answer,
            AwsAnswer::NotAsked | AwsAnswer::PrefixLists(_) => &not_asked,
        };
        let verdict = self.with_parameters(parameters).evaluate(item, answer);
        verdict.map_err(|unjudged| match unjudged {
            Unjudged::Shape(source) => EvaluationError::Item {
                resource_id: resource_id(),
                source,
            },
            Unjudged::Template => EvaluationError::Item {
                resource_id: resource_id(),
                source: serde_json::Error::custom(unjudged),
            },
            Unjudged::Unread(part) => EvaluationError::Unread {
                resource_id: resource_id(),
                part,
            },
        })
    }

    fn has_to_ask(&self, by_item: &Result<Evaluation, EvaluationError>) -> bool {
        match by_item {
            Ok(evaluation) => !evaluation.violations.is_empty() || evaluation.is_for_aws_to_say,
            Err(error) => matches!(error, EvaluationError::Unread { .. }),
        }
    }

    async fn ask(
        &self,
        aws: &Aws,
        (account, region): (&AccountId, &Region),
        item: &ConfigurationItem<'_>,
        _: &Result<Evaluation, EvaluationError>,
    ) -> Result<AwsAnswer, AwsError> {
        let answer = BucketAnswer::of_bucket(aws, account, region, &item.resource_id).await;
        Ok(AwsAnswer::Bucket(answer))
    }

    async fn complete(
        &self,
        aws: &Aws,
        (account, region): (&AccountId, &Region),
        item: &ConfigurationItem<'_>,
    ) -> Result<Option<String>, AwsError> {
        live_bucket::completed(aws, account, region, item)
            .await
            .map(Some)
    }
}
