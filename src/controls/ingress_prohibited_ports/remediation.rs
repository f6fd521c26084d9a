//! `EC2_SG_PROHIBITED_PORT`: revoke, by rule id, exactly the open rules on prohibited ports.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, SecurityGroupRule,
};
use futures::FutureExt;
use ipnet::IpNet;

use super::ingress_rule::{IngressRule, IngressSource, PrefixList};
use super::prefix_lists::PrefixLists;
use super::rule::RestrictedPorts;
use crate::aws::{Aws, AwsError, prefix_list};
use crate::controls::change::Change;
use crate::controls::evaluation::RuleDefaults;
use crate::controls::kind::Service;
use crate::controls::remediation::{Live, Prepared, PutBack, Remediation, equals};
use crate::controls::undo_error::UndoError;
use crate::ids::{Resource, ResourceId};
use crate::shapes::ingress::opens_prohibited;
use crate::shapes::openings::{Source, open};

/// The remediation.
pub(in crate::controls) struct ProhibitedPort;

#[async_trait]
impl Remediation for ProhibitedPort {
    fn service(&self) -> Service {
        Service::Ec2
    }

    fn plan_actions(&self) -> &'static [&'static str] {
        &[
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:GetManagedPrefixListEntries",
        ]
    }

    fn apply_actions(&self) -> &'static [&'static str] {
        &[
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupIngress",
        ]
    }

    fn call(&self, _: &[Change]) -> &'static str {
        "RevokeSecurityGroupIngress"
    }

    fn undo_call(&self) -> &'static str {
        "AuthorizeSecurityGroupIngress"
    }

    async fn prepare(
        &self,
        aws: &Aws,
        rules: &RuleDefaults,
        resource: &Resource,
    ) -> Result<Prepared, AwsError> {
        let rule = &rules.restricted_ports;
        let ec2 = aws.ec2(&resource.account, &resource.region)?;
        let group = read(&ec2, &resource.id).await?;
        let lists = PrefixLists::read(&ec2, prefix_lists(&group, rule)).await?;
        Ok(Prepared {
            changes: plan(&resource.id, &group, &lists, rule),
            live: Box::new(LiveGroup),
            doubt: None,
        })
    }

    async fn prepare_undo(
        &self,
        aws: &Aws,
        resource: &Resource,
        removed: &[Change],
    ) -> Result<Option<Box<dyn PutBack>>, UndoError> {
        let ec2 = aws.ec2(&resource.account, &resource.region)?;
        let group = read(&ec2, &resource.id).await?;
        let missing = missing(&group, removed)?;
        for rule in &missing {
            check_entries(&ec2, &rule.source).await?;
        }
        if missing.is_empty() {
            return Ok(None);
        }
        Ok(Some(Box::new(Missing(missing)) as Box<dyn PutBack>))
    }
}

/// A group as it was read: its open rules are the changes themselves.
#[derive(Debug, PartialEq)]
struct LiveGroup;

#[async_trait]
impl Live for LiveGroup {
    fn is_same(&self, other: &dyn Live) -> bool {
        equals(self, other)
    }

    async fn apply(
        self: Box<Self>,
        aws: &Aws,
        resource: &Resource,
        changes: &[Change],
    ) -> Result<(), AwsError> {
        let ec2 = aws.ec2(&resource.account, &resource.region)?;
        revoke(&ec2, &resource.id, changes).await
    }
}

/// The rules that an undo opens again.
struct Missing(Vec<IngressRule>);

#[async_trait]
impl PutBack for Missing {
    async fn put(self: Box<Self>, aws: &Aws, resource: &Resource) -> Result<(), AwsError> {
        let ec2 = aws.ec2(&resource.account, &resource.region)?;
        authorize(&ec2, &resource.id, self.0).await
    }
}

