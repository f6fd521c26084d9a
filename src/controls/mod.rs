//! Remediations: plan from the live resource, then change exactly that.
//!
//! A remediation is one file (what it reads, its pure plan, its effect, how that is undone, the
//! AWS actions that it needs) and one arm in each match of this file and of its neighbour `undo`.

mod about;
mod bucket_acl;
mod bucket_policy;
mod change;
mod control;
pub mod evaluation;
mod exposure;
mod plan;
mod security_group;
mod undo;
mod undo_error;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use about::{About, IGNORE_TAG, Tags, ignored_because};
pub use change::{Change, Grant, Grantee, IngressRule, IngressSource, PrefixList};
pub use control::Control;
pub use exposure::{Exposure, protocol_name};
pub use plan::{AgreedPlan, Direction, exposures};
pub use undo_error::UndoError;

use crate::aws::{Aws, AwsError};
use crate::controls::evaluation::RuleDefaults;
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
    pub const ALL: [Self; 3] = [
        Self::Ec2SgProhibitedPort,
        Self::S3BucketPublicAcl,
        Self::S3BucketPublicPolicy,
    ];

    /// The type of resource that the kind is about.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Ec2SgProhibitedPort => ResourceType::SECURITY_GROUP,
            Self::S3BucketPublicAcl | Self::S3BucketPublicPolicy => ResourceType::BUCKET,
        }
    }

    /// The kinds that a resource of this type can have; none for types that we cannot fix.
    pub fn of_resource(resource_type: &ResourceType) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|kind| kind.resource_type() == resource_type.as_str())
            .collect()
    }

    /// The control that it belongs to.
    pub fn control(self) -> Control {
        match self {
            Self::Ec2SgProhibitedPort => Control::IngressProhibitedPorts,
            Self::S3BucketPublicAcl | Self::S3BucketPublicPolicy => Control::BucketPublic,
        }
    }

    /// The remediator that fixes it.
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
#[derive(Debug, PartialEq)]
pub struct Prepared {
    changes: Vec<Change>,
    live: Live,
    /// Why AWS could not be asked whether these are violations.
    doubt: Option<String>,
}

/// The resource as it was read, to be changed from.
#[derive(Debug, PartialEq)]
enum Live {
    SecurityGroup(security_group::Live),
    BucketAcl(Box<bucket_acl::Live>),
    BucketPolicy(bucket_policy::Live),
}

impl Prepared {
    /// What applying it takes away; nothing when the resource is clean.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The part of it whose changes are wanted.
    pub fn only(self, is_wanted: impl Fn(&Change) -> bool) -> Self {
        let Self {
            changes,
            live,
            doubt,
        } = self;
        let changes: Vec<Change> = match &live {
            Live::SecurityGroup(_) | Live::BucketAcl(_) => {
                changes.into_iter().filter(is_wanted).collect()
            }
            Live::BucketPolicy(live) => live.only(changes, is_wanted),
        };
        Self {
            changes,
            live,
            doubt,
        }
    }

    /// Whether both change the same of the resource as it was read, whatever AWS could be asked.
    pub fn changes_the_same(&self, other: &Self) -> bool {
        self.changes == other.changes && self.live == other.live
    }

    /// Why AWS could not be asked whether what it changes is public: people may go on, auto-response waits.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }
}

impl Remediations {
    /// Reads the live resource and plans.
    pub async fn prepare(
        &self,
        kind: ViolationType,
        resource: &Resource,
    ) -> Result<Prepared, AwsError> {
        let Resource {
            account,
            region,
            id,
            ..
        } = resource;
        match kind {
            ViolationType::Ec2SgProhibitedPort => {
                let ec2 = self.aws.ec2(account, region)?;
                let (changes, live) =
                    security_group::prepare(&ec2, id, &self.rules.restricted_ports).await?;
                Ok(Prepared {
                    changes,
                    live: Live::SecurityGroup(live),
                    doubt: None,
                })
            }
            ViolationType::S3BucketPublicAcl => {
                let rule = &self.rules.s3_public_access;
                let (changes, live, doubt) = bucket_acl::prepare(&self.aws, resource, rule).await?;
                Ok(Prepared {
                    changes,
                    live: Live::BucketAcl(Box::new(live)),
                    doubt,
                })
            }
            ViolationType::S3BucketPublicPolicy => {
                let rule = &self.rules.s3_public_access;
                let (changes, live, doubt) =
                    bucket_policy::prepare(&self.aws, resource, rule).await?;
                Ok(Prepared {
                    changes,
                    live: Live::BucketPolicy(live),
                    doubt,
                })
            }
        }
    }

    /// Reads the live resource and plans all that violates a control, kind by kind.
    pub async fn prepare_all(
        &self,
        control: Control,
        resource: &Resource,
    ) -> Result<Vec<(ViolationType, Prepared)>, AwsError> {
        let mut all = Vec::new();
        for kind in control.kinds() {
            all.push((*kind, self.prepare(*kind, resource).await?));
        }
        Ok(all)
    }

    /// Changes exactly what was prepared; returns it. A conflict means that somebody changed the
    /// resource meanwhile: prepare again.
    pub async fn apply(
        &self,
        resource: &Resource,
        prepared: Prepared,
    ) -> Result<Vec<Change>, AwsError> {
        let Resource {
            account,
            region,
            id,
            ..
        } = resource;
        let Prepared {
            changes,
            live,
            doubt: _,
        } = prepared;
        if changes.is_empty() {
            return Ok(changes);
        }
        match live {
            Live::SecurityGroup(_) => {
                security_group::revoke(&self.aws.ec2(account, region)?, id, &changes).await?
            }
            Live::BucketAcl(live) => {
                bucket_acl::put(&self.aws.s3(account, region)?, id, live.without(&changes)).await?;
            }
            Live::BucketPolicy(live) => {
                bucket_policy::put(&self.aws.s3(account, region)?, id, live.without(&changes))
                    .await?;
            }
        }
        Ok(changes)
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
