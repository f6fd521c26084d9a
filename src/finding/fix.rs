//! A fix: asked for, under way, reported.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::event::HistoryEvent;
use super::{Actor, Breach, FIX_TIMEOUT, Failure, Finding, LateRemoval, Plan, Refusal, State};
use crate::contracts::{Outcome, RemediationReport, RemediationRequest};
use crate::controls::Severity;
use crate::controls::{AgreedPlan, Change, ViolationType};
use crate::ids::{AccountId, PlanDigest};

impl Finding {
    /// The finding of a fix that was quicker than AWS Config's notification. What is only announced
    /// is open: its remediator may die, and nobody waits for it.
    pub fn fixed_at_once(report: &RemediationReport) -> Option<Self> {
        let request = &report.detail.as_ref()?.request;
        let breach = Breach {
            rule: request.raised_by_rule.clone(),
            rule_arn: None,
            control: Some(request.violation_type.control()),
            resource: report.resource()?,
            resource_name: None,
            annotation: None,
            severity: Severity::default(),
            channel: None,
            recorded_at: report.action_complete_time,
        };
        let (kind, changes) = (request.violation_type, &report.detail.as_ref()?.changes);
        let open = |changes| Self::open(breach, Plan::Known { changes }).before_aws_config();
        match report.detail.as_ref()?.outcome {
            Outcome::Begun => open(
                changes
                    .iter()
                    .map(|change| (kind, change.clone()))
                    .collect(),
            ),
            _ => open(Vec::new()).begin_fix(
                [kind].into(),
                Actor::of(request),
                report.action_complete_time,
                None,
            ),
        }
        .reported(report)
    }

    /// Somebody asks for the fix, having said yes to a plan. Only an open finding, or one whose fix
    /// never reported back, can be fixed; an ignored one by `even_ignored` only. Where the plan has
    /// more than what was agreed to, nothing happens.
    pub fn fix_asked(
        &self,
        asked_by: Actor,
        agreed: &AgreedPlan,
        even_ignored: bool,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        self.can_fix(even_ignored, now)?;
        self.check_consent(agreed)?;
        let kinds = self.kinds_to_fix();
        let mut finding = self.begin_fix(kinds, asked_by.clone(), now, Some(agreed.digest()));
        finding.record(now, asked_by, HistoryEvent::FixAsked);
        Ok(finding)
    }

    /// Whether a fix can be asked for at all.
    pub fn can_fix(&self, even_ignored: bool, now: Timestamp) -> Result<(), Refusal> {
        match &self.state {
            State::Open { .. } => {}
            State::Fixing { since, .. } if now.duration_since(*since) >= FIX_TIMEOUT => {}
            State::Fixing {
                asked_by, since, ..
            } => {
                return Err(Refusal::Fixing {
                    asked_by: asked_by.clone(),
                    since: *since,
                });
            }
            State::Fixed { .. } => return Err(Refusal::Fixed),
            State::Deleted { .. } => return Err(Refusal::Deleted),
            State::Undoing {
                asked_by, since, ..
            } => {
                return Err(Refusal::Undoing {
                    asked_by: asked_by.clone(),
                    since: *since,
                });
            }
            State::Ignored {
                until: Some(until), ..
            } if *until <= now => {}
            State::Ignored {
                compliant: true, ..
            } if even_ignored => return Err(Refusal::Fixed),
            State::Ignored { .. } if even_ignored => {}
            State::Ignored { by, reason, .. } => {
                return Err(Refusal::Ignored {
                    by: by.clone(),
                    reason: reason.clone(),
                });
            }
        }
        match &self.plan {
            Plan::Unsupported => Err(Refusal::Unsupported),
            Plan::Unknown { .. } => Err(Refusal::NoPlan),
            Plan::Known { .. } if !self.to_fix().is_empty() => Ok(()),
            Plan::Known { .. } if !self.by_hand().is_empty() => Err(Refusal::ByHand),
            Plan::Known { .. } => Err(Refusal::NothingToFix),
        }
    }

