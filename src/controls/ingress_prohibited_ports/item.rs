//! A security group as AWS Config's items have it.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};

use super::ranges::{Cidr, Ranges};
use crate::controls::evaluation::nullable;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecurityGroup {
    /// A group without rules has an empty list, or `null`. What has no such field was not read.
    #[serde(default, deserialize_with = "given")]
    ip_permissions: Option<Vec<IpPermission>>,
    /// What a template calls the description, which it must have.
    #[serde(default, rename = "GroupDescription")]
    group_description: Option<IgnoredAny>,
}

/// A list that is there, be it `null`.
fn given<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<IpPermission>>, D::Error> {
    nullable(deserializer).map(Some)
}

impl SecurityGroup {
    /// The permissions; what lacks them can only be called compliant by mistake.
    pub(super) fn permissions(&self) -> serde_json::Result<&[IpPermission]> {
        let reason = match (&self.ip_permissions, &self.group_description) {
            (Some(permissions), _) => return Ok(permissions),
            (None, Some(_)) => {
                "it is in CloudFormation's shape: this rule judges what exists, not templates"
            }
            (None, None) => "its configuration has no ipPermissions",
        };
        Err(serde_json::Error::custom(reason))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IpPermission {
    pub(super) ip_protocol: String,
    pub(super) from_port: Option<i64>,
    pub(super) to_port: Option<i64>,
    /// Repeats `ipv4_ranges` without descriptions; old items have nothing else.
    #[serde(default)]
    ip_ranges: Ranges<Cidr>,
    #[serde(default)]
    ipv4_ranges: Ranges<Ipv4Range>,
    #[serde(default)]
    ipv6_ranges: Ranges<Ipv6Range>,
    #[serde(default, deserialize_with = "nullable")]
    prefix_list_ids: Vec<PrefixListId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrefixListId {
    prefix_list_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ipv4Range {
    cidr_ip: Cidr,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ipv6Range {
    cidr_ipv6: Cidr,
}

impl From<Ipv4Range> for Cidr {
    fn from(range: Ipv4Range) -> Self {
        range.cidr_ip
    }
}

impl From<Ipv6Range> for Cidr {
    fn from(range: Ipv6Range) -> Self {
        range.cidr_ipv6
    }
}

impl IpPermission {
    /// The address ranges that it lets in.
    pub(super) fn ranges(&self) -> BTreeSet<IpNet> {
        self.ipv4_ranges
            .iter()
            .chain(self.ip_ranges.iter())
            .chain(self.ipv6_ranges.iter())
            .collect()
    }

    /// The ids of the prefix lists that it lets in.
    pub(super) fn prefix_lists(&self) -> impl Iterator<Item = &str> {
        self.prefix_list_ids
            .iter()
            .map(|list| list.prefix_list_id.as_str())
    }
}
