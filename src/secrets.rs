//! Secrets: from the environment, or by name from the SSM Parameter Store; never printed.

use std::time::Duration;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::aws::AwsError;
use crate::clock::Clock;

/// The IAM actions of reading secrets: SSM decrypts in the caller's name.
pub const ACTIONS: &[&str] = &["kms:Decrypt", "ssm:GetParameter"];

/// The least time between two readings of a secret that proves wrong, so that forged requests do not each
/// make a call.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// The time after which a secret is read again: one that was rotated out stops working by then.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// How much longer a secret is used while it cannot be read again.
const KEPT: SignedDuration = SignedDuration::from_secs(300);

/// The time after a failed reading until the next one.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The time that a reading may take, where the last value can still be used and where it cannot. Slack waits
/// three seconds.
const READING_ANEW: Duration = Duration::from_secs(1);
const READING: Duration = Duration::from_secs(2);

/// The place of a secret.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// The secret itself.
    Value(SecretString),
    /// The name of a SecureString in the Parameter Store.
    Parameter(String),
}

/// Reads secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// SSM's client.
    pub ssm: aws_sdk_ssm::Client,
    /// The clock that tells how old a secret is.
    pub clock: Clock,
}

/// The reason why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The Parameter Store refused, or did not answer.
    #[error("the parameter {name} cannot be read: {source}")]
    Aws {
        /// The parameter's name.
        name: String,
        /// AWS's reason.
        source: AwsError,
    },
    /// Reading took too long.
    #[error("the secret could not be read in time")]
    Slow,
    /// A reading failed a few seconds ago, and is not repeated at every request.
    #[error("the secret could not be read a few seconds ago; it is read again {} seconds after that", PAUSE.as_secs())]
    JustFailed,
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
        let answer = self
            .ssm
            .get_parameter()
            .name(name)
            .with_decryption(true)
            .send()
            .boxed()
            .await;
        let answer = answer.map_err(|error| SecretError::Aws {
            name: name.clone(),
            source: AwsError::from_sdk("ssm:GetParameter", error),
        })?;
        let value = answer
            .parameter
            .and_then(|parameter| parameter.value)
            .filter(|value| !value.trim().is_empty());
        value
            .map(|value| SecretString::from(value.trim()))
            .ok_or_else(|| SecretError::Empty(name.clone()))
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
    /// The time at which the value was read.
    read_at: Option<Timestamp>,
    /// The time at which reading last failed.
    failed_at: Option<Timestamp>,
    /// The time at which a value that proved wrong was last read again.
    read_again_at: Option<Timestamp>,
}

/// The use of a cached value, by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is used as it is.
    Fresh,
    /// It is read again; if that fails the old value is used.
    Stale,
    /// It is not used: it is read again, or there is none.
    Expired,
}

/// Whether less than `limit` has passed since a time. It has not where the clock was put back.
fn is_within(limit: SignedDuration, since: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..limit).contains(&now.duration_since(since))
}

impl Cached {
    fn standing(&self, now: Timestamp) -> Standing {
        match self.read_at.map(|at| now.duration_since(at)) {
            None => Standing::Expired,
            // The clock was put back: the age is not known.
            Some(age) if age.is_negative() => Standing::Expired,
            Some(age) if age < FRESH => Standing::Fresh,
            Some(age) if age >= FRESH + KEPT => Standing::Expired,
            // While the Parameter Store fails, not every request waits for it.
            Some(_) if self.has_just_failed(now) => Standing::Fresh,
            Some(_) => Standing::Stale,
        }
    }

    fn has_just_failed(&self, now: Timestamp) -> bool {
        self.failed_at.is_some_and(|at| is_within(PAUSE, at, now))
    }

    fn keep(&mut self, value: &SecretString, now: Timestamp) {
        (self.value, self.read_at, self.failed_at) = (Some(value.clone()), Some(now), None);
    }
}

impl CachedSecret {
    /// The secret at `source`, not yet read.
    pub fn new(source: SecretSource, secrets: Secrets) -> Self {
        Self {
            source,
            secrets,
            cached: Mutex::default(),
        }
    }

    /// The secret, as it was read within the last minute, or within the last six where it cannot be read
    /// again.
    pub async fn get(&self) -> Result<SecretString, SecretError> {
        self.get_at(self.secrets.clock.now()).await
    }

    async fn get_at(&self, now: Timestamp) -> Result<SecretString, SecretError> {
        let mut cached = self.cached.lock().await;
        let standing = cached.standing(now);
        let last = match (&cached.value, standing) {
            (Some(value), Standing::Fresh) => return Ok(value.clone()),
            (Some(value), Standing::Stale) => Some(value.clone()),
            _ if cached.has_just_failed(now) => return Err(SecretError::JustFailed),
            _ => None,
        };
        // Other requests wait for this reading.
        let patience = if last.is_some() {
            READING_ANEW
        } else {
            READING
        };
        let read = tokio::time::timeout(patience, self.secrets.read(&self.source)).await;
        match (read.unwrap_or(Err(SecretError::Slow)), last) {
            (Ok(value), _) => {
                cached.keep(&value, now);
                Ok(value)
            }
            (Err(error), last) => {
                cached.failed_at = Some(now);
                let Some(last) = last else { return Err(error) };
                tracing::error!(%error, "a secret cannot be read anew: the last one is used for five minutes more");
                Ok(last)
            }
        }
    }

