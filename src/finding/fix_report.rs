//! What a remediator's report changes of a finding.

use jiff::Timestamp;

use super::event::HistoryEvent;
use super::{Actor, Failure, Finding, LateRemoval, Plan, State};
use crate::contracts::{Outcome, RemediationReport};
use crate::controls::{Change, ViolationType};

impl Finding {
    /// The finding after a report. `None` where the report says nothing new.
    pub fn reported(&self, report: &RemediationReport) -> Option<Self> {
        let at = report.action_complete_time;
        let detail = &self.since_undo(report.detail.as_ref()?, at)?;
        let kind = detail.request.violation_type;
        let of_earlier_episode = self.episode.number > 1 && at < self.episode.opened_at;
        if of_earlier_episode {
            return self.reported_late(detail, at);
        }
        if self.episode.reports.contains(&(kind, at)) {
            return None;
        }
        let mut finding = self.clone();
        let by = Actor::of(&detail.request);
        match &detail.outcome {
            Outcome::Failed { reason, advice } => {
                let failure = Failure {
                    asked_by: by,
                    at,
                    reason: reason.clone(),
                    advice: advice.clone(),
                };
                finding.take_back(detail);
                finding.end(&detail.attempt);
                finding.fail(kind, failure);
            }
            Outcome::Begun if self.episode.ended.contains(&detail.attempt) => return None,
            Outcome::Begun if detail.changes.is_empty() => {
                finding.take_back(detail);
                finding.end(&detail.attempt);
            }
            // The report comes late, from an attempt that died: it tells who took away what a later attempt
            // found gone.
            Outcome::Begun
                if self.episode.remediated.contains(&kind)
                    && !self
                        .episode
                        .removed
                        .iter()
                        .any(|change| change.kind() == kind) =>
            {
                finding.remediate(kind, by, at, &detail.changes);
            }
            Outcome::Begun => finding.announce(detail, at),
            Outcome::NothingToDo => {
                finding.end(&detail.attempt);
                let taken = finding.find_nothing(detail);
                finding.remediate(kind, by, at, &taken);
            }
            Outcome::Gone => {
                finding.end(&detail.attempt);
                _ = finding.take_announced(kind);
                finding = finding.deleted(at)?;
            }
            Outcome::NotAgreed => {
                finding.take_back(detail);
                finding.end(&detail.attempt);
                if finding.may_ask_again(&detail.request) {
                    finding.not_agreed(by, at, &detail.changes);
                }
            }
            Outcome::Fixed => {
                let taken = finding.carry_out(detail);
                finding.end(&detail.attempt);
                finding.open_for_what_is_by_hand(kind);
                let is_automatic = detail.request.requested_by.is_none();
                if finding.is_left_open(kind, is_automatic) {
                    finding.remediate_in_part(kind, by, at, taken);
                } else {
                    finding.remediate(kind, by, at, &taken);
                }
            }
            Outcome::LeftToPeople => {
                finding.end(&detail.attempt);
                let taken = finding.find_nothing(detail);
                finding.open_for_what_is_by_hand(kind);
                finding.plan_what_is_left(kind, &detail.changes);
                finding.remediate_in_part(kind, by, at, taken);
            }
            Outcome::LeftAlone { reason } => finding = self.tagged(reason, at)?,
            Outcome::Undone => return None,
        }
        if finding == *self {
            return None;
        }
        finding.episode.reports.push((kind, at));
        Some(finding)
    }

    /// Whether something of a kind stays open after a fix, because auto-response leaves it to people or
    /// because only a person can close it.
    fn is_left_open(&self, kind: ViolationType, is_automatic: bool) -> bool {
        let is_left = |(planned, change): &(ViolationType, Change)| {
            *planned == kind
                && (change.is_by_hand() || (is_automatic && change.is_left_to_people()))
        };
        matches!(self.state, State::Open { .. }) && self.to_close().iter().any(is_left)
    }

    /// A person's fix has done all it can, and something is left that only a person can close.
    fn open_for_what_is_by_hand(&mut self, kind: ViolationType) {
        let State::Fixing {
            waiting_for,
            failure: None,
            ignored: None,
            ..
        } = &self.state
        else {
            return;
        };
        if waiting_for.iter().all(|waiting| *waiting == kind) && !self.by_hand().is_empty() {
            self.state = State::OPEN;
        }
    }

    /// Takes what an attempt found as all that is left of a kind.
    fn plan_what_is_left(&mut self, kind: ViolationType, left: &[Change]) {
        if let (State::Open { .. }, Plan::Known { changes }) = (&self.state, &mut self.plan) {
            let new = left
                .iter()
                .filter(|change| !changes.iter().any(|(_, planned)| planned == *change));
            let new: Vec<_> = new.map(|change| (kind, change.clone())).collect();
            changes.extend(new);
        }
    }

