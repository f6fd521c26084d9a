//! Where a finding stands, and who brought it there.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Covers;
use crate::contracts::RemediationRequest;
use crate::controls::{Change, ViolationType};
use crate::ids::PlanDigest;

/// A person, a function or something outside that did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "camelCase")]
pub enum Actor {
    /// A Slack user, by id.
    User(String),
    /// The scheduled coordinator.
    AutoResponse,
    /// Somebody outside Defendable: AWS Config found the resource compliant again.
    #[serde(rename = "elsewhere")]
    External,
    /// A person who gave the resource the tag [`crate::controls::IGNORE_TAG`].
    Tag,
}

impl Actor {
    /// The actor of a request: the person who asked, or auto-response.
    pub fn of(request: &RemediationRequest) -> Self {
        request
            .requested_by
            .clone()
            .map_or(Self::AutoResponse, Self::User)
    }
}

/// A fix that did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The person who asked for the undo.
    pub asked_by: Actor,
    /// The time at which it failed.
    pub at: Timestamp,
    /// Why it failed, as the end of a sentence.
    pub reason: String,
    /// What the person can do next.
    pub advice: String,
}

/// A reply in the thread of a finding's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// Whose action it tells of, if anybody's.
    pub by: Option<Actor>,
    /// Plain text.
    pub text: String,
    /// The people whom it mentions, if it mentions any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Recipient>,
}

/// The people whom a reply mentions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Recipient {
    /// The person who asked for something.
    Asker(Actor),
    /// The operators, where they are a user group of Slack.
    Operators,
}

/// Where a finding stands; what exists only in one state lives in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum State {
    /// Non-compliant, nobody is on it.
    Open {
        /// The last fix, where it failed.
        last_failure: Option<Failure>,
        /// The last yes, where the plan went beyond it.
        #[serde(default)]
        asks_again: Option<AsksAgain>,
    },
    /// A fix is on its way.
    Fixing {
        /// The person, or auto-response, that asked for the fix.
        asked_by: Actor,
        /// The time at which it was asked for.
        since: Timestamp,
        /// The remediations that have not reported back.
        waiting_for: BTreeSet<ViolationType>,
        /// The first that failed, if one did.
        failure: Option<Failure>,
        /// The ignore that it interrupts, which goes on if it fails.
        #[serde(default)]
        ignored: Option<Box<State>>,
        /// The plan that was agreed to. Absent in what versions before 0.2 wrote: then it asks again.
        #[serde(default)]
        plan: Option<PlanDigest>,
        /// When AWS Config found the resource compliant meanwhile; the report says who fixed it.
        #[serde(default)]
        compliant: Option<Timestamp>,
    },
    /// Left as it is, on purpose.
    Ignored {
        /// The person who decided, or the tag.
        by: Actor,
        /// The time at which it was ignored.
        since: Timestamp,
        /// Until when; `None`: until somebody says otherwise.
        until: Option<Timestamp>,
        /// The reason that they gave.
        reason: String,
        /// AWS Config finds the resource compliant at the moment; the ignore lasts.
        #[serde(default)]
        compliant: bool,
        /// What is ignored. Absent in what versions before 0.2 wrote: then what the plan says.
        #[serde(default)]
        covers: Option<Covers>,
    },
    /// Compliant again.
    Fixed {
        /// The actor that fixed it.
        by: Actor,
        /// The time at which it was fixed.
        at: Timestamp,
    },
    /// What a fix took away is being put back.
    Undoing {
        /// The person who asked for the undo.
        asked_by: Actor,
        /// The time at which it was asked for.
        since: Timestamp,
        /// The reason that they gave.
        reason: String,
        /// The plan that was agreed to. Absent in what versions before 0.2 wrote: then it is given up.
        #[serde(default)]
        plan: Option<PlanDigest>,
        /// Where the finding stood before, and stands again if it fails.
        #[serde(default)]
        before: Option<Box<State>>,
        /// Who had fixed it, in what versions before 0.2 wrote.
        #[serde(default)]
        fixed_by: Option<Actor>,
        /// The time of the fix that is undone.
        #[serde(default)]
        fixed_at: Option<Timestamp>,
    },
    /// The resource is not there any more.
    Deleted {
        /// The time at which the resource was deleted.
        at: Timestamp,
    },
}

impl State {
    /// Open, and nothing was tried yet.
    pub const OPEN: Self = Self::Open {
        last_failure: None,
        asks_again: None,
    };
}

/// A yes that did not cover what the plan was when it was to be carried out. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsksAgain {
    /// The actor who had said yes.
    pub by: Actor,
    /// The time at which a remediator found out.
    pub at: Timestamp,
    /// The changes that were not in the plan that they had seen. Empty where that plan is not known.
    pub new: Vec<Change>,
}

/// A state's name, as the table's index and `/dd findings` spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateName {
    /// `open`
    Open,
    /// `fixing`
    Fixing,
    /// `ignored`
    Ignored,
    /// `fixed`
    Fixed,
    /// `undoing`
    Undoing,
    /// `deleted`
    Deleted,
}

impl StateName {
    /// Every name.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Fixing,
        Self::Ignored,
        Self::Fixed,
        Self::Undoing,
        Self::Deleted,
    ];

    /// Whether nothing is wrong any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Fixed | Self::Deleted)
    }

    /// `open`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fixing => "fixing",
            Self::Ignored => "ignored",
            Self::Fixed => "fixed",
            Self::Undoing => "undoing",
            Self::Deleted => "deleted",
        }
    }
}
