//! Approvals: in some accounts a fix or an undo that one operator asks for waits for the yes of another.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::HistoryEvent;
use super::{Actor, Finding, Recipient, Refusal, State};
use crate::controls::{AgreedPlan, Change};
use crate::ids::PlanDigest;

/// The time for which another operator can approve.
pub const APPROVAL_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// A fix or an undo that an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "name",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ActionRequest {
    /// A fix.
    Fix {
        /// Whether the fix also takes what is ignored.
        even_ignored: bool,
        /// The plan that the operator saw. Absent in requests of version 0.1, which are asked for again.
        #[serde(default)]
        plan: Option<PlanDigest>,
    },
    /// An undo.
    Undo {
        /// The plan that the operator saw, as of a fix.
        #[serde(default)]
        plan: Option<PlanDigest>,
        /// The reason for the undo.
        reason: String,
    },
}

/// A request that waits for another operator's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The fix or undo that is asked for.
    #[serde(rename = "wish")]
    pub request: ActionRequest,
    /// The person who asks.
    pub asked_by: Actor,
    /// The time at which it was asked for.
    pub since: Timestamp,
}

impl ActionRequest {
    /// `fix` or `undo`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fix { .. } => "fix",
            Self::Undo { .. } => "undo",
        }
    }

    /// The plan that the operator saw.
    pub fn plan(&self) -> Option<&PlanDigest> {
        match self {
            Self::Fix { plan, .. } | Self::Undo { plan, .. } => plan.as_ref(),
        }
    }
}

impl Finding {
    /// The finding after an operator asks for a fix or an undo. `agreed` is the stored plan that the request
    /// names, if it is still stored.
    pub fn asked(
        &self,
        asked_by: Actor,
        request: &ActionRequest,
        agreed: Option<&AgreedPlan>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        match request {
            ActionRequest::Fix { even_ignored, .. } => {
                self.can_fix(*even_ignored, now)?;
                self.fix_asked(
                    asked_by,
                    agreed.ok_or(Refusal::PlanNotKnown)?,
                    *even_ignored,
                    now,
                )
            }
            ActionRequest::Undo { reason, plan } => {
                self.can_undo(now)?;
                let plan = plan.as_ref().ok_or(Refusal::FixedAgain)?;
                self.undo_asked(asked_by, plan, reason.clone(), now)
            }
        }
    }

    /// The finding after an operator asks for what another has to approve. Where the fix or undo would be
    /// refused now, so is the request.
    pub fn approval_asked(
        &self,
        asked_by: Actor,
        request: ActionRequest,
        agreed: Option<&AgreedPlan>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        self.asked(asked_by.clone(), &request, agreed, now)?;
        if let Some(Approval {
            asked_by, since, ..
        }) = self.waiting(now)
        {
            return Err(Refusal::Waiting {
                asked_by: asked_by.clone(),
                since: *since,
            });
        }
        let mut finding = self.clone();
        finding.record(
            now,
            asked_by.clone(),
            HistoryEvent::ApprovalAsked {
                what: request.word().to_owned(),
            },
        );
        let what = match &request {
            ActionRequest::Fix { .. } => "a fix".to_owned(),
            ActionRequest::Undo { reason, .. } => format!("an undo ({reason})"),
        };
        finding.tell_to(
            Some(Recipient::Operators),
            Some(asked_by.clone()),
            format!("asks for {what}. A second operator approves or declines it in the message."),
        );
        finding.episode.approval = Some(Approval {
            request,
            asked_by,
            since: now,
        });
        Ok(finding)
    }

