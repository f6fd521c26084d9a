//! The EventBridge rule that switches auto-response. It is only enabled and disabled: PutRule would null
//! every field that it is not given.

use aws_sdk_eventbridge::types::RuleState;
use futures::FutureExt;

use crate::aws::AwsError;
use crate::contracts::Switch;

/// The scheduled rule.
#[derive(Debug, Clone)]
pub struct ScheduledRule {
    /// EventBridge's client.
    pub eventbridge: aws_sdk_eventbridge::Client,
    /// The rule's name.
    pub name: String,
}

impl ScheduledRule {
    /// The state of the rule, which AWS acts by.
    pub async fn state(&self) -> Result<Switch, AwsError> {
        let rule = self
            .eventbridge
            .describe_rule()
            .name(&self.name)
            .send()
            .boxed()
            .await;
        let rule = rule.map_err(|error| AwsError::from_sdk("events:DescribeRule", error))?;
        Ok(if rule.state() == Some(&RuleState::Enabled) {
            Switch::On
        } else {
            Switch::Off
        })
    }

    /// Enables or disables the rule. That takes effect within a minute; a run that has begun goes on.
    pub async fn set(&self, switch: Switch) -> Result<(), AwsError> {
        match switch {
            Switch::On => {
                let enabled = self
                    .eventbridge
                    .enable_rule()
                    .name(&self.name)
                    .send()
                    .boxed()
                    .await;
                enabled
                    .map(drop)
                    .map_err(|error| AwsError::from_sdk("events:EnableRule", error))
            }
            Switch::Off => {
                let disabled = self
                    .eventbridge
                    .disable_rule()
                    .name(&self.name)
                    .send()
                    .boxed()
                    .await;
                disabled
                    .map(drop)
                    .map_err(|error| AwsError::from_sdk("events:DisableRule", error))
            }
        }
    }
}
