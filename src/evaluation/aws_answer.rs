//! What AWS itself says of a bucket, beside its configuration item: what it does not call public, or what
//! the account's settings make ineffective, is no violation.

use super::s3_public_access::PublicAccessBlock;
use crate::aws::{Aws, AwsError};
use crate::ids::{AccountId, Region};

/// What asking calls.
pub const ACTIONS: &[&str] = &["s3:GetAccountPublicAccessBlock", "s3:GetBucketPolicyStatus"];

/// AWS's answer to one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Answer<T> {
    /// It was not asked.
    #[default]
    NotAsked,
    /// It said so.
    Given(T),
    /// It could not be asked: why.
    Failed(String),
}

impl<T> Answer<T> {
    /// What it said.
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Given(answer) => Some(answer),
            Self::NotAsked | Self::Failed(_) => None,
        }
    }

    /// Why it could not be asked.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::NotAsked | Self::Given(_) => None,
        }
    }
}

impl<T> From<Result<T, AwsError>> for Answer<T> {
    fn from(result: Result<T, AwsError>) -> Self {
        result.map_or_else(|error| Self::Failed(error.to_string()), Self::Given)
    }
}

/// What AWS says of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsAnswer {
    /// The account's Public Access Block, in which the organisation's policy is included; without one all
    /// is off.
    /// ([GetPublicAccessBlock](https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html))
    pub account_block: Answer<PublicAccessBlock>,
    /// Whether the bucket's policy is public; one that is not there is not.
    /// ([GetBucketPolicyStatus](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html))
    pub policy_is_public: Answer<bool>,
}

impl AwsAnswer {
    /// Why one of the questions could not be asked.
    pub fn failure(&self) -> Option<&str> {
        self.account_block.failure().or(self.policy_is_public.failure())
    }

    /// Asks for both.
    pub async fn of_bucket(aws: &Aws, account: &AccountId, region: &Region, bucket: &str) -> Self {
        let (account_block, policy_is_public) =
            tokio::join!(account_block(aws, account, region), policy_is_public(aws, account, region, bucket));
        Self { account_block: account_block.into(), policy_is_public: policy_is_public.into() }
    }

    /// Asks for the account's block only.
    pub async fn of_account(aws: &Aws, account: &AccountId, region: &Region) -> Self {
        let account_block = account_block(aws, account, region).await.into();
        Self { account_block, ..Self::default() }
    }
}

async fn account_block(
    aws: &Aws,
    account: &AccountId,
    region: &Region,
) -> Result<PublicAccessBlock, AwsError> {
    let s3 = aws.s3_control(account, region)?;
    let block = s3.get_public_access_block().account_id(account.as_str()).send().await;
    match block.map_err(|error| AwsError::from_sdk("s3:GetAccountPublicAccessBlock", error)) {
        Ok(answer) => {
            let block = answer.public_access_block_configuration;
            Ok(block.map_or_else(PublicAccessBlock::default, |block| PublicAccessBlock {
                ignore_public_acls: block.ignore_public_acls.unwrap_or_default(),
                restrict_public_buckets: block.restrict_public_buckets.unwrap_or_default(),
            }))
        }
        Err(error) if error.code == "NoSuchPublicAccessBlockConfiguration" => {
            Ok(PublicAccessBlock::default())
        }
        Err(error) => Err(error),
    }
}

async fn policy_is_public(
    aws: &Aws,
    account: &AccountId,
    region: &Region,
    bucket: &str,
) -> Result<bool, AwsError> {
    let status = aws.s3(account, region)?.get_bucket_policy_status().bucket(bucket).send().await;
    match status.map_err(|error| AwsError::from_sdk("s3:GetBucketPolicyStatus", error)) {
        Ok(answer) => {
            let is_public = answer.policy_status.and_then(|status| status.is_public);
            is_public.ok_or_else(|| {
                AwsError::other("s3:GetBucketPolicyStatus", "NoStatus", "the answer has no status")
            })
        }
        Err(error) if error.code == "NoSuchBucketPolicy" => Ok(false),
        Err(error) => Err(error),
    }
}
