//! An entry of the list of operators.

use std::str::FromStr;

use slack_morphism::prelude::{SlackUserGroupId, SlackUserId};

use crate::ids::AccountId;

/// An operator: `U0ALICE` and `S0SECOPS` in every account, `U0BOB@123456789012` in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub(super) who: Who,
    /// The account where it may act; `None` for every account.
    pub(super) account: Option<AccountId>,
}

/// A Slack user (`U0ALICE`, `W012A3CDE`) or user group (`S0SECOPS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// This user.
    User(SlackUserId),
    /// The members of this user group.
    Group(SlackUserGroupId),
}

impl Operator {
    /// The user; `None` for a group.
    pub fn user(&self) -> Option<&SlackUserId> {
        match &self.who {
            Who::User(user) => Some(user),
            Who::Group(_) => None,
        }
    }

    /// The user group; `None` for a user.
    pub fn group(&self) -> Option<&SlackUserGroupId> {
        match &self.who {
            Who::User(_) => None,
            Who::Group(group) => Some(group),
        }
    }
}

/// The mistake in a text that names no operator.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{0:?} is neither a user id (U…, W…) nor a user group id (S…), alone or with an account's twelve digits behind an @"
)]
pub struct InvalidOperator(String);

impl FromStr for Operator {
    type Err = InvalidOperator;

    fn from_str(text: &str) -> Result<Self, InvalidOperator> {
        let invalid = || InvalidOperator(text.chars().take(40).collect());
        let (id, account) = match text.split_once('@') {
            Some((id, account)) => (id, Some(account.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let well_formed = id.len() >= 2
            && id
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let who = match id.as_bytes().first() {
            Some(b'U' | b'W') if well_formed => Who::User(id.into()),
            Some(b'S') if well_formed => Who::Group(id.into()),
            _ => return Err(invalid()),
        };
        Ok(Self { who, account })
    }
}
