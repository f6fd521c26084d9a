//! What AWS Config's opinion does to a finding.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::history::Deed;
use super::{Actor, Breach, CONFIRMATION, Finding, Plan, SETTLING, State};

impl Finding {
    /// AWS Config found the resource non-compliant. A fixed finding begins a new episode;
    /// `None` when this is old news.
    pub fn breached(&self, breach: &Breach, plan: &Plan) -> Option<Self> {
        if breach.recorded_at <= self.recorded_at {
            return self.explained(breach, plan);
        }
        let mut finding = Self {
            resource_name: breach.resource_name.clone().or_else(|| self.resource_name.clone()),
            annotation: breach.annotation.clone(),
            severity: breach.severity,
            plan: plan.clone(),
            recorded_at: breach.recorded_at,
            ..self.clone()
        };
        if let State::Fixed { at, .. } = self.state {
            let clean_now = matches!(plan, Plan::Known { changes } if changes.is_empty());
            let just_fixed = breach.recorded_at.duration_since(at) < CONFIRMATION;
            if breach.recorded_at <= at || (clean_now && just_fixed) {
                // The result is of the resource as it was before the fix.
                return None;
            }
            finding.begin_episode(breach.recorded_at);
            finding.channel.clone_from(&breach.channel);
        }
        if let State::Ignored { compliant, .. } = &mut finding.state {
            *compliant = false;
        }
        Some(finding)
    }

    /// A remediator was quicker than AWS Config, whose word says why.
    fn explained(&self, breach: &Breach, plan: &Plan) -> Option<Self> {
        let waits = self.annotation.is_none() && matches!(self.state, State::Open { last_failure: None });
        (waits && breach.annotation.is_some()).then(|| Self {
            resource_name: breach.resource_name.clone(),
            annotation: breach.annotation.clone(),
            severity: breach.severity,
            channel: breach.channel.clone(),
            plan: plan.clone(),
            ..self.clone()
        })
    }

    pub(super) fn begin_episode(&mut self, opened_at: Timestamp) {
        self.record(opened_at, Actor::Elsewhere, Deed::Found);
        self.episode += 1;
        self.opened_at = opened_at;
        self.state = State::Open { last_failure: None };
        self.removed = Vec::new();
        self.begun = Vec::new();
        self.ended = Vec::new();
        self.undone = Vec::new();
        self.undo_asked_at = None;
        self.undo_failure = None;
        self.opener = None;
        self.approval = None;
        self.mended = BTreeSet::new();
        self.reports = Vec::new();
        self.thread = Vec::new();
    }

    /// Whether it counts as fixed though AWS Config has not seen that yet, for longer than
    /// [`SETTLING`] and less than [`CONFIRMATION`]. What breaks again in between never shows as a compliance change.
    pub fn is_unconfirmed(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Fixed { at, .. }
            if self.recorded_at < at && (SETTLING..CONFIRMATION).contains(&now.duration_since(at)))
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
        match &mut finding.state {
            // What an undo has done is known by its report.
            State::Fixed { .. } | State::Undoing { .. } => {}
            State::Ignored { compliant, .. } => *compliant = true,
            State::Fixing { asked_by, failure: None, .. } => {
                // The remediation's report is on its way and says more; it may come late.
                finding.state = State::Fixed { by: asked_by.clone(), at: recorded_at };
            }
            State::Open { .. } | State::Fixing { .. } => {
                finding.state = State::Fixed { by: Actor::Elsewhere, at: recorded_at };
                finding.record(recorded_at, Actor::Elsewhere, Deed::Complied);
                finding.tell(None, "AWS Config finds the resource compliant again.".to_owned());
            }
        }
        Some(finding)
    }
}
