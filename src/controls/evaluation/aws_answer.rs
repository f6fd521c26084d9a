//! What AWS itself says beside a configuration item.

use crate::controls::bucket_public::answer::BucketAnswer;
use crate::controls::ingress_prohibited_ports::prefix_lists::PrefixLists;

/// What AWS says of a resource: each control asks questions of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AwsAnswer {
    /// AWS was not asked.
    #[default]
    NotAsked,
    /// Of a bucket: whether it is public, and what the account blocks.
    Bucket(BucketAnswer),
    /// Of a security group: what is in its prefix lists.
    PrefixLists(PrefixLists),
}
