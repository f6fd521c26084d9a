//! What AWS itself says of a bucket: what it does not call public, or what the account's settings make
//! ineffective, is no violation.

use crate::aws::answer::Answer;
use crate::aws::bucket::{self, PublicAccessBlock};
use crate::aws::{Aws, AwsError};
use crate::ids::{AccountId, Region};

/// The IAM actions of asking.
pub const ACTIONS: &[&str] = &["s3:GetAccountPublicAccessBlock", "s3:GetBucketPolicyStatus"];

/// What AWS says of a bucket, as far as it was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketAnswer {
    /// The account's Public Access Block, in which the organisation's policy is included; without one all
    /// is off.
    pub account_block: Answer<PublicAccessBlock>,
    /// Whether the bucket's policy is public; one that is not there is not.
    pub policy_is_public: Answer<bool>,
}

impl BucketAnswer {
    /// Why one of the questions could not be asked.
    pub fn failure(&self) -> Option<&str> {
        self.account_block
            .failure()
            .or(self.policy_is_public.failure())
    }

    /// Asks for the account's block and for the policy's status.
    pub async fn of_bucket(aws: &Aws, account: &AccountId, region: &Region, bucket: &str) -> Self {
        let (account_block, policy_is_public) = tokio::join!(
            account_block(aws, account, region),
            policy_is_public(aws, account, region, bucket)
        );
        let (account_block, policy_is_public) = (account_block.into(), policy_is_public.into());
        Self {
            account_block,
            policy_is_public,
        }
    }

    /// Asks for the account's block only.
    pub async fn of_account(aws: &Aws, account: &AccountId, region: &Region) -> Self {
        let account_block = account_block(aws, account, region).await.into();
        Self {
            account_block,
            ..Self::default()
        }
    }
}

async fn account_block(
    aws: &Aws,
    account: &AccountId,
    region: &Region,
) -> Result<PublicAccessBlock, AwsError> {
    bucket::account_block(&aws.s3_control(account, region)?, account).await
}

async fn policy_is_public(
    aws: &Aws,
    account: &AccountId,
    region: &Region,
    id: &str,
) -> Result<bool, AwsError> {
    bucket::policy_is_public(&aws.s3(account, region)?, id).await
}
