//! Who opened what a finding is about, as far as CloudTrail tells.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::controls::Control;
use crate::ids::Resource;

/// When to look, seconds after the finding was shown and after each look that found nothing:
/// CloudTrail
/// [delivers](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html)
/// within five minutes on average. SQS delays a message for 15 minutes at most.
pub const LOOKS: [u32; 4] = [1, 60, 240, 600];

/// The call that broke the rule, as CloudTrail has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// The principal: `arn:aws:iam::123456789012:user/alice`.
    pub principal: String,
    /// The call: `AuthorizeSecurityGroupIngress`.
    pub call: String,
    /// When CloudTrail recorded the call.
    pub at: Timestamp,
    /// From where: an address, or an AWS service's name.
    pub source_address: Option<String>,
    /// The tool that made the call, where its name tells: `Terraform`, `a Kubernetes controller`.
    #[serde(default)]
    pub agent: Option<String>,
}

/// Whether it is worth asking about a resource.
pub fn can_be_known(resource: &Resource) -> bool {
    Control::of_resource(&resource.resource_type)
        .next()
        .is_some()
}
