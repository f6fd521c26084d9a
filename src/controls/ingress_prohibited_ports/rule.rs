//! The rule *restricted-ports*: no security group opens a prohibited port to the internet.

use std::collections::BTreeSet;
use std::{fmt, iter};

use ipnet::IpNet;
use serde_json::json;

use super::item::{IpPermission, SecurityGroup};
use super::prefix_lists::PrefixLists;
use crate::controls::evaluation::{
    ComplianceType, ConfigurationItem, InvalidParameter, RuleParameters, Verdict, Violation,
    annotation, list,
};
use crate::controls::kind::ViolationType;
use crate::shapes::address_block::Broadest;
use crate::shapes::ingress::{opens_prohibited, traffic};
use crate::shapes::openings::{Source, open};
use crate::shapes::ports::ProhibitedPorts;

/// The rule with its parameters.
#[derive(Debug, Clone, Default)]
pub struct RestrictedPorts {
    /// `prohibitedPorts`: `22, 3389, 5432-5433`.
    pub prohibited_ports: ProhibitedPorts,
    /// `exemptSecurityGroups`: ids of groups that may stay open, `sg-1,sg-2`.
    pub exempt_security_groups: BTreeSet<String>,
    /// `broadestIpv4` and `broadestIpv6`: ranges broader than these, once merged, count as the internet.
    pub broadest: Broadest,
    /// Whether auto-response also takes ranges that are less than everybody, and references to prefix lists.
    pub auto_response_takes_broad_ranges: bool,
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
                ipv4: parameters
                    .parse("broadestIpv4")?
                    .unwrap_or(self.broadest.ipv4),
                ipv6: parameters
                    .parse("broadestIpv6")?
                    .unwrap_or(self.broadest.ipv6),
            },
            auto_response_takes_broad_ranges: self.auto_response_takes_broad_ranges,
        })
    }

    /// Judges a security group that exists, by what is known of the prefix lists that it lets in.
    pub fn evaluate(
        &self,
        item: &ConfigurationItem,
        lists: &PrefixLists,
    ) -> serde_json::Result<Verdict> {
        if self
            .exempt_security_groups
            .contains(item.resource_id.as_ref())
        {
            return Ok(Verdict::compliant(
                "Exempt: the rule's exemptSecurityGroups names this group.",
            ));
        }
        let group: SecurityGroup = item.configuration()?;
        let permissions = group.permissions()?;
        let open = self.open_sources(permissions, lists);
        let prefix_lists = self.prefix_lists(permissions);
        let unread = not_looked_into(prefix_lists.iter().filter(|id| !lists.knows(id)));
        if open.is_empty() {
            let said = annotation("No prohibited port is open to the internet.", &unread);
            return Ok(Verdict {
                prefix_lists,
                ..Verdict::compliant(&said)
            });
        }
        let openings: Vec<String> = open.iter().map(OpenSource::to_string).collect();
        let by_hand = closed_by_hand(&open);
        let broad = self.what_counts_as_broad(open.iter().flat_map(|source| &source.ranges));
        Ok(Verdict {
            compliance_type: ComplianceType::NonCompliant,
            annotation: annotation(
                &format!("Open to the internet: {}.", openings.join("; ")),
                &format!("{by_hand}{broad}{unread}"),
            ),
            violations: open.iter().map(|source| self.violation(source)).collect(),
            prefix_lists,
            is_for_aws_to_say: false,
        })
    }

    /// The sources that break the rule, each with its ranges that do so: never the sources beside them.
    fn open_sources<'a>(
        &self,
        permissions: &'a [IpPermission],
        lists: &PrefixLists,
    ) -> Vec<OpenSource<'a>> {
        let of_permission = |permission: &'a IpPermission| {
            let listed = permission
                .prefix_lists()
                .map(move |id| (permission, Some(id), lists.entries(id)));
            iter::once((permission, None, permission.ranges())).chain(listed)
        };
        let all: Vec<_> = permissions.iter().flat_map(of_permission).collect();
        let sources = all.iter().map(|(permission, _, ranges)| {
            let IpPermission {
                ip_protocol: protocol,
                from_port,
                to_port,
                ..
            } = permission;
            Source {
                protocol,
                from_port: *from_port,
                to_port: *to_port,
                ranges,
            }
        });
        let open = open(sources, &self.prohibited_ports, self.broadest).into_iter();
        let open = open.map(|(place, ranges)| {
            let (permission, list, all) = &all[place];
            OpenSource {
                permission,
                list: *list,
                is_whole: ranges == *all,
                ranges,
            }
        });
        open.collect()
    }

    /// The prefix lists for which prohibited ports are open: their entries may be any ranges.
    fn prefix_lists(&self, permissions: &[IpPermission]) -> BTreeSet<String> {
        let touched = permissions.iter().filter(|permission| {
            let IpPermission {
                ip_protocol,
                from_port,
                to_port,
                ..
            } = permission;
            opens_prohibited(&self.prohibited_ports, ip_protocol, *from_port, *to_port)
        });
        touched
            .flat_map(IpPermission::prefix_lists)
            .map(str::to_owned)
            .collect()
    }

    /// What to say where ranges are open that are less than everybody.
    fn what_counts_as_broad<'a>(&self, mut ranges: impl Iterator<Item = &'a IpNet>) -> String {
        if ranges.all(|range| is_everybody(*range)) {
            return String::new();
        }
        let Broadest { ipv4, ipv6 } = self.broadest;
        format!(" Ranges that are together broader than {ipv4} (IPv6: {ipv6}) count.")
    }

    /// The minimal permission that breaks the rule.
    fn violation(&self, source: &OpenSource) -> Violation {
        let OpenSource {
            permission,
            list,
            ranges,
            is_whole,
        } = source;
        let direct = ranges.iter().filter(|_| list.is_none());
        let (ipv4, ipv6): (Vec<IpNet>, Vec<IpNet>) =
            direct.partition(|range| matches!(range, IpNet::V4(_)));
        let [ipv4, ipv6] =
            [ipv4, ipv6].map(|ranges| ranges.iter().map(IpNet::to_string).collect::<Vec<_>>());
        let mut details = json!({
            "ipProtocol": permission.ip_protocol,
            "ipv4Ranges": ipv4.iter().map(|range| json!({"cidrIp": range})).collect::<Vec<_>>(),
            "ipv6Ranges": ipv6.iter().map(|range| json!({"cidrIpv6": range})).collect::<Vec<_>>(),
            "ipRanges": ipv4,
        });
        for (name, port) in [
            ("fromPort", permission.from_port),
            ("toPort", permission.to_port),
        ] {
            if let Some(port) = port {
                details[name] = json!(port);
            }
        }
        if let Some(list) = list {
            details["prefixListIds"] = json!([{"prefixListId": list}]);
        }
        let is_left_to_people = match list {
            Some(_) => !is_whole || self.leaves_prefix_lists_to_people(),
            None => ranges.iter().all(|range| self.leaves_to_people(*range)),
        };
        Violation {
            violation_type: ViolationType::Ec2SgProhibitedPort,
            details,
            is_left_to_people,
        }
    }

    /// Whether auto-response leaves a range that breaks the rule to people: version 0.1 did not count it,
    /// and an update of this program must revoke nothing by itself.
    pub fn leaves_to_people(&self, range: IpNet) -> bool {
        !self.auto_response_takes_broad_ranges && !is_everybody(range)
    }

    /// The same of a prefix list with open entries.
    pub fn leaves_prefix_lists_to_people(&self) -> bool {
        !self.auto_response_takes_broad_ranges
    }
}

