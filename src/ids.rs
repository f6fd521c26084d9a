//! Identifiers, each its own type; parsing is the only way in.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Why a text is not the identifier that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidId {
    text: String,
    expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    let text = text.chars().take(80).collect();
                    Err(InvalidId { text, expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// An AWS account: twelve digits, `123456789012`.
    AccountId,
    "an AWS account id (twelve digits, such as 123456789012)",
    |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

id! {
    /// An AWS region: `us-east-1`.
    Region,
    "an AWS region (such as us-east-1)",
    |text| {
        !text.is_empty()
            && text.len() <= 32
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }
}

id! {
    /// A name of an AWS Config rule: `defendable-restricted-ports`.
    /// At most 128 characters
    /// ([ConfigRule](https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigRule.html)).
    RuleName,
    "a rule name of AWS Config (1 to 128 characters)",
    |text| !text.is_empty() && text.chars().count() <= 128 && !text.chars().any(char::is_control)
}

id! {
    /// A resource type as AWS Config spells it: `AWS::EC2::SecurityGroup`, and of others than AWS
    /// `MongoDB::Atlas::Cluster`.
    ResourceType,
    "a resource type of AWS Config (such as AWS::EC2::SecurityGroup)",
    |text| {
        text.contains("::")
            && !text.starts_with(':')
            && text.len() <= 196
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':')
    }
}

id! {
    /// A channel of Slack: `C0ALERTS`, and `G0ALERTS` of older private ones.
    ChannelId,
    "a channel's id (such as C0ALERTS)",
    |text| {
        text.len() >= 2
            && text.starts_with(['C', 'G'])
            && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    }
}

id! {
    /// The id of a message in SQS: `5fea7756-0ea4-451a-a703-a558b933e274`. At most 100 characters
    /// ([identifiers](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html)).
    MessageId,
    "the id of a message (such as 5fea7756-0ea4-451a-a703-a558b933e274)",
    |text| {
        (8..=100).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }
}

/// A part of AWS with accounts, ARNs and a console of its own.
/// ([Partitions](https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html))
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// `aws`
    Commercial,
    /// `aws-cn`
    China,
    /// `aws-us-gov`
    UsGov,
}

impl Partition {
    /// The host of its console, behind the region.
    pub fn console(self) -> &'static str {
        match self {
            Self::Commercial => "console.aws.amazon.com",
            Self::China => "console.amazonaws.cn",
            Self::UsGov => "console.amazonaws-us-gov.com",
        }
    }
}

impl Region {
    /// The partition that has the region.
    pub fn partition(&self) -> Partition {
        match self.as_str() {
            region if region.starts_with("cn-") => Partition::China,
            region if region.starts_with("us-gov-") => Partition::UsGov,
            _ => Partition::Commercial,
        }
    }
}

impl ResourceType {
    /// `AWS::EC2::SecurityGroup`
    pub const SECURITY_GROUP: &str = "AWS::EC2::SecurityGroup";
    /// `AWS::S3::Bucket`
    pub const BUCKET: &str = "AWS::S3::Bucket";
    /// `AWS::S3::AccountPublicAccessBlock`, whose id is the account's.
    pub const ACCOUNT_BLOCK: &str = "AWS::S3::AccountPublicAccessBlock";
}

id! {
    /// A resource's id as AWS Config gives it: `sg-0123456789abcdef0`, a bucket's name.
    /// At most 768 characters
    /// ([ResourceKey](https://docs.aws.amazon.com/config/latest/APIReference/API_ResourceKey.html)).
    ResourceId,
    "a resource id (1 to 768 characters)",
    |text| !text.is_empty() && text.chars().count() <= 768 && !text.chars().any(char::is_control)
}

id! {
    /// A finding: `f-3fa9c01b22de`. Short and stable, so that it can be typed in `/dd fix <id>`.
    FindingId,
    "a finding id (f- and twelve hexadecimal digits, such as f-3fa9c01b22de)",
    |text| is_hex(text, "f-", 12)
}

id! {
    /// A digest, in which the findings of a storm are gathered: `d-3fa9c01b22de`.
    DigestId,
    "a digest's id (d- and twelve hexadecimal digits, such as d-3fa9c01b22de)",
    |text| is_hex(text, "d-", 12)
}

id! {
    /// A plan, by what it would change: `p-` and the 64 digits of a SHA-256.
    PlanDigest,
    "a plan's digest (p- and 64 hexadecimal digits)",
    |text| is_hex(text, "p-", 64)
}

