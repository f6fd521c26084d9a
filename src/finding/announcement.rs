//! What remediations have announced that they take away. Deliveries come twice, and reports in any
//! order, so each attempt answers for its own announcements only.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::contracts::{Attempt, Outcome, ReportDetail};
use crate::controls::{Change, ViolationType};

/// How many attempts that have ended are remembered.
const ENDED: usize = 50;

/// A change that was about to be made when last heard of. When its remediation dies before it can
/// report, this is what it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Spelling")]
pub struct Announcement {
    /// The kind of violation whose remediation announced it.
    pub kind: ViolationType,
    /// The change that is about to be made.
    pub change: Change,
    /// Who is at it, since when.
    pub attempts: Vec<(Attempt, Timestamp)>,
}

/// Version 0.1 wrote pairs.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spelling {
    Full {
        kind: ViolationType,
        change: Change,
        attempts: Vec<(Attempt, Timestamp)>,
    },
    Pair(ViolationType, Change),
}

impl From<Spelling> for Announcement {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Full {
                kind,
                change,
                attempts,
            } => Self {
                kind,
                change,
                attempts,
            },
            Spelling::Pair(kind, change) => Self {
                kind,
                change,
                attempts: vec![(Attempt::default(), Timestamp::UNIX_EPOCH)],
            },
        }
    }
}

impl Finding {
    /// When an attempt last announced something of a kind.
    fn announced_at(&self, kind: ViolationType, attempt: &Attempt) -> Option<Timestamp> {
        let of_kind = self.episode.begun.iter().filter(|begun| begun.kind == kind);
        let attempts = of_kind.flat_map(|begun| &begun.attempts);
        attempts
            .filter(|(by, _)| by == attempt)
            .map(|(_, at)| *at)
            .max()
    }

    /// An attempt says what it is about to take away, in place of what it said before.
    pub(super) fn announce(&mut self, detail: &ReportDetail, at: Timestamp) {
        let (kind, attempt) = (detail.request.violation_type, &detail.attempt);
        if self
            .announced_at(kind, attempt)
            .is_some_and(|announced| announced > at)
        {
            return;
        }
        self.take_back(detail);
        for change in detail
            .changes
            .iter()
            .filter(|change| !self.episode.removed.contains(change))
        {
            let attempts = (attempt.clone(), at);
            match self
                .episode
                .begun
                .iter_mut()
                .find(|begun| begun.kind == kind && begun.change == *change)
            {
                Some(begun) => begun.attempts.push(attempts),
                None => {
                    let change = change.clone();
                    self.episode.begun.push(Announcement {
                        kind,
                        change,
                        attempts: vec![attempts],
                    });
                }
            }
        }
    }

    /// An attempt has changed nothing. What others have announced stands.
    pub(super) fn take_back(
        &mut self,
        ReportDetail {
            attempt, request, ..
        }: &ReportDetail,
    ) {
        for begun in self
            .episode
            .begun
            .iter_mut()
            .filter(|begun| begun.kind == request.violation_type)
        {
            begun.attempts.retain(|(by, _)| by != attempt);
        }
        self.episode
            .begun
            .retain(|begun| !begun.attempts.is_empty());
    }

    /// An attempt has taken away what it says. What others had announced before, and it did not find
    /// any more when it looked, they have taken away.
    pub(super) fn carry_out(&mut self, detail: &ReportDetail) -> Vec<Change> {
        let kind = detail.request.violation_type;
        let looked_at = self.announced_at(kind, &detail.attempt);
        self.episode
            .begun
            .retain(|begun| begun.kind != kind || !detail.changes.contains(&begun.change));
        self.take_back(detail);
        let is_gone = |begun: &mut Announcement| {
            let before =
                |(_, at): &(Attempt, Timestamp)| looked_at.is_some_and(|looked_at| *at < looked_at);
            begun.kind == kind && begun.attempts.iter().all(before)
        };
        let gone: Vec<Change> = self
            .episode
            .begun
            .extract_if(.., is_gone)
            .map(|begun| begun.change)
            .collect();
        [detail.changes.clone(), gone].concat()
    }

    /// An attempt finds nothing left to be done: others did it and died before they could say so. Not
    /// it itself, but for version 0.1, whose attempts cannot be told apart.
    pub(super) fn find_nothing(&mut self, detail: &ReportDetail) -> Vec<Change> {
        if detail.attempt != Attempt::default() {
            self.take_back(detail);
        }
        self.take_announced(detail.request.violation_type)
    }

    /// Forgets what was announced of a kind.
    pub(super) fn take_announced(&mut self, kind: ViolationType) -> Vec<Change> {
        self.episode
            .begun
            .extract_if(.., |begun| begun.kind == kind)
            .map(|begun| begun.change)
            .collect()
    }

    /// An attempt has ended: what it has announced and comes late means nothing any more.
    pub(super) fn end(&mut self, attempt: &Attempt) {
        if *attempt != Attempt::default() && !self.episode.ended.contains(attempt) {
            self.episode.ended.push(attempt.clone());
            self.episode
                .ended
                .drain(..self.episode.ended.len().saturating_sub(ENDED));
        }
    }

    /// What a report of that time tells beside what an undo has put back since: of two deliveries at
    /// once both may report, and one of them late.
    pub(super) fn since_undo(&self, detail: &ReportDetail, at: Timestamp) -> Option<ReportDetail> {
        let kind = detail.request.violation_type;
        let put_back = |change: &Change| {
            self.episode
                .undone
                .iter()
                .any(|(undone, until)| undone == change && at <= *until)
        };
        let changes: Vec<Change> = detail
            .changes
            .iter()
            .filter(|change| !put_back(change))
            .cloned()
            .collect();
        let is_old = match detail.outcome {
            Outcome::Begun | Outcome::Fixed => changes.is_empty() && !detail.changes.is_empty(),
            Outcome::NothingToDo | Outcome::Gone | Outcome::Failed { .. } => self
                .episode
                .undone
                .iter()
                .any(|(undone, until)| undone.kind() == kind && at <= *until),
            Outcome::LeftToPeople
            | Outcome::LeftAlone { .. }
            | Outcome::Undone
            | Outcome::NotAgreed => false,
        };
        (!is_old).then(|| ReportDetail {
            changes,
            ..detail.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::WholePolicy;

    #[test]
    fn announcements_of_version_0_1_are_read() {
        let change = Change::DeletePolicy(WholePolicy {
            policy: "{}".to_owned(),
        });
        let pair = serde_json::json!([["S3_BUCKET_PUBLIC_POLICY", &change]]);
        let [read] = serde_json::from_value::<Vec<Announcement>>(pair)
            .unwrap()
            .try_into()
            .unwrap();
        let kind = ViolationType::S3BucketPublicPolicy;
        let attempts = vec![(Attempt::default(), Timestamp::UNIX_EPOCH)];
        assert_eq!(
            read,
            Announcement {
                kind,
                change: change.clone(),
                attempts
            }
        );
        let full = Announcement {
            kind,
            change,
            attempts: vec![(Attempt::begin(), Timestamp::now())],
        };
        let item = serde_dynamo::to_item::<_, serde_dynamo::Item>(&full).unwrap();
        assert_eq!(
            serde_dynamo::from_item::<_, Announcement>(item).unwrap(),
            full
        );
    }
}