/// A source of a permission, with its ranges that break the rule.
struct OpenSource<'a> {
    permission: &'a IpPermission,
    /// The prefix list that holds the ranges; none where the permission names them itself.
    list: Option<&'a str>,
    ranges: BTreeSet<IpNet>,
    /// Whether it has no other ranges.
    is_whole: bool,
}

/// `tcp 22 from 0.0.0.0/0 and ::/0`, `tcp 22 from 0.0.0.0/0 (prefix list pl-1)`
impl fmt::Display for OpenSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpPermission {
            ip_protocol,
            from_port,
            to_port,
            ..
        } = self.permission;
        let ranges: Vec<String> = self.ranges.iter().map(IpNet::to_string).collect();
        write!(
            f,
            "{} from {}",
            traffic(ip_protocol, *from_port, *to_port),
            ranges.join(" and ")
        )?;
        self.list
            .map_or(Ok(()), |list| write!(f, " (prefix list {list})"))
    }
}

/// What to say of prefix lists of which a part is open.
fn closed_by_hand(open: &[OpenSource]) -> String {
    let partly = open
        .iter()
        .filter(|source| !source.is_whole)
        .filter_map(|source| source.list);
    let partly: BTreeSet<&str> = partly.collect();
    if partly.is_empty() {
        return String::new();
    }
    let lists = Vec::from_iter(partly).join(" and ");
    format!(" Take these entries out of {lists} by hand: there are others beside them.")
}

