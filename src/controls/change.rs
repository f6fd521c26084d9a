//! One change of a plan: what it takes away, in full, so that it can be said and put back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::bucket_public::{Grant, PolicyStatement, WholePolicy};
use super::cause::{Call, Effect};
use super::exposure::Exposure;
use super::ingress_prohibited_ports::IngressRule;
use super::kind::ViolationType;
use super::severity::Severity;

/// What a type of change tells: its words, severity, exposure, and the calls that cause it.
pub(super) trait ChangeFacts {
    /// The kind of violation that it fixes.
    fn kind(&self) -> ViolationType;

    /// What it exposes while it is there, as a sentence without its end: "tcp 22 is reachable from …".
    fn exposes(&self) -> String;

    /// What making it does, as a sentence's end, a verb in front: "revoke tcp 22 from …".
    fn will(&self) -> String;

    /// What making it did, likewise: "revoked tcp 22 from …".
    fn done(&self) -> String;

    /// The severity of what it takes away.
    fn severity(&self) -> Severity;

    /// The exposure that it closes, to which people agree; `None` where it closes nothing by itself.
    fn exposure(&self) -> Option<Exposure>;

    /// The effects of a call on the settings that decide whether it is open, by their names.
    fn effects(&self, call: &Call) -> Vec<(&'static str, Effect)>;

    /// Whether auto-response leaves the change to people.
    fn is_left_to_people(&self) -> bool {
        false
    }

    /// Whether only a person can make the change.
    fn is_by_hand(&self) -> bool {
        false
    }

    /// Whether AWS could not be asked whether the change is needed: people may go on, auto-response waits.
    fn is_unconfirmed(&self) -> bool {
        false
    }

    /// Takes it as confirmed by AWS.
    fn confirm(&mut self) {}

    /// Calls that name another resource and can bring it about, beside those that name its own:
    /// `ModifyManagedPrefixList`.
    fn calls_on_others(&self) -> &'static [&'static str];
}

/// An enum of changes, each of which says of itself what [`ChangeFacts`] asks.
macro_rules! changes {
    ($(#[$about:meta])* pub enum Change {
        $($(#[$what:meta])* $change:ident($facts:ty),)+
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "change", rename_all = "camelCase")]
        pub enum Change {
            $($(#[$what])* $change($facts),)+
        }

        impl Change {
            fn facts(&self) -> &dyn ChangeFacts {
                match self {
                    $(Self::$change(facts) => facts,)+
                }
            }

            fn facts_mut(&mut self) -> &mut dyn ChangeFacts {
                match self {
                    $(Self::$change(facts) => facts,)+
                }
            }
        }
    };
}

changes! {
    /// One thing that a fix takes away, with all that is needed to put it back.
    pub enum Change {
        /// One ingress rule of a security group.
        RevokeIngress(IngressRule),
        /// One grant of a bucket's ACL.
        RemoveGrant(Grant),
        /// One statement of a bucket policy.
        RemoveStatement(PolicyStatement),
        /// The whole bucket policy, in which no other statement is left.
        DeletePolicy(WholePolicy),
    }
}

impl Change {
    /// The kind of violation that it fixes.
    pub fn kind(&self) -> ViolationType {
        self.facts().kind()
    }

    /// The severity of what it takes away.
    pub fn severity(&self) -> Severity {
        self.facts().severity()
    }

    /// The exposure that it closes, to which people agree; `None` where it closes nothing by itself.
    pub fn exposure(&self) -> Option<Exposure> {
        self.facts().exposure()
    }

    /// The effects of a call on the settings that decide whether it is open, by their names.
    pub fn effects(&self, call: &Call) -> Vec<(&'static str, Effect)> {
        self.facts().effects(call)
    }

    /// Whether auto-response leaves the change to people.
    pub fn is_left_to_people(&self) -> bool {
        self.facts().is_left_to_people()
    }

    /// Whether only a person can make the change.
    pub fn is_by_hand(&self) -> bool {
        self.facts().is_by_hand()
    }

    /// Whether AWS could not be asked whether the change is needed: people may go on, auto-response waits.
    pub fn is_unconfirmed(&self) -> bool {
        self.facts().is_unconfirmed()
    }

    /// Calls that name another resource and can bring it about, beside those that name its own:
    /// `ModifyManagedPrefixList`.
    pub fn calls_on_others(&self) -> &'static [&'static str] {
        self.facts().calls_on_others()
    }

    /// The same change, as if AWS could have been asked.
    pub(super) fn confirmed(&self) -> Self {
        let mut change = self.clone();
        change.facts_mut().confirm();
        change
    }

    /// What it exposes while it is there, as a sentence without its end: "tcp 22 is reachable from …".
    pub fn exposes(&self) -> String {
        self.facts().exposes()
    }

    /// What undoing it opens, as a sentence without its end: "tcp 22 is reachable from … again".
    pub fn reopens(&self) -> String {
        format!("{} again", self.exposes())
    }

    /// As something that has happened: "revoked tcp 22 from …".
    pub fn done(&self) -> String {
        self.facts().done()
    }
}

/// As a sentence's end: "Fix will …".
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.facts().will())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::controls::{Grantee, IngressSource, PrefixList};

    fn ingress(source: IngressSource) -> Change {
        Change::RevokeIngress(IngressRule {
            rule_id: "sgr-1".to_owned(),
            protocol: "tcp".to_owned(),
            from_port: Some(22),
            to_port: Some(22),
            source,
            description: None,
            is_left_to_people: false,
        })
    }

    fn list(has_others: bool) -> Change {
        ingress(IngressSource::PrefixList(PrefixList {
            id: "pl-1".to_owned(),
            open: BTreeSet::from(["0.0.0.0/0".to_owned()]),
            has_others,
        }))
    }

    #[test]
    fn a_change_says_what_takes_a_person_and_what_aws_was_asked() {
        let range = ingress(IngressSource::Cidr("0.0.0.0/0".to_owned()));
        assert_eq!(range.severity(), Severity::High);
        assert!(!range.is_by_hand() && !range.is_unconfirmed());
        assert_eq!(range.calls_on_others(), [""; 0]);
        assert!(!list(false).is_by_hand() && list(true).is_by_hand());
        assert_eq!(
            list(false).calls_on_others(),
            ["ModifyManagedPrefixList", "RestoreManagedPrefixListVersion"]
        );
        let grant = |is_unconfirmed| {
            Change::RemoveGrant(Grant {
                grantee: Grantee::Group(
                    "http://acs.amazonaws.com/groups/global/AllUsers".to_owned(),
                ),
                permission: "READ".to_owned(),
                is_unconfirmed,
            })
        };
        assert_eq!(
            grant(true).calls_on_others(),
            [
                "DeleteAccountPublicAccessBlock",
                "PutAccountPublicAccessBlock"
            ]
        );
        let call = serde_json::json!({"eventName": "DeleteBucketPublicAccessBlock",
            "eventTime": "2026-01-01T00:00:00Z"});
        let call: Call = serde_json::from_value(call).unwrap();
        assert_eq!(
            grant(true).effects(&call),
            [("the bucket's block", Effect::Opened)]
        );
        assert!(grant(true).is_unconfirmed() && !grant(false).is_unconfirmed());
        assert_eq!(grant(true).confirmed(), grant(false));
    }
}
