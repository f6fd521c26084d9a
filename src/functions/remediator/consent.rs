//! What a task may change, and what a look at the resource says to that.

use jiff::Timestamp;

use crate::controls::{AgreedPlan, Change, Prepared};
use crate::finding::{Covers, Finding};

/// What may be changed.
pub(super) struct Consent {
    /// The plan to which somebody said yes. None: all that violates, which is auto-response's standing
    /// consent.
    pub(super) agreed: Option<AgreedPlan>,
    /// Whether nobody asked for this fix.
    pub(super) is_automatic: bool,
    /// What is ignored, and stays.
    pub(super) left: Option<Covers>,
    /// The finding as it is on record, if there is one.
    pub(super) finding: Option<Finding>,
}

impl Consent {
    pub(super) fn is_wanted(&self, change: &Change) -> bool {
        !self.leaves_to_people(change) && self.left.as_ref().is_none_or(|left| !left.covers(change))
    }

    /// Whether it takes a person's own hands, or one who asks for this fix: auto-response's standing consent
    /// does not cover it, nor does a yes to go on, which names findings and not what is left out of them.
    pub(super) fn leaves_to_people(&self, change: &Change) -> bool {
        change.is_by_hand() || (self.is_automatic && change.is_left_to_people())
    }

    /// Whether auto-response is to leave this to people: the finding may not know yet that it is open
    /// again.
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

/// What a look showed.
pub(super) struct Look {
    /// What the task would change.
    pub(super) own: Prepared,
    /// What nobody agreed to.
    pub(super) new: Vec<Change>,
    /// What beside that is left to people.
    pub(super) left: Vec<Change>,
}
