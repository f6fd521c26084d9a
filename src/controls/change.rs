//! One change of a plan: what it takes away, in full, so that it can be said and put back.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ViolationType;
use crate::shapes::ingress::traffic;

/// How many entries of a prefix list are said.
const RANGES_SHOWN: usize = 3;

/// An ingress rule of a security group, as EC2 holds it: one source, on some ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressRule {
    /// `sgr-0123456789abcdef0`
    pub rule_id: String,
    /// `tcp`, `udp`, `-1`, …
    pub protocol: String,
    /// First port, or ICMP type; -1 for all.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code; -1 for all.
    pub to_port: Option<i32>,
    /// The source that the rule lets in.
    #[serde(flatten)]
    pub source: IngressSource,
    /// What somebody wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether auto-response leaves it to people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_left_to_people: bool,
}

/// Whom an ingress rule lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IngressSource {
    /// An address range: `0.0.0.0/0` or `::/0`.
    Cidr(String),
    /// A prefix list.
    PrefixList(PrefixList),
}

/// A prefix list that a rule refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrefixList {
    /// `pl-0123456789abcdef0`
    pub id: String,
    /// Its entries that let the internet in, `0.0.0.0/0`.
    pub open: BTreeSet<String>,
    /// Whether it has other entries: then the reference stays, and a person takes out the open ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_others: bool,
}

impl IngressRule {
    /// `tcp 22`, `tcp 1024-65535`, `all traffic`.
    fn traffic(&self) -> String {
        traffic(
            &self.protocol,
            self.from_port.map(i64::from),
            self.to_port.map(i64::from),
        )
    }

    /// Whether both open the same ports to the same source, by whatever rule.
    pub(super) fn opens_the_same(&self, other: &Self) -> bool {
        let ports = |rule: &Self| (rule.protocol.clone(), rule.from_port, rule.to_port);
        let same_source = match (&self.source, &other.source) {
            (IngressSource::PrefixList(list), IngressSource::PrefixList(other)) => {
                list.id == other.id
            }
            (source, other) => source == other,
        };
        same_source && ports(self) == ports(other)
    }

    /// `revoke tcp 22 from 0.0.0.0/0 (sgr-1)`
    fn revocation(&self) -> String {
        let (traffic, rule_id) = (self.traffic(), &self.rule_id);
        match &self.source {
            IngressSource::Cidr(cidr) => format!("revoke {traffic} from {cidr} ({rule_id})"),
            IngressSource::PrefixList(list) if list.has_others => format!(
                "take {} out of the prefix list {}, which opens {traffic} ({rule_id})",
                list.ranges(),
                list.id
            ),
            IngressSource::PrefixList(list) => {
                format!(
                    "revoke {traffic} from {} (prefix list {}, {rule_id})",
                    list.ranges(),
                    list.id
                )
            }
        }
    }
}

impl PrefixList {
    /// `0.0.0.0/0 and ::/0`; of many, the first.
    fn ranges(&self) -> String {
        let shown: Vec<&str> = self
            .open
            .iter()
            .take(RANGES_SHOWN)
            .map(String::as_str)
            .collect();
        match self.open.len().saturating_sub(RANGES_SHOWN) {
            0 => shown.join(" and "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// `0.0.0.0/0`, `0.0.0.0/0 (prefix list pl-1)`
impl fmt::Display for IngressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(cidr) => f.write_str(cidr),
            Self::PrefixList(list) => write!(f, "{} (prefix list {})", list.ranges(), list.id),
        }
    }
}

/// Whom an ACL grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grantee {
    /// A group, by its URI.
    Group(String),
    /// An account, by its canonical user id.
    CanonicalUser(String),
    /// An account, by an email address.
    Email(String),
}

/// One grant of a bucket's ACL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// For whom.
    pub grantee: Grantee,
    /// `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP`, `FULL_CONTROL`.
    pub permission: String,
}

