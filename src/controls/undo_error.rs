//! The reasons why an undo does nothing.

use crate::aws::AwsError;

/// The reason why something was not put back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The resource is not as it was left: how it differs, as the end of a sentence.
    #[error("{0}")]
    Differs(String),
    /// AWS refused a call, or did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
}
