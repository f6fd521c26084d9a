//! What is said of an ingress rule that is revoked, and how it counts.

use std::sync::LazyLock;

use ipnet::IpNet;

use super::cause;
use super::ingress_rule::{IngressRule, IngressSource};
use super::opened::protocol_name;
use crate::controls::cause::{Call, Effect};
use crate::controls::change::ChangeFacts;
use crate::controls::exposure::Exposure;
use crate::controls::kind::ViolationType;
use crate::controls::severity::Severity;
use crate::shapes::ingress::opened_ports;
use crate::shapes::ports::ProhibitedPorts;

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

/// The ports of web servers.
const WEB: [&str; 4] = ["80", "443", "8080", "8443"];

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
        self.revocation(("revoke", "take"))
    }

    fn done(&self) -> String {
        self.revocation(("revoked", "took"))
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
        cause::effects(call, self)
    }

    fn calls_on_others(&self) -> &'static [&'static str] {
        match &self.source {
            IngressSource::Cidr(_) => &[],
            IngressSource::PrefixList(_) => cause::OF_PREFIX_LISTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SSH from everywhere.
    fn ssh() -> IngressRule {
        IngressRule {
            rule_id: "sgr-1".to_owned(),
            protocol: "tcp".to_owned(),
            from_port: Some(22),
            to_port: Some(22),
            source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
            description: None,
            is_left_to_people: false,
        }
    }

    #[test]
    fn a_database_outranks_a_login_and_that_a_web_port() {
        let of = |protocol: &str, from, to| {
            let rule = IngressRule {
                protocol: protocol.to_owned(),
                from_port: Some(from),
                to_port: Some(to),
                ..ssh()
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

    #[test]
    fn a_rule_is_told_of_by_its_traffic_its_source_and_its_id() {
        let mut rule = IngressRule {
            is_left_to_people: true,
            ..ssh()
        };
        assert!(rule.is_left_to_people() && !rule.is_by_hand());
        assert_eq!(rule.exposes(), "tcp 22 is reachable from 0.0.0.0/0");
        assert_eq!(rule.will(), "revoke tcp 22 from 0.0.0.0/0 (sgr-1)");
        assert_eq!(rule.done(), "revoked tcp 22 from 0.0.0.0/0 (sgr-1)");
        assert!(rule.calls_on_others().is_empty());

        let open = ["0.0.0.0/0", "1.0.0.0/8", "2.0.0.0/8", "3.0.0.0/8"];
        rule.source = IngressSource::PrefixList(super::super::PrefixList {
            id: "pl-1".to_owned(),
            open: open.map(str::to_owned).into(),
            has_others: true,
        });
        rule.is_left_to_people = false;
        assert!(rule.is_by_hand() && !rule.is_left_to_people());
        assert_eq!(
            rule.exposes(),
            "tcp 22 is reachable from 0.0.0.0/0, 1.0.0.0/8, 2.0.0.0/8 and 1 more (prefix list pl-1)"
        );
        assert_eq!(
            rule.done(),
            "took 0.0.0.0/0, 1.0.0.0/8, 2.0.0.0/8 and 1 more out of the prefix list pl-1, which opens tcp 22 (sgr-1)"
        );
        assert_eq!(rule.calls_on_others(), cause::OF_PREFIX_LISTS);
    }

    #[test]
    fn a_call_tells_what_it_did_to_the_rule() {
        let rule = ssh();
        let call = serde_json::json!({"eventName": "AuthorizeSecurityGroupIngress",
            "eventTime": "2026-01-01T00:00:00Z", "responseElements": {"securityGroupRuleId": "sgr-1",
                "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "0.0.0.0/0"}});
        let call: Call = serde_json::from_value(call).unwrap();
        assert_eq!(rule.effects(&call), [("ingress", Effect::Added)]);
    }
}
