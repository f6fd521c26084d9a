//! What AWS Config's opinion, and a look at the live resource, do to a finding.

use jiff::Timestamp;

use super::event::HistoryEvent;
use super::{Actor, Breach, CONFIRMATION, Episode, Finding, Plan, SETTLING, State};
use crate::controls::exposures;

/// Whether both plans are known, there is something to change, and it exposes another set than before.
fn is_another(before: &Plan, now: &Plan) -> bool {
    let exposed = |plan: &Plan| match plan {
        Plan::Known { changes } => Some(exposures(changes.iter().map(|(_, change)| change))),
        Plan::Unknown { .. } | Plan::Unsupported => None,
    };
    matches!((exposed(before), exposed(now)), (Some(before), Some(now)) if before != now && !now.is_empty())
}

impl Finding {
    /// AWS Config found the resource non-compliant; `plan` is what a look at it shows now. A finding
    /// that was over begins a new episode; `None` when this is old news.
    pub fn breached(&self, breach: &Breach, plan: &Plan, now: Timestamp) -> Option<Self> {
        if self.is_old_news(breach) {
            return self.explained(breach, plan, now);
        }
        let mut finding = Self {
            rule: breach.rule.clone(),
            control: breach.control.or(self.control),
            resource_name: breach
                .resource_name
                .clone()
                .or_else(|| self.resource_name.clone()),
            annotation: breach.annotation.clone(),
            ..self.clone()
        };
        finding.hear(breach, false);
        if let State::Fixed { at, .. } | State::Deleted { at } = self.state {
            let clean_now = matches!(plan, Plan::Known { changes } if changes.is_empty());
            let just_fixed = breach.recorded_at.duration_since(at) < CONFIRMATION;
            if breach.recorded_at <= at || (clean_now && just_fixed) {
                // The result is of the resource as it was before the fix.
                return None;
            }
            finding.begin_episode(breach.recorded_at);
            finding.channel.clone_from(&breach.channel);
        }
        match &mut finding.state {
            State::Ignored { compliant, .. } => *compliant = false,
            State::Fixing { compliant, .. } => *compliant = None,
            State::Open { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => {}
        }
        finding.take_plan(plan, now);
        let is_clean = matches!(plan, Plan::Known { changes } if changes.is_empty());
        if !is_clean {
            finding.severity = breach.severity;
        }
        Some(finding)
    }

    /// A remediator was quicker than AWS Config, whose word says why.
    fn explained(&self, breach: &Breach, plan: &Plan, now: Timestamp) -> Option<Self> {
        let waits = self.annotation.is_none() && self.state == State::OPEN;
        if !waits || breach.annotation.is_none() {
            return None;
        }
        let mut finding = Self {
            resource_name: breach.resource_name.clone(),
            annotation: breach.annotation.clone(),
            ..self.clone()
        };
        finding.take_plan(plan, now);
        Some(finding)
    }

    /// A look at the live resource shows what a fix would change now. `None` where the finding waits
    /// for nothing that the plan could say.
    pub fn looked_at(&self, plan: &Plan, now: Timestamp) -> Option<Self> {
        let mut finding = self.clone();
        match &self.state {
            State::Open { .. } | State::Ignored { .. } => {
                if is_another(&self.plan, plan) {
                    // The rule spoke of the resource as it was.
                    finding.annotation = None;
                }
                finding.take_plan(plan, now);
            }
            State::Fixed { .. } if self.relapsed(plan, now).is_some() => {
                return self.relapsed(plan, now);
            }
            // A fix or an undo on its way looks for itself.
            State::Fixing { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => {
                return None;
            }
        }
        (finding != *self).then_some(finding)
    }

    /// The plan is another now. A look that failed does not replace what is known of an ignored finding.
    fn take_plan(&mut self, plan: &Plan, now: Timestamp) {
        self.note_what_is_ignored();
        match plan {
            Plan::Unknown { .. } if matches!(self.state, State::Ignored { .. }) => {}
            Plan::Unknown { .. } | Plan::Unsupported => self.plan = plan.clone(),
            Plan::Known { .. } => {
                self.plan = plan.clone();
                self.checked_at = Some(now);
                self.open_beyond_ignore(now);
            }
        }
    }

    pub(super) fn begin_episode(&mut self, opened_at: Timestamp) {
        self.record(opened_at, Actor::External, HistoryEvent::Found);
        self.remember_attribution();
        self.remember_reports();
        self.episode = Episode::new(self.episode.number + 1, opened_at);
        self.state = State::OPEN;
    }

    /// Whether it counts as fixed though AWS Config has not seen that yet, for longer than
    /// [`SETTLING`] and less than [`CONFIRMATION`]. What breaks again in between never shows as a compliance change.
    pub fn is_unconfirmed(&self, now: Timestamp) -> bool {
        let unseen = self.recorded_at < self.state_since() || self.complaining().next().is_some();
        matches!(self.state, State::Fixed { at, .. }
            if unseen && (SETTLING..CONFIRMATION).contains(&now.duration_since(at)))
    }

    /// A look at the resource shows that it has broken again before AWS Config saw the fix.
    pub fn relapsed(&self, plan: &Plan, now: Timestamp) -> Option<Self> {
        let broken = matches!(plan, Plan::Known { changes } if !changes.is_empty());
        if !broken || !self.is_unconfirmed(now) {
            return None;
        }
        let mut finding = self.clone();
        finding.begin_episode(now);
        finding.take_plan(plan, now);
        Some(finding)
    }

    /// A rule of AWS Config finds the resource compliant, or not applicable. `None` when this is old
    /// news. While another rule complains the finding is not over.
    pub fn complied(&self, breach: &Breach) -> Option<Self> {
        if self.is_old_news(breach) {
            return None;
        }
        let recorded_at = breach.recorded_at;
        let mut finding = self.clone();
        finding.hear(breach, true);
        if finding.complaining().next().is_some() {
            return Some(finding);
        }
        let clean = match &self.plan {
            Plan::Unsupported => Plan::Unsupported,
            _ => Plan::Known {
                changes: Vec::new(),
            },
        };
        match &mut finding.state {
            // What a fix or an undo has done is known by its report.
            State::Fixed { .. } | State::Undoing { .. } | State::Deleted { .. } => {
                finding.plan = clean
            }
            State::Fixing { compliant, .. } => *compliant = Some(recorded_at),
            State::Ignored { compliant, .. } => {
                *compliant = true;
                finding.note_what_is_ignored();
                finding.plan = clean;
            }
            State::Open { .. } => {
                finding.plan = clean;
                finding.found_compliant(recorded_at);
            }
        }
        Some(finding)
    }

    /// Somebody else has fixed it. What is ignored of it stays ignored.
    pub(super) fn found_compliant(&mut self, at: Timestamp) {
        self.state = State::Fixed {
            by: Actor::External,
            at,
        };
        self.record(at, Actor::External, HistoryEvent::Complied);
        self.tell(
            None,
            "AWS Config finds the resource compliant again.".to_owned(),
        );
        self.back_to_ignored(true);
    }

    /// The resource is not there any more. `None` where that is known.
    pub fn deleted(&self, at: Timestamp) -> Option<Self> {
        if matches!(self.state, State::Deleted { .. }) {
            return None;
        }
        let mut finding = self.clone();
        finding.state = State::Deleted { at };
        finding.plan = match &self.plan {
            Plan::Unsupported => Plan::Unsupported,
            Plan::Known { .. } | Plan::Unknown { .. } => Plan::Known {
                changes: Vec::new(),
            },
        };
        (finding.episode.left, finding.episode.beside) = (None, Vec::new());
        finding.episode.approval = None;
        finding.record(at, Actor::External, HistoryEvent::Deleted);
        finding.tell(None, "The resource was deleted.".to_owned());
        Some(finding)
    }
}
