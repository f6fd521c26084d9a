//! The changes that close a bucket policy: a statement that is removed, and the policy that goes with its last
//! one.

use serde::{Deserialize, Serialize};

/// One statement of a bucket policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatement {
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its `Sid`, where it has one.
    pub sid: Option<String>,
    /// Its JSON, as the policy had it.
    pub statement: String,
    /// The statements by which a part of it was denied to strangers: those who are meant lose it, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limited_by: Vec<String>,
    /// Whether AWS could not be asked if the policy is public, or if the account blocks it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unconfirmed: bool,
}

/// A bucket policy in which no other statement is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholePolicy {
    /// The policy's JSON.
    pub policy: String,
}

impl PolicyStatement {
    /// `the statement "Everybody"`, `statement number 2`
    pub(super) fn name(&self) -> String {
        match &self.sid {
            Some(sid) => format!("the statement \"{sid}\""),
            None => format!("statement number {}", self.index + 1),
        }
    }
}
