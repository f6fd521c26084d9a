//! A fix: asked for, and under way.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::event::HistoryEvent;
use super::{Actor, Breach, FIX_TIMEOUT, Failure, Finding, Plan, Refusal, State};
use crate::contracts::{Outcome, RemediationReport, RemediationRequest};
use crate::controls::Severity;
use crate::controls::{AgreedPlan, ViolationType};
use crate::ids::PlanDigest;

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
        let mut finding = Self {
            state,
            ..self.clone()
        };
        finding.episode.approval = None;
        finding.episode.approved_by = None;
        finding
    }

    /// The remediations that a fix needs: those of the plan, or all that the resource can have
    /// where there is no plan.
    pub(super) fn kinds_to_fix(&self) -> BTreeSet<ViolationType> {
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
            aws_account_id: self.resource.account.clone(),
            requested_by,
            finding_id: Some(self.id.clone()),
            asked_at: None,
            plan: None,
            undo: Vec::new(),
        }
    }

    /// Whether it waits for what a person asked: not when that was given up, or another followed.
    pub fn waits_for(&self, request: &RemediationRequest) -> bool {
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
            && self.resource == request.resource()
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
    pub(super) fn reopen(&mut self, failure: Failure) {
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
}
