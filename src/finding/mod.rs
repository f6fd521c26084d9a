//! Findings: what is wrong with a resource, and the story of what people and functions did
//! about it. Pure; [`table`] keeps them, [`crate::slack::finding_message`] shows them.

pub mod auto_response;
pub mod table;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{FindingId, Resource, RuleName};
use crate::remediation::{Change, Outcome, RemediationReport, RemediationRequest, ViolationType};

/// After this a fix that has not reported back may be asked for again.
pub const FIX_TIMEOUT: SignedDuration = SignedDuration::from_mins(15);

/// For this long a fix that AWS Config has not confirmed is looked after.
pub const CONFIRMATION: SignedDuration = SignedDuration::from_hours(1);

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
}

impl Actor {
    fn of(request: &RemediationRequest) -> Self {
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
    },
    /// Compliant again.
    Fixed {
        /// By whom.
        by: Actor,
        /// When.
        at: Timestamp,
    },
}

/// A state's name, as the table's index and `/dd findings` spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl StateName {
    /// Every name.
    pub const ALL: [Self; 4] = [Self::Open, Self::Fixing, Self::Ignored, Self::Fixed];

    /// `open`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fixing => "fixing",
            Self::Ignored => "ignored",
            Self::Fixed => "fixed",
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
    /// What remediations were about to take away when last heard of. When one dies before it
    /// can report, this is what it took.
    pub begun: Vec<(ViolationType, Change)>,
    /// The remediations that have mended their part in this episode.
    pub mended: BTreeSet<ViolationType>,
    /// The reports that counted in this episode, so that a repeated one does not.
    pub reports: Vec<(ViolationType, Timestamp)>,
    /// The details, told in the message's thread, oldest first. Plain text.
    pub thread: Vec<String>,
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
    /// It is ignored; unignore comes first.
    #[error("it is ignored: stop ignoring it first")]
    Ignored,
    /// It is not ignored.
    #[error("it is not ignored")]
    NotIgnored,
    /// No fix is on its way.
    #[error("no fix is on its way")]
    NotFixing,
    /// There is no remediation for this type of resource.
    #[error("there is no automatic fix for this kind of resource")]
    Unsupported,
}

impl Finding {
    /// A new finding.
    pub fn open(breach: Breach, plan: Plan) -> Self {
        Self {
            id: FindingId::of(&breach.rule, &breach.resource),
            rule: breach.rule,
            resource: breach.resource,
            resource_name: breach.resource_name,
            annotation: breach.annotation,
            state: State::Open { last_failure: None },
            plan,
            episode: 1,
            opened_at: breach.recorded_at,
            recorded_at: breach.recorded_at,
            removed: Vec::new(),
            begun: Vec::new(),
            mended: BTreeSet::new(),
            reports: Vec::new(),
            thread: Vec::new(),
        }
    }

    /// The finding of a fix that was quicker than AWS Config's notification.
    pub fn fixed_at_once(report: &RemediationReport) -> Option<Self> {
        let request = &report.detail.as_ref()?.request;
        let breach = Breach {
            rule: request.raised_by_rule.clone(),
            resource: report.resource()?,
            resource_name: None,
            annotation: None,
            recorded_at: report.action_complete_time,
        };
        let kinds = BTreeSet::from([request.violation_type]);
        let finding = Self::open(breach, Plan::Known { changes: Vec::new() });
        finding.begin_fix(kinds, Actor::of(request), report.action_complete_time).reported(report)
    }

    /// The state's name; an ignore that has expired counts as open.
    pub fn state_name(&self, now: Timestamp) -> StateName {
        match &self.state {
            State::Open { .. } => StateName::Open,
            State::Fixing { .. } => StateName::Fixing,
            State::Ignored { until: Some(until), .. } if *until <= now => StateName::Open,
            State::Ignored { .. } => StateName::Ignored,
            State::Fixed { .. } => StateName::Fixed,
        }
    }

    /// Since when it is in its state.
    pub fn state_since(&self) -> Timestamp {
        match &self.state {
            State::Open { .. } => self.opened_at,
            State::Fixing { since, .. } | State::Ignored { since, .. } => *since,
            State::Fixed { at, .. } => *at,
        }
    }

