//! Where it takes two: what one operator asks for waits for another's yes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::history::Deed;
use super::{Actor, Finding, Refusal, State};

/// For this long another operator can say yes.
pub const APPROVAL_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Wish {
    /// A fix.
    Fix {
        /// Also of what is ignored.
        even_ignored: bool,
    },
    /// Back what a fix took away.
    Undo {
        /// When that fix was.
        seen: Timestamp,
        /// Why.
        reason: String,
    },
}

/// A wish that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// What.
    pub wish: Wish,
    /// Who wants it.
    pub asked_by: Actor,
    /// Since when.
    pub since: Timestamp,
}

impl Wish {
    /// `fix` or `undo`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fix { .. } => "fix",
            Self::Undo { .. } => "undo",
        }
    }
}

impl Finding {
    /// Somebody wants something done, at once.
    pub fn asked(&self, asked_by: Actor, wish: &Wish, now: Timestamp) -> Result<Self, Refusal> {
        match wish {
            Wish::Fix { even_ignored } => self.fix_asked(asked_by, *even_ignored, now),
            Wish::Undo { seen, reason } => self.undo_asked(asked_by, *seen, reason.clone(), now),
        }
    }

    /// Somebody wants something done that takes another's yes. What could not be done at once
    /// cannot wait either.
    pub fn approval_asked(&self, asked_by: Actor, wish: Wish, now: Timestamp) -> Result<Self, Refusal> {
        self.asked(asked_by.clone(), &wish, now)?;
        if let Some(Approval { asked_by, since, .. }) = self.waiting(now) {
            return Err(Refusal::Waiting { asked_by: asked_by.clone(), since: *since });
        }
        let mut finding = self.clone();
        finding.record(now, asked_by.clone(), Deed::ApprovalAsked { what: wish.word().to_owned() });
        finding.approval = Some(Approval { wish, asked_by, since: now });
        Ok(finding)
    }

    /// Another operator says yes.
    pub fn approved(&self, by: &Actor, now: Timestamp) -> Result<Self, Refusal> {
        let Approval { wish, asked_by, .. } = self.waiting(now).ok_or(Refusal::NotWaiting)?.clone();
        if asked_by == *by {
            return Err(Refusal::OwnWish);
        }
        let mut finding = self.clone();
        finding.approval = None;
        finding.record(now, by.clone(), Deed::Approved { what: wish.word().to_owned() });
        finding.asked(asked_by, &wish, now)
    }

    /// An operator says no, be it whoever asked, and be it late.
    pub fn declined(&self, by: &Actor, now: Timestamp) -> Result<Self, Refusal> {
        let wish = self.shows_waiting().ok_or(Refusal::NotWaiting)?.wish.clone();
        let mut finding = self.clone();
        finding.approval = None;
        finding.record(now, by.clone(), Deed::Declined { what: wish.word().to_owned() });
        finding.tell(Some(by.clone()), format!("said no to the {}.", wish.word()));
        Ok(finding)
    }

    /// What waits for another's yes. What has been overtaken does not.
    pub fn waiting(&self, now: Timestamp) -> Option<&Approval> {
        self.shows_waiting().filter(|approval| now.duration_since(approval.since) < APPROVAL_WINDOW)
    }

    /// As [`Finding::waiting`], whatever the time.
    pub fn shows_waiting(&self) -> Option<&Approval> {
        self.approval.as_ref().filter(|approval| match (&approval.wish, &self.state) {
            (Wish::Fix { .. }, State::Open { .. } | State::Ignored { .. }) => true,
            (Wish::Undo { seen, .. }, State::Fixed { at, .. }) => seen == at,
            (Wish::Fix { .. } | Wish::Undo { .. }, _) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::StateName;
    use super::super::tests::{alice, at, open};
    use super::*;

    fn carol() -> Actor {
        Actor::User("U0CAROL".to_owned())
    }

    const FIX: Wish = Wish::Fix { even_ignored: false };

    #[test]
    fn another_operator_s_yes_does_it_in_the_name_of_whoever_asked() {
        let waiting = open().approval_asked(alice(), FIX, at(1)).unwrap();
        assert_eq!(waiting.state_name(at(1)), StateName::Open);
        assert_eq!(waiting.approved(&alice(), at(2)), Err(Refusal::OwnWish));
        let again = waiting.approval_asked(carol(), FIX, at(2));
        assert_eq!(again, Err(Refusal::Waiting { asked_by: alice(), since: at(1) }));
        let fixing = waiting.approved(&carol(), at(3)).unwrap();
        assert!(matches!(&fixing.state, State::Fixing { asked_by, .. } if *asked_by == alice()));
        assert_eq!(fixing.approved(&carol(), at(4)), Err(Refusal::NotWaiting));
    }

    #[test]
    fn what_was_declined_overtaken_or_is_a_day_old_does_not_wait() {
        let waiting = open().approval_asked(alice(), FIX, at(0)).unwrap();
        let declined = waiting.declined(&alice(), at(1)).unwrap();
        assert_eq!(declined.approved(&carol(), at(2)), Err(Refusal::NotWaiting));
        assert_eq!(waiting.approved(&carol(), at(24 * 3600)), Err(Refusal::NotWaiting));
        assert!(waiting.declined(&carol(), at(24 * 3600)).is_ok(), "it can be cleared away");
        let ignored = waiting.ignored(carol(), at(2), None, "ticket".to_owned()).unwrap();
        assert_eq!(ignored.shows_waiting(), None);
        let complied = waiting.complied(at(10)).unwrap();
        assert_eq!(complied.approved(&carol(), at(11)), Err(Refusal::NotWaiting));
        assert_eq!(complied.shows_waiting(), None);
        // After a day somebody can ask anew.
        assert!(waiting.approval_asked(carol(), FIX, at(24 * 3600)).is_ok());
    }

    #[test]
    fn what_could_not_be_done_cannot_wait() {
        let undo = Wish::Undo { seen: at(0), reason: "because".to_owned() };
        assert_eq!(open().approval_asked(alice(), undo, at(1)), Err(Refusal::NotFixed));
        let ignored = open().ignored(alice(), at(1), None, "ticket".to_owned()).unwrap();
        assert!(matches!(ignored.approval_asked(carol(), FIX, at(2)), Err(Refusal::Ignored { .. })));
        assert!(ignored.approval_asked(carol(), Wish::Fix { even_ignored: true }, at(2)).is_ok());
    }
}
