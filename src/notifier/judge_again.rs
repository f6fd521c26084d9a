//! Changes that no item of a bucket or group tells of. Where the account's Public Access Block, or the
//! organisation's, is lowered, what it had made ineffective counts again: AWS Config is asked to judge all
//! buckets again. The block is compared every minute, and at once when the rule is invoked with the account's
//! item, which tells nothing of the organisation's policy. Where a prefix list gets other entries, the groups
//! that refer to it get no item: they, and the buckets, are judged again once a day.

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};

use super::{Notifier, NotifierError};
use crate::aws::bucket::{self, PublicAccessBlock};
use crate::aws::{AwsError, AwsErrorKind};
use crate::controls::evaluation::RuleKind;
use crate::ids::{ResourceType, RuleName};
use crate::store::JudgedAgain;

/// The time after which buckets and groups are judged again in any case.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Whether a setting is off now that was on before.
fn is_lowered(before: PublicAccessBlock, now: PublicAccessBlock) -> bool {
    (before.ignore_public_acls && !now.ignore_public_acls)
        || (before.restrict_public_buckets && !now.restrict_public_buckets)
}

/// The decision about a rule.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Note(JudgedAgain),
    Judge(JudgedAgain),
}

/// `block` is none where it cannot be read: it counts as off before it could be read once. A rule judges
/// everything when it is new; and what is raised is seen when it matters.
fn next(last: Option<JudgedAgain>, block: Option<PublicAccessBlock>, now: Timestamp) -> Next {
    let Some(last) = last else {
        let block = block.unwrap_or_default();
        return Next::Note(JudgedAgain { at: now, block });
    };
    let block = block.unwrap_or(last.block);
    match is_lowered(last.block, block) || now.duration_since(last.at) >= EVERY {
        true => Next::Judge(JudgedAgain { at: now, block }),
        false if block != last.block => Next::Note(JudgedAgain { block, ..last }),
        false => Next::Nothing,
    }
}

impl Notifier {
    /// Asks for each rule by itself: AWS Config takes one such request a minute, and a rule that it refuses is
    /// asked for again in the next ones.
    pub(super) async fn judge_again(&self, now: Timestamp) -> Result<(), NotifierError> {
        let block = self.account_block().await;
        if let Err(error) = &block {
            tracing::warn!(%error, "the account's Public Access Block cannot be read");
        }
        let block = block.ok();
        let heeds = |kind: &RuleKind| {
            kind.control()
                .scope()
                .contains(&ResourceType::ACCOUNT_BLOCK)
        };
        let mut kinds = RuleKind::ALL;
        // Rules that a lowered setting concerns come first.
        kinds.sort_by_key(|kind| !heeds(kind));
        for kind in kinds {
            let block = match heeds(&kind) {
                true => block,
                false => Some(PublicAccessBlock::default()),
            };
            for name in self.remediations.rules.names_of(kind) {
                self.judge_again_by(name, block, now).await?;
            }
        }
        Ok(())
    }

    /// AWS Config is asked first, and the time is stored after that: asking twice does no harm.
    async fn judge_again_by(
        &self,
        rule: &RuleName,
        block: Option<PublicAccessBlock>,
        now: Timestamp,
    ) -> Result<(), NotifierError> {
        let judged = match next(self.table.judged_again(rule).await?, block, now) {
            Next::Nothing => return Ok(()),
            Next::Note(judged) => judged,
            Next::Judge(judged) => {
                if let Err(error) = self.start_evaluation(rule).await {
                    tracing::warn!(%error, %rule, "AWS Config does not judge again yet: it is asked in a minute");
                    return Ok(());
                }
                judged
            }
        };
        Ok(self.table.note_judged_again(rule, judged).await?)
    }

    async fn account_block(&self) -> Result<PublicAccessBlock, AwsError> {
        let aws = &self.remediations.aws;
        let region = aws.home_region()?;
        bucket::account_block(&aws.s3_control(&self.home, &region)?, &self.home).await
    }

    /// Asks AWS Config to judge all resources of a rule. A rule that does not exist here counts as asked.
    async fn start_evaluation(&self, rule: &RuleName) -> Result<(), AwsError> {
        let start = self
            .config
            .start_config_rules_evaluation()
            .config_rule_names(rule.as_str())
            .send()
            .boxed()
            .await;
        match start.map_err(|error| AwsError::from_sdk("config:StartConfigRulesEvaluation", error))
        {
            Ok(_) => {
                tracing::info!(%rule, "AWS Config judges all its resources again");
                Ok(())
            }
            Err(error) if error.kind == AwsErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
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
        assert!(
            is_lowered(block(true, false), block(false, true)),
            "one is lowered, one raised"
        );
        assert!(!is_lowered(block(false, true), block(true, true)));
        assert!(!is_lowered(block(false, false), block(false, false)));
    }

    #[test]
    fn lowered_blocks_are_judged_at_once_and_everything_once_a_day() {
        let block = |is_on| PublicAccessBlock {
            ignore_public_acls: is_on,
            restrict_public_buckets: is_on,
        };
        let at = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let judged = |minutes, is_on| JudgedAgain {
            at: at(minutes),
            block: block(is_on),
        };
        assert_eq!(
            next(None, Some(block(true)), at(5)),
            Next::Note(judged(5, true)),
            "the rule is new"
        );
        assert_eq!(
            next(None, None, at(5)),
            Next::Note(judged(5, false)),
            "what cannot be read counts as off, and the days are counted"
        );
        let last = Some(judged(5, true));
        assert_eq!(next(last, Some(block(true)), at(6)), Next::Nothing);
        assert_eq!(
            next(last, Some(block(false)), at(6)),
            Next::Judge(judged(6, false))
        );
        assert_eq!(next(last, None, at(6)), Next::Nothing);
        assert_eq!(
            next(last, None, at(5 + 1440)),
            Next::Judge(judged(5 + 1440, true)),
            "read or not"
        );
        let raised = next(Some(judged(5, false)), Some(block(true)), at(6));
        assert_eq!(raised, Next::Note(judged(5, true)), "the day goes on");
    }
}
