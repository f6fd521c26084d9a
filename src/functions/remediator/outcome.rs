//! The end of an attempt: the outcome that is reported, or the reason why the task comes back.

use crate::aws::{AwsError, AwsErrorKind};
use crate::contracts::Outcome;
use crate::controls::{Change, UndoError};
use crate::metrics::{FixFailure, count_fix_failure};
use crate::store::TableError;

/// The reason why a task is not carried out now. It comes back, and the resource is looked at again.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotNow {
    /// AWS refused a call, or did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The findings table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// An objection to a change that auto-response has prepared.
    #[error("it may not: {0}")]
    Objection(&'static str),
    /// Somebody else changed the resource between the look and the change.
    #[error("the resource has changed since it was looked at")]
    Changed,
}

impl NotNow {
    /// Whether the resource has changed meanwhile, so that planning again may help.
    pub(super) fn is_conflict(&self) -> bool {
        match self {
            Self::Aws(error) => error.kind == AwsErrorKind::Conflict,
            Self::Changed => true,
            Self::Table(_) | Self::Objection(_) => false,
        }
    }
}

/// The result of an attempt to fix.
pub(super) enum Applied {
    /// These changes were made; none where none was needed.
    Changed(Vec<Change>),
    /// No change was made, because these were not agreed to.
    NotAgreed(Vec<Change>),
    /// No change was made, because these are left to people.
    LeftToPeople(Vec<Change>),
}

impl Applied {
    pub(super) fn changed(changes: Vec<Change>, left: Vec<Change>) -> Self {
        if changes.is_empty() && !left.is_empty() {
            Self::LeftToPeople(left)
        } else {
            Self::Changed(changes)
        }
    }
}

/// The outcome of an attempt, or the reason to try again.
pub(super) fn settle(applied: Result<Applied, NotNow>) -> Result<(Outcome, Vec<Change>), NotNow> {
    match applied {
        Ok(Applied::LeftToPeople(left)) => Ok((Outcome::LeftToPeople, left)),
        Ok(Applied::Changed(changes)) if changes.is_empty() => Ok((Outcome::NothingToDo, changes)),
        Ok(Applied::Changed(changes)) => Ok((Outcome::Fixed, changes)),
        Ok(Applied::NotAgreed(new)) => Ok((Outcome::NotAgreed, new)),
        Err(NotNow::Aws(error)) => match error.kind {
            AwsErrorKind::Transient | AwsErrorKind::Conflict => Err(error.into()),
            AwsErrorKind::NotFound => Ok((Outcome::Gone, Vec::new())),
            AwsErrorKind::AccessDenied => {
                count_fix_failure(FixFailure::AccessDenied);
                let advice = format!(
                    "Allow {} to the remediator's role, then press Fix again.",
                    error.operation
                );
                Ok((
                    Outcome::Failed {
                        reason: error.to_string(),
                        advice,
                    },
                    Vec::new(),
                ))
            }
            AwsErrorKind::Other => {
                count_fix_failure(FixFailure::Other);
                let advice = "Fix it by hand in the AWS console, or press Fix again.".to_owned();
                Ok((
                    Outcome::Failed {
                        reason: error.to_string(),
                        advice,
                    },
                    Vec::new(),
                ))
            }
        },
        Err(not_now) => Err(not_now),
    }
}

/// The outcome of an attempt to undo, or the reason to try again.
pub(super) fn settle_undo(
    (in_place, put_back): (Vec<Change>, Result<(), UndoError>),
) -> Result<(Outcome, Vec<Change>), AwsError> {
    let (reason, advice) = match put_back {
        Ok(()) => return Ok((Outcome::Undone, in_place)),
        Err(UndoError::Differs(what)) => (
            what,
            "Put it back by hand where you still want it, or leave it fixed.".to_owned(),
        ),
        Err(UndoError::Aws(error)) => match error.kind {
            AwsErrorKind::Transient | AwsErrorKind::Conflict => return Err(error),
            AwsErrorKind::NotFound => (
                "the resource is gone".to_owned(),
                "There is nothing to put anything back into.".to_owned(),
            ),
            AwsErrorKind::AccessDenied => {
                let advice = format!(
                    "Allow {} to the remediator's role and in the account, then press Undo again.",
                    error.operation
                );
                (error.to_string(), advice)
            }
            AwsErrorKind::Other => (
                error.to_string(),
                "Put it back by hand in the AWS console.".to_owned(),
            ),
        },
    };
    Ok((Outcome::Failed { reason, advice }, in_place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::WholePolicy;

    fn error(kind: AwsErrorKind) -> AwsError {
        AwsError {
            kind,
            ..AwsError::other("ec2:RevokeSecurityGroupIngress", "Code", "words")
        }
    }

    #[test]
    fn errors_are_told_apart() {
        assert!(settle(Err(error(AwsErrorKind::Transient).into())).is_err());
        assert!(settle(Err(error(AwsErrorKind::Conflict).into())).is_err());
        assert_eq!(
            settle(Err(error(AwsErrorKind::NotFound).into())).unwrap().0,
            Outcome::Gone
        );
        assert_eq!(
            settle(Ok(Applied::changed(Vec::new(), Vec::new())))
                .unwrap()
                .0,
            Outcome::NothingToDo
        );
        assert_eq!(
            settle(Ok(Applied::NotAgreed(Vec::new()))).unwrap().0,
            Outcome::NotAgreed
        );
        let left = vec![Change::DeletePolicy(WholePolicy {
            policy: "{}".to_owned(),
        })];
        let settled = settle(Ok(Applied::changed(Vec::new(), left.clone()))).unwrap();
        assert_eq!(settled, (Outcome::LeftToPeople, left));
        let (outcome, _) = settle(Err(error(AwsErrorKind::AccessDenied).into())).unwrap();
        assert!(
            matches!(outcome, Outcome::Failed { advice, .. } if advice.contains("Allow ec2:Revoke"))
        );
    }

    #[test]
    fn an_undo_that_failed_halfway_says_what_is_in_place() {
        let changes = vec![Change::DeletePolicy(WholePolicy {
            policy: "{}".to_owned(),
        })];
        let failed = |kind| settle_undo((changes.clone(), Err(error(kind).into())));
        assert!(
            failed(AwsErrorKind::Transient).is_err() && failed(AwsErrorKind::Conflict).is_err()
        );
        let (outcome, in_place) = failed(AwsErrorKind::AccessDenied).unwrap();
        assert!(
            matches!(outcome, Outcome::Failed { advice, .. } if advice.contains("press Undo again"))
        );
        assert_eq!(in_place, changes);
        assert_eq!(
            settle_undo((changes.clone(), Ok(()))).unwrap(),
            (Outcome::Undone, changes)
        );
    }
}
