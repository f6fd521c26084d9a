//! Judges buckets by their items, and by what AWS says of what looks public. An item that lacks the ACL or the
//! policy is completed from the live bucket.

use futures::FutureExt;
use futures::future::BoxFuture;
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
            Ok(evaluation) => !evaluation.violations.is_empty(),
            Err(error) => matches!(error, EvaluationError::Unread { .. }),
        }
    }

    fn ask<'a>(
        &self,
        aws: &'a Aws,
        (account, region): (&'a AccountId, &'a Region),
        item: &'a ConfigurationItem<'_>,
        _: &'a Result<Evaluation, EvaluationError>,
    ) -> BoxFuture<'a, Result<AwsAnswer, AwsError>> {
        BucketAnswer::of_bucket(aws, account, region, &item.resource_id)
            .map(|answer| Ok(AwsAnswer::Bucket(answer)))
            .boxed()
    }

    fn complete<'a>(
        &self,
        aws: &'a Aws,
        (account, region): (&'a AccountId, &'a Region),
        item: &'a ConfigurationItem<'_>,
    ) -> BoxFuture<'a, Result<Option<String>, AwsError>> {
        live_bucket::completed(aws, account, region, item)
            .map(|read| read.map(Some))
            .boxed()
    }
}
