//! Ignores: a finding, or a part of it, is left as it is. An ignore covers what was ignored, and what is part
//! of that. What is opened beyond it opens the finding again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::covers::Covers;
use super::event::HistoryEvent;
use super::{Actor, FIX_TIMEOUT, Finding, Plan, Refusal, State};
use crate::controls::Change;

/// An ignore of a part of what is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignore {
    /// The person who decided.
    pub by: Actor,
    /// The time at which it was ignored.
    pub since: Timestamp,
    /// The time at which it ends; `None` for one that lasts until a person ends it.
    pub until: Option<Timestamp>,
    /// The reason that the person gave.
    pub reason: String,
    /// The exposures that the ignore covers.
    pub covers: Covers,
}

impl Ignore {
    /// Whether it has not ended yet.
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    pub(super) fn state(self, compliant: bool) -> State {
        let Self {
            by,
            since,
            until,
            reason,
            covers,
        } = self;
        State::Ignored {
            by,
            since,
            until,
            reason,
            compliant,
            covers: Some(covers),
        }
    }
}

impl Finding {
    /// The finding after a person ignores what `covers` says, beside what is ignored already.
    pub fn ignored(
        &self,
        by: Actor,
        since: Timestamp,
        until: Option<Timestamp>,
        reason: String,
        covers: Covers,
    ) -> Result<Self, Refusal> {
        match &self.state {
            State::Fixed { .. } => Err(Refusal::Fixed),
            State::Deleted { .. } => Err(Refusal::Deleted),
            State::Undoing {
                asked_by, since, ..
            } => Err(Refusal::Undoing {
                asked_by: asked_by.clone(),
                since: *since,
            }),
            State::Fixing {
                asked_by,
                since: asked,
                ..
            } if since.duration_since(*asked) < FIX_TIMEOUT => Err(Refusal::Fixing {
                asked_by: asked_by.clone(),
                since: *asked,
            }),
            State::Open { .. } | State::Ignored { .. } | State::Fixing { .. } => {
                let mut finding = self.clone();
                finding.record(
                    since,
                    by.clone(),
                    HistoryEvent::Ignored {
                        reason: reason.clone(),
                        until,
                    },
                );
                let compliant = matches!(
                    self.state,
                    State::Ignored {
                        compliant: true,
                        ..
                    }
                );
                finding.ignore_beside(self.newest_ignore(), &covers, since);
                finding.state = Ignore {
                    by,
                    since,
                    until,
                    reason,
                    covers,
                }
                .state(compliant);
                finding.episode.approval = None;
                // What was opened since the person looked is not ignored.
                finding.open_beyond_ignore(since);
                Ok(finding)
            }
        }
    }

    /// What an ignore covers where the person saw no plan: what is ignored already; or the whole resource,
    /// where no plan is known. Where a plan is known, the person has to see it first.
    pub fn covers_unseen(&self) -> Result<Covers, Refusal> {
        match (&self.state, &self.plan) {
            (
                State::Ignored {
                    by: Actor::User(_), ..
                },
                _,
            ) => self.covered(Timestamp::MIN).ok_or(Refusal::NotIgnored),
            (_, Plan::Known { .. }) if self.to_close().is_empty() => Err(Refusal::NothingToFix),
            (_, Plan::Known { .. }) => Err(Refusal::PlanNotKnown),
            (_, Plan::Unknown { .. } | Plan::Unsupported) => Ok(Covers::Resource),
        }
    }

    /// The newest ignore, of all that is open or of a part.
    pub(super) fn newest_ignore(&self) -> Option<Ignore> {
        match &self.state {
            State::Ignored {
                by,
                since,
                until,
                reason,
                covers,
                ..
            } => {
                let covers = covers
                    .clone()
                    .unwrap_or_else(|| self.covers_of_older_version());
                Some(Ignore {
                    by: by.clone(),
                    since: *since,
                    until: *until,
                    reason: reason.clone(),
                    covers,
                })
            }
            _ => self.episode.left.clone(),
        }
    }

