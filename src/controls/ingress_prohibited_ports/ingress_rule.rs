//! The change that closes a port: an ingress rule that is revoked.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shapes::ingress::traffic;

/// How many entries of a prefix list are said.
const RANGES_SHOWN: usize = 3;

/// An ingress rule of a security group, as EC2 holds it: one source, on some ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressRule {
    /// `sgr-0123456789abcdef0`
    pub rule_id: String,
    /// `tcp`, `udp`, `-1`, …
    pub protocol: String,
    /// First port, or ICMP type; -1 for all.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code; -1 for all.
    pub to_port: Option<i32>,
    /// The source that the rule lets in.
    #[serde(flatten)]
    pub source: IngressSource,
    /// The rule's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether auto-response leaves it to people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_left_to_people: bool,
}

/// Whom an ingress rule lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IngressSource {
    /// An address range: `0.0.0.0/0` or `::/0`.
    Cidr(String),
    /// A prefix list.
    PrefixList(PrefixList),
}

/// A prefix list that a rule refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrefixList {
    /// `pl-0123456789abcdef0`
    pub id: String,
    /// Its entries that let the internet in, `0.0.0.0/0`.
    pub open: BTreeSet<String>,
    /// Whether it has other entries: then the reference stays, and a person takes out the open ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_others: bool,
}

impl IngressRule {
    /// `tcp 22`, `tcp 1024-65535`, `all traffic`.
    pub(super) fn traffic(&self) -> String {
        traffic(
            &self.protocol,
            self.from_port.map(i64::from),
            self.to_port.map(i64::from),
        )
    }

    /// Whether both open the same ports to the same source, by whatever rule.
    pub(super) fn opens_the_same(&self, other: &Self) -> bool {
        let ports = |rule: &Self| (rule.protocol.clone(), rule.from_port, rule.to_port);
        let same_source = match (&self.source, &other.source) {
            (IngressSource::PrefixList(list), IngressSource::PrefixList(other)) => {
                list.id == other.id
            }
            (source, other) => source == other,
        };
        same_source && ports(self) == ports(other)
    }

    /// `revoke tcp 22 from 0.0.0.0/0 (sgr-1)`, by the verbs for a rule and for entries of a prefix list.
    pub(super) fn revocation(&self, (revoke, take): (&str, &str)) -> String {
        let (traffic, rule_id) = (self.traffic(), &self.rule_id);
        match &self.source {
            IngressSource::Cidr(cidr) => format!("{revoke} {traffic} from {cidr} ({rule_id})"),
            IngressSource::PrefixList(list) if list.has_others => format!(
                "{take} {} out of the prefix list {}, which opens {traffic} ({rule_id})",
                list.ranges(),
                list.id
            ),
            IngressSource::PrefixList(list) => {
                format!(
                    "{revoke} {traffic} from {} (prefix list {}, {rule_id})",
                    list.ranges(),
                    list.id
                )
            }
        }
    }
}

impl PrefixList {
    /// `0.0.0.0/0 and ::/0`; of many, the first.
    fn ranges(&self) -> String {
        let shown: Vec<&str> = self
            .open
            .iter()
            .take(RANGES_SHOWN)
            .map(String::as_str)
            .collect();
        match self.open.len().saturating_sub(RANGES_SHOWN) {
            0 => shown.join(" and "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// `0.0.0.0/0`, `0.0.0.0/0 (prefix list pl-1)`
impl fmt::Display for IngressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(cidr) => f.write_str(cidr),
            Self::PrefixList(list) => write!(f, "{} (prefix list {})", list.ranges(), list.id),
        }
    }
}