    fn begin_fix(
        &self,
        waiting_for: BTreeSet<ViolationType>,
        asked_by: Actor,
        since: Timestamp,
        plan: Option<PlanDigest>,
    ) -> Self {
        let ignored = match &self.state {
            State::Ignored { .. } => {
                let mut ignored = self.clone();
                ignored.note_what_is_ignored();
                Some(Box::new(ignored.state))
            }
            // Of the fix that never reported back.
            State::Fixing { ignored, .. } => ignored.clone(),
            State::Open { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => None,
        };
        let state = State::Fixing {
            asked_by,
            since,
            waiting_for,
            failure: None,
            ignored,
            plan,
            compliant: None,
        };
        Self {
            state,
            approval: None,
            ..self.clone()
        }
    }

    /// The remediations that a fix needs: those of the plan, or all that the resource can have
    /// where there is no plan.
    fn kinds_to_fix(&self) -> BTreeSet<ViolationType> {
        match self.to_fix() {
            changes if changes.is_empty() => {
                ViolationType::of_resource(&self.resource.resource_type)
                    .into_iter()
                    .collect()
            }
            changes => changes.into_iter().map(|(kind, _)| kind).collect(),
        }
    }

    /// The requests that a fix sends, one for each remediation that it waits for.
    pub fn fix_requests(&self) -> Vec<RemediationRequest> {
        let State::Fixing {
            asked_by,
            since,
            waiting_for,
            plan,
            ..
        } = &self.state
        else {
            return Vec::new();
        };
        let requested_by = match asked_by {
            Actor::User(id) => Some(id.clone()),
            Actor::AutoResponse | Actor::External | Actor::Tag => None,
        };
        let asked_at = Some(*since);
        let request = |kind: &ViolationType| RemediationRequest {
            asked_at,
            plan: plan.clone(),
            ..self.request(*kind, requested_by.clone())
        };
        waiting_for.iter().map(request).collect()
    }

    /// Whether all that is open is what auto-response leaves to people.
    pub fn is_left_to_people(&self) -> bool {
        let to_close = self.to_close();
        !to_close.is_empty()
            && to_close
                .iter()
                .all(|(_, change)| change.is_left_to_people())
    }

    /// The requests by which an open finding goes back to where auto-response looks.
    pub fn auto_requests(&self) -> Vec<RemediationRequest> {
        let kinds: BTreeSet<ViolationType> = match (&self.state, &self.plan) {
            (State::Open { .. }, Plan::Known { .. }) => {
                let to_fix = self.to_fix().into_iter();
                to_fix
                    .filter(|(_, change)| !change.is_left_to_people())
                    .map(|(kind, _)| kind)
                    .collect()
            }
            // Whatever it is: a remediator looks.
            (State::Open { .. }, Plan::Unknown { .. }) => self.kinds_to_fix(),
            _ => BTreeSet::new(),
        };
        kinds
            .into_iter()
            .map(|kind| self.request(kind, None))
            .collect()
    }

    /// A request for one remediation of this finding.
    pub fn request(
        &self,
        violation_type: ViolationType,
        requested_by: Option<String>,
    ) -> RemediationRequest {
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
            asked_at: None,
            plan: None,
            undo: Vec::new(),
        }
    }

    /// Whether it waits for what a person asked: not when that was given up, or another followed.
    pub fn waits_for(&self, request: &RemediationRequest, home: &AccountId) -> bool {
        let undo = !request.undo.is_empty();
        let (asked_by, asked_at, plan) = match &self.state {
            State::Fixing {
                asked_by,
                since,
                plan,
                ..
            } if !undo => (asked_by, *since, plan),
            State::Undoing {
                asked_by,
                since,
                plan,
                ..
            } if undo => (asked_by, *since, plan),
            _ => return false,
        };
        let is_person =
            matches!(asked_by, Actor::User(user) if request.requested_by.as_ref() == Some(user));
        is_person
            && request.asked_at == Some(asked_at)
            && *plan == request.plan
            && self.resource == request.resource(home)
    }

    /// Since when it waits for a fix or an undo to report back.
    pub fn waits_since(&self) -> Option<Timestamp> {
        match &self.state {
            State::Fixing { since, .. } | State::Undoing { since, .. } => Some(*since),
            State::Open { .. }
            | State::Fixed { .. }
            | State::Ignored { .. }
            | State::Deleted { .. } => None,
        }
    }

    /// A fix has not reported back in time: the finding is open again, with its button. `None`
    /// while there is still hope.
    pub fn fix_timed_out(&self, now: Timestamp) -> Option<Self> {
        let State::Fixing {
            asked_by, since, ..
        } = &self.state
        else {
            return None;
        };
        if now.duration_since(*since) < FIX_TIMEOUT {
            return None;
        }
        let failure = Failure {
            asked_by: asked_by.clone(),
            at: now,
            reason: format!(
                "the fix has not reported back for {} minutes",
                FIX_TIMEOUT.as_mins()
            ),
            advice: "Press Fix again; if that does not help, look for dead letters in /dd status."
                .to_owned(),
        };
        Some(self.fix_given_up(failure))
    }

    fn fix_given_up(&self, failure: Failure) -> Self {
        let mut finding = self.clone();
        let event = HistoryEvent::FixFailed {
            reason: failure.reason.clone(),
        };
        finding.record(failure.at, failure.asked_by.clone(), event);
        finding.reopen(failure);
        finding
    }

