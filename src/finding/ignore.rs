//! Leaving a finding as it is, on purpose.

use jiff::Timestamp;

use super::history::Deed;
use super::{Actor, FIX_TIMEOUT, Finding, Refusal, State};
use crate::evaluation::cut;
use crate::remediation::IGNORE_TAG;

impl Finding {
    /// Somebody decides to leave it as it is.
    pub fn ignored(
        &self,
        by: Actor,
        since: Timestamp,
        until: Option<Timestamp>,
        reason: String,
    ) -> Result<Self, Refusal> {
        match &self.state {
            State::Fixed { .. } => Err(Refusal::Fixed),
            State::Undoing { asked_by, since, .. } => {
                Err(Refusal::Undoing { asked_by: asked_by.clone(), since: *since })
            }
            State::Fixing { asked_by, since: asked, .. } if since.duration_since(*asked) < FIX_TIMEOUT => {
                Err(Refusal::Fixing { asked_by: asked_by.clone(), since: *asked })
            }
            State::Open { .. } | State::Ignored { .. } | State::Fixing { .. } => {
                let mut finding = self.clone();
                finding.record(since, by.clone(), Deed::Ignored { reason: reason.clone(), until });
                finding.state = State::Ignored { by, since, until, reason, compliant: false };
                finding.approval = None;
                Ok(finding)
            }
        }
    }

    /// The resource's tag says to leave it as it is. `None` where that changes nothing: what
    /// people asked for is on its way, or it is ignored already.
    pub fn tagged(&self, reason: &str, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Open { .. } | State::Fixing { asked_by: Actor::AutoResponse, .. } => {}
            State::Ignored { by: Actor::Tag, reason: known, .. } if known != reason => {}
            State::Fixing { .. } | State::Ignored { .. } | State::Fixed { .. } | State::Undoing { .. } => {
                return None;
            }
        }
        let (by, reason) = (Actor::Tag, cut(reason, 256));
        let mut finding = self.clone();
        finding.record(now, by.clone(), Deed::Ignored { reason: reason.clone(), until: None });
        finding.tell(None, format!("Ignored, because its tag {IGNORE_TAG} says: {reason}"));
        finding.state = State::Ignored { by, since: now, until: None, reason, compliant: false };
        finding.approval = None;
        Some(finding)
    }

    /// The tag that said to leave it as it is is gone. `None` where none said so.
    pub fn untagged(&self, now: Timestamp) -> Option<Self> {
        let State::Ignored { by: Actor::Tag, compliant, .. } = &self.state else { return None };
        let mut finding = self.after_ignore(*compliant, Actor::Elsewhere, now);
        finding.record(now, Actor::Elsewhere, Deed::Untagged);
        finding.tell(None, format!("Its tag {IGNORE_TAG} is gone: it is not ignored any more."));
        Some(finding)
    }

    /// Somebody takes an ignore back.
    pub fn unignored(&self, by: &Actor, now: Timestamp) -> Result<Self, Refusal> {
        match &self.state {
            State::Ignored { compliant, .. } => Ok(self.after_ignore(*compliant, by.clone(), now)),
            State::Open { .. } | State::Fixing { .. } | State::Fixed { .. } | State::Undoing { .. } => {
                Err(Refusal::NotIgnored)
            }
        }
    }

    /// An ignore ends by itself. `None` while it lasts.
    pub fn ignore_expired(&self, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Ignored { until: Some(until), compliant, .. } if *until <= now => {
                let mut finding = self.after_ignore(*compliant, Actor::Elsewhere, now);
                finding.record(now, Actor::Elsewhere, Deed::IgnoreEnded);
                finding.tell(None, "The time for which this was ignored is over.".to_owned());
                Some(finding)
            }
            State::Open { .. }
            | State::Fixing { .. }
            | State::Ignored { .. }
            | State::Fixed { .. }
            | State::Undoing { .. } => None,
        }
    }

    fn after_ignore(&self, compliant: bool, by: Actor, now: Timestamp) -> Self {
        let state = match compliant {
            true => State::Fixed { by: Actor::Elsewhere, at: now },
            false => State::Open { last_failure: None },
        };
        let mut finding = Self { state, approval: None, ..self.clone() };
        if by != Actor::Elsewhere {
            finding.record(now, by.clone(), Deed::Unignored);
            finding.tell(Some(by), "stopped ignoring this.".to_owned());
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::super::StateName;
    use super::super::tests::{alice, at, open};
    use super::*;

    #[test]
    fn a_tag_ignores_what_is_open_and_nothing_that_people_decided() {
        let tagged = open().tagged("by design", at(1)).unwrap();
        assert_eq!(tagged.state_name(at(2)), StateName::Ignored);
        assert_eq!(tagged.tagged("by design", at(3)), None, "it is ignored already");
        let because = |finding: &Finding| match &finding.state {
            State::Ignored { reason, .. } => reason.clone(),
            state => panic!("{state:?}"),
        };
        assert_eq!(because(&tagged.tagged("another reason", at(3)).unwrap()), "another reason");
        let open_again = tagged.untagged(at(4)).unwrap();
        assert_eq!(open_again.state_name(at(4)), StateName::Open);
        assert_eq!(open_again.untagged(at(5)), None);

        let by_alice = open().ignored(alice(), at(1), None, "ticket".to_owned()).unwrap();
        let fixing = open().fix_asked(alice(), false, at(1)).unwrap();
        for finding in [by_alice, fixing] {
            assert_eq!((finding.tagged("by design", at(2)), finding.untagged(at(2))), (None, None));
        }
    }
}
