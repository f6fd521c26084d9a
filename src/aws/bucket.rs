//! What S3 tells of a bucket and of its account.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_bucket_acl::GetBucketAclOutput;
use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::AwsError;
use crate::ids::AccountId;

/// S3's error code where no block was set.
const NO_BLOCK: &str = "NoSuchPublicAccessBlockConfiguration";

/// S3's error code where there is no policy.
const NO_POLICY: &str = "NoSuchBucketPolicy";

/// The two of the four [Public Access Block](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html)
/// settings that make existing public access ineffective; the other two only refuse new grants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicAccessBlock {
    /// Public ACL grants have no effect.
    #[serde(default, deserialize_with = "off_where_null")]
    pub ignore_public_acls: bool,
    /// Public policy statements let in nobody but the account and AWS services.
    #[serde(default, deserialize_with = "off_where_null")]
    pub restrict_public_buckets: bool,
}

fn off_where_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A bucket's ACL.
pub async fn acl(s3: &Client, bucket: &str) -> Result<GetBucketAclOutput, AwsError> {
    let acl = s3.get_bucket_acl().bucket(bucket).send().boxed().await;
    acl.map_err(|error| AwsError::from_sdk("s3:GetBucketAcl", error))
}

/// A bucket's policy, if it has one.
pub async fn policy(s3: &Client, bucket: &str) -> Result<Option<String>, AwsError> {
    let policy = s3.get_bucket_policy().bucket(bucket).send().boxed().await;
    match policy.map_err(|error| AwsError::from_sdk("s3:GetBucketPolicy", error)) {
        Ok(answer) => Ok(answer.policy),
        Err(error) if error.code == NO_POLICY => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether AWS calls a bucket's policy public; `false` where there is no policy.
/// ([GetBucketPolicyStatus](https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html))
pub async fn policy_is_public(s3: &Client, bucket: &str) -> Result<bool, AwsError> {
    let status = s3
        .get_bucket_policy_status()
        .bucket(bucket)
        .send()
        .boxed()
        .await;
    match status.map_err(|error| AwsError::from_sdk("s3:GetBucketPolicyStatus", error)) {
        Ok(answer) => {
            let is_public = answer.policy_status.and_then(|status| status.is_public);
            is_public.ok_or_else(|| {
                AwsError::other(
                    "s3:GetBucketPolicyStatus",
                    "NoStatus",
                    "the answer has no status",
                )
            })
        }
        Err(error) if error.code == NO_POLICY => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads IgnorePublicAcls and RestrictPublicBuckets; absent settings are off.
fn settings(block: Option<(Option<bool>, Option<bool>)>) -> PublicAccessBlock {
    let (ignore, restrict) = block.unwrap_or_default();
    PublicAccessBlock {
        ignore_public_acls: ignore.unwrap_or_default(),
        restrict_public_buckets: restrict.unwrap_or_default(),
    }
}

/// A bucket's own Public Access Block; none is all off.
pub async fn public_access_block(s3: &Client, bucket: &str) -> Result<PublicAccessBlock, AwsError> {
    let block = s3
        .get_public_access_block()
        .bucket(bucket)
        .send()
        .boxed()
        .await;
    match block.map_err(|error| AwsError::from_sdk("s3:GetBucketPublicAccessBlock", error)) {
        Ok(answer) => {
            let block = answer.public_access_block_configuration;
            Ok(settings(block.map(|block| {
                (block.ignore_public_acls, block.restrict_public_buckets)
            })))
        }
        Err(error) if error.code == NO_BLOCK => Ok(PublicAccessBlock::default()),
        Err(error) => Err(error),
    }
}

/// An account's Public Access Block, in which the organisation's policy is included; none is all off.
/// ([GetPublicAccessBlock](https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html))
pub async fn account_block(
    s3: &aws_sdk_s3control::Client,
    account: &AccountId,
) -> Result<PublicAccessBlock, AwsError> {
    let block = s3
        .get_public_access_block()
        .account_id(account.as_str())
        .send()
        .boxed()
        .await;
    match block.map_err(|error| AwsError::from_sdk("s3:GetAccountPublicAccessBlock", error)) {
        Ok(answer) => {
            let block = answer.public_access_block_configuration;
            Ok(settings(block.map(|block| {
                (block.ignore_public_acls, block.restrict_public_buckets)
            })))
        }
        Err(error) if error.code == NO_BLOCK => Ok(PublicAccessBlock::default()),
        Err(error) => Err(error),
    }
}