    /// Auto-response has done its part and leaves the rest to people, so that the finding stays open. What it
    /// took away can be put back meanwhile.
    fn remediate_in_part(
        &mut self,
        kind: ViolationType,
        by: Actor,
        at: Timestamp,
        taken: Vec<Change>,
    ) {
        if !matches!(self.state, State::Open { .. }) {
            if !taken.is_empty() {
                self.remediate(kind, by, at, &taken);
            }
            return;
        }
        let ignored: Vec<Change> = self.left_alone().into_iter().cloned().collect();
        let stays = |change: &Change| {
            change.is_by_hand() || (by == Actor::AutoResponse && change.is_left_to_people())
        };
        if let Plan::Known { changes } = &mut self.plan {
            changes.retain(|(planned, change)| {
                *planned != kind || stays(change) || ignored.contains(change)
            });
        }
        // Two deliveries of a request at once may both have done it.
        let is_known = |change: &Change| self.late.iter().any(|late| late.changes.contains(change));
        let taken: Vec<Change> = taken
            .into_iter()
            .filter(|change| !is_known(change))
            .collect();
        if taken.is_empty() {
            return;
        }
        self.removed_at = self.removed_at.max(Some(at));
        self.count_repeats(&taken, at);
        let done: Vec<String> = taken.iter().map(Change::done).collect();
        self.tell(
            Some(by.clone()),
            format!("{}. The rest is left to people.", done.join("; ")),
        );
        self.record(at, by.clone(), HistoryEvent::fixed(&taken));
        self.late.push(LateRemoval {
            changes: taken,
            by,
            at,
        });
    }

    fn remediate(&mut self, kind: ViolationType, by: Actor, at: Timestamp, changes: &[Change]) {
        self.episode.remediated.insert(kind);
        let is_asker =
            |state: &State| matches!(state, State::Fixing { asked_by, .. } if *asked_by == by);
        if !is_asker(&self.state) {
            // What was approved is not what is reported.
            self.episode.approved_by = None;
        }
        // Two deliveries of a request at once may both have done it.
        let new: Vec<Change> = changes
            .iter()
            .filter(|change| !self.episode.removed.contains(change))
            .cloned()
            .collect();
        let changes = new.as_slice();
        self.episode.removed.extend_from_slice(changes);
        if !changes.is_empty() {
            self.removed_at = self.removed_at.max(Some(at));
            self.count_repeats(changes, at);
            let done: Vec<String> = changes.iter().map(Change::done).collect();
            self.tell(Some(by.clone()), format!("{}.", done.join("; ")));
            self.record(at, by.clone(), HistoryEvent::fixed(changes));
        }
        self.take_out_of_plan(kind);
        let all_remediated = self.kinds_to_fix().is_subset(&self.episode.remediated)
            || matches!(self.plan, Plan::Known { .. }) && self.to_close().is_empty();
        // Somebody else had fixed it.
        let by = if self.episode.removed.is_empty() {
            Actor::External
        } else {
            by
        };
        let was_fixed = matches!(self.state, State::Fixed { .. });
        match &mut self.state {
            State::Fixing {
                asked_by,
                waiting_for,
                failure,
                ..
            } => {
                waiting_for.remove(&kind);
                if waiting_for.is_empty() {
                    match failure.take() {
                        Some(failure) => self.reopen(failure),
                        None if self.episode.removed.is_empty() => {
                            self.state = State::Fixed {
                                by: Actor::External,
                                at,
                            };
                        }
                        None => {
                            self.state = State::Fixed {
                                by: asked_by.clone(),
                                at,
                            }
                        }
                    }
                }
            }
            State::Open { .. } if all_remediated => self.state = State::Fixed { by, at },
            State::Fixed {
                by: fixed_by @ Actor::External,
                ..
            } if !changes.is_empty() => *fixed_by = by,
            State::Open { .. }
            | State::Ignored { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => {}
        }
        if !was_fixed
            && matches!(
                self.state,
                State::Fixed {
                    by: Actor::External,
                    ..
                }
            )
        {
            self.record(at, Actor::External, HistoryEvent::Complied);
        }
        if matches!(self.state, State::Fixed { .. }) {
            self.back_to_ignored(false);
        }
    }

    /// Takes what a remediation has done out of the plan. What is ignored of its kind stays in it.
    fn take_out_of_plan(&mut self, kind: ViolationType) {
        let left: Vec<Change> = self.left_alone().into_iter().cloned().collect();
        if let Plan::Known { changes } = &mut self.plan {
            changes.retain(|(planned, change)| *planned != kind || left.contains(change));
        }
    }

    fn fail(&mut self, kind: ViolationType, new_failure: Failure) {
        let told = format!("Not fixed: {}. {}", new_failure.reason, new_failure.advice);
        let event = HistoryEvent::FixFailed {
            reason: new_failure.reason.clone(),
        };
        let (at, by) = (new_failure.at, new_failure.asked_by.clone());
        match &mut self.state {
            State::Fixing {
                waiting_for,
                failure,
                ..
            } => {
                if !waiting_for.remove(&kind) {
                    return;
                }
                let first = failure.take().unwrap_or(new_failure);
                if waiting_for.is_empty() {
                    self.reopen(first);
                } else {
                    *failure = Some(first);
                }
            }
            State::Open { last_failure, .. } => {
                let known = |known: &Failure| {
                    known.at == new_failure.at || known.reason == new_failure.reason
                };
                if last_failure.as_ref().is_some_and(known) {
                    return;
                }
                *last_failure = Some(new_failure);
            }
            State::Ignored { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => {
                return;
            }
        }
        self.tell(None, told);
        self.record(at, by, event);
    }
}
