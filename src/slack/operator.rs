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

    /// The user group, if it is one whose members may act in an account.
    pub fn group_for(&self, account: &AccountId) -> Option<&SlackUserGroupId> {
        let may_act = self.account.as_ref().is_none_or(|own| own == account);
        match &self.who {
            Who::Group(group) if may_act => Some(group),
            Who::Group(_) | Who::User(_) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_of_an_account_are_those_that_may_act_there() {
        let operators = [
            "U0ALICE",
            "S0SECOPS",
            "S0DEV@111111111111",
            "S0PROD@222222222222",
        ];
        let operators = operators.map(|text| text.parse::<Operator>().unwrap());
        let prod = "222222222222".parse().unwrap();
        let groups = operators
            .iter()
            .filter_map(|operator| operator.group_for(&prod));
        let groups: Vec<&str> = groups.map(|group| group.0.as_str()).collect();
        assert_eq!(groups, ["S0SECOPS", "S0PROD"]);
    }
}
