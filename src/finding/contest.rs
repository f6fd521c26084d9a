//! Resources that somebody's code opens again as often as they are fixed: auto-response stops there,
//! and people are asked.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::controls::{Change, Exposure};
use crate::finding::attribution::Attribution;

/// Fixes within this long count together.
pub const CONTEST_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// So many fixes of one exposure, and auto-response stops.
pub const CONTEST_LIMIT: usize = 3;

/// How many of those who opened it before are kept.
const ATTRIBUTIONS: usize = 5;

/// An exposure that was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repeat {
    /// The exposure that was fixed.
    pub exposure: Exposure,
    /// The time at which it was taken away.
    pub at: Timestamp,
}

impl Finding {
    /// Notes what was taken away.
    pub(super) fn count_repeats(&mut self, changes: &[Change], at: Timestamp) {
        self.repeats
            .retain(|repeat| at.duration_since(repeat.at) < CONTEST_WINDOW);
        let new = changes
            .iter()
            .filter_map(|change| change.exposure())
            .map(|exposure| Repeat { exposure, at });
        self.repeats.extend(new);
    }

    /// Whether one of the exposures that a fix would take away has been taken away three times within
    /// a day: auto-response leaves the finding to people.
    pub fn is_contested(&self, now: Timestamp) -> bool {
        self.is_contested_by(self.to_fix().iter().map(|(_, change)| change), now)
    }

    /// The same of changes that a look has shown, which the finding may not know yet.
    pub fn is_contested_by<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a Change>,
        now: Timestamp,
    ) -> bool {
        let times = |exposure: &Exposure| {
            let same = |repeat: &&Repeat| {
                repeat.exposure == *exposure && now.duration_since(repeat.at) < CONTEST_WINDOW
            };
            self.repeats.iter().filter(same).count()
        };
        changes
            .into_iter()
            .filter_map(|change| change.exposure())
            .any(|exposure| times(&exposure) >= CONTEST_LIMIT)
    }

    /// Who opens it again and again, the newest last, as far as CloudTrail has told.
    pub fn attributions(&self) -> impl Iterator<Item = &Attribution> {
        self.earlier_attributions
            .iter()
            .chain(&self.episode.attribution)
    }

    /// Another episode begins: who opened the last one is remembered.
    pub(super) fn remember_attribution(&mut self) {
        self.earlier_attributions
            .extend(self.episode.attribution.take());
        let surplus = self.earlier_attributions.len().saturating_sub(ATTRIBUTIONS);
        self.earlier_attributions.drain(..surplus);
    }
}
