//! The definition of a control and the remediation of a kind of violation, as the catalogue has them, and what
//! follows from these.

use std::collections::BTreeSet;

use super::catalogue::catalogue;
use super::definition::Definition;
use super::kind::{Control, ViolationType};
use super::remediation::Remediation;
use crate::ids::{FindingId, Resource, ResourceType};

/// What the folders of the catalogue define.
macro_rules! definitions {
    ($(
        $(#[$about:meta])* $control:ident = $name:literal in $folder:ident {
            $($(#[$what:meta])* $kind:ident = $kind_name:literal by $remediation:ident,)+
        }
    )+) => {
        impl Control {
            /// The control's definition: resource type, words, console page, name and tags.
            pub fn definition(self) -> &'static dyn Definition {
                match self {
                    $(Self::$control => &super::$folder::$control,)+
                }
            }
        }

        impl ViolationType {
            /// How it is fixed, and how that is undone.
            pub fn remediation(self) -> &'static dyn Remediation {
                match self {
                    $($(Self::$kind => &super::$folder::$remediation,)+)+
                }
            }
        }
    };
}

catalogue!(definitions);

impl Control {
    /// The kinds of violation that belong to it, in the order in which a fix takes them.
    pub fn kinds(self) -> impl Iterator<Item = ViolationType> {
        ViolationType::ALL
            .into_iter()
            .filter(move |kind| kind.control() == self)
    }

    /// The type of resource that it is about.
    pub fn resource_type(self) -> &'static str {
        self.definition().resource_type()
    }

    /// The types of resources that controls are about, each once.
    pub fn resource_types() -> BTreeSet<&'static str> {
        Self::ALL.into_iter().map(Self::resource_type).collect()
    }

    /// The types of resources in the scope of its rule: its own, and those whose settings excuse violations.
    pub fn scope(self) -> Vec<&'static str> {
        [&[self.resource_type()], self.definition().excused_by()].concat()
    }

    /// The controls about a type of resource.
    pub fn of_resource(resource_type: &ResourceType) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |control| control.resource_type() == resource_type.as_str())
    }

    /// The id of the finding that violates it in `resource`.
    pub fn finding(self, resource: &Resource) -> FindingId {
        FindingId::of_control(self.name(), resource)
    }
}

impl ViolationType {
    /// The type of resource that the kind is about.
    pub fn resource_type(self) -> &'static str {
        self.control().resource_type()
    }

    /// The kinds that a resource of this type can have; none for types that we cannot fix.
    pub fn of_resource(resource_type: &ResourceType) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|kind| kind.resource_type() == resource_type.as_str())
            .collect()
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
                .filter(|control| control.kinds().any(|of| of == kind))
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
                control.name(),
                "as in the table"
            );
            (control.name(), id(control))
        });
        assert_eq!(
            stay,
            [
                ("ingress-prohibited-ports", "f-cd5ce2bf1289".to_owned()),
                ("bucket-public", "f-890f0caa8f7b".to_owned()),
            ]
        );
    }

    #[test]
    fn the_words_and_pages_of_a_control_are_its_own() {
        let all = |kinds: &[ViolationType]| kinds.iter().copied().collect::<BTreeSet<_>>();
        let region = "eu-central-1".parse().unwrap();
        let (bucket, group) = (
            Control::BucketPublic.definition(),
            Control::IngressProhibitedPorts.definition(),
        );
        for (kinds, said) in [
            (&[][..], "is public"),
            (&[ViolationType::S3BucketPublicAcl], "is public by its ACL"),
            (
                &[ViolationType::S3BucketPublicPolicy],
                "is public by its policy",
            ),
            (
                &[
                    ViolationType::S3BucketPublicAcl,
                    ViolationType::S3BucketPublicPolicy,
                ],
                "is public by its ACL and its policy",
            ),
        ] {
            assert_eq!(bucket.violated(&all(kinds)), said);
        }
        assert_eq!((bucket.noun(), group.noun()), ("Bucket", "Security group"));
        assert_eq!(
            (bucket.kept_again(), group.kept_again()),
            ("is no longer public", "is no longer open to the internet")
        );
        assert_eq!(group.violated(&BTreeSet::new()), "is open to the internet");
        assert_eq!(
            bucket.console_page(&region, "b"),
            "s3/buckets/b?region=eu-central-1&tab=permissions"
        );
        assert_eq!(
            group.console_page(&region, "sg-1"),
            "ec2/home?region=eu-central-1#SecurityGroup:groupId=sg-1"
        );
    }

    #[test]
    fn a_rule_is_in_scope_of_its_type_and_of_what_excuses_it() {
        let (group, bucket) = (ResourceType::SECURITY_GROUP, ResourceType::BUCKET);
        assert_eq!(Control::IngressProhibitedPorts.scope(), [group]);
        let account = ResourceType::ACCOUNT_BLOCK;
        assert_eq!(Control::BucketPublic.scope(), [bucket, account]);
        assert_eq!(Control::resource_types(), [group, bucket].into());
    }

    #[test]
    fn every_kind_declares_its_actions_and_keeps_its_name() {
        for kind in ViolationType::ALL {
            let remediation = kind.remediation();
            assert!(
                !remediation.plan_actions().is_empty() && !remediation.apply_actions().is_empty()
            );
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
            let resource_type = kind.resource_type().parse().unwrap();
            assert!(ViolationType::of_resource(&resource_type).contains(&kind));
        }
    }
}
