//! AWS clients, keyed by account and region, and what an AWS error means to its caller.

pub mod answer;
pub mod bucket;
mod error;
mod http_client;
pub mod prefix_list;
mod session;
#[cfg(test)]
pub(crate) mod test_client;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_s3control::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
pub use error::{AwsError, AwsErrorKind};
pub use http_client::http_client;
pub use session::{OneAccount, Sessions};

use crate::ids::{AccountId, Region};

/// The endpoint of an emulator. S3 Control puts the account before the host's name, which does not work for
/// an address.
#[derive(Debug)]
struct Emulator(String);

impl ResolveEndpoint for Emulator {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}

/// The clients of one service, one for each account and region.
#[derive(Debug)]
struct Clients<C> {
    service: &'static str,
    made: Mutex<HashMap<(AccountId, Region), C>>,
}

impl<C: Clone> Clients<C> {
    fn new(service: &'static str) -> Self {
        Self {
            service,
            made: Mutex::default(),
        }
    }

    /// The client of an account and region, made by `make` from the account's session on first use.
    fn get(
        &self,
        sessions: &dyn Sessions,
        (account, region): (&AccountId, &Region),
        make: impl FnOnce(&SdkConfig) -> C,
    ) -> Result<C, AwsError> {
        let session = sessions.session(self.service, account)?;
        let in_region = || {
            let region = aws_config::Region::new(region.to_string());
            session.into_builder().region(region).build()
        };
        let mut made = self
            .made
            .lock()
            .expect("nothing panics while it holds the clients");
        let client = made
            .entry((account.clone(), region.clone()))
            .or_insert_with(|| make(&in_region()));
        Ok(client.clone())
    }
}

/// Makes clients. Those of the account and region where Defendable runs are made where they are needed;
/// those of resources are kept, one for each account and region.
#[derive(Debug)]
pub struct Aws {
    config: SdkConfig,
    sessions: Arc<dyn Sessions>,
    config_service: Option<String>,
    trail: Option<String>,
    cloudtrail: Clients<aws_sdk_cloudtrail::Client>,
    ec2: Clients<aws_sdk_ec2::Client>,
    s3: Clients<aws_sdk_s3::Client>,
    s3_control: Clients<aws_sdk_s3control::Client>,
}

impl Aws {
    /// Clients by `config`, whose credentials are of `account`, for that account only.
    pub fn new(config: SdkConfig, account: AccountId) -> Self {
        let sessions = OneAccount {
            account,
            config: config.clone(),
        };
        Self::with_sessions(config, Arc::new(sessions))
    }

    /// Clients by `config` for Defendable's own queues, table and rules, and by `sessions` for resources.
    pub fn with_sessions(config: SdkConfig, sessions: Arc<dyn Sessions>) -> Self {
        Self {
            config,
            sessions,
            config_service: None,
            trail: None,
            cloudtrail: Clients::new("cloudtrail"),
            ec2: Clients::new("ec2"),
            s3: Clients::new("s3"),
            s3_control: Clients::new("s3control"),
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

    /// AWS Config, in the account and region where Defendable runs.
    pub fn config_service(&self) -> aws_sdk_config::Client {
        let mut builder = aws_sdk_config::config::Builder::from(&self.config);
        if let Some(endpoint) = &self.config_service {
            builder = builder.endpoint_url(endpoint);
        }
        aws_sdk_config::Client::from_conf(builder.build())
    }

    /// The configuration of clients of the account and region where Defendable runs.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The region where Defendable runs.
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

    /// CloudTrail in an account and region.
    pub fn cloudtrail(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<aws_sdk_cloudtrail::Client, AwsError> {
        let make = |session: &SdkConfig| {
            let mut builder = aws_sdk_cloudtrail::config::Builder::from(session);
            if let Some(endpoint) = &self.trail {
                builder = builder.endpoint_url(endpoint);
            }
            aws_sdk_cloudtrail::Client::from_conf(builder.build())
        };
        self.cloudtrail
            .get(self.sessions.as_ref(), (account, region), make)
    }

    /// EC2 in an account and region.
    pub fn ec2(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<aws_sdk_ec2::Client, AwsError> {
        self.ec2.get(
            self.sessions.as_ref(),
            (account, region),
            aws_sdk_ec2::Client::new,
        )
    }

    /// S3 in an account and region. Emulators, which have one name for all buckets, are addressed by
    /// path.
    pub fn s3(&self, account: &AccountId, region: &Region) -> Result<aws_sdk_s3::Client, AwsError> {
        let make = |session: &SdkConfig| {
            let by_path = session.endpoint_url().is_some()
                || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
            let builder = aws_sdk_s3::config::Builder::from(session).force_path_style(by_path);
            aws_sdk_s3::Client::from_conf(builder.build())
        };
        self.s3.get(self.sessions.as_ref(), (account, region), make)
    }

    /// S3 Control, which has the settings of a whole account, by one of its regions.
    pub fn s3_control(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<aws_sdk_s3control::Client, AwsError> {
        let make = |session: &SdkConfig| {
            let builder = aws_sdk_s3control::config::Builder::from(session);
            let builder = match session.endpoint_url() {
                Some(url) => builder.endpoint_resolver(Emulator(url.to_owned())),
                None => builder,
            };
            aws_sdk_s3control::Client::from_conf(builder.build())
        };
        self.s3_control
            .get(self.sessions.as_ref(), (account, region), make)
    }
}

#[cfg(test)]
mod tests {
    use super::test_client::TestClient;

    /// Where a client of `region` sends its requests.
    async fn hosts(region: &str) -> Vec<String> {
        let aws_answers = TestClient::new(|_| (200, String::new()));
        let (account, region) = ("123456789012".parse().unwrap(), region.parse().unwrap());
        let aws = aws_answers.aws(&account);
        let trail = aws.cloudtrail(&account, &region).unwrap();
        let _ = trail.lookup_events().send().await;
        let ec2 = aws.ec2(&account, &region).unwrap();
        let _ = ec2.describe_security_groups().send().await;
        let s3 = aws.s3(&account, &region).unwrap();
        let _ = s3.get_bucket_acl().bucket("logs").send().await;
        let control = aws.s3_control(&account, &region).unwrap();
        let block = control.get_public_access_block();
        let _ = block.account_id(account.to_string()).send().await;
        let requests = aws_answers.requests();
        requests.into_iter().map(|request| request.host).collect()
    }

    #[tokio::test]
    async fn each_partition_is_asked_at_its_own_endpoints() {
        let of = |region: &str, domain: &str| {
            [
                format!("cloudtrail.{region}.{domain}"),
                format!("ec2.{region}.{domain}"),
                format!("logs.s3.{region}.{domain}"),
                format!("123456789012.s3-control.{region}.{domain}"),
            ]
        };
        for (region, domain) in [
            ("eu-central-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
        ] {
            assert_eq!(hosts(region).await, of(region, domain));
        }
    }
}
