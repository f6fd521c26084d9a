//! Findings: what is wrong with a resource, and the story of what people and functions did
//! about it. Pure; [`crate::store`] keeps them, [`crate::slack::finding_message`] shows them.

mod alias;
mod announcement;
mod approval;
pub mod attribution;
pub mod auto_response;
mod breach;
mod compliance;
mod consent;
pub mod contest;
mod covers;
pub(crate) mod decision;
pub mod digest;
mod episode;
pub mod event;
mod fix;
mod fix_report;
pub mod fold;
mod ignore;
mod late;
pub mod order;
pub mod plan_list;
mod refusal;
mod sources;
mod state;
pub mod storm;
mod tag;
mod undo;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::controls::{Change, Control, Severity, ViolationType};
use crate::finding::attribution::Attribution;
use crate::ids::{FindingId, Resource, RuleName};
pub use approval::{APPROVAL_WINDOW, ActionRequest, Approval};
pub use breach::Breach;
pub use contest::Repeat;
pub use covers::Covers;
pub use episode::Episode;
use event::HistoryEvent;
pub use ignore::Ignore;
pub use late::LateRemoval;
pub use refusal::Refusal;
pub use sources::SourceResult;
pub use state::{Actor, AsksAgain, Failure, Recipient, Reply, State, StateName};

/// The time after which a fix that has not reported back counts as given up.
pub const FIX_TIMEOUT: SignedDuration = SignedDuration::from_mins(15);

/// The time for which housekeeping looks at a fixed resource that AWS Config has not yet found compliant.
pub const CONFIRMATION: SignedDuration = SignedDuration::from_hours(1);

/// The time after a fix for which a look may still show the resource as it was.
pub const SETTLING: SignedDuration = SignedDuration::from_secs(15);

/// The time for which a fix can be undone.
pub const UNDO_WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The time for which an undone fix is ignored, so that auto-response does not repeat it.
pub const UNDO_IGNORE: SignedDuration = SignedDuration::from_hours(24);

/// The age of a plan from which its message says when it was made.
pub const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// The number of replies that an episode has in its thread, at most.
const THREAD_LIMIT: usize = 40;

/// What a fix would change, as of the last look at the resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Plan {
    /// No remediation exists for this type of resource.
    Unsupported,
    /// Planning failed; the finding is shown without it.
    Unknown {
        /// The reason why the plan is not known.
        reason: String,
        /// Whether the look is repeated, because the reason may pass.
        #[serde(default)]
        looking: bool,
    },
    /// The changes, by the remediation that would make them; empty when the resource is clean.
    Known {
        /// In the order in which they would be made.
        changes: Vec<(ViolationType, Change)>,
    },
}

impl Plan {
    /// The severity of what the plan would close: critical while that is being looked at, none where nothing
    /// is known.
    pub fn severity(&self) -> Option<Severity> {
        match self {
            Self::Known { changes } => changes.iter().map(|(_, change)| change.severity()).max(),
            Self::Unknown { looking: true, .. } => Some(Severity::Critical),
            Self::Unsupported | Self::Unknown { looking: false, .. } => None,
        }
    }
}

/// A rule's complaint about a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its id, which follows from the resource and the control, or the rule where there is none.
    pub id: FindingId,
    /// The control that is violated; none for rules that are shown without a fix.
    #[serde(default)]
    pub control: Option<Control>,
    /// The ids that it had in versions before 0.2.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<FindingId>,
    /// The name in AWS Config of the rule that complained last.
    pub rule: RuleName,
    /// The newest result of each rule, by the rule's name, which in the resource's account and region stands
    /// for its ARN.
    #[serde(default)]
    pub sources: BTreeMap<RuleName, SourceResult>,
    /// The resource.
    pub resource: Resource,
    /// What people call it, where that is not its id.
    #[serde(default)]
    pub resource_name: Option<String>,
    /// The annotation of the rule's evaluation.
    pub annotation: Option<String>,
    /// The severity, from what is exposed.
    #[serde(default)]
    pub severity: Severity,
    /// The channel of its messages; the default one where absent.
    #[serde(default)]
    pub channel: Option<String>,
    /// The state of the finding.
    pub state: State,
    /// The changes that would make the resource clean. A fix leaves out those that are ignored.
    pub plan: Plan,
    /// The time of the look that made the plan.
    #[serde(default)]
    pub checked_at: Option<Timestamp>,
    /// What is known of the newest episode.
    #[serde(flatten)]
    pub episode: Episode,
    /// The time at which AWS Config recorded the newest known result.
    pub recorded_at: Timestamp,
    /// The time of the last undo: results that were recorded until then are of the resource as it was before.
    #[serde(default)]
    pub settled_at: Option<Timestamp>,
    /// The time at which a fix last took something away.
    #[serde(default)]
    pub removed_at: Option<Timestamp>,
    /// The reports that counted in earlier episodes, the newest ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_reports: Vec<(ViolationType, Timestamp)>,
    /// What was taken away in earlier episodes, by fixes whose reports came after the episode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<LateRemoval>,
    /// The exposures that fixes closed within the last day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<Repeat>,
    /// The attributions of earlier episodes, the newest last.
    #[serde(
        default,
        rename = "earlierOpeners",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub earlier_attributions: Vec<Attribution>,
    /// The highest severity that the thread of an ignored finding has been told of.
    #[serde(default)]
    pub told_severity: Option<Severity>,
    /// The events of the last change, for the history. They are written with the change, so that neither is
    /// without the other.
    #[serde(default, rename = "deeds", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<(Timestamp, Actor, HistoryEvent)>,
}

