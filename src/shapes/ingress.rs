//! What one ingress range of a security group opens. The rule (AWS Config's items) and the
//! remediation (EC2's live rules) both ask here, so that they cannot disagree.

use super::ports::{PortRange, ProhibitedPorts};

/// The TCP and UDP ports that a permission opens.
///
/// Protocol `-1` is every protocol, hence every port; AWS Config leaves its ports out and
/// DescribeSecurityGroupRules writes -1 for both. ICMP has no ports (its `fromPort` is a type),
/// nor has any other protocol.
pub fn opened_ports(
    protocol: &str,
    from_port: Option<i64>,
    to_port: Option<i64>,
) -> Option<PortRange> {
    match protocol {
        "-1" => Some(PortRange::ALL),
        "tcp" | "6" | "udp" | "17" => match (from_port, to_port) {
            (None | Some(-1), None | Some(-1)) => Some(PortRange::ALL),
            (from, to) => PortRange::new(from?, to?),
        },
        _ => None,
    }
}

/// Whether a permission for everybody would open a prohibited port.
pub fn opens_prohibited(
    prohibited: &ProhibitedPorts,
    protocol: &str,
    from_port: Option<i64>,
    to_port: Option<i64>,
) -> bool {
    opened_ports(protocol, from_port, to_port).is_some_and(|ports| prohibited.touch(ports))
}

/// `tcp 22`, `udp 1000-2000`, `all traffic`: protocol and ports as people say them.
pub fn traffic(protocol: &str, from_port: Option<i64>, to_port: Option<i64>) -> String {
    match opened_ports(protocol, from_port, to_port) {
        _ if protocol == "-1" => "all traffic".to_owned(),
        Some(PortRange::ALL) => format!("{protocol}, all ports"),
        Some(ports) => format!("{protocol} {ports}"),
        None => format!("protocol {protocol}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_types_are_not_ports() {
        let prohibited = ProhibitedPorts::default();
        assert!(opens_prohibited(&prohibited, "tcp", Some(22), Some(22)));
        assert!(opens_prohibited(&prohibited, "udp", Some(0), Some(65535)));
        assert!(opens_prohibited(&prohibited, "-1", None, None));
        assert!(opens_prohibited(&prohibited, "-1", Some(-1), Some(-1)));
        assert!(!opens_prohibited(&prohibited, "icmp", Some(22), Some(22)));
        assert!(!opens_prohibited(&prohibited, "50", None, None));
        assert!(!opens_prohibited(&prohibited, "tcp", Some(443), Some(443)));
    }
}
