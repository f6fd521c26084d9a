//! The change that closes an ACL: a grant that is removed.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// The grantee.
    pub grantee: Grantee,
    /// `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP`, `FULL_CONTROL`.
    pub permission: String,
    /// Whether AWS could not be asked if a Public Access Block makes it ineffective.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unconfirmed: bool,
}

impl Grant {
    /// Whether both let in the same grantee to the same, confirmed or not.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.grantee == other.grantee && self.permission == other.permission
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
