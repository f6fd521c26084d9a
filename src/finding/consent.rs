//! What people agree to: the plan of a fix, of an undo, and what they ignore.

use jiff::Timestamp;

use super::event::HistoryEvent;
use super::{Actor, AsksAgain, Covers, Finding, Plan, Refusal, State};
use crate::contracts::RemediationRequest;
use crate::controls::{AgreedPlan, Change, Direction, ViolationType};

impl Finding {
    /// The changes that a fix would make now: the plan, less what is ignored of it, and less what takes a
    /// person.
    pub fn to_fix(&self) -> Vec<(ViolationType, Change)> {
        self.to_close()
            .into_iter()
            .filter(|(_, change)| !change.is_by_hand())
            .collect()
    }

    /// What is open and takes a person, because no fix can close it.
    pub fn by_hand(&self) -> Vec<Change> {
        self.to_close()
            .into_iter()
            .map(|(_, change)| change)
            .filter(Change::is_by_hand)
            .collect()
    }

    /// All that is open, and would be closed by a fix or by hand: the plan, less what is ignored of it.
    /// Where a part of a policy is ignored, the policy stays.
    pub fn to_close(&self) -> Vec<(ViolationType, Change)> {
        let Plan::Known { changes } = &self.plan else {
            return Vec::new();
        };
        let Some(left) = self.left_covers() else {
            return changes.clone();
        };
        let covered = |change: &Change| left.covers(change);
        let keeps_policy = changes
            .iter()
            .any(|(_, change)| matches!(change, Change::RemoveStatement(_)) && covered(change));
        let is_to_close = |(_, change): &&(ViolationType, Change)| match change {
            Change::DeletePolicy(_) => !keeps_policy,
            change => !covered(change),
        };
        changes.iter().filter(is_to_close).cloned().collect()
    }

    /// The changes of the plan that are ignored, while others are not.
    pub fn left_alone(&self) -> Vec<&Change> {
        let (Plan::Known { changes }, Some(left)) = (&self.plan, self.left_covers()) else {
            return Vec::new();
        };
        changes
            .iter()
            .map(|(_, change)| change)
            .filter(|change| left.covers(change))
            .collect()
    }

    /// What is ignored while something else is open.
    fn left_covers(&self) -> Option<Covers> {
        self.episode
            .left
            .as_ref()
            .and_then(|_| self.covered(Timestamp::MIN))
    }

    /// The plan of a fix, to be agreed to; none where nothing is known that it would change.
    pub fn fix_plan(&self) -> Option<AgreedPlan> {
        self.shown_plan().filter(|_| !self.to_fix().is_empty())
    }

    /// The plan as it is shown, with what takes a person; none where nothing is known to be open. A yes to
    /// it says nothing of what takes a person: nobody does that.
    pub fn shown_plan(&self) -> Option<AgreedPlan> {
        let changes: Vec<Change> = self
            .to_close()
            .into_iter()
            .map(|(_, change)| change)
            .collect();
        self.agreed(Direction::Fix, changes)
    }

    /// The plan of an undo, likewise.
    pub fn undo_plan(&self) -> Option<AgreedPlan> {
        self.agreed(Direction::Undo, self.to_put_back())
    }

    fn agreed(&self, direction: Direction, changes: Vec<Change>) -> Option<AgreedPlan> {
        if changes.is_empty() {
            return None;
        }
        let control = self.control?;
        Some(AgreedPlan {
            resource: self.resource.clone(),
            control,
            direction,
            changes,
        })
    }

    /// The plans that its message may ask for: stored before it is shown.
    pub fn plans(&self) -> Vec<AgreedPlan> {
        self.shown_plan()
            .into_iter()
            .chain(self.undo_plan())
            .collect()
    }

    /// Whether a yes to `agreed` covers what a fix would change now. What has gone meanwhile does not
    /// matter.
    pub(super) fn check_consent(&self, agreed: &AgreedPlan) -> Result<(), Refusal> {
        match &self.plan {
            Plan::Unsupported => return Err(Refusal::Unsupported),
            Plan::Unknown { .. } => return Err(Refusal::NoPlan),
            Plan::Known { .. } => {}
        }
        let control = self.control.ok_or(Refusal::Unsupported)?;
        if !agreed.is_for(&self.resource, control, Direction::Fix) {
            return Err(Refusal::PlanNotKnown);
        }
        let to_fix = self.to_fix();
        if to_fix.is_empty() {
            return Err(Refusal::NothingToFix);
        }
        let new = agreed.beyond(to_fix.iter().map(|(_, change)| change));
        if new.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Grown { new })
        }
    }

    /// Whether a fix would change something now, and nothing that a yes to `agreed` does not cover.
    pub fn is_within(&self, agreed: &AgreedPlan) -> bool {
        self.check_consent(agreed).is_ok()
    }

    /// A yes does not cover the plan as it is, which is found out before anything is asked for: the finding
    /// asks again. `None` where it is in no state to ask.
    pub fn has_grown(&self, by: Actor, new: &[Change], now: Timestamp) -> Option<Self> {
        let mut finding = self.clone();
        finding.not_agreed(by, now, new);
        (finding != *self).then_some(finding)
    }

    /// Whether a request that was not agreed to is the one that is waited for, or none is: one that comes
    /// by another way does not end what somebody has agreed to.
    pub(super) fn may_ask_again(&self, request: &RemediationRequest) -> bool {
        match &self.state {
            State::Fixing { since, plan, .. } => {
                request.asked_at == Some(*since) && request.plan == *plan
            }
            _ => true,
        }
    }

    /// Nothing was changed, for the live plan went beyond what somebody had agreed to, or it is not
    /// known to what: the finding is open again, and asks.
    pub(super) fn not_agreed(&mut self, by: Actor, at: Timestamp, new: &[Change]) {
        self.episode.approval = None;
        let ignored = match &mut self.state {
            State::Fixing { ignored, .. } => ignored.take(),
            State::Open { .. } => None,
            // What is ignored, fixed, deleted or being undone asks for nothing.
            State::Ignored { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => {
                return;
            }
        };
        let asks_again = Some(AsksAgain {
            by: by.clone(),
            at,
            new: new.to_vec(),
        });
        let next = if ignored.is_some() {
            "It is ignored as before."
        } else {
            "It asks again."
        };
        // Where it was ignored it stays so, unless what is new goes beyond that.
        self.state = ignored.map_or(
            State::Open {
                last_failure: None,
                asks_again,
            },
            |ignored| *ignored,
        );
        let new: Vec<String> = new.iter().map(Change::to_string).collect();
        let told = if new.is_empty() {
            format!("Nothing was changed: the request did not say which plan was agreed to. {next}")
        } else {
            format!(
                "Nothing was changed, because the plan has grown. A fix would now also: {}. {next}",
                new.join("; ")
            )
        };
        self.tell(None, told);
        self.record(at, by, HistoryEvent::NotAgreed { new });
    }
}
