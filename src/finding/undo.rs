//! An undo: asked for, under way, reported.

use jiff::Timestamp;

use super::history::Deed;
use super::{Actor, FIX_TIMEOUT, Failure, Finding, Plan, Refusal, State, UNDO_IGNORE, UNDO_WINDOW};
use crate::remediation::{Change, Outcome, RemediationReport, RemediationRequest};

impl Finding {
    /// Until when its fix can be undone; `None` where there is nothing to undo.
    pub fn undo_until(&self) -> Option<Timestamp> {
        match &self.state {
            State::Fixed { at, .. } if !self.removed.is_empty() => Some(*at + UNDO_WINDOW),
            _ => None,
        }
    }

    /// Whether an undo can be asked for.
    pub fn can_undo(&self, now: Timestamp) -> Result<(), Refusal> {
        match (&self.state, self.undo_until()) {
            (_, Some(until)) if now <= until => Ok(()),
            (_, Some(_)) => Err(Refusal::TooLate),
            (State::Fixed { .. }, None) => Err(Refusal::NothingToUndo),
            (State::Undoing { asked_by, since, .. }, None) => {
                Err(Refusal::Undoing { asked_by: asked_by.clone(), since: *since })
            }
            (State::Open { .. } | State::Fixing { .. } | State::Ignored { .. }, None) => {
                Err(Refusal::NotFixed)
            }
        }
    }

    /// When the fix was that an undo would undo.
    pub fn fixed_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Fixed { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Somebody wants back what the fix of `seen` took away.
    pub fn undo_asked(
        &self,
        asked_by: Actor,
        seen: Timestamp,
        reason: String,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        self.can_undo(now)?;
        if self.fixed_at() != Some(seen) {
            return Err(Refusal::FixedAgain);
        }
        let State::Fixed { by, at } = &self.state else { return Err(Refusal::NotFixed) };
        let (fixed_by, fixed_at) = (by.clone(), *at);
        let mut finding =
            Self { undo_failure: None, undo_asked_at: Some(now), approval: None, ..self.clone() };
        finding.record(now, asked_by.clone(), Deed::UndoAsked { reason: reason.clone() });
        finding.state = State::Undoing { asked_by, since: now, reason, fixed_by, fixed_at };
        Ok(finding)
    }

    /// The request that an undo sends.
    pub fn undo_request(&self) -> Option<RemediationRequest> {
        let State::Undoing { asked_by: Actor::User(user), since, .. } = &self.state else { return None };
        let request = self.request(self.removed.first()?.kind(), Some(user.clone()));
        Some(RemediationRequest { asked_at: Some(*since), undo: self.removed.clone(), ..request })
    }

    /// An undo has not reported back in time. `None` while there is still hope.
    pub fn undo_timed_out(&self, now: Timestamp) -> Option<Self> {
        let State::Undoing { since, .. } = &self.state else { return None };
        if now.duration_since(*since) < FIX_TIMEOUT {
            return None;
        }
        let reason = format!("the undo has not reported back for {} minutes", FIX_TIMEOUT.as_mins());
        Some(self.undo_failed(
            now,
            reason,
            "Press Undo again; if that does not help, look for dead letters in /dd status.",
        ))
    }

    /// The undo could not even be queued.
    pub fn undo_not_queued(&self, now: Timestamp) -> Self {
        self.undo_failed(now, "the undo could not be queued".to_owned(), "Press Undo again in a minute.")
    }

    fn undo_failed(&self, at: Timestamp, reason: String, advice: &str) -> Self {
        let State::Undoing { asked_by, fixed_by, fixed_at, .. } = &self.state else { return self.clone() };
        let mut finding =
            Self { state: State::Fixed { by: fixed_by.clone(), at: *fixed_at }, ..self.clone() };
        finding.tell(None, format!("Not undone: {reason}. {advice}"));
        let asked_by = asked_by.clone();
        finding.record(at, asked_by.clone(), Deed::UndoFailed { reason: reason.clone() });
        finding.undo_failure = Some(Failure { asked_by, at, reason, advice: advice.to_owned() });
        let broken = matches!(&finding.plan, Plan::Known { changes } if !changes.is_empty());
        if broken && finding.recorded_at > *fixed_at {
            // It broke meanwhile, and AWS Config will not say so again.
            finding.begin_episode(at);
        }
        finding
    }

    /// An undo reports back; `plan` is what a fix would change now. `None` when the report is of
    /// another undo than the one that has not reported yet.
    pub fn undo_reported(&self, report: &RemediationReport, plan: &Plan) -> Option<Self> {
        let detail = report.detail.as_ref()?;
        let at = report.action_complete_time;
        let waited_for = matches!(self.state, State::Undoing { .. } | State::Fixed { .. })
            && self.undo_asked_at.is_some()
            && self.undo_asked_at == detail.request.asked_at;
        if !waited_for {
            return None;
        }
        let mut finding = match &detail.outcome {
            // Whatever was put back is open again, even if the rest could not be.
            Outcome::Undone => self.undone(&detail.request, &detail.changes, plan, at),
            Outcome::Failed { .. } if !detail.changes.is_empty() => {
                self.undone(&detail.request, &detail.changes, plan, at)
            }
            Outcome::Failed { reason, advice } => self.undo_failed(at, reason.clone(), advice),
            Outcome::Begun
            | Outcome::Fixed
            | Outcome::NothingToDo
            | Outcome::Gone
            | Outcome::LeftAlone { .. } => return None,
        };
        if let (Outcome::Failed { reason, advice }, false) = (&detail.outcome, detail.changes.is_empty()) {
            finding.tell(None, format!("The rest was not put back: {reason}. {advice}"));
        }
        finding.undo_asked_at = None;
        Some(finding)
    }

    /// Open to the world again, on purpose: ignored for a while.
    fn undone(&self, request: &RemediationRequest, put_back: &[Change], plan: &Plan, at: Timestamp) -> Self {
        let by = Actor::of(request);
        let reason = match &self.state {
            State::Undoing { reason, .. } => reason.clone(),
            _ => "a fix was undone".to_owned(),
        };
        let until = Some(at + UNDO_IGNORE);
        let state =
            State::Ignored { by: by.clone(), since: at, until, reason: reason.clone(), compliant: false };
        // What AWS Config recorded before is of the resource as the fix had left it.
        let recorded_at = self.recorded_at.max(at);
        // A look so soon may still show the resource as it was, or fail.
        let plan = match plan {
            Plan::Known { changes } if !changes.is_empty() => plan.clone(),
            _ => Plan::Known {
                changes: put_back.iter().map(|change| (change.kind(), change.clone())).collect(),
            },
        };
        let mut finding = Self { state, plan, recorded_at, undo_failure: None, ..self.clone() };
        finding.removed.retain(|change| !put_back.contains(change));
        finding.undone.extend(put_back.iter().map(|change| (change.clone(), at)));
        finding.begun.retain(|begun| !put_back.contains(&begun.change));
        finding.mended.clear();
        let back: Vec<String> = put_back.iter().map(Change::reopens).collect();
        finding.record(at, by.clone(), Deed::Undone { changes: back.clone() });
        finding.tell(Some(by), format!("undid the fix: {}. Reason: {reason}", back.join("; ")));
        finding
    }
}