/// The group's ingress rules for ranges and prefix lists, whose entries are not read. Rules for other groups
/// can never be in a plan. A group that does not exist has no rules either: only DescribeSecurityGroups
/// tells.
async fn read(ec2: &Client, id: &ResourceId) -> Result<Vec<IngressRule>, AwsError> {
    let filter = Filter::builder()
        .name("group-id")
        .values(id.as_str())
        .build();
    let rules = ec2
        .describe_security_group_rules()
        .filters(filter)
        .into_paginator()
        .items()
        .send();
    let (group, rules) = tokio::join!(
        ec2.describe_security_groups()
            .group_ids(id.as_str())
            .send()
            .boxed(),
        rules.collect::<Result<Vec<SecurityGroupRule>, _>>(),
    );
    group.map_err(|error| AwsError::from_sdk("ec2:DescribeSecurityGroups", error))?;
    let rules =
        rules.map_err(|error| AwsError::from_sdk("ec2:DescribeSecurityGroupRules", error))?;
    Ok(rules.into_iter().filter_map(ingress_rule).collect())
}

fn ingress_rule(rule: SecurityGroupRule) -> Option<IngressRule> {
    if rule.is_egress()? {
        return None;
    }
    let source = match (rule.cidr_ipv4().or(rule.cidr_ipv6()), rule.prefix_list_id()) {
        (Some(cidr), _) => IngressSource::Cidr(cidr.to_owned()),
        (None, Some(id)) => IngressSource::PrefixList(PrefixList {
            id: id.to_owned(),
            open: BTreeSet::new(),
            has_others: true,
        }),
        (None, None) => return None,
    };
    Some(IngressRule {
        source,
        protocol: rule.ip_protocol()?.to_owned(),
        from_port: rule.from_port,
        to_port: rule.to_port,
        rule_id: rule.security_group_rule_id?,
        description: rule.description.filter(|text| !text.is_empty()),
        is_left_to_people: false,
    })
}

fn ports(rule: &IngressRule) -> (Option<i64>, Option<i64>) {
    (rule.from_port.map(i64::from), rule.to_port.map(i64::from))
}

/// The prefix lists for which prohibited ports are open.
fn prefix_lists(group: &[IngressRule], rule: &RestrictedPorts) -> BTreeSet<String> {
    let list = |ingress: &IngressRule| {
        let (from, to) = ports(ingress);
        match &ingress.source {
            IngressSource::PrefixList(list)
                if opens_prohibited(&rule.prohibited_ports, &ingress.protocol, from, to) =>
            {
                Some(list.id.clone())
            }
            IngressSource::PrefixList(_) | IngressSource::Cidr(_) => None,
        }
    };
    group.iter().filter_map(list).collect()
}

/// The rules on prohibited ports that let the internet in, by themselves or together. Of a prefix list with
/// other entries beside the open ones only a person can take these out.
fn plan(
    id: &ResourceId,
    group: &[IngressRule],
    lists: &PrefixLists,
    rule: &RestrictedPorts,
) -> Vec<Change> {
    if rule.exempt_security_groups.contains(id.as_str()) {
        return Vec::new();
    }
    let ranges: Vec<BTreeSet<IpNet>> = group
        .iter()
        .map(|ingress| match &ingress.source {
            IngressSource::Cidr(cidr) => cidr.parse().into_iter().collect(),
            IngressSource::PrefixList(list) => lists.entries(&list.id),
        })
        .collect();
    let sources = group.iter().zip(&ranges).map(|(ingress, ranges)| {
        let (from_port, to_port) = ports(ingress);
        Source {
            protocol: &ingress.protocol,
            from_port,
            to_port,
            ranges,
        }
    });
    let open = open(sources, &rule.prohibited_ports, rule.broadest).into_iter();
    let change = |(place, open): (usize, BTreeSet<IpNet>)| {
        let ingress: &IngressRule = &group[place];
        let (source, is_left_to_people) = match &ingress.source {
            IngressSource::Cidr(_) => (
                ingress.source.clone(),
                open.iter().all(|range| rule.leaves_to_people(*range)),
            ),
            IngressSource::PrefixList(list) => {
                let has_others = open != ranges[place];
                let open = open.iter().map(IpNet::to_string).collect();
                let list = PrefixList {
                    open,
                    has_others,
                    ..list.clone()
                };
                (
                    IngressSource::PrefixList(list),
                    has_others || rule.leaves_prefix_lists_to_people(),
                )
            }
        };
        Change::RevokeIngress(IngressRule {
            source,
            is_left_to_people,
            ..ingress.clone()
        })
    };
    open.map(change).collect()
}

