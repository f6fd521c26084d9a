//! An undo: asked for, under way, reported.

use jiff::Timestamp;

use super::event::HistoryEvent;
use super::{
    Actor, Covers, FIX_TIMEOUT, Failure, Finding, Plan, Refusal, State, UNDO_IGNORE, UNDO_WINDOW,
};
use crate::contracts::{Outcome, RemediationReport, RemediationRequest};
use crate::controls::Change;
use crate::ids::PlanDigest;

impl Finding {
    /// What an undo would put back: what fixes of this episode took away, and what is known late of
    /// earlier ones. Nothing while a fix is on its way, or an undo.
    pub fn to_put_back(&self) -> Vec<Change> {
        let of_this_episode: &[Change] = match &self.state {
            State::Fixed { .. } | State::Ignored { .. } | State::Undoing { .. } => {
                &self.episode.removed
            }
            State::Open { .. } | State::Fixing { .. } | State::Deleted { .. } => &[],
        };
        let late = match &self.state {
            State::Fixing { .. } | State::Deleted { .. } => [].iter(),
            _ => self.late.iter(),
        };
        // What can be put back together can be put back until the same time.
        let lasts = |at: Timestamp| {
            self.removed_at
                .is_none_or(|newest| newest.duration_since(at) < UNDO_WINDOW)
        };
        let mut all: Vec<Change> = of_this_episode.to_vec();
        for change in late
            .filter(|late| lasts(late.at))
            .flat_map(|late| &late.changes)
        {
            if !all.contains(change) {
                all.push(change.clone());
            }
        }
        all
    }

    /// Until when that can be put back; `None` where there is nothing to undo.
    pub fn undo_until(&self) -> Option<Timestamp> {
        if matches!(self.state, State::Undoing { .. }) || self.to_put_back().is_empty() {
            return None;
        }
        let fixed_at = match &self.state {
            State::Fixed { at, .. } => Some(*at),
            _ => None,
        };
        Some(self.removed_at.or(fixed_at)? + UNDO_WINDOW)
    }

    /// Whether an undo can be asked for.
    pub fn can_undo(&self, now: Timestamp) -> Result<(), Refusal> {
        match (&self.state, self.undo_until()) {
            (_, Some(until)) if now <= until => Ok(()),
            (_, Some(_)) => Err(Refusal::TooLate),
            (State::Fixed { .. } | State::Ignored { .. }, None) => Err(Refusal::NothingToUndo),
            (
                State::Undoing {
                    asked_by, since, ..
                },
                None,
            ) => Err(Refusal::Undoing {
                asked_by: asked_by.clone(),
                since: *since,
            }),
            (State::Deleted { .. }, None) => Err(Refusal::Deleted),
            (State::Open { .. } | State::Fixing { .. }, None) => Err(Refusal::NotFixed),
        }
    }

    /// Somebody wants back what the plan `agreed` says.
    pub fn undo_asked(
        &self,
        asked_by: Actor,
        agreed: &PlanDigest,
        reason: String,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        self.can_undo(now)?;
        let plan = self.undo_plan().ok_or(Refusal::NothingToUndo)?.digest();
        if plan != *agreed {
            return Err(Refusal::FixedAgain);
        }
        let mut finding = self.clone();
        finding.episode.undo_failure = None;
        finding.episode.undo_asked_at = Some(now);
        finding.episode.approval = None;
        finding.episode.approved_by = None;
        finding.record(
            now,
            asked_by.clone(),
            HistoryEvent::UndoAsked {
                reason: reason.clone(),
            },
        );
        finding.note_what_is_ignored();
        let before = Some(Box::new(finding.state));
        finding.state = State::Undoing {
            asked_by,
            since: now,
            reason,
            plan: Some(plan),
            before,
            fixed_by: None,
            fixed_at: None,
        };
        Ok(finding)
    }

    /// The request that an undo sends.
    pub fn undo_request(&self) -> Option<RemediationRequest> {
        let State::Undoing {
            asked_by: Actor::User(user),
            since,
            plan: Some(plan),
            ..
        } = &self.state
        else {
            return None;
        };
        let undo = self.to_put_back();
        let request = self.request(undo.first()?.kind(), Some(user.clone()));
        Some(RemediationRequest {
            asked_at: Some(*since),
            plan: Some(plan.clone()),
            undo,
            ..request
        })
    }

    /// An undo has not reported back in time. `None` while there is still hope.
    pub fn undo_timed_out(&self, now: Timestamp) -> Option<Self> {
        let State::Undoing { since, .. } = &self.state else {
            return None;
        };
        if now.duration_since(*since) < FIX_TIMEOUT {
            return None;
        }
        let reason = format!(
            "the undo has not reported back for {} minutes",
            FIX_TIMEOUT.as_mins()
        );
        Some(self.undo_failed(
            now,
            reason,
            "Press Undo again; if that does not help, look for dead letters in /dd status.",
        ))
    }

    /// The undo could not even be queued.
    pub fn undo_not_queued(&self, now: Timestamp) -> Self {
        self.undo_failed(
            now,
            "the undo could not be queued".to_owned(),
            "Press Undo again in a minute.",
        )
    }