id! {
    /// A stored list of findings and plans, to which somebody may say yes: `l-` and the 64 digits of a SHA-256.
    PlanListId,
    "a plan list's id (l- and 64 hexadecimal digits)",
    |text| is_hex(text, "l-", 64)
}

fn is_hex(text: &str, prefix: &str, digits: usize) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        rest.len() == digits
            && rest
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A resource's full address. Nothing else identifies one: ids repeat across accounts and regions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// The owning account.
    pub account: AccountId,
    /// The region that it lives in.
    pub region: Region,
    /// What it is.
    #[serde(rename = "type")]
    pub resource_type: ResourceType,
    /// Which one it is.
    pub id: ResourceId,
}

impl DigestId {
    /// The id of the digest that begins with a finding in a channel.
    pub fn of(channel: &str, first: &FindingId, begun_at: Timestamp) -> Self {
        Self(format!(
            "d-{}",
            short_hash(&[channel, first.as_str(), &begun_at.to_string()])
        ))
    }
}

fn short_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..6])
}

impl FindingId {
    /// The id of what violates a control in `resource`, by the control's key. The same inputs always
    /// give the same id, so that every notification, request and report about it meets in one record.
    pub fn of_control(key: &str, resource: &Resource) -> Self {
        Self::of("control", key, resource)
    }

    /// The id of what a rule without a control says of `resource`. Until version 0.1 all findings had
    /// such ids; those of controls are aliases now.
    pub fn of_rule(rule: &RuleName, resource: &Resource) -> Self {
        let Resource {
            account,
            region,
            resource_type,
            id,
        } = resource;
        let parts = [
            account.as_str(),
            region.as_str(),
            rule.as_str(),
            resource_type.as_str(),
            id.as_str(),
        ];
        Self(format!("f-{}", short_hash(&parts)))
    }

    fn of(kind: &str, key: &str, resource: &Resource) -> Self {
        let Resource {
            account,
            region,
            resource_type,
            id,
        } = resource;
        let parts = [
            kind,
            key,
            account.as_str(),
            region.as_str(),
            resource_type.as_str(),
            id.as_str(),
        ];
        Self(format!("f-{}", short_hash(&parts)))
    }
}

impl PlanDigest {
    /// The digest of a plan's canonical text.
    pub fn of(canonical: &str) -> Self {
        Self(format!("p-{}", hex::encode(Sha256::digest(canonical))))
    }
}

impl PlanListId {
    /// The id of a list's canonical text.
    pub fn of(canonical: &str) -> Self {
        Self(format!("l-{}", hex::encode(Sha256::digest(canonical))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str) -> Resource {
        Resource {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            resource_type: ResourceType::SECURITY_GROUP.parse().unwrap(),
            id: id.parse().unwrap(),
        }
    }

    #[test]
    fn a_finding_id_is_stable_printable_and_parses_back() {
        let id = FindingId::of_control("bucket-public", &group("sg-1"));
        assert_eq!(id, FindingId::of_control("bucket-public", &group("sg-1")));
        assert_ne!(id, FindingId::of_control("bucket-public", &group("sg-2")));
        assert_ne!(
            id,
            FindingId::of_rule(&"bucket-public".parse().unwrap(), &group("sg-1"))
        );
        assert_eq!(id.as_str().parse::<FindingId>(), Ok(id));
    }

    #[test]
    fn malformed_ids_are_refused_with_what_was_expected() {
        assert!("1234".parse::<AccountId>().is_err());
        assert!("f-xyz".parse::<FindingId>().is_err());
        assert!("US EAST".parse::<Region>().is_err());
        let error = "x"
            .repeat(500)
            .parse::<FindingId>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("such as f-3fa9c01b22de") && error.len() < 200,
            "{error}"
        );
    }

    #[test]
    fn resource_types_of_others_than_aws_are_types_too() {
        for other in [
            "MongoDB::Atlas::Cluster",
            "AWS::::Account",
            "Datadog::Monitors::Monitor",
        ] {
            assert!(other.parse::<ResourceType>().is_ok(), "{other}");
        }
        for wrong in ["", "Bucket", "::X", "AWS::S3 Bucket", "AWS::S3::<!channel>"] {
            assert!(wrong.parse::<ResourceType>().is_err(), "{wrong}");
        }
    }
}
