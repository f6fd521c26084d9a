//! Findings: what is wrong with a resource, and the story of what people and functions did
//! about it. Pure; [`table`] keeps them, [`crate::slack::finding_message`] shows them.

mod announcement;
mod approval;
pub mod auto_response;
mod claim;
mod compliance;
pub mod digest;
mod fix;
pub mod history;
mod ignore;
pub mod page;
pub mod severity;
pub mod storm;
pub mod table;
mod undo;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{FindingId, Resource, RuleName};
use crate::opener::Opener;
use crate::remediation::{Attempt, Change, RemediationRequest, ViolationType};
use announcement::Announcement;
pub use approval::{APPROVAL_WINDOW, Approval, Wish};
use history::Deed;
use severity::Severity;

/// After this a fix that has not reported back may be asked for again.
pub const FIX_TIMEOUT: SignedDuration = SignedDuration::from_mins(15);

/// For this long a fix that AWS Config has not confirmed is looked after.
pub const CONFIRMATION: SignedDuration = SignedDuration::from_hours(1);

/// A look at a resource sooner after a fix may still show it as it was.
pub const SETTLING: SignedDuration = SignedDuration::from_secs(15);

/// For this long a fix can be undone.
pub const UNDO_WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// For this long what was undone is ignored, so that auto-response does not undo the undo.
pub const UNDO_IGNORE: SignedDuration = SignedDuration::from_hours(24);

/// How many thread replies one episode keeps; a resource that flaps adds no more.
const THREAD_LIMIT: usize = 40;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "camelCase")]
pub enum Actor {
    /// A Slack user, by id.
    User(String),
    /// The scheduled coordinator.
    AutoResponse,
    /// Somebody outside Defendable: AWS Config found the resource compliant again.
    Elsewhere,
    /// Whoever gave the resource the tag [`crate::remediation::IGNORE_TAG`].
    Tag,
}

impl Actor {
    /// Whose request it is.
    pub fn of(request: &RemediationRequest) -> Self {
        request.requested_by.clone().map_or(Self::AutoResponse, Self::User)
    }
}

/// A fix that did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Who had asked.
    pub asked_by: Actor,
    /// When it failed.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What to do next.
    pub advice: String,
}

/// A reply in the thread of a finding's message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// Whose deed it tells of, if anybody's.
    pub by: Option<Actor>,
    /// Plain text.
    pub text: String,
}

/// Where a finding stands; what exists only in one state lives in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum State {
    /// Non-compliant, nobody is on it.
    Open {
        /// The last fix, where it failed.
        last_failure: Option<Failure>,
    },
    /// A fix is on its way.
    Fixing {
        /// Who asked.
        asked_by: Actor,
        /// When.
        since: Timestamp,
        /// The remediations that have not reported back.
        waiting_for: BTreeSet<ViolationType>,
        /// The first that failed, if one did.
        failure: Option<Failure>,
        /// The ignore that it interrupts, which goes on if it fails.
        #[serde(default)]
        ignored: Option<Box<State>>,
    },
    /// Left as it is, on purpose.
    Ignored {
        /// Who decided.
        by: Actor,
        /// When.
        since: Timestamp,
        /// Until when; `None`: until somebody says otherwise.
        until: Option<Timestamp>,
        /// Why.
        reason: String,
        /// AWS Config finds the resource compliant at the moment; the ignore lasts all the same.
        #[serde(default)]
        compliant: bool,
    },
    /// Compliant again.
    Fixed {
        /// By whom.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// What a fix took away is being put back.
    Undoing {
        /// Who asked.
        asked_by: Actor,
        /// When.
        since: Timestamp,
        /// Why.
        reason: String,
        /// Who had fixed it.
        fixed_by: Actor,
        /// When.
        fixed_at: Timestamp,
    },
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
}

impl StateName {
    /// Every name.
    pub const ALL: [Self; 5] = [Self::Open, Self::Fixing, Self::Ignored, Self::Fixed, Self::Undoing];

    /// `open`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fixing => "fixing",
            Self::Ignored => "ignored",
            Self::Fixed => "fixed",
            Self::Undoing => "undoing",
        }
    }
}

/// What a fix would change, as of when somebody looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Plan {
    /// No remediation exists for this type of resource.
    Unsupported,
    /// Planning failed; the finding is shown without it.
    Unknown {
        /// Why.
        reason: String,
    },
    /// The changes, by the remediation that would make them; empty when the resource is clean.
    Known {
        /// In the order in which they would be made.
        changes: Vec<(ViolationType, Change)>,
    },
}

/// A rule's complaint about a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its id, which follows from rule and resource.
    pub id: FindingId,
    /// The rule's name in AWS Config.
    pub rule: RuleName,
    /// The resource.
    pub resource: Resource,
    /// What people call it, where that is not its id.
    #[serde(default)]
    pub resource_name: Option<String>,
    /// What the rule says.
    pub annotation: Option<String>,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// The channel of its messages; the default one where absent.
    #[serde(default)]
    pub channel: Option<String>,
    /// Whose deed broke the rule in this episode, once CloudTrail has told.
    #[serde(default)]
    pub opener: Option<Opener>,
    /// What one operator asked for where it takes two.
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Where it stands.
    pub state: State,
    /// What a fix would change.
    pub plan: Plan,
    /// How often the resource has broken the rule; each time has a Slack message of its own.
    pub episode: u32,
    /// When this episode began.
    pub opened_at: Timestamp,
    /// When AWS Config recorded the newest result that we know; older ones change nothing.
    pub recorded_at: Timestamp,
    /// What was taken away in this episode, in full.
    pub removed: Vec<Change>,
    /// What remediations were about to take away when last heard of.
    pub begun: Vec<Announcement>,
    /// When the undo was asked for that has not reported back, given up or not.
    #[serde(default)]
    pub undo_asked_at: Option<Timestamp>,
    /// The last undo, where it failed.
    #[serde(default)]
    pub undo_failure: Option<Failure>,
    /// The attempts that have ended in this episode, the newest ones.
    #[serde(default)]
    pub ended: Vec<Attempt>,
    /// What was taken away in this episode and put back, and when: what tells of before comes late.
    #[serde(default)]
    pub undone: Vec<(Change, Timestamp)>,
    /// The remediations that have mended their part in this episode.
    pub mended: BTreeSet<ViolationType>,
    /// The reports that counted in this episode, so that a repeated one does not.
    pub reports: Vec<(ViolationType, Timestamp)>,
    /// The details, told in the message's thread, oldest first.
    pub thread: Vec<Reply>,
    /// What the last change tells the history: written with it, so that neither can be without the
    /// other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<(Timestamp, Actor, Deed)>,
}

