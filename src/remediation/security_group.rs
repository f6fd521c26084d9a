//! `EC2_SG_PROHIBITED_PORT`: revoke, by rule id, exactly the open ranges on prohibited ports.

use aws_config::retry::RetryConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Ipv6Range, SecurityGroupRule};

use ipnet::IpNet;

use super::change::{Change, IngressRange};
use super::undo::UndoError;
use crate::aws::AwsError;
use crate::evaluation::RestrictedPorts;
use crate::evaluation::openings::{Opening, prohibited};
use crate::ids::ResourceId;

pub(super) const PLAN_ACTIONS: &[&str] = &["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"];
pub(super) const APPLY_ACTIONS: &[&str] =
    &["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"];

/// The group's ingress ranges. Rules with other sources (groups, prefix lists) are not ranges and
/// can never be in a plan. A group that does not exist has no rules either: only
/// DescribeSecurityGroups tells.
async fn read(ec2: &Client, id: &ResourceId) -> Result<Vec<IngressRange>, AwsError> {
    let filter = Filter::builder().name("group-id").values(id.as_str()).build();
    let rules = ec2.describe_security_group_rules().filters(filter).into_paginator().items().send();
    let (group, rules) = tokio::join!(
        ec2.describe_security_groups().group_ids(id.as_str()).send(),
        rules.collect::<Result<Vec<SecurityGroupRule>, _>>(),
    );
    group.map_err(|error| AwsError::from_sdk("ec2:DescribeSecurityGroups", error))?;
    let rules = rules.map_err(|error| AwsError::from_sdk("ec2:DescribeSecurityGroupRules", error))?;
    Ok(rules.into_iter().filter_map(ingress_range).collect())
}

fn ingress_range(rule: SecurityGroupRule) -> Option<IngressRange> {
    if rule.is_egress()? {
        return None;
    }
    Some(IngressRange {
        cidr: rule.cidr_ipv4().or(rule.cidr_ipv6())?.to_owned(),
        protocol: rule.ip_protocol()?.to_owned(),
        from_port: rule.from_port,
        to_port: rule.to_port,
        rule_id: rule.security_group_rule_id?,
        description: rule.description.filter(|text| !text.is_empty()),
        is_left_to_people: false,
    })
}

/// The ranges on prohibited ports that let the internet in, by themselves or together.
fn plan(id: &ResourceId, group: &[IngressRange], rule: &RestrictedPorts) -> Vec<Change> {
    if rule.exempt_security_groups.contains(id.as_str()) {
        return Vec::new();
    }
    let opening = |range: &IngressRange| {
        let (from, to) = (range.from_port.map(i64::from), range.to_port.map(i64::from));
        let net = range.cidr.parse().ok()?;
        Some((range.clone(), net, Opening::new(&range.protocol, from, to, net)?))
    };
    let ranges: Vec<(IngressRange, IpNet, Opening)> = group.iter().filter_map(opening).collect();
    let openings: Vec<Opening> = ranges.iter().map(|(_, _, opening)| *opening).collect();
    let gone = prohibited(&openings, &rule.prohibited_ports, rule.broadest);
    let change = |place: usize| {
        let (range, net, _) = &ranges[place];
        let is_left_to_people = rule.leaves_to_people(*net);
        Change::RevokeIngress(IngressRange { is_left_to_people, ..range.clone() })
    };
    gone.into_iter().map(change).collect()
}

/// A group as it was read: its open ranges are the changes themselves.
#[derive(Debug, PartialEq)]
pub(super) struct Live;

pub(super) async fn prepare(
    ec2: &Client,
    id: &ResourceId,
    rule: &RestrictedPorts,
) -> Result<(Vec<Change>, Live), AwsError> {
    let group = read(ec2, id).await?;
    Ok((plan(id, &group, rule), Live))
}