/// What to say of prefix lists whose entries are not known.
fn not_looked_into<'a>(lists: impl Iterator<Item = &'a String>) -> String {
    let lists: Vec<&str> = lists.map(String::as_str).collect();
    if lists.is_empty() {
        return String::new();
    }
    format!(" Prefix lists were not looked into: {}.", lists.join(", "))
}

/// Whether a range is all addresses.
fn is_everybody(range: IpNet) -> bool {
    range.prefix_len() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(parameters: &[(&str, &str)], permissions: serde_json::Value) -> Verdict {
        evaluate_with(parameters, permissions, &PrefixLists::default())
    }

    fn evaluate_with(
        parameters: &[(&str, &str)],
        permissions: serde_json::Value,
        lists: &PrefixLists,
    ) -> Verdict {
        let item = json!({
            "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1",
            "configurationItemStatus": "OK", "configuration": {"ipPermissions": permissions},
        })
        .to_string();
        let rule = RestrictedPorts::default()
            .with_parameters(&parameters.iter().copied().collect())
            .unwrap();
        rule.evaluate(&serde_json::from_str(&item).unwrap(), lists)
            .unwrap()
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
        assert_eq!(
            verdict.annotation,
            "Open to the internet: tcp 22 from 0.0.0.0/0."
        );
        assert_eq!(
            verdict.violations[0].details,
            json!({"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipv4Ranges": [{"cidrIp": "0.0.0.0/0"}],
                   "ipv6Ranges": [], "ipRanges": ["0.0.0.0/0"]})
        );
    }

    #[test]
    fn merged_ranges_that_are_the_internet_are_a_violation_left_to_people() {
        let halves = json!([
            tcp(22, 22, &["0.0.0.0/1", "8.8.8.8/32"]),
            tcp(20, 25, &["128.0.0.0/1"])
        ]);
        let verdict = evaluate(&[], halves.clone());
        assert_eq!(
            verdict.annotation,
            "Open to the internet: tcp 22 from 0.0.0.0/1; tcp 20-25 from 128.0.0.0/1. Ranges that are together \
             broader than /8 (IPv6: /32) count."
        );
        assert!(
            verdict
                .violations
                .iter()
                .all(|violation| violation.is_left_to_people)
        );
        let both = evaluate(&[], json!([tcp(22, 22, &["0.0.0.0/0", "64.0.0.0/7"])]));
        assert!(
            !both.violations[0].is_left_to_people,
            "auto-response takes what is for everybody"
        );
        let bound = ("broadestIpv4", "1");
        assert_eq!(
            evaluate(&[bound], json!([tcp(22, 22, &["0.0.0.0/1"])])).violations,
            []
        );
        assert_eq!(
            evaluate(&[bound], halves).violations.len(),
            2,
            "the two are everybody"
        );
        let wrong = [("broadestIpv4", "eight")].into_iter().collect();
        let wrong = RestrictedPorts::default()
            .with_parameters(&wrong)
            .unwrap_err()
            .to_string();
        assert_eq!(
            wrong,
            "the rule parameter broadestIpv4 is wrong: \"eight\" is no prefix length from 1 to 32"
        );
    }

    #[test]
    fn a_clean_permission_after_an_open_one_is_not_a_violation() {
        let verdict = evaluate(
            &[],
            json!([tcp(22, 22, &["0.0.0.0/0"]), tcp(443, 443, &["0.0.0.0/0"])]),
        );
        assert_eq!(verdict.violations.len(), 1);
    }

    #[test]
    fn ipv6_all_protocols_and_wide_ranges_count() {
        let ipv6 = json!({"ipProtocol": "-1", "ipv6Ranges": [{"cidrIpv6": "::/0"}]});
        assert_eq!(
            evaluate(&[], json!([ipv6])).annotation,
            "Open to the internet: all traffic from ::/0."
        );
        let wide = evaluate(&[], json!([tcp(0, 65535, &["0.0.0.0/0"])]));
        assert_eq!(
            wide.annotation,
            "Open to the internet: tcp, all ports from 0.0.0.0/0."
        );
    }

    #[test]
    fn parameters_replace_the_ports_and_exempt_groups() {
        let open = json!([tcp(5433, 5433, &["0.0.0.0/0"])]);
        assert_eq!(
            evaluate(&[], open.clone()).compliance_type,
            ComplianceType::Compliant
        );
        let prohibited = ("prohibitedPorts", "22, 3389, 5432-5433");
        assert_eq!(
            evaluate(&[prohibited], open.clone()).compliance_type,
            ComplianceType::NonCompliant
        );
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
            assert_eq!(
                evaluate(&[], permissions).compliance_type,
                ComplianceType::Compliant
            );
        }
    }

    fn refused(item: &str) -> serde_json::Error {
        let item = serde_json::from_str(item).unwrap();
        RestrictedPorts::default()
            .evaluate(&item, &PrefixLists::default())
            .unwrap_err()
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
        let error = refused(&item);
        assert_eq!(
            error.to_string(),
            "it is in CloudFormation's shape: this rule judges what exists, not templates"
        );
        let unread = item
            .replace("GroupDescription", "x")
            .replace("SecurityGroupIngress", "y");
        let error = refused(&unread);
        assert!(error.to_string().contains("ipPermissions"), "{error}");
    }

    fn to_list(port: u16) -> serde_json::Value {
        json!({"ipProtocol": "tcp", "fromPort": port, "toPort": port, "prefixListIds": [{"prefixListId": "pl-1"}]})
    }

    fn holding(ranges: &[&str]) -> PrefixLists {
        [(
            "pl-1",
            ranges.iter().map(|range| range.parse().unwrap()).collect(),
        )]
        .into_iter()
        .collect()
    }

    #[test]
    fn prefix_lists_that_were_not_looked_into_are_named() {
        let named = "Prefix lists were not looked into: pl-1.";
        let closed = evaluate(&[], json!([to_list(22)]));
        assert_eq!(closed.compliance_type, ComplianceType::Compliant);
        assert!(closed.annotation.ends_with(named), "{}", closed.annotation);
        assert_eq!(closed.prefix_lists, ["pl-1".to_owned()].into());
        let open = evaluate(&[], json!([to_list(22), tcp(22, 22, &["0.0.0.0/0"])]));
        assert!(open.annotation.ends_with(named), "{}", open.annotation);
        let other_port = evaluate(&[], json!([to_list(443)]));
        assert!(!other_port.annotation.contains("pl-1") && other_port.prefix_lists.is_empty());
    }

    #[test]
    fn a_reference_is_open_where_the_entries_of_its_list_are() {
        let judge = |ranges: &[&str]| evaluate_with(&[], json!([to_list(22)]), &holding(ranges));
        for closed in [&["10.0.0.0/8"][..], &[]] {
            let verdict = judge(closed);
            assert_eq!(
                verdict.annotation, "No prohibited port is open to the internet.",
                "{closed:?}"
            );
        }
        let whole = judge(&["0.0.0.0/0"]);
        assert_eq!(
            whole.annotation,
            "Open to the internet: tcp 22 from 0.0.0.0/0 (prefix list pl-1)."
        );
        assert!(whole.violations[0].is_left_to_people);
        assert_eq!(
            whole.violations[0].details,
            json!({"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipv4Ranges": [], "ipv6Ranges": [],
                   "ipRanges": [], "prefixListIds": [{"prefixListId": "pl-1"}]})
        );
        let partly = judge(&["0.0.0.0/0", "198.51.100.7/32"]);
        assert_eq!(
            partly.annotation,
            "Open to the internet: tcp 22 from 0.0.0.0/0 (prefix list pl-1). Take these entries out of pl-1 by \
             hand: there are others beside them."
        );
        let other_port = evaluate_with(&[], json!([to_list(443)]), &holding(&["0.0.0.0/0"]));
        assert_eq!(other_port.compliance_type, ComplianceType::Compliant);
    }

    #[test]
    fn a_prefix_list_and_a_range_are_merged() {
        let permissions = json!([to_list(22), tcp(22, 22, &["128.0.0.0/1"])]);
        let verdict = evaluate_with(&[], permissions, &holding(&["0.0.0.0/1"]));
        assert!(
            verdict.annotation.starts_with(
                "Open to the internet: tcp 22 from 0.0.0.0/1 (prefix list pl-1); tcp 22 from 128.0.0.0/1."
            ),
            "{}",
            verdict.annotation
        );
    }
}
