//! The rule *restricted-ports*: no security group opens a prohibited port to the internet.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::address_block::Broadest;
use super::configuration_item::{ConfigurationItem, nullable};
use super::ingress::{opens_prohibited, traffic};
use super::openings::{Opening, prohibited};
use super::parameters::{InvalidParameter, RuleParameters, list};
use super::ports::ProhibitedPorts;
use super::ranges::{Cidr, Ranges};
use super::{ComplianceType, Verdict, Violation};
use crate::remediation::ViolationType;

/// What the rule is told.
#[derive(Debug, Clone, Default)]
pub struct RestrictedPorts {
    /// `prohibitedPorts`: `22, 3389, 5432-5433`.
    pub prohibited_ports: ProhibitedPorts,
    /// `exemptSecurityGroups`: ids of groups that may stay open, `sg-1,sg-2`.
    pub exempt_security_groups: BTreeSet<String>,
    /// `broadestIpv4` and `broadestIpv6`: ranges broader than these, once merged, count as the internet.
    pub broadest: Broadest,
    /// Whether auto-response also takes ranges that are less than everybody.
    pub auto_response_takes_broad_ranges: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecurityGroup {
    /// A group without rules has an empty list, or `null`. What has no such field was not read.
    #[serde(default, deserialize_with = "given")]
    ip_permissions: Option<Vec<IpPermission>>,
    /// What a template calls the description, which it must have.
    #[serde(default, rename = "GroupDescription")]
    group_description: Option<IgnoredAny>,
}

/// A list that is there, be it `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpPermission>>, D::Error> {
    nullable(deserializer).map(Some)
}