/// Revokes by rule id: by properties, EC2 would take what stands beside a range too, and would
/// revoke nothing where one property is off.
pub(super) async fn revoke(ec2: &Client, id: &ResourceId, changes: &[Change]) -> Result<(), AwsError> {
    let rule_ids = changes.iter().filter_map(|change| match change {
        Change::RevokeIngress(range) => Some(range.rule_id.clone()),
        Change::RemoveGrant(_) | Change::RemoveStatement { .. } | Change::DeletePolicy { .. } => None,
    });
    let revoke = ec2.revoke_security_group_ingress().group_id(id.as_str());
    let revoke = revoke.set_security_group_rule_ids(Some(rule_ids.collect())).customize();
    // Once only: after a lost answer the SDK's second try would be told that the rules are not
    // there, as if somebody else had revoked them. The task comes back, looks, and knows.
    let once = aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled());
    let revoked = revoke.config_override(once).send().await;
    revoked.map(drop).map_err(|error| AwsError::from_sdk("ec2:RevokeSecurityGroupIngress", error))
}

/// What of the removed ranges is not there; an error says what stands in its place.
fn missing(group: &[IngressRange], removed: &[Change]) -> Result<Vec<IngressRange>, UndoError> {
    let mut missing: Vec<IngressRange> = Vec::new();
    for change in removed {
        let Change::RevokeIngress(range) = change else { continue };
        let same = |other: &&IngressRange| other.opens_the_same(range);
        match group.iter().find(same) {
            Some(live) if live.description == range.description => {}
            Some(live) => {
                let (id, described) = (&live.rule_id, live.description.as_deref().unwrap_or("nothing"));
                return Err(UndoError::Differs(format!(
                    "{}, by the rule {id}, which is described as \"{described}\"",
                    change.reopens().replace(" again", " already")
                )));
            }
            None if missing.iter().any(|other| other.opens_the_same(range)) => {}
            None => missing.push(range.clone()),
        }
    }
    Ok(missing)
}

/// What is missing of the removed ranges; `None` where all are there.
pub(super) async fn prepare_undo(
    ec2: &Client,
    id: &ResourceId,
    removed: &[Change],
) -> Result<Option<Vec<IngressRange>>, UndoError> {
    let group = read(ec2, id).await?;
    let missing = missing(&group, removed)?;
    Ok((!missing.is_empty()).then_some(missing))
}

/// Opens again what was removed, with its descriptions. The ranges get new rule ids. One call, so that
/// either all ranges are back or none.
pub(super) async fn authorize(
    ec2: &Client,
    id: &ResourceId,
    missing: Vec<IngressRange>,
) -> Result<(), AwsError> {
    let permissions = missing.into_iter().map(ip_permission).collect();
    let authorize = ec2.authorize_security_group_ingress().group_id(id.as_str());
    let authorized = authorize.set_ip_permissions(Some(permissions)).send().await;
    authorized.map(drop).map_err(|error| AwsError::from_sdk("ec2:AuthorizeSecurityGroupIngress", error))
}

