//! Remediations: plan from the live resource, then change exactly that.
//!
//! A remediation is one file (what it reads, its pure plan, its effect, how that is undone, the
//! AWS actions that it needs) and one arm in each match of this file and of its neighbour `undo`.

mod about;
mod bucket_acl;
mod bucket_policy;
mod change;
mod contracts;
mod remediator;
mod security_group;
mod undo;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use about::{About, IGNORE_TAG, Tags, ignored_because};
pub use change::{Change, Grant, Grantee, IngressRange};
pub use contracts::{Attempt, Outcome, RemediationReport, RemediationRequest, RemediationTask, ReportDetail};
pub use remediator::{ACTIONS, Remediator};
pub use undo::UndoError;

use crate::aws::{Aws, AwsError};
use crate::evaluation::RuleDefaults;
use crate::ids::{Resource, ResourceType};

/// The kinds of violation, each with one remediation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ViolationType {
    /// A security group opens a prohibited port to everybody.
    #[serde(rename = "EC2_SG_PROHIBITED_PORT")]
    Ec2SgProhibitedPort,
    /// A bucket's ACL grants something to everybody.
    #[serde(rename = "S3_BUCKET_PUBLIC_ACL")]
    S3BucketPublicAcl,
    /// A bucket's policy allows everybody.
    #[serde(rename = "S3_BUCKET_PUBLIC_POLICY")]
    S3BucketPublicPolicy,
}

/// The remediators: one function and one queue each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemediatorKind {
    /// `security-group-remediator`
    SecurityGroup,
    /// `s3-bucket-remediator`
    S3Bucket,
}

impl ViolationType {
    /// Every kind.
    pub const ALL: [Self; 3] =
        [Self::Ec2SgProhibitedPort, Self::S3BucketPublicAcl, Self::S3BucketPublicPolicy];

    /// The type of resource that the kind is about.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Ec2SgProhibitedPort => ResourceType::SECURITY_GROUP,
            Self::S3BucketPublicAcl | Self::S3BucketPublicPolicy => ResourceType::BUCKET,
        }
    }

    /// The kinds that a resource of this type can have; none for types that we cannot fix.
    pub fn of_resource(resource_type: &ResourceType) -> Vec<Self> {
        Self::ALL.into_iter().filter(|kind| kind.resource_type() == resource_type.as_str()).collect()
    }

    /// Who mends it.
    pub fn remediator(self) -> RemediatorKind {
        match self {
            Self::Ec2SgProhibitedPort => RemediatorKind::SecurityGroup,
            Self::S3BucketPublicAcl | Self::S3BucketPublicPolicy => RemediatorKind::S3Bucket,
        }
    }

    /// The IAM actions for planning, and for reading names and tags.
    pub fn plan_actions(self) -> &'static [&'static str] {
        match self {
            Self::Ec2SgProhibitedPort => security_group::PLAN_ACTIONS,
            Self::S3BucketPublicAcl => bucket_acl::PLAN_ACTIONS,
            Self::S3BucketPublicPolicy => bucket_policy::PLAN_ACTIONS,
        }
    }

    /// The IAM actions for applying, beside those for planning.
    pub fn apply_actions(self) -> &'static [&'static str] {
        match self {
            Self::Ec2SgProhibitedPort => security_group::APPLY_ACTIONS,
            Self::S3BucketPublicAcl => bucket_acl::APPLY_ACTIONS,
            Self::S3BucketPublicPolicy => bucket_policy::APPLY_ACTIONS,
        }
    }
}

impl fmt::Display for ViolationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ec2SgProhibitedPort => "EC2_SG_PROHIBITED_PORT",
            Self::S3BucketPublicAcl => "S3_BUCKET_PUBLIC_ACL",
            Self::S3BucketPublicPolicy => "S3_BUCKET_PUBLIC_POLICY",
        })
    }
}

/// Prepares remediations.
#[derive(Debug, Clone)]
pub struct Remediations {
    /// AWS clients by account and region.
    pub aws: Arc<Aws>,
    /// What counts as a violation, as the rules have it.
    pub rules: RuleDefaults,
}

/// What a fix would change now, ready to be applied.
#[derive(Debug)]
pub struct Prepared {
    changes: Vec<Change>,
    effect: Effect,
}

#[derive(Debug)]
enum Effect {
    SecurityGroup(security_group::Effect),
    PutBackIngress(security_group::PutBack),
    BucketAcl(Box<bucket_acl::Effect>),
    BucketPolicy(bucket_policy::Effect),
}

impl Prepared {
    /// What applying it takes away; nothing when the resource is clean.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Changes exactly that; returns it. A conflict means that somebody changed the resource
    /// meanwhile: prepare again.
    pub async fn apply(self) -> Result<Vec<Change>, AwsError> {
        if !self.changes.is_empty() {
            self.effect.apply().await?;
        }
        Ok(self.changes)
    }
}

impl Effect {
    async fn apply(self) -> Result<(), AwsError> {
        match self {
            Self::SecurityGroup(effect) => effect.apply().await,
            Self::PutBackIngress(effect) => effect.apply().await,
            Self::BucketAcl(effect) => effect.apply().await,
            Self::BucketPolicy(effect) => effect.apply().await,
        }
    }
}

impl Remediations {
    /// Reads the live resource and plans.
    pub async fn prepare(&self, kind: ViolationType, resource: &Resource) -> Result<Prepared, AwsError> {
        let Resource { account, region, id, .. } = resource;
        match kind {
            ViolationType::Ec2SgProhibitedPort => {
                let ec2 = self.aws.ec2(account, region)?;
                let (changes, effect) =
                    security_group::prepare(ec2, id, &self.rules.restricted_ports).await?;
                Ok(Prepared { changes, effect: Effect::SecurityGroup(effect) })
            }
            ViolationType::S3BucketPublicAcl => {
                let s3 = self.aws.s3(account, region)?;
                let (changes, effect) = bucket_acl::prepare(s3, id, &self.rules.s3_public_access).await?;
                Ok(Prepared { changes, effect: Effect::BucketAcl(Box::new(effect)) })
            }
            ViolationType::S3BucketPublicPolicy => {
                let s3 = self.aws.s3(account, region)?;
                let (changes, effect) = bucket_policy::prepare(s3, id, &self.rules.s3_public_access).await?;
                Ok(Prepared { changes, effect: Effect::BucketPolicy(effect) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_declares_its_actions_and_keeps_its_name() {
        for kind in ViolationType::ALL {
            assert!(!kind.plan_actions().is_empty() && !kind.apply_actions().is_empty());
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
            let resource_type = kind.resource_type().parse().unwrap();
            assert!(ViolationType::of_resource(&resource_type).contains(&kind));
        }
    }
}