impl SecurityGroup {
    /// The permissions; what lacks them can only be called compliant by mistake.
    fn permissions(&self) -> serde_json::Result<&[IpPermission]> {
        let reason = match (&self.ip_permissions, &self.group_description) {
            (Some(permissions), _) => return Ok(permissions),
            (None, Some(_)) => "it is in CloudFormation's shape: this rule judges what exists, not templates",
            (None, None) => "its configuration has no ipPermissions",
        };
        Err(serde_json::Error::custom(reason))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IpPermission {
    ip_protocol: String,
    from_port: Option<i64>,
    to_port: Option<i64>,
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
            broadest: Broadest {
                ipv4: parameters.parse("broadestIpv4")?.unwrap_or(self.broadest.ipv4),
                ipv6: parameters.parse("broadestIpv6")?.unwrap_or(self.broadest.ipv6),
            },
            auto_response_takes_broad_ranges: self.auto_response_takes_broad_ranges,
        })
    }

    /// Judges a security group that exists.
    pub fn evaluate(&self, item: &ConfigurationItem) -> serde_json::Result<Verdict> {
        if self.exempt_security_groups.contains(item.resource_id.as_ref()) {
            return Ok(Verdict::compliant("Exempt: the rule's exemptSecurityGroups names this group."));
        }
        let group: SecurityGroup = item.configuration()?;
        let permissions = group.permissions()?;
        let open = self.open_ranges(permissions);
        let unseen = self.lists_not_looked_into(permissions);
        if open.is_empty() {
            return Ok(Verdict::compliant(&format!("No prohibited port is open to the internet.{unseen}")));
        }
        let openings: Vec<String> =
            open.iter().map(|(permission, ranges)| opening(permission, ranges)).collect();
        let broad = self.what_counts_as_broad(open.iter().flat_map(|(_, ranges)| ranges));
        let violations = open.iter().map(|(permission, ranges)| self.violation(permission, ranges)).collect();
        Ok(Verdict {
            compliance_type: ComplianceType::NonCompliant,
            annotation: format!("Open to the internet: {}.{broad}{unseen}", openings.join("; ")),
            violations,
        })
    }

    /// The permissions that break the rule, each with its ranges that do so: never the sources beside them.
    fn open_ranges<'a>(&self, permissions: &'a [IpPermission]) -> Vec<(&'a IpPermission, BTreeSet<IpNet>)> {
        let of_permission = |(place, permission): (usize, &'a IpPermission)| {
            let IpPermission { ip_protocol, from_port, to_port, .. } = permission;
            permission.ranges().into_iter().filter_map(move |range| {
                Some((place, range, Opening::new(ip_protocol, *from_port, *to_port, range)?))
            })
        };
        let all: Vec<(usize, IpNet, Opening)> =
            permissions.iter().enumerate().flat_map(of_permission).collect();
        let openings: Vec<Opening> = all.iter().map(|(_, _, opening)| *opening).collect();
        let mut open: BTreeMap<usize, BTreeSet<IpNet>> = BTreeMap::new();
        for gone in prohibited(&openings, &self.prohibited_ports, self.broadest) {
            let (place, range, _) = all[gone];
            open.entry(place).or_default().insert(range);
        }
        open.into_iter().map(|(place, ranges)| (&permissions[place], ranges)).collect()
    }

    /// What to say where ranges are open that are less than everybody.
    fn what_counts_as_broad<'a>(&self, mut ranges: impl Iterator<Item = &'a IpNet>) -> String {
        if ranges.all(|range| is_everybody(*range)) {
            return String::new();
        }
        let Broadest { ipv4, ipv6 } = self.broadest;
        format!(" Ranges that are together broader than {ipv4} (IPv6: {ipv6}) count.")
    }

    /// What to say of the prefix lists for which prohibited ports are open: their entries are not in the
    /// item, and may be any ranges.
    fn lists_not_looked_into(&self, permissions: &[IpPermission]) -> String {
        let touched = permissions.iter().filter(|permission| {
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

    /// The minimal permission that breaks the rule.
    fn violation(&self, permission: &IpPermission, ranges: &BTreeSet<IpNet>) -> Violation {
        let (ipv4, ipv6): (Vec<IpNet>, Vec<IpNet>) =
            ranges.iter().partition(|range| matches!(range, IpNet::V4(_)));
        let [ipv4, ipv6] = [ipv4, ipv6].map(|ranges| ranges.iter().map(IpNet::to_string).collect::<Vec<_>>());
        let mut details = json!({
            "ipProtocol": permission.ip_protocol,
            "ipv4Ranges": ipv4.iter().map(|range| json!({"cidrIp": range})).collect::<Vec<_>>(),
            "ipv6Ranges": ipv6.iter().map(|range| json!({"cidrIpv6": range})).collect::<Vec<_>>(),
            "ipRanges": ipv4,
        });
        for (name, port) in [("fromPort", permission.from_port), ("toPort", permission.to_port)] {
            if let Some(port) = port {
                details[name] = json!(port);
            }
        }
        Violation {
            violation_type: ViolationType::Ec2SgProhibitedPort,
            details,
            is_left_to_people: ranges.iter().all(|range| self.leaves_to_people(*range)),
        }
    }

    /// Whether auto-response leaves a range that breaks the rule to people: older versions did not count it,
    /// and an update of this program must revoke nothing by itself.
    pub fn leaves_to_people(&self, range: IpNet) -> bool {
        !self.auto_response_takes_broad_ranges && !is_everybody(range)
    }
}

impl IpPermission {
    fn ranges(&self) -> BTreeSet<IpNet> {
        self.ipv4_ranges.iter().chain(self.ip_ranges.iter()).chain(self.ipv6_ranges.iter()).collect()
    }
}

/// How to say that a permission is open: `tcp 22 from 0.0.0.0/0 and ::/0`.
fn opening(permission: &IpPermission, ranges: &BTreeSet<IpNet>) -> String {
    let IpPermission { ip_protocol, from_port, to_port, .. } = permission;
    let ranges: Vec<String> = ranges.iter().map(IpNet::to_string).collect();
    format!("{} from {}", traffic(ip_protocol, *from_port, *to_port), ranges.join(" and "))
}

/// Whether a range is all addresses.
fn is_everybody(range: IpNet) -> bool {
    range.prefix_len() == 0
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
    fn ranges_that_are_the_internet_together_are_a_violation_that_auto_response_leaves() {
        let halves = json!([tcp(22, 22, &["0.0.0.0/1", "8.8.8.8/32"]), tcp(20, 25, &["128.0.0.0/1"])]);
        let verdict = evaluate(&[], halves.clone());
        assert_eq!(
            verdict.annotation,
            "Open to the internet: tcp 22 from 0.0.0.0/1; tcp 20-25 from 128.0.0.0/1. Ranges that are together \
             broader than /8 (IPv6: /32) count."
        );
        assert!(verdict.violations.iter().all(|violation| violation.is_left_to_people));
        let both = evaluate(&[], json!([tcp(22, 22, &["0.0.0.0/0", "64.0.0.0/7"])]));
        assert!(!both.violations[0].is_left_to_people, "auto-response takes what is for everybody");
        let bound = ("broadestIpv4", "1");
        assert_eq!(evaluate(&[bound], json!([tcp(22, 22, &["0.0.0.0/1"])])).violations, []);
        assert_eq!(evaluate(&[bound], halves).violations.len(), 2, "the two are everybody");
        let wrong = [("broadestIpv4", "eight")].into_iter().collect();
        let wrong = RestrictedPorts::default().with_parameters(&wrong).unwrap_err().to_string();
        assert_eq!(
            wrong,
            "the rule parameter broadestIpv4 is wrong: \"eight\" is no prefix length from 1 to 32"
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

    /// Proactive mode, before a group exists:
    /// [AWS::EC2::SecurityGroup](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html).
    #[test]
    fn an_item_in_cloud_formation_s_shape_is_refused_and_not_called_compliant() {
        let item = json!({
            "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "Web", "configurationItemStatus": "OK",
            "configuration": {"GroupDescription": "web", "SecurityGroupIngress":
                [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}]},
        })
        .to_string();
        let error = RestrictedPorts::default().evaluate(&serde_json::from_str(&item).unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it is in CloudFormation's shape: this rule judges what exists, not templates"
        );
        let unread = item.replace("GroupDescription", "x").replace("SecurityGroupIngress", "y");
        let error = RestrictedPorts::default().evaluate(&serde_json::from_str(&unread).unwrap()).unwrap_err();
        assert!(error.to_string().contains("ipPermissions"), "{error}");
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