    /// The ignores that have not ended, the newest first.
    pub fn ignores(&self, now: Timestamp) -> Vec<Ignore> {
        let all = self
            .newest_ignore()
            .into_iter()
            .chain(self.episode.beside.iter().cloned());
        all.filter(|ignore| ignore.lasts(now)).collect()
    }

    /// What all ignores cover together; `None` where nothing is ignored.
    pub fn covered(&self, now: Timestamp) -> Option<Covers> {
        self.ignores(now)
            .into_iter()
            .map(|ignore| ignore.covers)
            .reduce(|these, those| these.and(&those))
    }

    /// Replaces the newest ignore. What the new one does not cover stays ignored beside it, until the older
    /// one ends.
    pub(super) fn ignore_beside(
        &mut self,
        newest: Option<Ignore>,
        covers: &Covers,
        now: Timestamp,
    ) {
        let stays = |ignore: &Ignore| ignore.lasts(now) && !covers.includes(&ignore.covers);
        self.episode.beside = newest
            .into_iter()
            .chain(std::mem::take(&mut self.episode.beside))
            .filter(stays)
            .collect();
        self.episode.left = None;
    }

    /// Version 0.1 did not store what an ignore covers: it is what the plan said.
    fn covers_of_older_version(&self) -> Covers {
        match (&self.state, &self.plan) {
            (State::Ignored { by: Actor::Tag, .. }, _) => Covers::Resource,
            (_, Plan::Known { changes }) => Covers::of(changes.iter().map(|(_, change)| change)),
            (_, Plan::Unknown { .. } | Plan::Unsupported) => Covers::Resource,
        }
    }

    /// Stores what an ignore of version 0.1 covers, before another plan replaces the one that tells it.
    pub(super) fn note_what_is_ignored(&mut self) {
        let of_older_version = self.covers_of_older_version();
        if let State::Ignored {
            covers: covers @ None,
            ..
        } = &mut self.state
        {
            *covers = Some(of_older_version);
        }
    }

    /// Opens the finding where something is open beyond its ignores; the ignored part stays ignored. Where
    /// only that part is open, the finding is ignored again.
    pub(super) fn open_beyond_ignore(&mut self, now: Timestamp) {
        let Plan::Known { changes } = &self.plan else {
            return;
        };
        let changes: Vec<Change> = changes.iter().map(|(_, change)| change.clone()).collect();
        let beyond = |covers: &Covers| -> Vec<Change> {
            let is_new = |change: &&Change| change.exposure().is_some() && !covers.covers(change);
            changes.iter().filter(is_new).cloned().collect()
        };
        match &self.state {
            State::Ignored { by, .. } if *by != Actor::Tag => {
                let Some(covered) = self.covered(Timestamp::MIN) else {
                    return;
                };
                let new = beyond(&covered);
                if new.is_empty() {
                    return;
                }
                let newest = self.newest_ignore();
                let new: Vec<String> = new.iter().map(Change::exposes).collect();
                self.tell(
                    None,
                    format!("Opened beyond what is ignored: {}.", new.join("; ")),
                );
                self.record(
                    now,
                    Actor::External,
                    HistoryEvent::OpenedBeyondIgnore { new },
                );
                self.state = State::OPEN;
                self.episode.left = newest;
            }
            State::Open { .. } => {
                let only_what_is_left = self
                    .covered(Timestamp::MIN)
                    .is_some_and(|covered| !changes.is_empty() && beyond(&covered).is_empty());
                if only_what_is_left && let Some(left) = self.episode.left.take() {
                    self.state = left.state(false);
                }
            }
            _ => {}
        }
    }

    /// Ignores the finding again after a fix of what was open beyond an ignore.
    pub(super) fn back_to_ignored(&mut self, compliant: bool) {
        if let Some(left) = self.episode.left.take() {
            self.state = left.state(compliant);
        }
    }

