//! What remediations have announced that they take away.

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::remediation::{Attempt, Change, ReportDetail, ViolationType};

/// A change that was about to be made when last heard of. When its remediation dies before it can
/// report, this is what it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Spelling")]
pub struct Announcement {
    /// Whose part of the fix.
    pub kind: ViolationType,
    /// Which of the deliveries that may be at it at once.
    pub attempt: Attempt,
    /// What.
    pub change: Change,
}

/// Older versions wrote pairs.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spelling {
    Full { kind: ViolationType, attempt: Attempt, change: Change },
    Pair(ViolationType, Change),
}

impl From<Spelling> for Announcement {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Full { kind, attempt, change } => Self { kind, attempt, change },
            Spelling::Pair(kind, change) => Self { kind, attempt: Attempt::default(), change },
        }
    }
}

impl Finding {
    /// An attempt says what it is about to take away, in place of what it said before.
    pub(super) fn announce(&mut self, detail: &ReportDetail) {
        self.take_back(detail);
        let (kind, attempt) = (detail.request.violation_type, &detail.attempt);
        let announcement =
            |change: &Change| Announcement { kind, attempt: attempt.clone(), change: change.clone() };
        self.begun.extend(detail.changes.iter().map(announcement));
    }

    /// An attempt has changed nothing. What others have announced stands.
    pub(super) fn take_back(&mut self, ReportDetail { attempt, request, .. }: &ReportDetail) {
        self.begun.retain(|begun| begun.kind != request.violation_type || begun.attempt != *attempt);
    }

    /// An attempt has changed what it says, and that is no more to be expected of others.
    pub(super) fn carry_out(&mut self, detail: &ReportDetail) {
        self.take_back(detail);
        let kind = detail.request.violation_type;
        self.begun.retain(|begun| begun.kind != kind || !detail.changes.contains(&begun.change));
    }

    /// Nothing is left to be done: an earlier attempt did it and died before it could say so.
    pub(super) fn take_announced(&mut self, kind: ViolationType) -> Vec<Change> {
        let mut taken: Vec<Change> = Vec::new();
        for begun in self.begun.extract_if(.., |begun| begun.kind == kind) {
            if !taken.contains(&begun.change) {
                taken.push(begun.change);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_versions_wrote_is_read() {
        let change = Change::DeletePolicy { policy: "{}".to_owned() };
        let pair = serde_json::json!([["S3_BUCKET_PUBLIC_POLICY", &change]]);
        let [read] = serde_json::from_value::<Vec<Announcement>>(pair).unwrap().try_into().unwrap();
        let kind = ViolationType::S3BucketPublicPolicy;
        assert_eq!(read, Announcement { kind, attempt: Attempt::default(), change: change.clone() });
        let full = Announcement { kind, attempt: Attempt::begin(), change };
        let item = serde_dynamo::to_item::<_, serde_dynamo::Item>(&full).unwrap();
        assert_eq!(serde_dynamo::from_item::<_, Announcement>(item).unwrap(), full);
    }
}
