//! Consent: what a task may change, compared with the resource.

use jiff::Timestamp;

use crate::controls::{AgreedPlan, Change, Prepared};
use crate::finding::{Covers, Finding};

/// The consent to a task.
pub(super) struct Consent {
    /// The plan that was agreed to. `None` for auto-response's standing consent: all that violates.
    pub(super) agreed: Option<AgreedPlan>,
    /// Whether auto-response asks, and no person.
    pub(super) is_automatic: bool,
    /// What is ignored, which a fix leaves.
    pub(super) left: Option<Covers>,
    /// The finding, if it is stored.
    pub(super) finding: Option<Finding>,
}

impl Consent {
    pub(super) fn is_wanted(&self, change: &Change) -> bool {
        !self.leaves_to_people(change) && self.left.as_ref().is_none_or(|left| !left.covers(change))
    }

    /// Whether a change is left to people: because only a person can make it, or because auto-response's
    /// consent does not cover it. A yes to a hold does not cover it either, since the question did not show
    /// it.
    pub(super) fn leaves_to_people(&self, change: &Change) -> bool {
        change.is_by_hand() || (self.is_automatic && change.is_left_to_people())
    }

    /// Whether auto-response leaves the changes to people because they were opened again and again. The
    /// finding may not show yet that it is open again.
    pub(super) fn is_contested(&self, prepared: &Prepared, now: Timestamp) -> bool {
        self.finding
            .as_ref()
            .is_some_and(|finding| finding.is_contested_by(prepared.changes(), now))
    }

    /// The changes that nobody agreed to.
    pub(super) fn beyond<'a>(&self, live: impl Iterator<Item = &'a Change>) -> Vec<Change> {
        let wanted = live.filter(|change| self.is_wanted(change));
        self.agreed
            .as_ref()
            .map_or_else(Vec::new, |agreed| agreed.beyond(wanted))
    }
}

/// The result of a look.
pub(super) struct Look {
    /// The changes that the task would make.
    pub(super) own: Prepared,
    /// The changes that nobody agreed to.
    pub(super) new: Vec<Change>,
    /// The other changes, which are left to people.
    pub(super) left: Vec<Change>,
}