    /// AWS Config found the resource non-compliant. A fixed finding begins a new episode;
    /// `None` when this is old news.
    pub fn breached(&self, breach: &Breach, plan: &Plan) -> Option<Self> {
        if breach.recorded_at <= self.recorded_at {
            return None;
        }
        let mut finding = Self {
            resource_name: breach.resource_name.clone().or_else(|| self.resource_name.clone()),
            annotation: breach.annotation.clone(),
            plan: plan.clone(),
            recorded_at: breach.recorded_at,
            ..self.clone()
        };
        if let State::Fixed { at, .. } = self.state {
            let clean_now = matches!(plan, Plan::Known { changes } if changes.is_empty());
            if breach.recorded_at <= at || clean_now {
                // The result is of the resource as it was before the fix.
                return Some(Self { recorded_at: breach.recorded_at, ..self.clone() });
            }
            finding.begin_episode(breach.recorded_at);
        }
        Some(finding)
    }

    fn begin_episode(&mut self, opened_at: Timestamp) {
        self.episode += 1;
        self.opened_at = opened_at;
        self.state = State::Open { last_failure: None };
        self.removed = Vec::new();
        self.begun = Vec::new();
        self.mended = BTreeSet::new();
        self.reports = Vec::new();
        self.thread = Vec::new();
    }

