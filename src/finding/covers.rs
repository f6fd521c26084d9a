//! What an ignore covers: by what is exposed, and by containment.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::controls::{Change, Exposure, exposures};

/// What an ignore covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "exposures", rename_all = "camelCase")]
pub enum Covers {
    /// The resource whole: by its tag, or where nothing is known of what is open.
    Resource,
    /// These, and what is part of them.
    Exposures(BTreeSet<Exposure>),
}

impl Covers {
    /// What the changes of a plan expose; the resource whole where there are none.
    pub fn of<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let exposures = exposures(changes);
        if exposures.is_empty() {
            Self::Resource
        } else {
            Self::Exposures(exposures)
        }
    }

    /// Whether a change would take away what is ignored.
    pub fn covers(&self, change: &Change) -> bool {
        match self {
            Self::Resource => true,
            Self::Exposures(ignored) => change
                .exposure()
                .is_some_and(|exposure| ignored.iter().any(|ignored| ignored.covers(&exposure))),
        }
    }

    /// Whether it covers all that another one covers.
    pub(super) fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Resource, _) => true,
            (Self::Exposures(_), Self::Resource) => false,
            (Self::Exposures(these), Self::Exposures(those)) => those
                .iter()
                .all(|other| these.iter().any(|this| this.covers(other))),
        }
    }

    /// What either covers.
    pub(super) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Exposures(these), Self::Exposures(those)) => {
                Self::Exposures(these.union(those).cloned().collect())
            }
            (Self::Resource, _) | (_, Self::Resource) => Self::Resource,
        }
    }
}
