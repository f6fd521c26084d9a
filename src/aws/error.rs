//! Failed AWS calls, by what the caller has to do.

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// The kinds of failures, by what the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// Access is denied: a person must change a policy.
    AccessDenied,
    /// The resource is not there (any more).
    NotFound,
    /// Somebody changed the resource meanwhile: look again.
    Conflict,
    /// Throttled, timed out, unreachable: a later try may succeed.
    Transient,
    /// Anything else: trying again does not help.
    Other,
}

/// A failed AWS call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} failed: {code}: {message}")]
pub struct AwsError {
    /// The IAM action, `ec2:RevokeSecurityGroupIngress`.
    pub operation: &'static str,
    /// What the caller can do about it.
    pub kind: AwsErrorKind,
    /// AWS's code, `InvalidGroup.NotFound`.
    pub code: String,
    /// AWS's message.
    pub message: String,
}

impl AwsError {
    /// Sorts an error of the SDK, which has made its retries already.
    pub fn from_sdk<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let kind = match &error {
            // AWS did it, but its answer cannot be read.
            SdkError::ServiceError(_) if status.is_some_and(|status| status < 300) => {
                AwsErrorKind::Transient
            }
            SdkError::ServiceError(_) => kind_of(
                code.as_deref().unwrap_or_default(),
                status.unwrap_or_default(),
            ),
            SdkError::ConstructionFailure(_) => AwsErrorKind::Other,
            _ => AwsErrorKind::Transient,
        };
        let message = error.message().map(str::to_owned);
        // `DisplayErrorContext` would print the answer's body too, which may be a secret.
        let chain = || {
            anyhow::Chain::new(&error)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": ")
        };
        Self {
            operation,
            kind,
            message: message.unwrap_or_else(chain),
            code: code.unwrap_or_else(|| {
                status.map_or("NoAnswer".to_owned(), |status| format!("HTTP {status}"))
            }),
        }
    }

    /// A failure that may pass.
    pub fn transient(operation: &'static str, code: Option<&str>, message: &str) -> Self {
        let code = code.unwrap_or("Failed").to_owned();
        Self {
            operation,
            kind: AwsErrorKind::Transient,
            code,
            message: message.to_owned(),
        }
    }

    /// A failure because somebody changed the resource meanwhile.
    pub fn conflict(operation: &'static str, message: &str) -> Self {
        Self {
            operation,
            kind: AwsErrorKind::Conflict,
            code: "Changed".to_owned(),
            message: message.to_owned(),
        }
    }

    /// A failure that does not pass.
    pub fn other(operation: &'static str, code: &str, message: impl Into<String>) -> Self {
        Self {
            operation,
            kind: AwsErrorKind::Other,
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// Sorts the services' error codes; unknown ones by their HTTP status.
fn kind_of(code: &str, status: u16) -> AwsErrorKind {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthFailure" => {
            AwsErrorKind::AccessDenied
        }
        "NoSuchBucket"
        | "InvalidGroup.NotFound"
        | "InvalidGroupId.Malformed"
        | "NoSuchConfigRuleException" => AwsErrorKind::NotFound,
        "OperationAborted"
        | "InvalidPermission.Duplicate"
        | "InvalidPermission.NotFound"
        | "InvalidSecurityGroupRuleId.NotFound"
        | "ConflictException"
        | "ConcurrentModificationException" => AwsErrorKind::Conflict,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "RequestTimeout"
        | "RequestTimeoutException" => AwsErrorKind::Transient,
        _ if status == 429 || status >= 500 => AwsErrorKind::Transient,
        _ => AwsErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_their_remedy() {
        assert_eq!(
            kind_of("UnauthorizedOperation", 403),
            AwsErrorKind::AccessDenied
        );
        assert_eq!(kind_of("NoSuchBucket", 404), AwsErrorKind::NotFound);
        assert_eq!(kind_of("OperationAborted", 409), AwsErrorKind::Conflict);
        assert_eq!(kind_of("SlowDown", 503), AwsErrorKind::Transient);
        assert_eq!(kind_of("InternalError", 500), AwsErrorKind::Transient);
        assert_eq!(kind_of("MalformedPolicy", 400), AwsErrorKind::Other);
    }
}