impl Finding {
    /// A new finding.
    pub fn open(breach: Breach, plan: Plan) -> Self {
        let events = vec![(breach.recorded_at, Actor::External, HistoryEvent::Found)];
        Self {
            id: breach.finding(),
            control: breach.control,
            aliases: BTreeSet::new(),
            sources: BTreeMap::from([(breach.rule.clone(), SourceResult::non_compliant(&breach))]),
            rule: breach.rule,
            resource: breach.resource,
            resource_name: breach.resource_name,
            annotation: breach.annotation,
            severity: breach.severity,
            channel: breach.channel,
            state: State::OPEN,
            plan,
            checked_at: None,
            episode: Episode::new(1, breach.recorded_at),
            recorded_at: breach.recorded_at,
            settled_at: None,
            removed_at: None,
            earlier_reports: Vec::new(),
            late: Vec::new(),
            repeats: Vec::new(),
            earlier_attributions: Vec::new(),
            told_severity: None,
            events,
        }
    }

    /// A new finding whose resource has just been looked at.
    pub fn first_seen(breach: Breach, plan: &Plan, looked_at: Timestamp) -> Self {
        let known = matches!(plan, Plan::Known { .. });
        Self {
            checked_at: known.then_some(looked_at),
            ..Self::open(breach, plan.clone())
        }
    }

    /// The state's name; an ignore that has expired counts as open.
    pub fn state_name(&self, now: Timestamp) -> StateName {
        match &self.state {
            State::Open { .. } => StateName::Open,
            State::Fixing { .. } => StateName::Fixing,
            State::Ignored {
                until: Some(until), ..
            } if *until <= now => StateName::Open,
            State::Ignored { .. } => StateName::Ignored,
            State::Fixed { .. } => StateName::Fixed,
            State::Undoing { .. } => StateName::Undoing,
            State::Deleted { .. } => StateName::Deleted,
        }
    }

    /// The time since which the finding is in its state.
    pub fn state_since(&self) -> Timestamp {
        match &self.state {
            State::Open { .. } => self.episode.opened_at,
            State::Fixing { since, .. }
            | State::Ignored { since, .. }
            | State::Undoing { since, .. } => *since,
            State::Fixed { at, .. } | State::Deleted { at } => *at,
        }
    }

    /// Whether both look the same in Slack. Fields that are not shown do not count.
    pub fn looks_like(&self, other: &Self) -> bool {
        let seen = |finding: &Self| Self {
            recorded_at: Timestamp::MIN,
            settled_at: None,
            checked_at: None,
            earlier_reports: Vec::new(),
            sources: BTreeMap::new(),
            episode: finding.episode.seen(),
            events: Vec::new(),
            ..finding.clone()
        };
        let checked = |finding: &Self| finding.checked_at.unwrap_or(finding.episode.opened_at);
        let is_as_fresh = checked(self).duration_since(checked(other)).abs() < FRESH;
        is_as_fresh && seen(self) == seen(other)
    }

    fn tell(&mut self, by: Option<Actor>, text: String) {
        self.tell_to(None, by, text);
    }

    fn tell_to(&mut self, to: Option<Recipient>, by: Option<Actor>, text: String) {
        if self.episode.thread.len() < THREAD_LIMIT {
            self.episode.thread.push(Reply { by, text, to });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