    /// Another value than `wrong`, where there is one.
    pub async fn other_than(
        &self,
        wrong: &SecretString,
    ) -> Result<Option<SecretString>, SecretError> {
        let differs = |value: &SecretString| value.expose_secret() != wrong.expose_secret();
        let mut cached = self.cached.lock().await;
        if let Some(value) = cached.value.as_ref().filter(|value| differs(value)) {
            return Ok(Some(value.clone()));
        }
        let now = self.secrets.clock.now();
        if cached
            .read_again_at
            .is_some_and(|at| is_within(PATIENCE, at, now))
        {
            return Ok(None);
        }
        cached.read_again_at = Some(now);
        let read = tokio::time::timeout(READING, self.secrets.read(&self.source)).await;
        let value = read.unwrap_or(Err(SecretError::Slow))?;
        cached.keep(&value, now);
        Ok(Some(value).filter(differs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_anew_after_a_minute_and_outlives_the_store_for_five_more() {
        let now = Timestamp::UNIX_EPOCH;
        let mut cached = Cached::default();
        assert_eq!(cached.standing(now), Standing::Expired, "it was never read");
        cached.keep(&SecretString::from("secret"), now);
        let after = |seconds| now + SignedDuration::from_secs(seconds);
        assert_eq!(cached.standing(after(0)), Standing::Fresh);
        assert_eq!(cached.standing(after(-1)), Standing::Expired);
        assert_eq!(cached.standing(after(59)), Standing::Fresh);
        assert_eq!(cached.standing(after(60)), Standing::Stale);
        cached.failed_at = Some(after(60));
        assert!(!cached.has_just_failed(after(59)) && cached.has_just_failed(after(60)));
        assert_eq!(
            cached.standing(after(64)),
            Standing::Fresh,
            "it has just been tried"
        );
        assert_eq!(cached.standing(after(65)), Standing::Stale);
        assert_eq!(cached.standing(after(359)), Standing::Stale);
        assert_eq!(cached.standing(after(360)), Standing::Expired);
        cached.failed_at = Some(after(360));
        assert_eq!(
            cached.standing(after(361)),
            Standing::Expired,
            "tried or not"
        );
    }

    /// A secret whose store nobody answers for.
    fn unreachable() -> CachedSecret {
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_ssm::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_ssm::config::Credentials::for_tests())
            .retry_config(aws_sdk_ssm::config::retry::RetryConfig::disabled())
            .endpoint_url("http://127.0.0.1:1")
            .build();
        let ssm = aws_sdk_ssm::Client::from_conf(config);
        CachedSecret::new(
            SecretSource::Parameter("/defendable/secret".to_owned()),
            Secrets {
                ssm,
                clock: Clock::system(),
            },
        )
    }

    #[tokio::test]
    async fn while_the_store_cannot_be_reached_the_last_secret_serves_for_six_minutes_and_no_longer()
     {
        let (secret, now) = (unreachable(), Timestamp::UNIX_EPOCH);
        let after = |seconds| now + SignedDuration::from_secs(seconds);
        secret
            .cached
            .lock()
            .await
            .keep(&SecretString::from("last"), now);
        for seconds in [59, 61, 64, 359] {
            let value = secret.get_at(after(seconds)).await;
            assert_eq!(value.unwrap().expose_secret(), "last", "after {seconds} s");
        }
        assert!(
            matches!(
                secret.get_at(after(361)).await,
                Err(SecretError::JustFailed)
            ),
            "it was tried at 359"
        );
        assert!(
            matches!(
                secret.get_at(after(365)).await,
                Err(SecretError::Aws { .. })
            ),
            "it is tried"
        );
        assert!(matches!(
            secret.get_at(after(369)).await,
            Err(SecretError::JustFailed)
        ));
        assert!(matches!(
            secret.get_at(after(370)).await,
            Err(SecretError::Aws { .. })
        ));
    }

    #[tokio::test]
    async fn a_secret_that_was_never_read_is_not_asked_for_at_every_request() {
        let (secret, now) = (unreachable(), Timestamp::UNIX_EPOCH);
        assert!(matches!(
            secret.get_at(now).await,
            Err(SecretError::Aws { .. })
        ));
        assert!(matches!(
            secret.get_at(now + SignedDuration::from_secs(4)).await,
            Err(SecretError::JustFailed)
        ));
        assert!(matches!(
            secret.get_at(now + SignedDuration::from_secs(5)).await,
            Err(SecretError::Aws { .. })
        ));
    }
}
