//! What CloudTrail has recorded of a call.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// A record of CloudTrail, as far as we read it.
/// ([Record contents](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html))
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace {
    pub(super) event_name: String,
    pub(super) event_time: Timestamp,
    #[serde(default, rename = "sourceIPAddress")]
    pub(super) source_ip_address: Option<String>,
    #[serde(default)]
    pub(super) user_agent: Option<String>,
    #[serde(default)]
    pub(super) user_identity: Identity,
    #[serde(default)]
    pub(super) error_code: Option<String>,
    #[serde(default)]
    pub(super) request_parameters: Value,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identity {
    #[serde(default)]
    pub(super) arn: Option<String>,
    #[serde(default)]
    pub(super) user_name: Option<String>,
    #[serde(default)]
    pub(super) invoked_by: Option<String>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
}