    /// After a fix that did not work: open, or ignored where it was. Where AWS Config has found the
    /// resource compliant meanwhile, somebody else has fixed it.
    fn reopen(&mut self, failure: Failure) {
        let (ignored, compliant) = match &mut self.state {
            State::Fixing {
                ignored, compliant, ..
            } => (ignored.take(), *compliant),
            _ => (None, None),
        };
        if let Some(at) = compliant {
            self.plan = Plan::Known {
                changes: Vec::new(),
            };
            match ignored {
                Some(mut ignored) => {
                    if let State::Ignored { compliant, .. } = &mut *ignored {
                        *compliant = true;
                    }
                    self.state = *ignored;
                }
                None => self.found_compliant(at),
            }
            return;
        }
        let open = State::Open {
            last_failure: Some(failure),
            asks_again: None,
        };
        self.state = ignored.map_or(open, |ignored| *ignored);
    }

    /// The fix could not even be queued.
    pub fn fix_not_queued(&self, now: Timestamp) -> Self {
        let State::Fixing { asked_by, .. } = &self.state else {
            return self.clone();
        };
        let failure = Failure {
            asked_by: asked_by.clone(),
            at: now,
            reason: "the fix could not be queued".to_owned(),
            advice: "Press Fix again in a minute.".to_owned(),
        };
        self.fix_given_up(failure)
    }

    /// A remediation reports back. `None` when the report says nothing new.
    pub fn reported(&self, report: &RemediationReport) -> Option<Self> {
        let at = report.action_complete_time;
        let detail = &self.since_undo(report.detail.as_ref()?, at)?;
        let kind = detail.request.violation_type;
        let of_earlier_episode = self.episode > 1 && at < self.opened_at;
        if of_earlier_episode {
            return self.reported_late(detail, at);
        }
        if self.reports.contains(&(kind, at)) {
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
            Outcome::Begun if self.ended.contains(&detail.attempt) => return None,
            Outcome::Begun if detail.changes.is_empty() => {
                finding.take_back(detail);
                finding.end(&detail.attempt);
            }
            // It comes late, from an attempt that died: it had taken away what was found gone.
            Outcome::Begun
                if self.remediated.contains(&kind)
                    && !self.removed.iter().any(|change| change.kind() == kind) =>
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
        finding.reports.push((kind, at));
        Some(finding)
    }

    /// Whether something of a kind stays open after a fix: what auto-response leaves to people, or what takes
    /// a person whoever asked.
    fn is_left_open(&self, kind: ViolationType, is_automatic: bool) -> bool {
        let is_left = |(planned, change): &(ViolationType, Change)| {
            *planned == kind
                && (change.is_by_hand() || (is_automatic && change.is_left_to_people()))
        };
        matches!(self.state, State::Open { .. }) && self.to_close().iter().any(is_left)
    }

    /// A fix that somebody asked for has done all it can, and something is left that takes a person.
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

    /// What an attempt found is what is left of a kind.
    fn plan_what_is_left(&mut self, kind: ViolationType, left: &[Change]) {
        if let (State::Open { .. }, Plan::Known { changes }) = (&self.state, &mut self.plan) {
            let new = left
                .iter()
                .filter(|change| !changes.iter().any(|(_, planned)| planned == *change));
            let new: Vec<_> = new.map(|change| (kind, change.clone())).collect();
            changes.extend(new);
        }
    }

    /// Auto-response has done its part, and leaves the rest to people: an open finding stays so. What was
    /// taken away can be put back meanwhile, as what is known late can.
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
            None,
            format!("Done: {}. The rest is left to people.", done.join("; ")),
        );
        self.record(at, by.clone(), HistoryEvent::fixed(&taken));
        self.late.push(LateRemoval {
            changes: taken,
            by,
            at,
        });
    }

    fn remediate(&mut self, kind: ViolationType, by: Actor, at: Timestamp, changes: &[Change]) {
        self.remediated.insert(kind);
        // Two deliveries of a request at once may both have done it.
        let new: Vec<Change> = changes
            .iter()
            .filter(|change| !self.removed.contains(change))
            .cloned()
            .collect();
        let changes = new.as_slice();
        self.removed.extend_from_slice(changes);
        if !changes.is_empty() {
            self.removed_at = self.removed_at.max(Some(at));
            self.count_repeats(changes, at);
            let done: Vec<String> = changes.iter().map(Change::done).collect();
            self.tell(None, format!("Done: {}.", done.join("; ")));
            self.record(at, by.clone(), HistoryEvent::fixed(changes));
        }
        self.take_out_of_plan(kind);
        let all_remediated = self.kinds_to_fix().is_subset(&self.remediated)
            || matches!(self.plan, Plan::Known { .. }) && self.to_close().is_empty();
        // Somebody else had fixed it.
        let by = if self.removed.is_empty() {
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
                        None if self.removed.is_empty() => {
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

    /// What a remediation has done is not planned any more; what is ignored of its kind still is open.
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
