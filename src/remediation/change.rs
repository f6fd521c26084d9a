//! One change of a plan: what it takes away, in full, so that it can be said and put back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ViolationType;
use crate::evaluation::ingress::traffic;

/// An ingress range of a security group, as EC2 holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressRange {
    /// `sgr-0123456789abcdef0`
    pub rule_id: String,
    /// `tcp`, `udp`, `-1`, …
    pub protocol: String,
    /// First port, or ICMP type; -1 for all.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code; -1 for all.
    pub to_port: Option<i32>,
    /// `0.0.0.0/0` or `::/0`.
    pub cidr: String,
    /// What somebody wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether auto-response leaves it to people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_left_to_people: bool,
}

impl IngressRange {
    /// `tcp 22`, `tcp 1024-65535`, `all traffic`.
    fn traffic(&self) -> String {
        traffic(&self.protocol, self.from_port.map(i64::from), self.to_port.map(i64::from))
    }

    /// Whether both open the same ports to the same addresses, by whatever rule.
    pub(super) fn opens_the_same(&self, other: &Self) -> bool {
        let opened =
            |range: &Self| (range.protocol.clone(), range.from_port, range.to_port, range.cidr.clone());
        opened(self) == opened(other)
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
#[serde(tag = "change", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Change {
    /// One ingress range of a security group.
    RevokeIngress(IngressRange),
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
    /// The kind of violation that it mends.
    pub fn kind(&self) -> ViolationType {
        match self {
            Self::RevokeIngress(_) => ViolationType::Ec2SgProhibitedPort,
            Self::RemoveGrant(_) => ViolationType::S3BucketPublicAcl,
            Self::RemoveStatement { .. } | Self::DeletePolicy { .. } => ViolationType::S3BucketPublicPolicy,
        }
    }

    /// Whether auto-response leaves it to people.
    pub fn is_left_to_people(&self) -> bool {
        matches!(self, Self::RevokeIngress(range) if range.is_left_to_people)
    }

    /// What it exposes while it is there, as a sentence without its end: "tcp 22 is reachable from …".
    pub fn exposes(&self) -> String {
        match self {
            Self::RevokeIngress(range) => format!("{} is reachable from {}", range.traffic(), range.cidr),
            Self::RemoveGrant(Grant { grantee, permission }) => {
                format!("{grantee} has {permission} by the ACL")
            }
            Self::RemoveStatement { index, sid: None, .. } => {
                format!("statement number {} of the bucket policy lets everybody in", index + 1)
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
            Self::RevokeIngress(range) => {
                write!(f, "revoke {} from {} ({})", range.traffic(), range.cidr, range.rule_id)
            }
            Self::RemoveGrant(Grant { grantee, permission }) => {
                write!(f, "remove the ACL grant {permission} to {grantee}")
            }
            Self::RemoveStatement { index, sid, limited_by, is_unconfirmed, .. } => {
                match sid {
                    Some(sid) => write!(f, "remove the statement \"{sid}\" from the bucket policy")?,
                    None => write!(f, "remove statement number {} from the bucket policy", index + 1)?,
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
