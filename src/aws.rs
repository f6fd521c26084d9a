//! AWS clients, keyed by account and region, and what an AWS error means to its caller.

pub mod answer;
pub mod bucket;
mod http_client;
pub mod prefix_list;

use std::collections::HashMap;
use std::sync::Mutex;

use aws_config::SdkConfig;
use aws_sdk_s3control::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

pub use http_client::http_client;

use crate::ids::{AccountId, Region};

/// What the caller of a failed AWS call has to decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// We may not: a person must change a policy.
    AccessDenied,
    /// What the call names is not there (any more).
    NotFound,
    /// Somebody changed it meanwhile: look again.
    Conflict,
    /// Throttled, timed out, unreachable: later it may work.
    Transient,
    /// Anything else; trying again will not help.
    Other,
}

/// A failed AWS call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} failed: {code}: {message}")]
pub struct AwsError {
    /// The IAM action, `ec2:RevokeSecurityGroupIngress`.
    pub operation: &'static str,
    /// What to do about it.
    pub kind: AwsErrorKind,
    /// AWS's code, `InvalidGroup.NotFound`.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

impl AwsError {
    /// Sorts what the SDK returned, after its own retries.
    pub fn from_sdk<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        let status = error
            .raw_response()
            .map(|response| response.status().as_u16());
        let kind = match &error {
            // It was done, and its answer cannot be read.
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

    /// A failure that a later try may not meet.
    pub fn transient(operation: &'static str, code: Option<&str>, message: &str) -> Self {
        let code = code.unwrap_or("Failed").to_owned();
        Self {
            operation,
            kind: AwsErrorKind::Transient,
            code,
            message: message.to_owned(),
        }
    }

    /// Somebody changed the resource meanwhile.
    pub fn conflict(operation: &'static str, message: &str) -> Self {
        Self {
            operation,
            kind: AwsErrorKind::Conflict,
            code: "Changed".to_owned(),
            message: message.to_owned(),
        }
    }

    /// A failure that every later try will meet.
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

/// S3 Control puts the account before the host's name, which leads nowhere where that is an address.
#[derive(Debug)]
struct Emulator(String);

impl ResolveEndpoint for Emulator {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}

/// Makes clients. Those of the home account and region are cheap to make and made by whoever
/// needs one; those of resources are kept, one for each account and region.
#[derive(Debug)]
pub struct Aws {
    config: SdkConfig,
    home: AccountId,
    config_service: Option<String>,
    trail: Option<String>,
    cloudtrail: Mutex<HashMap<Region, aws_sdk_cloudtrail::Client>>,
    ec2: Mutex<HashMap<Region, aws_sdk_ec2::Client>>,
    s3: Mutex<HashMap<Region, aws_sdk_s3::Client>>,
    s3_control: Mutex<HashMap<Region, aws_sdk_s3control::Client>>,
}

impl Aws {
    /// Clients by `config`, whose credentials are of the account `home`.
    pub fn new(config: SdkConfig, home: AccountId) -> Self {
        Self {
            config,
            home,
            config_service: None,
            trail: None,
            cloudtrail: Mutex::default(),
            ec2: Mutex::default(),
            s3: Mutex::default(),
            s3_control: Mutex::default(),
        }
    }

    /// Speaks to a stand-in for AWS Config at `endpoint` instead of the service.
    pub fn with_config_service(self, endpoint: String) -> Self {
        Self {
            config_service: Some(endpoint),
            ..self
        }
    }

    /// Speaks to a stand-in for CloudTrail at `endpoint` instead of the service.
    pub fn with_cloudtrail(self, endpoint: String) -> Self {
        Self {
            trail: Some(endpoint),
            ..self
        }
    }

    /// AWS Config, in the home account and region.
    pub fn config_service(&self) -> aws_sdk_config::Client {
        let mut builder = aws_sdk_config::config::Builder::from(&self.config);
        if let Some(endpoint) = &self.config_service {
            builder = builder.endpoint_url(endpoint);
        }
        aws_sdk_config::Client::from_conf(builder.build())
    }

    /// The configuration for clients of the home account and region.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The region where we run.
    pub fn home_region(&self) -> Result<Region, AwsError> {
        let region = self.config.region().map(|region| region.as_ref().parse());
        match region {
            Some(Ok(region)) => Ok(region),
            _ => Err(AwsError::other(
                "aws",
                "NoRegion",
                "no AWS region is set, or it is none",
            )),
        }
    }

    /// CloudTrail in one account and region.
    pub fn cloudtrail(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<aws_sdk_cloudtrail::Client, AwsError> {
        self.check_account("cloudtrail", account)?;
        let mut clients = self
            .cloudtrail
            .lock()
            .expect("nothing panics while it holds the clients");
        let client = clients.entry(region.clone()).or_insert_with(|| {
            let region = aws_sdk_cloudtrail::config::Region::new(region.to_string());
            let mut builder =
                aws_sdk_cloudtrail::config::Builder::from(&self.config).region(region);
            if let Some(endpoint) = &self.trail {
                builder = builder.endpoint_url(endpoint);
            }
            aws_sdk_cloudtrail::Client::from_conf(builder.build())
        });
        Ok(client.clone())
    }

    /// EC2 in one account and region. We hold credentials for the home account only.
    pub fn ec2(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<aws_sdk_ec2::Client, AwsError> {
        self.check_account("ec2", account)?;
        let mut clients = self
            .ec2
            .lock()
            .expect("nothing panics while it holds the clients");
        let client = clients.entry(region.clone()).or_insert_with(|| {
            let region = aws_sdk_ec2::config::Region::new(region.to_string());
            aws_sdk_ec2::Client::from_conf(
                aws_sdk_ec2::config::Builder::from(&self.config)
                    .region(region)
                    .build(),
            )
        });
        Ok(client.clone())
    }

    /// S3 in one account and region. Emulators, which have one name for all buckets, are
    /// addressed by path.
    pub fn s3(&self, account: &AccountId, region: &Region) -> Result<aws_sdk_s3::Client, AwsError> {
        self.check_account("s3", account)?;
        let mut clients = self
            .s3
            .lock()
            .expect("nothing panics while it holds the clients");
        let client = clients.entry(region.clone()).or_insert_with(|| {
            let by_path = self.config.endpoint_url().is_some()
                || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
            let region = aws_sdk_s3::config::Region::new(region.to_string());
            let builder = aws_sdk_s3::config::Builder::from(&self.config)
                .region(region)
                .force_path_style(by_path);
            aws_sdk_s3::Client::from_conf(builder.build())
        });
        Ok(client.clone())
    }

    /// S3 Control, which has what is set for an account, by one of its regions.
    pub fn s3_control(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<aws_sdk_s3control::Client, AwsError> {
        self.check_account("s3control", account)?;
        let mut clients = self
            .s3_control
            .lock()
            .expect("nothing panics while it holds the clients");
        let client = clients.entry(region.clone()).or_insert_with(|| {
            let region = aws_sdk_s3control::config::Region::new(region.to_string());
            let builder = aws_sdk_s3control::config::Builder::from(&self.config).region(region);
            let builder = match self.config.endpoint_url() {
                Some(url) => builder.endpoint_resolver(Emulator(url.to_owned())),
                None => builder,
            };
            aws_sdk_s3control::Client::from_conf(builder.build())
        });
        Ok(client.clone())
    }

    fn check_account(&self, service: &'static str, account: &AccountId) -> Result<(), AwsError> {
        if *account == self.home {
            return Ok(());
        }
        let message = format!(
            "Defendable runs in account {} and has no access to account {account}",
            self.home
        );
        Err(AwsError::other(service, "ForeignAccount", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_to_do() {
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
