//! The rule *restricted-ports*: no security group opens a prohibited port to everybody.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;

use super::configuration_item::{ConfigurationItem, nullable};
use super::ingress::{opened_ports, opens_prohibited, traffic};
use super::open_ranges::{Cidr, OpenRanges};
use super::parameters::{InvalidParameter, RuleParameters, list};
use super::ports::ProhibitedPorts;
use super::{ComplianceType, Verdict, Violation};
use crate::remediation::ViolationType;

/// What the rule is told.
#[derive(Debug, Clone, Default)]
pub struct RestrictedPorts {
    /// `prohibitedPorts`: `22, 3389, 5432-5433`.
    pub prohibited_ports: ProhibitedPorts,
    /// `exemptSecurityGroups`: ids of groups that may stay open, `sg-1,sg-2`.
    pub exempt_security_groups: BTreeSet<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecurityGroup {
    #[serde(default, deserialize_with = "nullable")]
    ip_permissions: Vec<IpPermission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IpPermission {
    ip_protocol: String,
    from_port: Option<i64>,
    to_port: Option<i64>,
    /// Repeats `ipv4_ranges` without descriptions; old items have nothing else.
    #[serde(default)]
    ip_ranges: OpenRanges<Cidr>,
    #[serde(default)]
    ipv4_ranges: OpenRanges<Ipv4Range>,
    #[serde(default)]
    ipv6_ranges: OpenRanges<Ipv6Range>,
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

impl RestrictedPorts {
    /// Reads the rule's parameters; those that are absent keep the values of `self`.
    pub fn with_parameters(&self, parameters: &RuleParameters) -> Result<Self, InvalidParameter> {
        Ok(Self {
            prohibited_ports: parameters
                .parse("prohibitedPorts")?
                .unwrap_or_else(|| self.prohibited_ports.clone()),
            exempt_security_groups: parameters
                .text("exemptSecurityGroups")
                .map_or_else(|| self.exempt_security_groups.clone(), list),
        })
    }

    /// Judges a security group that exists.
    pub fn evaluate(&self, item: &ConfigurationItem) -> serde_json::Result<Verdict> {
        if self.exempt_security_groups.contains(item.resource_id.as_ref()) {
            return Ok(Verdict::compliant("Exempt: the rule's exemptSecurityGroups names this group."));
        }
        let group: SecurityGroup = item.configuration()?;
        let (violations, openings): (Vec<_>, Vec<_>) =
            group.ip_permissions.iter().filter_map(|permission| self.violation(permission)).unzip();
        let unseen = self.lists_not_looked_into(&group);
        if violations.is_empty() {
            return Ok(Verdict::compliant(&format!("No prohibited port is open to the internet.{unseen}")));
        }
        Ok(Verdict {
            compliance_type: ComplianceType::NonCompliant,
            annotation: format!("Open to the internet: {}.{unseen}", openings.join("; ")),
            violations,
        })
    }

    /// What to say of the prefix lists for which prohibited ports are open: their entries are not in the
    /// item, and may be any ranges.
    fn lists_not_looked_into(&self, group: &SecurityGroup) -> String {
        let touched = group.ip_permissions.iter().filter(|permission| {
            let IpPermission { ip_protocol, from_port, to_port, .. } = permission;
            opens_prohibited(&self.prohibited_ports, ip_protocol, *from_port, *to_port)
        });
        let lists: BTreeSet<&str> = touched
            .flat_map(|permission| &permission.prefix_list_ids)
            .map(|list| list.prefix_list_id.as_str())
            .collect();
        match lists.is_empty() {
            true => String::new(),
            false => {
                let lists: Vec<&str> = lists.into_iter().collect();
                format!(" Prefix lists were not looked into: {}.", lists.join(", "))
            }
        }
    }

    /// The minimal permission that breaks the rule (the open ranges, none of the sources beside
    /// them), and how to say it.
    fn violation(&self, permission: &IpPermission) -> Option<(Violation, String)> {
        let IpPermission { ip_protocol, from_port, to_port, .. } = permission;
        let ports = opened_ports(ip_protocol, *from_port, *to_port)?;
        if !self.prohibited_ports.touch(ports) {
            return None;
        }
        let ipv4: BTreeSet<_> = permission.ipv4_ranges.iter().chain(permission.ip_ranges.iter()).collect();
        let ipv6: BTreeSet<_> = permission.ipv6_ranges.iter().collect();
        if ipv4.is_empty() && ipv6.is_empty() {
            return None;
        }
        let mut details = json!({
            "ipProtocol": ip_protocol,
            "ipv4Ranges": ipv4.iter().map(|cidr| json!({"cidrIp": cidr})).collect::<Vec<_>>(),
            "ipv6Ranges": ipv6.iter().map(|cidr| json!({"cidrIpv6": cidr})).collect::<Vec<_>>(),
            "ipRanges": ipv4,
        });
        for (name, port) in [("fromPort", from_port), ("toPort", to_port)] {
            if let Some(port) = port {
                details[name] = json!(port);
            }
        }
        let ranges: Vec<&str> = ipv4.into_iter().chain(ipv6).collect();
        let opening = format!("{} from {}", traffic(ip_protocol, *from_port, *to_port), ranges.join(" and "));
        Some((Violation { violation_type: ViolationType::Ec2SgProhibitedPort, details }, opening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(parameters: &[(&str, &str)], permissions: serde_json::Value) -> Verdict {
        let item = json!({
            "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1",
            "configurationItemStatus": "OK", "configuration": {"ipPermissions": permissions},
        })
        .to_string();
        let rule = RestrictedPorts::default().with_parameters(&parameters.iter().copied().collect()).unwrap();
        rule.evaluate(&serde_json::from_str(&item).unwrap()).unwrap()
    }

    fn tcp(from: u16, to: u16, cidrs: &[&str]) -> serde_json::Value {
        json!({"ipProtocol": "tcp", "fromPort": from, "toPort": to, "ipRanges": cidrs,
               "ipv4Ranges": cidrs.iter().map(|cidr| json!({"cidrIp": cidr})).collect::<Vec<_>>(),
               "ipv6Ranges": [], "userIdGroupPairs": [{"groupId": "sg-9"}], "prefixListIds": []})
    }

    #[test]
    fn an_open_port_is_a_violation_that_names_only_the_open_range() {
        let verdict = evaluate(&[], json!([tcp(22, 22, &["10.0.0.0/8", "0.0.0.0/0"])]));
        assert_eq!(verdict.compliance_type, ComplianceType::NonCompliant);
        assert_eq!(verdict.annotation, "Open to the internet: tcp 22 from 0.0.0.0/0.");
        assert_eq!(
            verdict.violations[0].details,
            json!({"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipv4Ranges": [{"cidrIp": "0.0.0.0/0"}],
                   "ipv6Ranges": [], "ipRanges": ["0.0.0.0/0"]})
        );
    }

    #[test]
    fn a_clean_permission_after_an_open_one_is_not_a_violation() {
        let verdict = evaluate(&[], json!([tcp(22, 22, &["0.0.0.0/0"]), tcp(443, 443, &["0.0.0.0/0"])]));
        assert_eq!(verdict.violations.len(), 1);
    }

    #[test]
    fn ipv6_all_protocols_and_wide_ranges_count() {
        let ipv6 = json!({"ipProtocol": "-1", "ipv6Ranges": [{"cidrIpv6": "::/0"}]});
        assert_eq!(evaluate(&[], json!([ipv6])).annotation, "Open to the internet: all traffic from ::/0.");
        let wide = evaluate(&[], json!([tcp(0, 65535, &["0.0.0.0/0"])]));
        assert_eq!(wide.annotation, "Open to the internet: tcp, all ports from 0.0.0.0/0.");
    }

    #[test]
    fn parameters_replace_the_ports_and_exempt_groups() {
        let open = json!([tcp(5433, 5433, &["0.0.0.0/0"])]);
        assert_eq!(evaluate(&[], open.clone()).compliance_type, ComplianceType::Compliant);
        let prohibited = ("prohibitedPorts", "22, 3389, 5432-5433");
        assert_eq!(evaluate(&[prohibited], open.clone()).compliance_type, ComplianceType::NonCompliant);
        let exempt = evaluate(&[prohibited, ("exemptSecurityGroups", "sg-0, sg-1")], open);
        assert_eq!(exempt.compliance_type, ComplianceType::Compliant);
        assert!(exempt.annotation.contains("exemptSecurityGroups"));
    }

    #[test]
    fn items_with_null_lists_and_no_permissions_are_compliant() {
        for permissions in [
            json!(null),
            json!([]),
            json!([{"ipProtocol": "icmp", "fromPort": 22, "toPort": 22,
            "ipRanges": ["0.0.0.0/0"], "ipv4Ranges": null, "ipv6Ranges": null}]),
        ] {
            assert_eq!(evaluate(&[], permissions).compliance_type, ComplianceType::Compliant);
        }
    }

    #[test]
    fn prefix_lists_that_were_not_looked_into_are_named() {
        let to_list = |port: u16| json!({"ipProtocol": "tcp", "fromPort": port, "toPort": port, "prefixListIds": [{"prefixListId": "pl-1"}]});
        let named = "Prefix lists were not looked into: pl-1.";
        let closed = evaluate(&[], json!([to_list(22)]));
        assert_eq!(closed.compliance_type, ComplianceType::Compliant);
        assert!(closed.annotation.ends_with(named), "{}", closed.annotation);
        let open = evaluate(&[], json!([to_list(22), tcp(22, 22, &["0.0.0.0/0"])]));
        assert!(open.annotation.ends_with(named), "{}", open.annotation);
        assert!(!evaluate(&[], json!([to_list(443)])).annotation.contains("pl-1"), "another port");
    }
}
