//! Controls and kinds of violation, by the names that the catalogue gives them, and services.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::catalogue::catalogue;

/// An enum whose members have fixed names, which are in tables, messages and queues.
macro_rules! named {
    (
        $(#[$about:meta])*
        pub enum $type:ident {
            $($(#[$what:meta])* $member:ident = $name:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum $type {
            $($(#[$what])* #[serde(rename = $name)] $member,)+
        }

        impl $type {
            /// Every one, in the order in which a fix takes them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$member),+];

            /// Its name, which never changes.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$member => $name,)+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// The two enums that the catalogue names.
macro_rules! names {
    ($(
        $(#[$about:meta])* $control:ident = $name:literal in $folder:ident {
            $($(#[$what:meta])* $kind:ident = $kind_name:literal by $remediation:ident,)+
        }
    )+) => {
        named! {
            /// A control: one thing that can be wrong with a kind of resource, whichever rules speak of it. Its
            /// name is part of finding ids and plan digests.
            pub enum Control {
                $($(#[$about])* $control = $name,)+
            }
        }

        named! {
            /// A kind of violation. Each belongs to one control, and has one remediation.
            pub enum ViolationType {
                $($($(#[$what])* $kind = $kind_name,)+)+
            }
        }

        impl ViolationType {
            /// The control that it belongs to.
            pub fn control(self) -> Control {
                match self {
                    $($(Self::$kind => Control::$control,)+)+
                }
            }
        }
    };
}

catalogue!(names);

named! {
    /// An AWS service whose resources are changed. Each has a remediator: one function, one queue, one role.
    pub enum Service {
        /// EC2.
        Ec2 = "ec2",
        /// S3.
        S3 = "s3",
    }
}

impl Service {
    /// The name of its remediator's function: `ec2-remediator`.
    pub fn remediator(self) -> String {
        format!("{}-remediator", self.name())
    }

    /// What version 0.1 called it, whose remediators were each for one type of resource: `security-group`. A
    /// queue of that name may yet hold tasks, and a function be called so.
    pub fn older_name(self) -> &'static str {
        match self {
            Self::Ec2 => "security-group",
            Self::S3 => "s3-bucket",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remediator_is_named_after_its_service_and_its_older_queue_as_in_version_0_1() {
        let names = Service::ALL.map(|service| (service.remediator(), service.older_name()));
        let expected = [
            ("ec2-remediator", "security-group"),
            ("s3-remediator", "s3-bucket"),
        ];
        assert_eq!(names, expected.map(|(new, old)| (new.to_owned(), old)));
    }
}
