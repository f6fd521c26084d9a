//! Controls: one thing that can be wrong with a kind of resource, whichever rules speak of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ViolationType;
use crate::ids::{FindingId, Resource, ResourceType};

/// A control. Its key is part of finding ids and plan digests, and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// A security group opens a prohibited port to everybody.
    IngressProhibitedPorts,
    /// A bucket is public, by its ACL or its policy.
    BucketPublic,
}

impl Control {
    /// Every control.
    pub const ALL: [Self; 2] = [Self::IngressProhibitedPorts, Self::BucketPublic];

    /// `ingress-prohibited-ports`
    pub fn key(self) -> &'static str {
        match self {
            Self::IngressProhibitedPorts => "ingress-prohibited-ports",
            Self::BucketPublic => "bucket-public",
        }
    }

    /// The kinds of violation that belong to it, in the order in which a fix takes them.
    pub fn kinds(self) -> &'static [ViolationType] {
        match self {
            Self::IngressProhibitedPorts => &[ViolationType::Ec2SgProhibitedPort],
            Self::BucketPublic => &[
                ViolationType::S3BucketPublicAcl,
                ViolationType::S3BucketPublicPolicy,
            ],
        }
    }

    /// The type of resource that it is about.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::IngressProhibitedPorts => ResourceType::SECURITY_GROUP,
            Self::BucketPublic => ResourceType::BUCKET,
        }
    }

    /// The id of the finding that violates it in `resource`.
    pub fn finding(self, resource: &Resource) -> FindingId {
        FindingId::of_control(self.key(), resource)
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_violation_belongs_to_one_control() {
        for kind in ViolationType::ALL {
            let of: Vec<Control> = Control::ALL
                .into_iter()
                .filter(|control| control.kinds().contains(&kind))
                .collect();
            assert_eq!(of, [kind.control()]);
            assert_eq!(kind.control().resource_type(), kind.resource_type());
        }
    }

    /// Ids in tables, messages and queues follow from these: none may ever change.
    #[test]
    fn keys_and_the_ids_that_follow_from_them_stay() {
        let id = |control: Control| {
            let resource = Resource {
                account: "123456789012".parse().unwrap(),
                region: "eu-central-1".parse().unwrap(),
                resource_type: control.resource_type().parse().unwrap(),
                id: "resource-1".parse().unwrap(),
            };
            control.finding(&resource).to_string()
        };
        let stay = Control::ALL.map(|control| {
            assert_eq!(
                serde_json::to_value(control).unwrap(),
                control.key(),
                "as in the table"
            );
            (control.key(), id(control))
        });
        assert_eq!(
            stay,
            [
                ("ingress-prohibited-ports", "f-cd5ce2bf1289".to_owned()),
                ("bucket-public", "f-890f0caa8f7b".to_owned()),
            ]
        );
    }
}
