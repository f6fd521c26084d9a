//! Secrets: from the environment, or by name from the SSM Parameter Store; never printed.

use secrecy::SecretString;

use crate::aws::AwsError;

/// What reading parameters calls.
pub const ACTIONS: &[&str] = &["ssm:GetParameter"];

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// Here.
    Value(SecretString),
    /// In the Parameter Store, as a SecureString of this name.
    Parameter(String),
}

/// Reads secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// SSM's client.
    pub ssm: aws_sdk_ssm::Client,
}

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// AWS said no.
    #[error("the parameter {name} cannot be read: {source}")]
    Aws {
        /// The parameter's name.
        name: String,
        /// AWS's reason.
        source: AwsError,
    },
    /// The parameter has no value.
    #[error("the parameter {0} is empty")]
    Empty(String),
}

impl Secrets {
    /// The secret's value.
    pub async fn read(&self, source: &SecretSource) -> Result<SecretString, SecretError> {
        let name = match source {
            SecretSource::Value(value) => return Ok(value.clone()),
            SecretSource::Parameter(name) => name,
        };
        let answer = self.ssm.get_parameter().name(name).with_decryption(true).send().await;
        let answer = answer.map_err(|error| SecretError::Aws {
            name: name.clone(),
            source: AwsError::from_sdk("ssm:GetParameter", error),
        })?;
        let value =
            answer.parameter.and_then(|parameter| parameter.value).filter(|value| !value.trim().is_empty());
        value.map(|value| SecretString::from(value.trim())).ok_or_else(|| SecretError::Empty(name.clone()))
    }
}