    /// The finding after a person ends its ignores.
    pub fn unignored(&self, by: &Actor, now: Timestamp) -> Result<Self, Refusal> {
        match &self.state {
            // The next look at the tag would ignore it again.
            State::Ignored { by: Actor::Tag, .. } => Err(Refusal::IgnoredByTag),
            State::Ignored { compliant, .. } => Ok(self.after_ignore(*compliant, by.clone(), now)),
            State::Open { .. } if self.episode.left.is_some() => {
                Ok(self.after_ignore(false, by.clone(), now))
            }
            State::Open { .. }
            | State::Fixing { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => Err(Refusal::NotIgnored),
        }
    }

    /// The finding after an ignore has ended by its time. What others cover stays ignored. `None` while none
    /// has ended.
    pub fn ignore_expired(&self, now: Timestamp) -> Option<Self> {
        let compliant = match &self.state {
            State::Ignored { compliant, .. } => *compliant,
            State::Open { .. } => false,
            State::Fixing { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => {
                return None;
            }
        };
        let mut lasting = self.ignores(now);
        if lasting.len() == self.ignores(Timestamp::MIN).len() {
            return None;
        }
        let mut finding = if lasting.is_empty() {
            self.after_ignore(compliant, Actor::External, now)
        } else {
            let mut finding = self.clone();
            let newest = lasting.remove(0);
            match &finding.state {
                State::Ignored { .. } => finding.state = newest.state(compliant),
                _ => finding.episode.left = Some(newest),
            }
            finding.episode.beside = lasting;
            finding.open_beyond_ignore(now);
            finding
        };
        finding.record(now, Actor::External, HistoryEvent::IgnoreEnded);
        finding.tell(
            None,
            "The time for which this was ignored is over.".to_owned(),
        );
        Some(finding)
    }

    pub(super) fn after_ignore(&self, compliant: bool, by: Actor, now: Timestamp) -> Self {
        let state = match compliant {
            true => State::Fixed {
                by: Actor::External,
                at: now,
            },
            false => State::OPEN,
        };
        let mut finding = Self {
            state,
            told_severity: None,
            ..self.clone()
        };
        finding.episode.approval = None;
        (finding.episode.left, finding.episode.beside) = (None, Vec::new());
        if by != Actor::External {
            finding.record(now, by.clone(), HistoryEvent::Unignored);
            finding.tell(Some(by), "stopped ignoring this.".to_owned());
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::super::StateName;
    use super::super::tests::{Asked, alice, at, open};
    use super::*;

    #[test]
    fn a_tag_ignores_what_is_open_and_nothing_that_people_decided() {
        let tagged = open().tagged("by design", at(1)).unwrap();
        assert_eq!(tagged.state_name(at(2)), StateName::Ignored);
        assert_eq!(
            tagged.tagged("by design", at(3)),
            None,
            "it is ignored already"
        );
        let because = |finding: &Finding| match &finding.state {
            State::Ignored { reason, .. } => reason.clone(),
            state => panic!("{state:?}"),
        };
        assert_eq!(
            because(&tagged.tagged("another reason", at(3)).unwrap()),
            "another reason"
        );
        let open_again = tagged.untagged(at(4)).unwrap();
        assert_eq!(open_again.state_name(at(4)), StateName::Open);
        assert!(tagged.told_severity.is_some() && open_again.told_severity.is_none());
        assert_eq!(open_again.untagged(at(5)), None);

        let by_alice = open().ignored_as_planned(alice(), at(1), None).unwrap();
        let fixing = open().agreed_fix(alice(), false, at(1)).unwrap();
        for finding in [by_alice, fixing] {
            assert_eq!(
                (finding.tagged("by design", at(2)), finding.untagged(at(2))),
                (None, None)
            );
        }
    }

    #[test]
    fn a_finding_under_a_fix_can_be_ignored_after_fifteen_minutes() {
        const GIVEN_UP: i64 = 10 + 15 * 60;
        let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
        let ignored = |second| fixing.ignored_as_planned(alice(), at(second), None);
        for early in [11, GIVEN_UP - 1] {
            let fixing = Refusal::Fixing {
                asked_by: alice(),
                since: at(10),
            };
            assert_eq!(ignored(early), Err(fixing), "after {early} seconds");
        }
        for late in [GIVEN_UP, GIVEN_UP + 1] {
            let ignored = ignored(late).unwrap();
            assert_eq!(ignored.state_name(at(late)), StateName::Ignored);
        }
    }
}