    /// Whether it counts as fixed though AWS Config has not seen that yet, and for less than
    /// [`CONFIRMATION`]. What breaks again in between never shows as a compliance change.
    pub fn is_unconfirmed(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Fixed { at, .. } if self.recorded_at < at && now.duration_since(at) < CONFIRMATION)
    }

    /// A look at the resource shows that it has broken again before AWS Config saw it mended.
    pub fn relapsed(&self, plan: &Plan, now: Timestamp) -> Option<Self> {
        let broken = matches!(plan, Plan::Known { changes } if !changes.is_empty());
        if !broken || !self.is_unconfirmed(now) {
            return None;
        }
        let mut finding = Self { plan: plan.clone(), ..self.clone() };
        finding.begin_episode(now);
        Some(finding)
    }

    /// AWS Config found the resource compliant, or gone. `None` when this is old news.
    pub fn complied(&self, recorded_at: Timestamp) -> Option<Self> {
        if recorded_at <= self.recorded_at {
            return None;
        }
        let mut finding = Self { recorded_at, ..self.clone() };
        finding.plan = match &self.plan {
            Plan::Unsupported => Plan::Unsupported,
            _ => Plan::Known { changes: Vec::new() },
        };
        match &self.state {
            State::Fixed { .. } => {}
            State::Fixing { asked_by, failure: None, .. } => {
                // The remediation's report is on its way and says more; it may come late.
                finding.state = State::Fixed { by: asked_by.clone(), at: recorded_at };
            }
            State::Open { .. } | State::Ignored { .. } | State::Fixing { .. } => {
                finding.state = State::Fixed { by: Actor::Elsewhere, at: recorded_at };
                finding.tell("AWS Config finds the resource compliant again.".to_owned());
            }
        }
        Some(finding)
    }

    /// Somebody asks for the fix. Only an open finding, or one whose fix never reported back,
    /// can be fixed.
    pub fn fix_asked(&self, asked_by: Actor, now: Timestamp) -> Result<Self, Refusal> {
        match &self.state {
            State::Open { .. } => {}
            State::Fixing { since, .. } if now.duration_since(*since) >= FIX_TIMEOUT => {}
            State::Fixing { asked_by, since, .. } => {
                return Err(Refusal::Fixing { asked_by: asked_by.clone(), since: *since });
            }
            State::Fixed { .. } => return Err(Refusal::Fixed),
            State::Ignored { until: Some(until), .. } if *until <= now => {}
            State::Ignored { .. } => return Err(Refusal::Ignored),
        }
        let kinds = self.kinds_to_fix();
        if kinds.is_empty() {
            return Err(Refusal::Unsupported);
        }
        Ok(self.begin_fix(kinds, asked_by, now))
    }

    fn begin_fix(&self, waiting_for: BTreeSet<ViolationType>, asked_by: Actor, since: Timestamp) -> Self {
        Self { state: State::Fixing { asked_by, since, waiting_for, failure: None }, ..self.clone() }
    }

    /// The remediations that a fix needs: those of the plan, or all that the resource can have
    /// where there is no plan.
    fn kinds_to_fix(&self) -> BTreeSet<ViolationType> {
        let all = ViolationType::of_resource(&self.resource.resource_type);
        match &self.plan {
            Plan::Known { changes } if !changes.is_empty() => changes.iter().map(|(kind, _)| *kind).collect(),
            _ => all.into_iter().collect(),
        }
    }

    /// The requests that a fix sends, one for each remediation that it waits for.
    pub fn fix_requests(&self) -> Vec<RemediationRequest> {
        let State::Fixing { asked_by, waiting_for, .. } = &self.state else { return Vec::new() };
        let requested_by = match asked_by {
            Actor::User(id) => Some(id.clone()),
            Actor::AutoResponse | Actor::Elsewhere => None,
        };
        waiting_for.iter().map(|kind| self.request(*kind, requested_by.clone())).collect()
    }

    /// A request for one remediation of this finding.
    pub fn request(&self, violation_type: ViolationType, requested_by: Option<String>) -> RemediationRequest {
        RemediationRequest {
            raised_by_rule: self.rule.clone(),
            target_resource_type: self.resource.resource_type.clone(),
            target_resource_id: self.resource.id.clone(),
            aws_region: self.resource.region.clone(),
            violation_type,
            violation_details: serde_json::Value::Null,
            aws_account_id: Some(self.resource.account.clone()),
            requested_by,
            finding_id: Some(self.id.clone()),
        }
    }

    /// A fix has not reported back in time: the finding is open again, with its button. `None`
    /// while there is still hope.
    pub fn fix_timed_out(&self, now: Timestamp) -> Option<Self> {
        let State::Fixing { asked_by, since, .. } = &self.state else { return None };
        if now.duration_since(*since) < FIX_TIMEOUT {
            return None;
        }
        let failure = Failure {
            asked_by: asked_by.clone(),
            at: now,
            reason: format!("the fix has not reported back for {} minutes", FIX_TIMEOUT.as_mins()),
            advice: "Press Fix again; if that does not help, look for dead letters in /dd status.".to_owned(),
        };
        Some(Self { state: State::Open { last_failure: Some(failure) }, ..self.clone() })
    }

    /// The fix could not even be queued.
    pub fn fix_not_queued(&self, now: Timestamp) -> Self {
        let State::Fixing { asked_by, .. } = &self.state else { return self.clone() };
        let failure = Failure {
            asked_by: asked_by.clone(),
            at: now,
            reason: "the fix could not be queued".to_owned(),
            advice: "Press Fix again in a minute.".to_owned(),
        };
        Self { state: State::Open { last_failure: Some(failure) }, ..self.clone() }
    }

    /// A remediation reports back. `None` when the report says nothing new.
    pub fn reported(&self, report: &RemediationReport) -> Option<Self> {
        let detail = report.detail.as_ref()?;
        let (at, kind) = (report.action_complete_time, detail.request.violation_type);
        let of_earlier_episode = self.episode > 1 && at < self.opened_at;
        if of_earlier_episode || self.reports.contains(&(kind, at)) {
            return None;
        }
        let mut finding = self.clone();
        let by = Actor::of(&detail.request);
        match &detail.outcome {
            Outcome::Failed { reason, advice } => {
                let failure = Failure { asked_by: by, at, reason: reason.clone(), advice: advice.clone() };
                finding.fail(kind, failure);
            }
            Outcome::Begun if self.mended.contains(&kind) => {}
            Outcome::Begun => finding.begin(kind, &detail.changes),
            Outcome::NothingToDo => {
                // An earlier delivery of the request did it and died before it could say so.
                let taken = finding.begun.iter().filter(|(begun, _)| *begun == kind);
                let taken: Vec<Change> = taken.map(|(_, change)| change.clone()).collect();
                finding.mend(kind, by, at, &taken);
            }
            Outcome::Fixed | Outcome::Gone => finding.mend(kind, by, at, &detail.changes),
        }
        if finding == *self {
            return None;
        }
        finding.reports.push((kind, at));
        Some(finding)
    }

    fn begin(&mut self, kind: ViolationType, changes: &[Change]) {
        self.begun.retain(|(begun, _)| *begun != kind);
        self.begun.extend(changes.iter().map(|change| (kind, change.clone())));
    }

    fn mend(&mut self, kind: ViolationType, by: Actor, at: Timestamp, changes: &[Change]) {
        self.mended.insert(kind);
        self.begun.retain(|(begun, _)| *begun != kind);
        self.removed.extend_from_slice(changes);
        for change in changes {
            self.tell(format!("Done: {}.", change.done()));
        }
        if let Plan::Known { changes } = &mut self.plan {
            changes.retain(|(planned, _)| *planned != kind);
        }
        let all_mended =
            self.kinds_to_fix().is_subset(&self.mended) || self.plan == Plan::Known { changes: Vec::new() };
        match &mut self.state {
            State::Fixing { asked_by, waiting_for, failure, .. } => {
                waiting_for.remove(&kind);
                if waiting_for.is_empty() {
                    self.state = match failure.take() {
                        Some(failure) => State::Open { last_failure: Some(failure) },
                        None => State::Fixed { by: asked_by.clone(), at },
                    };
                }
            }
            State::Open { .. } if all_mended => self.state = State::Fixed { by, at },
            State::Fixed { by: fixed_by @ Actor::Elsewhere, .. } if !changes.is_empty() => *fixed_by = by,
            State::Open { .. } | State::Ignored { .. } | State::Fixed { .. } => {}
        }
    }

    fn fail(&mut self, kind: ViolationType, new_failure: Failure) {
        let told = format!("Not fixed: {}. {}", new_failure.reason, new_failure.advice);
        match &mut self.state {
            State::Fixing { waiting_for, failure, .. } => {
                if !waiting_for.remove(&kind) {
                    return;
                }
                let first = failure.take().unwrap_or(new_failure);
                if waiting_for.is_empty() {
                    self.state = State::Open { last_failure: Some(first) };
                } else {
                    *failure = Some(first);
                }
            }
            State::Open { last_failure } => {
                let known =
                    |known: &Failure| known.at == new_failure.at || known.reason == new_failure.reason;
                if last_failure.as_ref().is_some_and(known) {
                    return;
                }
                *last_failure = Some(new_failure);
            }
            State::Ignored { .. } | State::Fixed { .. } => return,
        }
        self.tell(told);
    }

    /// Somebody decides to leave it as it is.
    pub fn ignored(
        &self,
        by: Actor,
        since: Timestamp,
        until: Option<Timestamp>,
        reason: String,
    ) -> Result<Self, Refusal> {
        match &self.state {
            State::Fixed { .. } => Err(Refusal::Fixed),
            State::Fixing { asked_by, since: asked, .. } if since.duration_since(*asked) < FIX_TIMEOUT => {
                Err(Refusal::Fixing { asked_by: asked_by.clone(), since: *asked })
            }
            State::Open { .. } | State::Ignored { .. } | State::Fixing { .. } => {
                Ok(Self { state: State::Ignored { by, since, until, reason }, ..self.clone() })
            }
        }
    }

    /// Somebody takes an ignore back.
    pub fn unignored(&self) -> Result<Self, Refusal> {
        match &self.state {
            State::Ignored { .. } => Ok(Self { state: State::Open { last_failure: None }, ..self.clone() }),
            State::Open { .. } | State::Fixing { .. } | State::Fixed { .. } => Err(Refusal::NotIgnored),
        }
    }

    /// An ignore ends by itself. `None` while it lasts.
    pub fn ignore_expired(&self, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Ignored { until: Some(until), .. } if *until <= now => {
                let mut finding = Self { state: State::Open { last_failure: None }, ..self.clone() };
                finding.tell("The time for which this was ignored is over: it is open again.".to_owned());
                Some(finding)
            }
            _ => None,
        }
    }

    fn tell(&mut self, reply: String) {
        if self.thread.len() < THREAD_LIMIT {
            self.thread.push(reply);
        }
    }
}

#[cfg(test)]
mod tests;
