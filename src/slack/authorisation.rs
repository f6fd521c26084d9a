//! Who may act: the operators, named one by one or by user group, while they are active members of
//! the workspace. An empty list allows nobody.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use slack_morphism::prelude::{SlackUserGroupId, SlackUserId};

use super::client::Slack;
use super::error::SlackError;
use super::operator::{Operator, Who};
use crate::clock::Clock;
use crate::ids::AccountId;

/// How long it is remembered who is in a user group, and who is active.
const MEMORY: SignedDuration = SignedDuration::from_secs(60);

/// How long Slack may take to say all of that: it wants its own answer within
/// [three seconds](https://docs.slack.dev/interactivity/handling-user-interaction/#acknowledgment_response).
const PATIENCE: Duration = Duration::from_millis(1500);

/// The part of that time that may be spent on groups, so that a group which Slack does not answer for keeps
/// no member of another out.
const FOR_GROUPS: Duration = Duration::from_millis(1000);

/// The accounts where an operator may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every account, and what concerns all accounts.
    Everywhere,
    /// These accounts only.
    Accounts(BTreeSet<AccountId>),
}

impl Reach {
    /// Whether the account is among them.
    pub fn covers(&self, account: &AccountId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Accounts(accounts) => accounts.contains(account),
        }
    }

    /// The accounts; `None` for all.
    pub fn accounts(&self) -> Option<&BTreeSet<AccountId>> {
        match self {
            Self::Everywhere => None,
            Self::Accounts(accounts) => Some(accounts),
        }
    }
}

/// The answer to the question whether a person may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// The person may act in these accounts.
    Granted(Reach),
    /// The person may not act.
    Denied,
    /// Slack did not say who is in a group, or whether the person is active. It counts as no.
    Unknown {
        /// The accounts where the person may act if active, as far as the list tells.
        listed: Option<Reach>,
    },
}

/// Slack's latest answers.
#[derive(Debug, Default)]
struct Remembered {
    members: HashMap<SlackUserGroupId, (Timestamp, HashSet<SlackUserId>)>,
    active: HashMap<SlackUserId, (Timestamp, bool)>,
}

/// Decides who is an operator.
#[derive(Debug, Clone)]
pub struct Authoriser {
    operators: Vec<Operator>,
    slack: Slack,
    clock: Clock,
    remembered: Arc<Mutex<Remembered>>,
}

impl Authoriser {
    /// An authoriser that allows `operators` and nobody else.
    pub fn new(operators: Vec<Operator>, slack: Slack, clock: Clock) -> Self {
        Self {
            operators,
            slack,
            clock,
            remembered: Arc::default(),
        }
    }

    /// Whether a person may act, and where. Slack is asked about the members of the list's groups, and
    /// whether a person who is in the list is active.
    pub async fn permission(&self, user: &SlackUserId) -> Permission {
        let begun = tokio::time::Instant::now();
        let listed = match self.listed(user, begun + FOR_GROUPS).await {
            Permission::Granted(reach) => reach,
            no => return no,
        };
        match self.is_active(user, begun + PATIENCE).await {
            Some(true) => Permission::Granted(listed),
            Some(false) => Permission::Denied,
            None => Permission::Unknown {
                listed: Some(listed),
            },
        }
    }

    /// The accounts where the person may act by the list. Users who are named themselves need no call.
    async fn listed(&self, user: &SlackUserId, until: tokio::time::Instant) -> Permission {
        let named = self
            .operators
            .iter()
            .filter(|operator| operator.user() == Some(user));
        if named.clone().any(|operator| operator.account.is_none()) {
            return Permission::Granted(Reach::Everywhere);
        }
        let named: Vec<_> = named.map(|operator| (operator, Some(true))).collect();
        let groups = self
            .operators
            .iter()
            .filter_map(|operator| match &operator.who {
                Who::User(_) => None,
                Who::Group(group) => {
                    Some(async move { (operator, self.is_member(group, user, until).await) })
                }
            });
        let (mut accounts, mut unknown) = (BTreeSet::new(), false);
        for (operator, is_meant) in named.into_iter().chain(join_all(groups).await) {
            match (is_meant, &operator.account) {
                (Some(true), None) => return Permission::Granted(Reach::Everywhere),
                (Some(true), Some(account)) => {
                    accounts.insert(account.clone());
                }
                (Some(false), _) => {}
                (None, _) => unknown = true,
            }
        }
        match (accounts.is_empty(), unknown) {
            (false, _) => Permission::Granted(Reach::Accounts(accounts)),
            (true, true) => Permission::Unknown { listed: None },
            (true, false) => Permission::Denied,
        }
    }

    async fn is_member(
        &self,
        group: &SlackUserGroupId,
        user: &SlackUserId,
        until: tokio::time::Instant,
    ) -> Option<bool> {
        if let Some((at, members)) = self.remembered().members.get(group)
            && self.is_fresh(*at)
        {
            return Some(members.contains(user));
        }
        let (slack, asked) = (self.slack.clone(), group.clone());
        let members = said(until, async move { slack.user_group(&asked).await }).await?;
        let members: HashSet<SlackUserId> = members.into_iter().collect();
        let is_member = members.contains(user);
        self.remembered()
            .members
            .insert(group.clone(), (self.clock.now(), members));
        Some(is_member)
    }

    /// A person who has left the workspace stays in the list until the list is changed.
    async fn is_active(&self, user: &SlackUserId, until: tokio::time::Instant) -> Option<bool> {
        if let Some((at, is_active)) = self.remembered().active.get(user)
            && self.is_fresh(*at)
        {
            return Some(*is_active);
        }
        let (slack, asked) = (self.slack.clone(), user.clone());
        let is_active = said(until, async move { slack.is_active(&asked).await }).await?;
        self.remembered()
            .active
            .insert(user.clone(), (self.clock.now(), is_active));
        Some(is_active)
    }

    fn is_fresh(&self, at: Timestamp) -> bool {
        // Where the clock was put back, the age is not known.
        (SignedDuration::ZERO..MEMORY).contains(&self.clock.now().duration_since(at))
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered
            .lock()
            .expect("nothing panics while it holds what is remembered")
    }
}

/// Slack's answer, if it comes by then. A call that comes later still ends, and is counted.
async fn said<T: Send + 'static>(
    until: tokio::time::Instant,
    call: impl Future<Output = Result<T, SlackError>> + Send + 'static,
) -> Option<T> {
    let problem = match tokio::time::timeout_at(until, tokio::spawn(call)).await {
        Ok(Ok(Ok(said))) => return Some(said),
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "Slack did not answer in time".to_owned(),
    };
    tracing::error!(problem, "cannot know who may act");
    None
}

#[cfg(test)]
mod tests;
