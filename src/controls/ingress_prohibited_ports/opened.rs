//! What ingress rules open to whom, and when one opens all that another does.

use ipnet::IpNet;

/// What an ingress rule opens to whom.
pub(in crate::controls) struct Opened<'a> {
    pub(in crate::controls) protocol: &'a str,
    pub(in crate::controls) ports: (Option<i32>, Option<i32>),
    pub(in crate::controls) prefix_list: Option<&'a String>,
    pub(in crate::controls) ranges: Vec<&'a str>,
}

impl Opened<'_> {
    /// Whether a person who accepted this has accepted the other too.
    pub(in crate::controls) fn includes(&self, other: &Self) -> bool {
        let has = |range: &&str| {
            self.ranges
                .iter()
                .any(|wide| includes_addresses(wide, range))
        };
        (self.prefix_list.is_none() || self.prefix_list == other.prefix_list)
            && other.ranges.iter().all(has)
            && (self.protocol == "-1"
                || (self.protocol == other.protocol
                    && includes_ports(self.protocol, self.ports, other.ports)))
    }
}

/// EC2 takes and gives numbers too.
pub(super) fn protocol_name(protocol: &str) -> &str {
    match protocol {
        "1" => "icmp",
        "6" => "tcp",
        "17" => "udp",
        "58" => "icmpv6",
        other => other,
    }
}

fn includes_addresses(wide: &str, narrow: &str) -> bool {
    match (wide.parse::<IpNet>(), narrow.parse::<IpNet>()) {
        (Ok(wide), Ok(narrow)) => wide.contains(&narrow),
        _ => wide == narrow,
    }
}

/// ICMP's types and codes are no range: all, or the same.
fn includes_ports(
    protocol: &str,
    wide: (Option<i32>, Option<i32>),
    narrow: (Option<i32>, Option<i32>),
) -> bool {
    match (wide, narrow) {
        ((None, None), _) => true,
        ((Some(first), Some(last)), (Some(from), Some(to)))
            if matches!(protocol, "tcp" | "udp") =>
        {
            first <= from && to <= last
        }
        ((kind, None), (other, _)) => kind == other,
        (wide, narrow) => wide == narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_range_includes_itself_only() {
        assert!(includes_addresses("pl-1", "pl-1") && !includes_addresses("pl-1", "pl-2"));
        assert!(!includes_addresses("0.0.0.0/0", "pl-1"));
        assert!(includes_addresses("0.0.0.0/0", "10.0.0.0/8"));
    }

    #[test]
    fn types_and_codes_of_icmp_are_no_ranges() {
        let (wide, narrow) = ((Some(0), Some(9)), (Some(3), Some(4)));
        assert!(includes_ports("tcp", wide, narrow) && includes_ports("udp", wide, narrow));
        assert!(!includes_ports("icmp", wide, narrow) && includes_ports("icmp", wide, wide));
    }
}