fn ip_permission(range: IngressRange) -> IpPermission {
    let IngressRange { protocol, from_port, to_port, cidr, description, .. } = range;
    let permission = IpPermission::builder().ip_protocol(protocol);
    let permission = permission.set_from_port(from_port).set_to_port(to_port);
    if cidr.contains(':') {
        let range = Ipv6Range::builder().cidr_ipv6(cidr).set_description(description).build();
        permission.ipv6_ranges(range).build()
    } else {
        let range = IpRange::builder().cidr_ip(cidr).set_description(description).build();
        permission.ip_ranges(range).build()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::evaluation::lines::evaluate_lines;
    use crate::evaluation::{RuleKind, RuleParameters};

    fn range(rule_id: &str, protocol: &str, from: i32, to: i32, cidr: &str) -> IngressRange {
        IngressRange {
            rule_id: rule_id.to_owned(),
            protocol: protocol.to_owned(),
            from_port: Some(from),
            to_port: Some(to),
            cidr: cidr.to_owned(),
            description: None,
            is_left_to_people: false,
        }
    }

    fn ids(changes: &[Change]) -> Vec<&str> {
        changes
            .iter()
            .map(|change| match change {
                Change::RevokeIngress(range) => range.rule_id.as_str(),
                other => panic!("{other}"),
            })
            .collect()
    }

    #[test]
    fn only_open_ranges_on_prohibited_ports_are_revoked() {
        let group = [
            range("sgr-1", "tcp", 0, 65535, "0.0.0.0/0"),
            range("sgr-2", "tcp", 0, 65535, "10.0.0.0/8"),
            range("sgr-3", "tcp", 443, 443, "::/0"),
            range("sgr-4", "-1", -1, -1, "::/0"),
            range("sgr-5", "icmp", 22, 22, "0.0.0.0/0"),
        ];
        let changes = plan(&"sg-1".parse().unwrap(), &group, &RestrictedPorts::default());
        assert_eq!(ids(&changes), ["sgr-1", "sgr-4"]);
        assert_eq!(changes[0].to_string(), "revoke tcp, all ports from 0.0.0.0/0 (sgr-1)");
    }

    #[test]
    fn an_exempt_group_stays() {
        let rule =
            RestrictedPorts { exempt_security_groups: ["sg-1".to_owned()].into(), ..Default::default() };
        let group = [range("sgr-1", "tcp", 22, 22, "0.0.0.0/0")];
        assert_eq!(plan(&"sg-1".parse().unwrap(), &group, &rule), []);
        assert_eq!(plan(&"sg-2".parse().unwrap(), &group, &rule).len(), 1);
    }

    #[test]
    fn an_undo_opens_what_is_missing_and_refuses_what_is_described_otherwise() {
        let described = |text: &str| IngressRange {
            description: Some(text.to_owned()),
            ..range("sgr-1", "tcp", 22, 22, "0.0.0.0/0")
        };
        let other = range("sgr-2", "tcp", 22, 22, "::/0");
        let removed = [described("jump host"), other.clone()].map(Change::RevokeIngress);
        assert_eq!(missing(&[], &removed).unwrap(), [described("jump host"), other.clone()]);
        let back = IngressRange { rule_id: "sgr-9".to_owned(), ..described("jump host") };
        assert_eq!(missing(std::slice::from_ref(&back), &removed).unwrap(), [other]);
        let Err(UndoError::Differs(what)) = missing(&[described("mine")], &removed) else { panic!() };
        assert_eq!(
            what,
            "tcp 22 is reachable from 0.0.0.0/0 already, by the rule sgr-1, which is described as \"mine\""
        );
    }

    fn any_range() -> impl Strategy<Value = IngressRange> {
        let protocol = prop::sample::select(vec!["tcp", "udp", "icmp", "-1", "50"]);
        let cidr = prop::sample::select(vec![
            "0.0.0.0/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "64.0.0.0/8",
            "65.0.0.0/8",
            "::/0",
            "2600::/32",
            "2600:1::/32",
            "10.0.0.0/8",
            "2001:db8::/32",
        ]);
        (protocol, cidr, 0..4000i32, 0..2000i32, 0..1_000_000u32).prop_map(
            |(protocol, cidr, from, width, id)| {
                range(&format!("sgr-{id}"), protocol, from, from + width, cidr)
            },
        )
    }

    /// A group's ranges as AWS Config's item has them.
    fn item(group: &[IngressRange]) -> Value {
        let permission = |range: &IngressRange| {
            let (v4, v6) = match range.cidr.contains(':') {
                true => (json!([]), json!([{"cidrIpv6": range.cidr}])),
                false => (json!([{"cidrIp": range.cidr}]), json!([])),
            };
            json!({"ipProtocol": range.protocol, "fromPort": range.from_port, "toPort": range.to_port,
                "ipv4Ranges": v4, "ipv6Ranges": v6})
        };
        json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1", "configurationItemStatus": "OK",
            "configuration": {"ipPermissions": group.iter().map(permission).collect::<Vec<_>>()}})
    }

    /// What the rule says of a group, as `defendable evaluate` does.
    fn judged(group: &[IngressRange], prohibited: &str) -> String {
        let parameters: RuleParameters = [("prohibitedPorts", prohibited)].into_iter().collect();
        let (mut output, mut complaints) = (Vec::new(), Vec::new());
        let line = item(group).to_string();
        let bad = evaluate_lines(
            RuleKind::RestrictedPorts,
            &parameters,
            line.as_bytes(),
            &mut output,
            &mut complaints,
        );
        assert_eq!(bad.unwrap(), 0, "{}", String::from_utf8_lossy(&complaints));
        let evaluation: Value = serde_json::from_slice(&output).unwrap();
        evaluation["complianceType"].as_str().unwrap().to_owned()
    }

    /// What of a group everybody would see: rule ids come and go.
    fn without_ids(group: &[IngressRange]) -> Vec<String> {
        let mut all: Vec<String> = group
            .iter()
            .map(|range| {
                let IngressRange { protocol, from_port, to_port, cidr, description, .. } = range;
                format!("{protocol} {from_port:?} {to_port:?} {cidr} {description:?}")
            })
            .collect();
        all.sort();
        all
    }

    /// A group as EC2 keeps one: every range once.
    fn group() -> impl Strategy<Value = Vec<IngressRange>> {
        prop::collection::vec(any_range(), 0..12).prop_map(|ranges| {
            let mut group: Vec<IngressRange> = Vec::new();
            for (number, range) in ranges.into_iter().enumerate() {
                if !group.iter().any(|other| other.opens_the_same(&range)) {
                    group.push(IngressRange { rule_id: format!("sgr-{number}"), ..range });
                }
            }
            group
        })
    }

    proptest! {
        /// The executor against a model of EC2: it revokes by rule id, and an undo authorises anew.
        #[test]
        fn after_a_fix_the_rule_is_content_and_after_an_undo_all_is_as_before(
            group in group(),
            first in 0u16..3000,
            width in 0u16..3000,
            other in 0u16..6000,
        ) {
            let prohibited = format!("{first}-{},{other}", first + width);
            let rule = RestrictedPorts { prohibited_ports: prohibited.parse().unwrap(), ..RestrictedPorts::default() };
            let changes = plan(&"sg-1".parse().unwrap(), &group, &rule);
            let violated = judged(&group, &prohibited) == "NON_COMPLIANT";
            prop_assert_eq!(violated, !changes.is_empty());

            let revoked: Vec<&str> = changes.iter().filter_map(|change| match change {
                Change::RevokeIngress(range) => Some(range.rule_id.as_str()),
                _ => None,
            }).collect();
            let fixed: Vec<IngressRange> =
                group.iter().filter(|range| !revoked.contains(&range.rule_id.as_str())).cloned().collect();
            prop_assert_eq!(judged(&fixed, &prohibited), "COMPLIANT");
            // What violates by itself is gone, and what went would violate still, with all that is no broader.
            for range in &group {
                let alone = judged(std::slice::from_ref(range), &prohibited) == "NON_COMPLIANT";
                prop_assert!(!alone || !fixed.contains(range), "{:?}", range);
                if !fixed.contains(range) {
                    let length = |range: &IngressRange| range.cidr.parse::<IpNet>().unwrap().prefix_len();
                    let no_broader: Vec<IngressRange> =
                        group.iter().filter(|other| length(other) >= length(range)).cloned().collect();
                    prop_assert_eq!(judged(&no_broader, &prohibited), "NON_COMPLIANT", "{:?}", range);
                }
            }

            let back = missing(&fixed, &changes).unwrap();
            let undone: Vec<IngressRange> = fixed.iter().cloned().chain(back).collect();
            prop_assert_eq!(without_ids(&undone), without_ids(&group));
        }
    }
}