    /// The finding after another operator approves the plan `seen`, which has to be the one that was asked
    /// for.
    pub fn approved(
        &self,
        by: &Actor,
        seen: Option<&PlanDigest>,
        agreed: Option<&AgreedPlan>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let Approval {
            request, asked_by, ..
        } = self.waiting(now).ok_or(Refusal::NotWaiting)?.clone();
        if asked_by == *by {
            return Err(Refusal::OwnRequest);
        }
        if request.plan().is_none() || request.plan() != seen {
            return Err(Refusal::PlanNotKnown);
        }
        let mut finding = self.clone();
        finding.episode.approval = None;
        finding.record(
            now,
            by.clone(),
            HistoryEvent::Approved {
                what: request.word().to_owned(),
            },
        );
        let mut finding = finding.asked(asked_by, &request, agreed, now)?;
        finding.episode.approved_by = Some(by.clone());
        Ok(finding)
    }

    /// Ends a request whose plan has grown, or is not stored any more. The finding asks again.
    pub fn outgrown(&self, new: &[Change], now: Timestamp) -> Option<Self> {
        let Approval { asked_by, .. } = self.shows_waiting()?.clone();
        let mut finding = self.clone();
        finding.not_agreed(asked_by, now, new);
        finding.episode.approval = None;
        Some(finding)
    }

    /// The finding after an operator declines. That may be the operator who asked, and the request may have
    /// expired.
    pub fn declined(&self, by: &Actor, now: Timestamp) -> Result<Self, Refusal> {
        let Approval {
            request, asked_by, ..
        } = self.shows_waiting().ok_or(Refusal::NotWaiting)?.clone();
        let mut finding = self.clone();
        finding.episode.approval = None;
        finding.record(
            now,
            by.clone(),
            HistoryEvent::Declined {
                what: request.word().to_owned(),
            },
        );
        let to = (asked_by != *by).then_some(Recipient::Asker(asked_by));
        finding.tell_to(
            to,
            Some(by.clone()),
            format!("declined the {}.", request.word()),
        );
        Ok(finding)
    }

    /// The request that waits for another operator, if it has neither expired nor been overtaken.
    pub fn waiting(&self, now: Timestamp) -> Option<&Approval> {
        self.shows_waiting()
            .filter(|approval| now.duration_since(approval.since) < APPROVAL_WINDOW)
    }

