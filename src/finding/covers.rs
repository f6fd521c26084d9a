//! What an ignore covers: exposures, and what is part of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::controls::{Change, Exposure, exposures};

/// The exposures that an ignore covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "exposures", rename_all = "camelCase")]
pub enum Covers {
    /// The whole resource: by its tag, or where nothing is known of what is open.
    Resource,
    /// These exposures, and what is part of them.
    Exposures(BTreeSet<Exposure>),
}

impl Covers {
    /// The exposures of a plan's changes; the whole resource where there are none.
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

    /// The exposures that either of two ignores covers.
    pub(super) fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Exposures(these), Self::Exposures(those)) => {
                Self::Exposures(these.union(those).cloned().collect())
            }
            (Self::Resource, _) | (_, Self::Resource) => Self::Resource,
        }
    }
}
