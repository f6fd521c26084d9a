//! Who may act: the operators, named one by one or by user group. An empty list allows nobody.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use slack_morphism::prelude::{SlackUserGroupId, SlackUserId};

use super::client::Slack;

/// How long a user group's members are remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// A Slack user (`U0ALICE`, `W012A3CDE`) or user group (`S0SECOPS`) that may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// One person.
    User(SlackUserId),
    /// Everybody in a group.
    Group(SlackUserGroupId),
}

/// Why a text names no operator.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0:?} is neither a user id (U…, W…) nor a user group id (S…)")]
pub struct InvalidOperator(String);

impl FromStr for Operator {
    type Err = InvalidOperator;

    fn from_str(text: &str) -> Result<Self, InvalidOperator> {
        let well_formed =
            text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        match text.as_bytes().first() {
            Some(b'U' | b'W') if well_formed => Ok(Self::User(text.into())),
            Some(b'S') if well_formed => Ok(Self::Group(text.into())),
            _ => Err(InvalidOperator(text.chars().take(40).collect())),
        }
    }
}

/// An answer to "may this person act?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Yes.
    Granted,
    /// No.
    Denied,
    /// Slack did not say who is in a group; which means no.
    Unknown,
}

type Members = HashMap<SlackUserGroupId, (Instant, HashSet<SlackUserId>)>;

/// Knows the operators.
#[derive(Debug, Clone)]
pub struct Authoriser {
    operators: Vec<Operator>,
    slack: Slack,
    members: Arc<Mutex<Members>>,
}

impl Authoriser {
    /// An authoriser that allows `operators` and nobody else.
    pub fn new(operators: Vec<Operator>, slack: Slack) -> Self {
        Self { operators, slack, members: Arc::default() }
    }

    /// Whether somebody may act. Users named one by one need no call.
    pub async fn permission(&self, user: &SlackUserId) -> Permission {
        if self.operators.contains(&Operator::User(user.clone())) {
            return Permission::Granted;
        }
        let mut answer = Permission::Denied;
        for operator in &self.operators {
            let Operator::Group(group) = operator else { continue };
            match self.is_member(group, user).await {
                Some(true) => return Permission::Granted,
                Some(false) => {}
                None => answer = Permission::Unknown,
            }
        }
        answer
    }

    async fn is_member(&self, group: &SlackUserGroupId, user: &SlackUserId) -> Option<bool> {
        if let Some((at, members)) = self.members().get(group)
            && at.elapsed() < MEMORY
        {
            return Some(members.contains(user));
        }
        match self.slack.user_group(group).await {
            Ok(members) => {
                let members: HashSet<SlackUserId> = members.into_iter().collect();
                let is_member = members.contains(user);
                self.members().insert(group.clone(), (Instant::now(), members));
                Some(is_member)
            }
            Err(error) => {
                tracing::error!(%error, group = %group.to_string(), "cannot read a user group");
                None
            }
        }
    }

    fn members(&self) -> std::sync::MutexGuard<'_, Members> {
        self.members.lock().expect("nothing panics while it holds the members")
    }
}

#[cfg(test)]
mod tests;
