//! `bucket-public`: a bucket is public, by its ACL or by its policy.

mod acl;
pub mod answer;
mod cause;
mod facts;
mod grant;
mod judge;
mod live_bucket;
mod policy;
mod rule;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use async_trait::async_trait;

pub(super) use acl::PublicAcl;
pub use grant::{Grant, Grantee};
pub(super) use policy::PublicPolicy;
pub use rule::S3PublicAccess;
pub use statement::{PolicyStatement, WholePolicy};

use super::about::{About, bucket};
use super::definition::Definition;
use super::kind::ViolationType;
use crate::aws::{Aws, AwsError};
use crate::ids::{Region, Resource, ResourceType};

/// The control.
pub(super) struct BucketPublic;

#[async_trait]
impl Definition for BucketPublic {
    fn resource_type(&self) -> &'static str {
        ResourceType::BUCKET
    }

    fn noun(&self) -> &'static str {
        "Bucket"
    }

    fn violated(&self, violations: &BTreeSet<ViolationType>) -> &'static str {
        let by = |kind| violations.contains(&kind);
        match (
            by(ViolationType::S3BucketPublicAcl),
            by(ViolationType::S3BucketPublicPolicy),
        ) {
            (true, true) => "is public by its ACL and its policy",
            (true, false) => "is public by its ACL",
            (false, true) => "is public by its policy",
            (false, false) => "is public",
        }
    }

    fn kept_again(&self) -> &'static str {
        "is no longer public"
    }

    fn excused_by(&self) -> &'static [&'static str] {
        &[ResourceType::ACCOUNT_BLOCK]
    }

    fn console_page(&self, region: &Region, id: &str) -> String {
        format!("s3/buckets/{id}?region={region}&tab=permissions")
    }

    async fn about(&self, aws: &Aws, resource: &Resource) -> Result<About, AwsError> {
        bucket(aws, resource).await
    }
}
