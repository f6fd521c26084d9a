//! What CloudTrail has recorded of a call, and what the call did to something that a fix takes away, or has.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// A record of CloudTrail, as far as we read it.
/// ([Record contents](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html))
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// `PutBucketAcl`
    pub event_name: String,
    /// The time at which it was made.
    pub event_time: Timestamp,
    /// From where: an address, or an AWS service's name.
    #[serde(default, rename = "sourceIPAddress")]
    pub source_ip_address: Option<String>,
    /// The program that made it.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// The principal that made it.
    #[serde(default)]
    pub user_identity: Identity,
    /// Why it failed, where it did.
    #[serde(default)]
    pub error_code: Option<String>,
    /// The parameters of the request.
    #[serde(default)]
    pub request_parameters: Value,
    /// The elements of the answer.
    #[serde(default)]
    pub response_elements: Value,
}

/// The principal that made a call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `arn:aws:iam::123456789012:user/alice`
    #[serde(default)]
    pub arn: Option<String>,
    /// `alice`
    #[serde(default)]
    pub user_name: Option<String>,
    /// The AWS service that made it for somebody.
    #[serde(default)]
    pub invoked_by: Option<String>,
    /// `IAMUser`
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

/// What a call did to one thing that decides whether something is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It has added what is open, whatever was there before.
    Added,
    /// It is open after the call.
    Opened,
    /// A setting that may have kept it closed is off after the call. Where nothing is known of before, it may have
    /// been off for ever.
    Lifted,
    /// It is open after the call, and whether that was a step down is only known where it is known to have
    /// been closed before.
    LeftOpen,
    /// It is closed after the call.
    Closed,
}

impl Effect {
    /// By whether it is open after the call.
    pub fn of(is_open: bool) -> Self {
        if is_open { Self::Opened } else { Self::Closed }
    }
}