    /// As [`Finding::waiting`], whatever the time.
    pub fn shows_waiting(&self) -> Option<&Approval> {
        self.episode
            .approval
            .as_ref()
            .filter(|approval| match (&approval.request, &self.state) {
                (ActionRequest::Fix { .. }, State::Open { .. } | State::Ignored { .. }) => true,
                (
                    ActionRequest::Undo { plan, .. },
                    State::Fixed { .. } | State::Ignored { .. } | State::Open { .. },
                ) => plan.is_some() && *plan == self.undo_plan().map(|plan| plan.digest()),
                (ActionRequest::Fix { .. } | ActionRequest::Undo { .. }, _) => false,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::StateName;
    use super::super::tests::{Asked, alice, at, open};
    use super::*;

    fn carol() -> Actor {
        Actor::User("U0CAROL".to_owned())
    }

    fn plan() -> AgreedPlan {
        open().fix_plan().unwrap()
    }

    fn fix(even_ignored: bool) -> ActionRequest {
        ActionRequest::Fix {
            even_ignored,
            plan: Some(plan().digest()),
        }
    }

    fn asked(
        finding: &Finding,
        by: Actor,
        request: ActionRequest,
        second: i64,
    ) -> Result<Finding, Refusal> {
        finding.approval_asked(by, request, Some(&plan()), at(second))
    }

    fn approved(finding: &Finding, by: &Actor, second: i64) -> Result<Finding, Refusal> {
        finding.approved(by, Some(&plan().digest()), Some(&plan()), at(second))
    }

    #[test]
    fn an_approval_acts_in_the_name_of_the_person_who_asked() {
        let waiting = asked(&open(), alice(), fix(false), 1).unwrap();
        assert_eq!(waiting.state_name(at(1)), StateName::Open);
        assert_eq!(approved(&waiting, &alice(), 2), Err(Refusal::OwnRequest));
        let again = asked(&waiting, carol(), fix(false), 2);
        assert_eq!(
            again,
            Err(Refusal::Waiting {
                asked_by: alice(),
                since: at(1)
            })
        );
        let fixing = approved(&waiting, &carol(), 3).unwrap();
        assert!(matches!(&fixing.state, State::Fixing { asked_by, .. } if *asked_by == alice()));
        assert_eq!(approved(&fixing, &carol(), 4), Err(Refusal::NotWaiting));
    }

    #[test]
    fn an_approval_is_of_the_plan_that_was_asked_for() {
        let waiting = asked(&open(), alice(), fix(false), 1).unwrap();
        let other = PlanDigest::of("another plan");
        let of_another = waiting.approved(&carol(), Some(&other), Some(&plan()), at(2));
        assert_eq!(of_another, Err(Refusal::PlanNotKnown));
        assert_eq!(
            waiting.approved(&carol(), None, None, at(2)),
            Err(Refusal::PlanNotKnown)
        );
        let expired = waiting.approved(&carol(), Some(&plan().digest()), None, at(2));
        assert_eq!(
            expired,
            Err(Refusal::PlanNotKnown),
            "a plan that is not kept any more asks again"
        );
    }

    #[test]
    fn declined_replaced_and_expired_requests_do_not_wait() {
        let waiting = asked(&open(), alice(), fix(false), 0).unwrap();
        let declined = waiting.declined(&alice(), at(1)).unwrap();
        assert_eq!(approved(&declined, &carol(), 2), Err(Refusal::NotWaiting));
        assert_eq!(
            approved(&waiting, &carol(), 24 * 3600),
            Err(Refusal::NotWaiting)
        );
        assert!(
            waiting.declined(&carol(), at(24 * 3600)).is_ok(),
            "it can be cleared away"
        );
        let ignored = waiting.ignored_as_planned(carol(), at(2), None).unwrap();
        assert_eq!(ignored.shows_waiting(), None);
        let complied = waiting.complied_at(10).unwrap();
        assert_eq!(approved(&complied, &carol(), 11), Err(Refusal::NotWaiting));
        assert_eq!(complied.shows_waiting(), None);
        // After a day somebody can ask anew.
        assert!(asked(&waiting, carol(), fix(false), 24 * 3600).is_ok());
    }

    #[test]
    fn a_request_that_would_be_refused_does_not_wait() {
        let undo = ActionRequest::Undo {
            plan: Some(plan().digest()),
            reason: "because".to_owned(),
        };
        assert_eq!(asked(&open(), alice(), undo, 1), Err(Refusal::NotFixed));
        let ignored = open().ignored_as_planned(alice(), at(1), None).unwrap();
        assert!(matches!(
            asked(&ignored, carol(), fix(false), 2),
            Err(Refusal::Ignored { .. })
        ));
        assert!(asked(&ignored, carol(), fix(true), 2).is_ok());
    }

    #[test]
    fn an_undo_waits_while_it_would_put_back_what_was_asked_for() {
        let mut fixed = Finding {
            state: State::Fixed {
                by: alice(),
                at: at(5),
            },
            removed_at: Some(at(5)),
            ..open()
        };
        fixed.episode.removed = plan().changes.to_vec();
        assert!(fixed.episode.removed.len() > 1);
        let agreed = fixed.undo_plan().unwrap();
        let undo = |plan| ActionRequest::Undo {
            plan,
            reason: "because".to_owned(),
        };
        let asked =
            fixed.approval_asked(alice(), undo(Some(agreed.digest())), Some(&agreed), at(6));
        let waiting = asked.unwrap();
        assert!(waiting.shows_waiting().is_some());
        let mut less = waiting.clone();
        less.episode.removed.pop();
        assert_eq!(less.shows_waiting(), None, "a part was put back meanwhile");
        let mut unplanned = waiting.clone();
        let approval = unplanned.episode.approval.as_mut().unwrap();
        approval.request = undo(None);
        assert_eq!(unplanned.shows_waiting(), None, "nobody knows of what");
        unplanned.episode.removed.clear();
        assert_eq!(unplanned.shows_waiting(), None, "there is nothing to undo");
    }
}
