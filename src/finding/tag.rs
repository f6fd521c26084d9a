//! Findings that a tag on the resource ignores.

use jiff::Timestamp;

use super::covers::Covers;
use super::event::HistoryEvent;
use super::ignore::Ignore;
use super::{Actor, Finding, State};
use crate::controls::{IGNORE_TAG, Severity};
use crate::text::cut;

impl Finding {
    /// The resource's tag says to leave it as it is. `None` where that changes nothing: what
    /// people asked for is on its way, or it is ignored already.
    pub fn tagged(&self, reason: &str, now: Timestamp) -> Option<Self> {
        match &self.state {
            State::Open { .. }
            | State::Fixing {
                asked_by: Actor::AutoResponse,
                ..
            } => {}
            State::Ignored {
                by: Actor::Tag,
                reason: known,
                ..
            } if known != reason => {}
            State::Fixing { .. }
            | State::Ignored { .. }
            | State::Fixed { .. }
            | State::Undoing { .. }
            | State::Deleted { .. } => return None,
        }
        let (by, reason) = (Actor::Tag, cut(reason, 256));
        let mut finding = self.clone();
        finding.record(
            now,
            by.clone(),
            HistoryEvent::Ignored {
                reason: reason.clone(),
                until: None,
            },
        );
        finding.tell(
            None,
            format!("Ignored, because its tag {IGNORE_TAG} says: {reason}"),
        );
        (finding.episode.left, finding.episode.beside) = (None, Vec::new());
        finding.told_severity = Some(finding.severity);
        finding.state = Ignore {
            by,
            since: now,
            until: None,
            reason,
            covers: Covers::Resource,
        }
        .state(false);
        finding.episode.approval = None;
        Some(finding)
    }

    /// What is ignored by its tag has become worse: the thread is told, once.
    pub fn tell_of_worse(&mut self, severity: Severity) {
        let by_tag = matches!(
            &self.state,
            State::Ignored {
                by: Actor::Tag,
                compliant: false,
                ..
            }
        );
        if by_tag && self.told_severity.is_some_and(|told| severity > told) {
            self.told_severity = Some(severity);
            self.tell(
                None,
                format!("It is ignored by its tag, and exposes more now: {severity} severity."),
            );
        }
    }

    /// The tag that said to leave it as it is is gone. `None` where none said so.
    pub fn untagged(&self, now: Timestamp) -> Option<Self> {
        let State::Ignored {
            by: Actor::Tag,
            compliant,
            ..
        } = &self.state
        else {
            return None;
        };
        let mut finding = self.after_ignore(*compliant, Actor::External, now);
        finding.record(now, Actor::External, HistoryEvent::Untagged);
        finding.tell(
            None,
            format!("Its tag {IGNORE_TAG} is gone: it is not ignored any more."),
        );
        Some(finding)
    }
}