/// What a remediation takes away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "change",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Change {
    /// One ingress rule of a security group.
    RevokeIngress(IngressRule),
    /// One grant of a bucket's ACL.
    RemoveGrant(Grant),
    /// One statement of a bucket policy.
    RemoveStatement {
        /// Its place in the policy, from 0.
        index: usize,
        /// Its `Sid`, where it has one.
        sid: Option<String>,
        /// Its JSON, as the policy had it.
        statement: String,
        /// The statements by which a part of it was denied to strangers: those who are meant lose it, too.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        limited_by: Vec<String>,
        /// Whether AWS could not be asked if the policy is public.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_unconfirmed: bool,
    },
    /// The whole bucket policy, in which no other statement is left.
    DeletePolicy {
        /// The policy's JSON.
        policy: String,
    },
}

impl Change {
    /// The kind of violation that it fixes.
    pub fn kind(&self) -> ViolationType {
        match self {
            Self::RevokeIngress(_) => ViolationType::Ec2SgProhibitedPort,
            Self::RemoveGrant(_) => ViolationType::S3BucketPublicAcl,
            Self::RemoveStatement { .. } | Self::DeletePolicy { .. } => {
                ViolationType::S3BucketPublicPolicy
            }
        }
    }

    /// Whether auto-response leaves it to people.
    pub fn is_left_to_people(&self) -> bool {
        matches!(self, Self::RevokeIngress(rule) if rule.is_left_to_people)
    }

    /// Whether no remediation makes it: a person has to.
    pub fn is_by_hand(&self) -> bool {
        let Self::RevokeIngress(rule) = self else {
            return false;
        };
        matches!(&rule.source, IngressSource::PrefixList(list) if list.has_others)
    }

    /// What it exposes while it is there, as a sentence without its end: "tcp 22 is reachable from …".
    pub fn exposes(&self) -> String {
        match self {
            Self::RevokeIngress(rule) => {
                format!("{} is reachable from {}", rule.traffic(), rule.source)
            }
            Self::RemoveGrant(Grant {
                grantee,
                permission,
            }) => {
                format!("{grantee} has {permission} by the ACL")
            }
            Self::RemoveStatement {
                index, sid: None, ..
            } => {
                format!(
                    "statement number {} of the bucket policy lets everybody in",
                    index + 1
                )
            }
            Self::RemoveStatement { sid: Some(sid), .. } => {
                format!("the statement \"{sid}\" of the bucket policy lets everybody in")
            }
            Self::DeletePolicy { .. } => "the bucket policy is in force".to_owned(),
        }
    }

    /// What undoing it opens, as a sentence without its end: "tcp 22 is reachable from …".
    pub fn reopens(&self) -> String {
        format!("{} again", self.exposes())
    }

    /// As something that has happened: "revoked tcp 22 from …".
    pub fn done(&self) -> String {
        let will = self.to_string();
        match will.split_once(' ') {
            Some((verb, rest)) => format!("{verb}d {rest}"),
            None => will,
        }
    }
}

/// As a sentence's end: "Fix will …".
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RevokeIngress(rule) => f.write_str(&rule.revocation()),
            Self::RemoveGrant(Grant {
                grantee,
                permission,
            }) => {
                write!(f, "remove the ACL grant {permission} to {grantee}")
            }
            Self::RemoveStatement {
                index,
                sid,
                limited_by,
                is_unconfirmed,
                ..
            } => {
                match sid {
                    Some(sid) => {
                        write!(f, "remove the statement \"{sid}\" from the bucket policy")?
                    }
                    None => write!(
                        f,
                        "remove statement number {} from the bucket policy",
                        index + 1
                    )?,
                }
                if *is_unconfirmed {
                    f.write_str(" (AWS could not be asked whether it is public)")?;
                }
                match limited_by.is_empty() {
                    true => Ok(()),
                    false => write!(
                        f,
                        " (the Deny {} limits it: those who are meant lose access, too)",
                        limited_by.join(" and ")
                    ),
                }
            }
            Self::DeletePolicy { .. } => {
                f.write_str("delete the bucket policy, in which no other statement is left")
            }
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(uri) => match uri.rsplit('/').next() {
                Some("AllUsers") => f.write_str("everybody (AllUsers)"),
                Some("AuthenticatedUsers") => f.write_str("every AWS account (AuthenticatedUsers)"),
                _ => f.write_str(uri),
            },
            Self::CanonicalUser(id) | Self::Email(id) => f.write_str(id),
        }
    }
}
