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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::evaluation::ComplianceType;

    #[test]
    fn aws_is_asked_about_what_breaks_the_rule_may_break_it_or_could_not_be_read() {
        let rule = S3PublicAccess::default();
        let evaluation = || Evaluation {
            resource_type: "AWS::S3::Bucket".to_owned(),
            resource_id: "b".to_owned(),
            compliance_type: ComplianceType::Compliant,
            annotation: String::new(),
            violations: Vec::new(),
            prefix_lists: [].into(),
            is_for_aws_to_say: false,
        };
        assert!(!rule.has_to_ask(&Ok(evaluation())));
        assert!(rule.has_to_ask(&Ok(Evaluation {
            is_for_aws_to_say: true,
            ..evaluation()
        })));
        let unread = EvaluationError::Unread {
            resource_id: "b".to_owned(),
            part: "ACL",
        };
        assert!(rule.has_to_ask(&Err(unread)));
        let unreadable = EvaluationError::Item {
            resource_id: "b".to_owned(),
            source: serde_json::Error::custom("no JSON"),
        };
        assert!(!rule.has_to_ask(&Err(unreadable)));
    }

    #[test]
    fn the_rule_has_dd_aws_s_parameters_and_reads_only() {
        let rule = S3PublicAccess::default();
        assert_eq!(rule.parameters(), ["bucketWhitelist", "sqsUrl"]);
        assert_eq!(
            rule.actions(),
            [
                "s3:GetAccountPublicAccessBlock",
                "s3:GetBucketPolicyStatus",
                "s3:GetBucketAcl",
                "s3:GetBucketPolicy",
                "s3:GetBucketPublicAccessBlock"
            ]
        );
    }
}
