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

/// How long a secret is used before it is read anew: one that was rotated out stops working by then.
const FRESH: Duration = Duration::from_secs(60);

/// How much longer it is used while it cannot be read anew.
const KEPT: Duration = Duration::from_secs(300);

/// How long until reading it anew is tried again after it failed, and how long that may take.
const PAUSE: Duration = Duration::from_secs(5);
const READING: Duration = Duration::from_secs(1);

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
    /// It took too long.
    #[error("the secret could not be read in time")]
    Slow,
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

/// A secret that is read when it is first needed, kept for a minute, and read again when it proves wrong: it
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
    /// When the value was read.
    read_at: Option<Instant>,
    /// When reading it anew last failed.
    failed_at: Option<Instant>,
    /// When a value that proved wrong was last read again.
    read_again_at: Option<Instant>,
}

/// What a cached value is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is used as it is.
    Fresh,
    /// It is read anew; where that fails it is used all the same.
    Stale,
    /// It is read anew, or there is none.
    Expired,
}

impl Cached {
    fn standing(&self, now: Instant) -> Standing {
        let since = |at: Instant| now.saturating_duration_since(at);
        match self.read_at.map(since) {
            None => Standing::Expired,
            Some(age) if age < FRESH => Standing::Fresh,
            Some(age) if age >= FRESH + KEPT => Standing::Expired,
            // While the store fails, not every request waits for it.
            Some(_) if self.failed_at.is_some_and(|at| since(at) < PAUSE) => Standing::Fresh,
            Some(_) => Standing::Stale,
        }
    }

    fn keep(&mut self, value: &SecretString, now: Instant) {
        (self.value, self.read_at, self.failed_at) = (Some(value.clone()), Some(now), None);
    }
}

impl CachedSecret {
    /// The secret at `source`, not yet read.
    pub fn new(source: SecretSource, secrets: Secrets) -> Self {
        Self { source, secrets, cached: Mutex::default() }
    }

    /// The secret, as it was read within the last minute; where it cannot be read anew, within the last
    /// six.
    pub async fn get(&self) -> Result<SecretString, SecretError> {
        let mut cached = self.cached.lock().await;
        let standing = cached.standing(Instant::now());
        if let (Some(value), Standing::Fresh) = (&cached.value, standing) {
            return Ok(value.clone());
        }
        let last = cached.value.clone().filter(|_| standing == Standing::Stale);
        let read = match &last {
            // Whoever waits for an answer has one that is good enough.
            Some(_) => tokio::time::timeout(READING, self.secrets.read(&self.source)).await.ok(),
            None => Some(self.secrets.read(&self.source).await),
        };
        match (read, last) {
            (Some(Ok(value)), _) => {
                cached.keep(&value, Instant::now());
                Ok(value)
            }
            (failed, Some(last)) => {
                let error = failed.map_or_else(|| "it takes long".to_owned(), |failed| words(&failed));
                tracing::error!(
                    error,
                    "a secret cannot be read anew: the last one is used for five minutes more"
                );
                cached.failed_at = Some(Instant::now());
                Ok(last)
            }
            (Some(Err(error)), None) => Err(error),
            (None, None) => Err(SecretError::Slow),
        }
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
        cached.keep(&value, Instant::now());
        Ok(Some(value).filter(differs))
    }
}

fn words(failed: &Result<SecretString, SecretError>) -> String {
    match failed {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_anew_after_a_minute_and_outlives_the_store_for_five_more() {
        let now = Instant::now();
        let mut cached = Cached::default();
        assert_eq!(cached.standing(now), Standing::Expired, "it was never read");
        cached.keep(&SecretString::from("secret"), now);
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(cached.standing(after(59)), Standing::Fresh);
        assert_eq!(cached.standing(after(60)), Standing::Stale);
        cached.failed_at = Some(after(60));
        assert_eq!(cached.standing(after(64)), Standing::Fresh, "it has just been tried");
        assert_eq!(cached.standing(after(65)), Standing::Stale);
        assert_eq!(cached.standing(after(359)), Standing::Stale);
        assert_eq!(cached.standing(after(360)), Standing::Expired);
        cached.failed_at = Some(after(360));
        assert_eq!(cached.standing(after(361)), Standing::Expired, "tried or not");
    }
}
