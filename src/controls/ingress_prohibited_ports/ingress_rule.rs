//! The change that closes a port: an ingress rule that is revoked.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::cause;
use super::opened::protocol_name;
use crate::controls::cause::{Call, Effect};
use crate::controls::change::ChangeFacts;
use crate::controls::exposure::Exposure;
use crate::controls::kind::ViolationType;
use crate::controls::severity::Severity;
use crate::shapes::ingress::{opened_ports, traffic};
use crate::shapes::ports::ProhibitedPorts;

/// How many entries of a prefix list are said.
const RANGES_SHOWN: usize = 3;

/// Where databases and caches listen: SQL Server, Oracle, MySQL, PostgreSQL, Redshift, CouchDB,
/// Redis, Cassandra, Elasticsearch, Memcached, MongoDB.
static DATABASES: LazyLock<ProhibitedPorts> = LazyLock::new(|| {
    "1433-1434,1521,3306,5432-5433,5439,5984,6379-6380,7000-7001,9042,9200,9300,11211,27017-27019"
        .parse()
        .expect("constant ports are valid")
});

/// Where one logs in: SSH, Telnet, SMB, Docker, Remote Desktop, VNC, WinRM, Kubernetes.
static LOGINS: LazyLock<ProhibitedPorts> = LazyLock::new(|| {
    "22-23,135,139,445,2375-2376,3389,5900-5901,5985-5986,6443,10250"
        .parse()
        .expect("constant ports are valid")
});

/// Where web servers listen.
const WEB: [&str; 4] = ["80", "443", "8080", "8443"];

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
    /// What somebody wrote beside it.
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
    fn traffic(&self) -> String {
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

    /// `revoke tcp 22 from 0.0.0.0/0 (sgr-1)`
    fn revocation(&self) -> String {
        let (traffic, rule_id) = (self.traffic(), &self.rule_id);
        match &self.source {
            IngressSource::Cidr(cidr) => format!("revoke {traffic} from {cidr} ({rule_id})"),
            IngressSource::PrefixList(list) if list.has_others => format!(
                "take {} out of the prefix list {}, which opens {traffic} ({rule_id})",
                list.ranges(),
                list.id
            ),
            IngressSource::PrefixList(list) => {
                format!(
                    "revoke {traffic} from {} (prefix list {}, {rule_id})",
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

impl ChangeFacts for IngressRule {
    fn kind(&self) -> ViolationType {
        ViolationType::Ec2SgProhibitedPort
    }

    fn is_left_to_people(&self) -> bool {
        self.is_left_to_people
    }

    fn is_by_hand(&self) -> bool {
        matches!(&self.source, IngressSource::PrefixList(list) if list.has_others)
    }

    fn exposes(&self) -> String {
        format!("{} is reachable from {}", self.traffic(), self.source)
    }

    fn will(&self) -> String {
        self.revocation()
    }

    /// Every port is worse than any of them: it holds the databases'.
    fn severity(&self) -> Severity {
        let (from, to) = (self.from_port.map(i64::from), self.to_port.map(i64::from));
        match opened_ports(&self.protocol, from, to) {
            Some(ports) if DATABASES.touch(ports) => Severity::Critical,
            Some(ports) if LOGINS.touch(ports) => Severity::High,
            Some(ports) if WEB.contains(&ports.to_string().as_str()) => Severity::Low,
            Some(_) | None => Severity::Medium,
        }
    }

    fn exposure(&self) -> Option<Exposure> {
        let protocol = protocol_name(&self.protocol);
        let given = |port: Option<i32>| port.filter(|port| *port != -1);
        let (from_port, to_port) = match (protocol, given(self.from_port), given(self.to_port)) {
            ("-1", ..) => (None, None),
            ("tcp" | "udp", None, None) => (Some(0), Some(65535)),
            (_, from, to) => (from, to),
        };
        let protocol = protocol.to_owned();
        Some(match &self.source {
            IngressSource::Cidr(cidr) => {
                let cidr = cidr
                    .parse::<IpNet>()
                    .map_or_else(|_| cidr.clone(), |net| net.trunc().to_string());
                Exposure::Ingress {
                    protocol,
                    from_port,
                    to_port,
                    cidr,
                }
            }
            IngressSource::PrefixList(list) => Exposure::PrefixList {
                protocol,
                from_port,
                to_port,
                prefix_list: list.id.clone(),
                open: list.open.clone(),
                has_others: list.has_others,
            },
        })
    }

    fn effects(&self, call: &Call) -> Vec<(&'static str, Effect)> {
        cause::adds(call, self)
            .then_some(("ingress", Effect::Added))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_outranks_a_login_and_that_a_web_port() {
        let of = |protocol: &str, from, to| {
            let rule = IngressRule {
                rule_id: "sgr-1".to_owned(),
                protocol: protocol.to_owned(),
                from_port: Some(from),
                to_port: Some(to),
                source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
                description: None,
                is_left_to_people: false,
            };
            rule.severity()
        };
        assert_eq!(of("tcp", 5432, 5432), Severity::Critical);
        assert_eq!(of("-1", -1, -1), Severity::Critical);
        assert_eq!(of("tcp", 22, 22), Severity::High);
        assert_eq!(of("tcp", 443, 443), Severity::Low);
        assert_eq!(of("tcp", 50000, 50010), Severity::Medium);
        assert_eq!(of("icmp", -1, -1), Severity::Medium);
    }
}