    fn undo_failed(&self, at: Timestamp, reason: String, advice: &str) -> Self {
        let State::Undoing {
            asked_by,
            before,
            fixed_by,
            fixed_at,
            ..
        } = &self.state
        else {
            return self.clone();
        };
        let of_older_version = || State::Fixed {
            by: fixed_by.clone().unwrap_or(Actor::External),
            at: fixed_at.unwrap_or(self.episode.opened_at),
        };
        let before = before
            .as_ref()
            .map_or_else(of_older_version, |before| (**before).clone());
        let mut finding = Self {
            state: before,
            ..self.clone()
        };
        finding.tell(None, format!("Not undone: {reason}. {advice}"));
        finding.episode.approved_by = None;
        let asked_by = asked_by.clone();
        finding.record(
            at,
            asked_by.clone(),
            HistoryEvent::UndoFailed {
                reason: reason.clone(),
            },
        );
        finding.episode.undo_failure = Some(Failure {
            asked_by,
            at,
            reason,
            advice: advice.to_owned(),
        });
        let broken = matches!(&finding.plan, Plan::Known { changes } if !changes.is_empty());
        if let State::Fixed { at: fixed_at, .. } = finding.state
            && broken
            && finding.recorded_at > fixed_at
        {
            // It broke meanwhile, and AWS Config will not say so again.
            let failure = finding.episode.undo_failure.take();
            finding.begin_episode(at);
            finding.episode.undo_failure = failure;
        }
        finding
    }

    /// An undo reports back; `plan` is what a fix would change now. `None` when the report is of
    /// another undo than the one that has not reported yet.
    pub fn undo_reported(&self, report: &RemediationReport, plan: &Plan) -> Option<Self> {
        let detail = report.detail.as_ref()?;
        let at = report.action_complete_time;
        let waited_for = !matches!(self.state, State::Fixing { .. } | State::Deleted { .. })
            && self.episode.undo_asked_at.is_some()
            && self.episode.undo_asked_at == detail.request.asked_at;
        if !waited_for {
            return None;
        }
        let mut finding = match &detail.outcome {
            // Whatever was put back is open again, even if the rest could not be.
            Outcome::Undone => self.undone(&detail.request, &detail.changes, plan, at),
            Outcome::Failed { .. } if !detail.changes.is_empty() => {
                self.undone(&detail.request, &detail.changes, plan, at)
            }
            Outcome::NotAgreed => self.undo_failed(
                at,
                "it is not known which plan was agreed to".to_owned(),
                "Press Undo again.",
            ),
            Outcome::Failed { reason, advice } => self.undo_failed(at, reason.clone(), advice),
            Outcome::Begun
            | Outcome::Fixed
            | Outcome::NothingToDo
            | Outcome::Gone
            | Outcome::LeftToPeople
            | Outcome::LeftAlone { .. } => return None,
        };
        if let (Outcome::Failed { reason, advice }, false) =
            (&detail.outcome, detail.changes.is_empty())
        {
            finding.tell(
                None,
                format!("The rest was not put back: {reason}. {advice}"),
            );
            let asked_by = Actor::of(&detail.request);
            let (reason, advice) = (
                format!("the rest was not put back: {reason}"),
                advice.clone(),
            );
            finding.episode.undo_failure = Some(Failure {
                asked_by,
                at,
                reason,
                advice,
            });
        }
        finding.episode.undo_asked_at = None;
        Some(finding)
    }

    /// Open to the world again, on purpose: ignored for a while.
    fn undone(
        &self,
        request: &RemediationRequest,
        put_back: &[Change],
        plan: &Plan,
        at: Timestamp,
    ) -> Self {
        let by = Actor::of(request);
        let reason = match &self.state {
            State::Undoing { reason, .. } => reason.clone(),
            _ => "a fix was undone".to_owned(),
        };
        let until = Some(at + UNDO_IGNORE);
        let before = match &self.state {
            State::Undoing {
                before: Some(before),
                ..
            } => Self {
                state: (**before).clone(),
                ..self.clone()
            },
            _ => self.clone(),
        };
        let covers = Covers::of(put_back);
        let state = State::Ignored {
            by: by.clone(),
            since: at,
            until,
            reason: reason.clone(),
            compliant: false,
            covers: Some(covers.clone()),
        };
        // A look so soon may still show the resource as it was, or fail.
        let plan = match plan {
            Plan::Known { changes } if !changes.is_empty() => plan.clone(),
            _ => Plan::Known {
                changes: put_back
                    .iter()
                    .map(|change| (change.kind(), change.clone()))
                    .collect(),
            },
        };
        // What AWS Config recorded before is of the resource as the fix had left it.
        let settled_at = Some(at);
        let mut finding = Self {
            state,
            plan,
            settled_at,
            ..self.clone()
        };
        finding.episode.undo_failure = None;
        // Beside what is put back, what was ignored before stays so.
        finding.ignore_beside(before.newest_ignore(), &covers, at);
        finding
            .episode
            .removed
            .retain(|change| !put_back.contains(change));
        finding
            .episode
            .undone
            .extend(put_back.iter().map(|change| (change.clone(), at)));
        finding
            .late
            .iter_mut()
            .for_each(|late| late.changes.retain(|change| !put_back.contains(change)));
        finding.late.retain(|late| !late.changes.is_empty());
        finding
            .episode
            .begun
            .retain(|begun| !put_back.contains(&begun.change));
        finding.episode.remediated.clear();
        finding.episode.approved_by = None;
        let back: Vec<String> = put_back.iter().map(Change::reopens).collect();
        finding.record(
            at,
            by.clone(),
            HistoryEvent::Undone {
                changes: back.clone(),
            },
        );
        finding.tell(
            Some(by),
            format!("undid the fix: {}. Reason: {reason}", back.join("; ")),
        );
        // What was opened beside it meanwhile is not ignored by the undo.
        finding.open_beyond_ignore(at);
        finding
    }
}
