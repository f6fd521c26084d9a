//! Secrets: from the environment, or by name from the SSM Parameter Store; never printed.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::aws::AwsError;

/// What reading secrets calls: SSM decrypts in the caller's name.
pub const ACTIONS: &[&str] = &["kms:Decrypt", "ssm:GetParameter"];

/// How long until a secret that proves wrong again is read again: forged requests must not
/// become calls.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// A secret that is read when it is first needed, kept, and read again when it proves wrong: it
/// may have been replaced.
#[derive(Debug)]
pub struct CachedSecret {
    source: SecretSource,
    secrets: Secrets,
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    value: Option<SecretString>,
    read_again_at: Option<Instant>,
}

impl CachedSecret {
    /// The secret at `source`, not yet read.
    pub fn new(source: SecretSource, secrets: Secrets) -> Self {
        Self { source, secrets, cached: Mutex::default() }
    }

    /// The secret, as it was last read.
    pub async fn get(&self) -> Result<SecretString, SecretError> {
        let mut cached = self.cached.lock().await;
        if let Some(value) = &cached.value {
            return Ok(value.clone());
        }
        let value = self.secrets.read(&self.source).await?;
        cached.value = Some(value.clone());
        Ok(value)
    }

    /// Another value than `wrong`, where there is one.
    pub async fn other_than(&self, wrong: &SecretString) -> Result<Option<SecretString>, SecretError> {
        let differs = |value: &SecretString| value.expose_secret() != wrong.expose_secret();
        let mut cached = self.cached.lock().await;
        if let Some(value) = cached.value.as_ref().filter(|value| differs(value)) {
            return Ok(Some(value.clone()));
        }
        if cached.read_again_at.is_some_and(|at| at.elapsed() < PATIENCE) {
            return Ok(None);
        }
        cached.read_again_at = Some(Instant::now());
        let value = self.secrets.read(&self.source).await?;
        cached.value = Some(value.clone());
        Ok(Some(value).filter(differs))
    }
}
