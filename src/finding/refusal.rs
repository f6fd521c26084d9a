//! Why a change of a finding is refused.

use jiff::Timestamp;
use state::Actor;

use super::*;
use crate::controls::Change;

/// Why a request of a person changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A fix is on its way.
    #[error("a fix is on its way already")]
    Fixing {
        /// The actor who asked for the fix.
        asked_by: Actor,
        /// When the fix was asked for.
        since: Timestamp,
    },
    /// The finding is fixed.
    #[error("it is fixed already")]
    Fixed,
    /// It is ignored; a fix takes a second yes.
    #[error("it is ignored")]
    Ignored {
        /// The actor that ignores it.
        by: Actor,
        /// The reason for the ignore.
        reason: String,
    },
    /// The finding is not ignored.
    #[error("it is not ignored")]
    NotIgnored,
    /// The resource's tag ignores the finding.
    #[error("its tag ignores it")]
    IgnoredByTag,
    /// No fix is on its way.
    #[error("no fix is on its way")]
    NotFixing,
    /// An undo is on its way.
    #[error("an undo is on its way already")]
    Undoing {
        /// The actor who asked for the undo.
        asked_by: Actor,
        /// When the undo was asked for.
        since: Timestamp,
    },
    /// It is not fixed, so that there is nothing to undo.
    #[error("it is not fixed")]
    NotFixed,
    /// Nothing was taken away by us.
    #[error("there is nothing to put back")]
    NothingToUndo,
    /// What would be put back is not what somebody saw: it has been fixed again since, for example.
    #[error("what would be put back has changed meanwhile")]
    FixedAgain,
    /// It was fixed too long ago.
    #[error("it was fixed too long ago")]
    TooLate,
    /// The resource is not there any more.
    #[error("the resource was deleted")]
    Deleted,
    /// The plan has more than what was agreed to.
    #[error("the plan has changed since it was shown")]
    Grown {
        /// The changes that the person was not shown.
        new: Vec<Change>,
    },
    /// It is not known to which plan somebody said yes, or that plan is of something else.
    #[error("the plan that was agreed to is not known")]
    PlanNotKnown,
    /// It cannot be asked for together with others.
    #[error("it is not among those that were meant")]
    NotMeant,
    /// What a fix would change is not known.
    #[error("what a fix would change is not known")]
    NoPlan,
    /// A fix would change nothing.
    #[error("there is nothing left that a fix would change")]
    NothingToFix,
    /// What is open takes a person.
    #[error("what is left is to be done by hand")]
    ByHand,
    /// There is no remediation for this type of resource.
    #[error("there is no automatic fix for this kind of resource")]
    Unsupported,
    /// Somebody has asked already, and another operator has not answered yet.
    #[error("it waits for another operator already")]
    Waiting {
        /// The person who asked first.
        asked_by: Actor,
        /// The time at which it was asked for.
        since: Timestamp,
    },
    /// Nothing waits for an approval (any more).
    #[error("nothing waits for an approval")]
    NotWaiting,
    /// The person who asked cannot approve it.
    #[error("it takes another person")]
    OwnRequest,
}