/// A compliance change as AWS Config tells it, of a resource that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule's name in AWS Config.
    pub rule: RuleName,
    /// The resource.
    pub resource: Resource,
    /// What people call it, where that is not its id.
    pub resource_name: Option<String>,
    /// What the rule says.
    pub annotation: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The channel that it goes to, where that is not the default one.
    pub channel: Option<String>,
    /// When AWS Config recorded the result.
    pub recorded_at: Timestamp,
}

/// Why somebody's wish changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A fix is on its way.
    #[error("a fix is on its way already")]
    Fixing {
        /// Who asked for it.
        asked_by: Actor,
        /// When.
        since: Timestamp,
    },
    /// It is compliant again.
    #[error("it is fixed already")]
    Fixed,
    /// It is ignored; fixing it all the same takes a second yes.
    #[error("it is ignored")]
    Ignored {
        /// By whom.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// It is not ignored.
    #[error("it is not ignored")]
    NotIgnored,
    /// No fix is on its way.
    #[error("no fix is on its way")]
    NotFixing,
    /// An undo is on its way.
    #[error("an undo is on its way already")]
    Undoing {
        /// Who asked for it.
        asked_by: Actor,
        /// When.
        since: Timestamp,
    },
    /// It is not fixed, so that there is nothing to undo.
    #[error("it is not fixed")]
    NotFixed,
    /// Nothing was taken away by us.
    #[error("there is nothing to put back")]
    NothingToUndo,
    /// It has been fixed again since somebody looked.
    #[error("it has been fixed again meanwhile")]
    FixedAgain,
    /// It was fixed too long ago.
    #[error("it was fixed too long ago")]
    TooLate,
    /// There is no remediation for this type of resource.
    #[error("there is no automatic fix for this kind of resource")]
    Unsupported,
    /// Somebody has asked already, and another operator has not answered yet.
    #[error("it waits for another operator already")]
    Waiting {
        /// Who asked.
        asked_by: Actor,
        /// When.
        since: Timestamp,
    },
    /// Nothing waits for an approval (any more).
    #[error("nothing waits for an approval")]
    NotWaiting,
    /// Whoever asked cannot approve it too.
    #[error("it takes another person")]
    OwnWish,
}

impl Finding {
    /// A new finding.
    pub fn open(breach: Breach, plan: Plan) -> Self {
        let deeds = vec![(breach.recorded_at, Actor::Elsewhere, Deed::Found)];
        Self {
            id: FindingId::of(&breach.rule, &breach.resource),
            rule: breach.rule,
            resource: breach.resource,
            resource_name: breach.resource_name,
            annotation: breach.annotation,
            severity: breach.severity,
            channel: breach.channel,
            opener: None,
            approval: None,
            state: State::Open { last_failure: None },
            plan,
            episode: 1,
            opened_at: breach.recorded_at,
            recorded_at: breach.recorded_at,
            removed: Vec::new(),
            begun: Vec::new(),
            ended: Vec::new(),
            undone: Vec::new(),
            undo_asked_at: None,
            undo_failure: None,
            mended: BTreeSet::new(),
            reports: Vec::new(),
            thread: Vec::new(),
            deeds,
        }
    }

    /// The state's name; an ignore that has expired counts as open.
    pub fn state_name(&self, now: Timestamp) -> StateName {
        match &self.state {
            State::Open { .. } => StateName::Open,
            State::Fixing { .. } => StateName::Fixing,
            State::Ignored { until: Some(until), .. } if *until <= now => StateName::Open,
            State::Ignored { .. } => StateName::Ignored,
            State::Fixed { .. } => StateName::Fixed,
            State::Undoing { .. } => StateName::Undoing,
        }
    }

    /// Since when it is in its state.
    pub fn state_since(&self) -> Timestamp {
        match &self.state {
            State::Open { .. } => self.opened_at,
            State::Fixing { since, .. } | State::Ignored { since, .. } | State::Undoing { since, .. } => {
                *since
            }
            State::Fixed { at, .. } => *at,
        }
    }

    /// Whether people would see no difference: what is noted only for later does not count.
    pub fn looks_like(&self, other: &Self) -> bool {
        let seen = |finding: &Self| Self {
            recorded_at: Timestamp::MIN,
            begun: Vec::new(),
            undo_asked_at: None,
            ended: Vec::new(),
            undone: Vec::new(),
            mended: BTreeSet::new(),
            reports: Vec::new(),
            deeds: Vec::new(),
            ..finding.clone()
        };
        seen(self) == seen(other)
    }

    fn tell(&mut self, by: Option<Actor>, text: String) {
        if self.thread.len() < THREAD_LIMIT {
            self.thread.push(Reply { by, text });
        }
    }
}

#[cfg(test)]
mod tests;
