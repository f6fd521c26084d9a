//! A question to AWS that need not be asked, and may fail without failing what is done.

use super::AwsError;

/// AWS's answer to one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Answer<T> {
    /// AWS was not asked.
    #[default]
    NotAsked,
    /// AWS gave this answer.
    Given(T),
    /// It could not be asked: why.
    Failed(String),
}

impl<T> Answer<T> {
    /// The answer, if AWS gave one.
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Given(answer) => Some(answer),
            Self::NotAsked | Self::Failed(_) => None,
        }
    }

    /// Why it could not be asked.
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
