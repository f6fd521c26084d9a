//! A question to AWS that is not always asked, and whose failure is no error of the caller.

use super::AwsError;

/// AWS's answer to one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Answer<T> {
    /// AWS was not asked.
    #[default]
    NotAsked,
    /// AWS gave this answer.
    Given(T),
    /// AWS could not be asked, for this reason.
    Failed(String),
}

impl<T> Answer<T> {
    /// AWS's answer, if it gave one.
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Given(answer) => Some(answer),
            Self::NotAsked | Self::Failed(_) => None,
        }
    }

    /// The reason why AWS could not be asked.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::NotAsked | Self::Given(_) => None,
        }
    }
}

impl<T> From<Result<T, AwsError>> for Answer<T> {
    fn from(result: Result<T, AwsError>) -> Self {
        result.map_or_else(|error| Self::Failed(error.to_string()), Self::Given)
    }
}
