//! What no configuration item tells of: the account's settings, or the organisation's, are lowered, and what
//! they had made ineffective counts again. AWS Config is asked to judge all buckets anew; and once a day,
//! whatever is seen.

use jiff::{SignedDuration, Timestamp};

use super::{Notifier, NotifierError};
use crate::aws::bucket::{self, PublicAccessBlock};
use crate::aws::{AwsError, AwsErrorKind};
use crate::finding::judged_again::JudgedAgain;
use crate::ids::ResourceType;

/// How long until buckets are judged again whatever is seen.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Whether something that was ineffective counts again.
fn is_lowered(before: PublicAccessBlock, now: PublicAccessBlock) -> bool {
    (before.ignore_public_acls && !now.ignore_public_acls)
        || (before.restrict_public_buckets && !now.restrict_public_buckets)
}

impl Notifier {
    /// The rules are asked first, and that is noted then: twice does no harm.
    pub(super) async fn judge_again(&self, now: Timestamp) -> Result<(), NotifierError> {
        let block = match self.account_block().await {
            Ok(block) => block,
            Err(error) => {
                tracing::warn!(%error, "the account's Public Access Block cannot be read");
                return Ok(());
            }
        };
        match self.table.judged_again().await? {
            Some(last) if last.block == block && now.duration_since(last.at) < EVERY => return Ok(()),
            Some(last) if is_lowered(last.block, block) || now.duration_since(last.at) >= EVERY => {
                if let Err(error) = self.start_evaluation().await {
                    tracing::warn!(%error, "AWS Config does not judge the buckets again yet: it is asked in a minute");
                    return Ok(());
                }
            }
            // A rule judges everything when it is new; and what is raised is seen when it matters.
            Some(_) | None => {}
        }
        Ok(self.table.note_judged_again(JudgedAgain { at: now, block }).await?)
    }

    async fn account_block(&self) -> Result<PublicAccessBlock, AwsError> {
        let aws = &self.remediations.aws;
        let region = aws.home_region()?;
        bucket::account_block(&aws.s3_control(&self.home, &region)?, &self.home).await
    }

    /// One rule at a time: other names that our rule has may be of other regions.
    async fn start_evaluation(&self) -> Result<(), AwsError> {
        let buckets = ResourceType::BUCKET.parse().expect("a resource type");
        for name in self.remediations.rules.names(&buckets) {
            let start = self.config.start_config_rules_evaluation().config_rule_names(name).send().await;
            match start.map_err(|error| AwsError::from_sdk("config:StartConfigRulesEvaluation", error)) {
                Ok(_) => tracing::info!(rule = name, "AWS Config judges all buckets again"),
                Err(error) if error.kind == AwsErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_lowered_where_a_setting_that_was_on_is_off() {
        let block = |ignore_public_acls, restrict_public_buckets| PublicAccessBlock {
            ignore_public_acls,
            restrict_public_buckets,
        };
        assert!(is_lowered(block(true, true), block(true, false)));
        assert!(is_lowered(block(true, false), block(false, true)), "one is lowered, one raised");
        assert!(!is_lowered(block(false, true), block(true, true)));
        assert!(!is_lowered(block(false, false), block(false, false)));
    }
}
