//! Sessions: the configuration, credentials included, with which an account is asked.

use std::fmt::Debug;

use aws_config::SdkConfig;

use super::AwsError;
use crate::ids::AccountId;

/// A way to get a session in an account.
pub trait Sessions: Debug + Send + Sync {
    /// The configuration of clients of `service` in `account`. An error where we have no access to it.
    fn session(&self, service: &'static str, account: &AccountId) -> Result<SdkConfig, AwsError>;
}

/// Sessions in one account: the one whose credentials Defendable runs with.
#[derive(Debug)]
pub struct OneAccount {
    /// The account.
    pub account: AccountId,
    /// The configuration of clients in this account.
    pub config: SdkConfig,
}

impl Sessions for OneAccount {
    fn session(&self, service: &'static str, account: &AccountId) -> Result<SdkConfig, AwsError> {
        if *account == self.account {
            return Ok(self.config.clone());
        }
        let message = format!(
            "Defendable runs in account {} and has no access to account {account}",
            self.account
        );
        Err(AwsError::other(service, "ForeignAccount", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AwsErrorKind;

    #[test]
    fn another_account_has_no_session() {
        let account: AccountId = "123456789012".parse().unwrap();
        let sessions = OneAccount {
            account: account.clone(),
            config: SdkConfig::builder().build(),
        };
        assert!(sessions.session("ec2", &account).is_ok());
        let other = "210987654321".parse().unwrap();
        let error = sessions.session("ec2", &other).unwrap_err();
        assert_eq!(error.kind, AwsErrorKind::Other);
        assert_eq!(
            error.to_string(),
            "ec2 failed: ForeignAccount: Defendable runs in account 123456789012 and has no access to account 210987654321"
        );
    }
}