/// Revokes by rule id: by properties, EC2 would take what stands beside a range too, and would
/// revoke nothing where one property is off.
async fn revoke(ec2: &Client, id: &ResourceId, changes: &[Change]) -> Result<(), AwsError> {
    let rule_ids = changes.iter().filter_map(|change| match change {
        Change::RevokeIngress(rule) => Some(rule.rule_id.clone()),
        _ => None,
    });
    let revoke = ec2.revoke_security_group_ingress().group_id(id.as_str());
    let revoke = revoke
        .set_security_group_rule_ids(Some(rule_ids.collect()))
        .customize();
    // Once only: after a lost answer the SDK's second try would be told that the rules are not
    // there, as if somebody else had revoked them. The task comes back, looks, and knows.
    let once = aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled());
    let revoked = revoke.config_override(once).send().boxed().await;
    revoked
        .map(drop)
        .map_err(|error| AwsError::from_sdk("ec2:RevokeSecurityGroupIngress", error))
}

/// What of the removed rules is not there; an error says what stands in its place.
fn missing(group: &[IngressRule], removed: &[Change]) -> Result<Vec<IngressRule>, UndoError> {
    let mut missing: Vec<IngressRule> = Vec::new();
    for change in removed {
        let Change::RevokeIngress(range) = change else {
            continue;
        };
        let same = |other: &&IngressRule| other.opens_the_same(range);
        match group.iter().find(same) {
            Some(live) if live.description == range.description => {}
            Some(live) => {
                let (id, described) = (
                    &live.rule_id,
                    live.description.as_deref().unwrap_or("nothing"),
                );
                return Err(UndoError::Differs(format!(
                    "{} already, by the rule {id}, which is described as \"{described}\"",
                    change.exposes()
                )));
            }
            None if missing.iter().any(|other| other.opens_the_same(range)) => {}
            None => missing.push(range.clone()),
        }
    }
    Ok(missing)
}

/// A prefix list may have got entries that nobody agreed to let in again.
async fn check_entries(ec2: &Client, source: &IngressSource) -> Result<(), UndoError> {
    let IngressSource::PrefixList(list) = source else {
        return Ok(());
    };
    let entries = prefix_list::entries(ec2, &list.id).await?;
    let new: Vec<String> = entries
        .iter()
        .map(IpNet::to_string)
        .filter(|entry| !list.open.contains(entry))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let new = new.join(" and ");
    Err(UndoError::Differs(format!(
        "the prefix list {} has got other entries since: {new}",
        list.id
    )))
}

/// Opens again what was removed, with its descriptions. The rules get new ids. One call, so that either all
/// are back or none.
async fn authorize(
    ec2: &Client,
    id: &ResourceId,
    missing: Vec<IngressRule>,
) -> Result<(), AwsError> {
    let permissions = missing.into_iter().map(ip_permission).collect();
    let authorize = ec2.authorize_security_group_ingress().group_id(id.as_str());
    let authorized = authorize
        .set_ip_permissions(Some(permissions))
        .send()
        .boxed()
        .await;
    authorized
        .map(drop)
        .map_err(|error| AwsError::from_sdk("ec2:AuthorizeSecurityGroupIngress", error))
}

fn ip_permission(rule: IngressRule) -> IpPermission {
    let IngressRule {
        protocol,
        from_port,
        to_port,
        source,
        description,
        ..
    } = rule;
    let permission = IpPermission::builder().ip_protocol(protocol);
    let permission = permission.set_from_port(from_port).set_to_port(to_port);
    match source {
        IngressSource::Cidr(cidr) if cidr.contains(':') => {
            let range = Ipv6Range::builder()
                .cidr_ipv6(cidr)
                .set_description(description)
                .build();
            permission.ipv6_ranges(range).build()
        }
        IngressSource::Cidr(cidr) => {
            let range = IpRange::builder()
                .cidr_ip(cidr)
                .set_description(description)
                .build();
            permission.ip_ranges(range).build()
        }
        IngressSource::PrefixList(list) => {
            let list = PrefixListId::builder()
                .prefix_list_id(list.id)
                .set_description(description)
                .build();
            permission.prefix_list_ids(list).build()
        }
    }
}

#[cfg(test)]
mod tests;
