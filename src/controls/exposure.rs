//! What a change takes away, seen from outside: whom the resource lets in, to what. Two changes that
//! expose the same are the same to a person who agreed to one of them. Rule ids, descriptions and positions
//! do not count.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{Change, Grant, Grantee, IngressRule, IngressSource};

/// An exposure. Only [`Exposure::of`] makes one, so that equal exposures are equal values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    tag = "exposes",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Exposure {
    /// An ingress range: protocol, ports, addresses.
    Ingress {
        /// `tcp`, `udp`, `icmp`, `icmpv6`, `-1` for all, or another protocol's number.
        protocol: String,
        /// First port, or ICMP type; absent where it means all.
        from_port: Option<i32>,
        /// Last port, or ICMP code; absent where it means all.
        to_port: Option<i32>,
        /// `0.0.0.0/0`
        cidr: String,
    },
    /// An ingress rule for a prefix list.
    PrefixList {
        /// As of a range.
        protocol: String,
        /// As of a range.
        from_port: Option<i32>,
        /// As of a range.
        to_port: Option<i32>,
        /// `pl-0123456789abcdef0`
        prefix_list: String,
        /// Its entries that let the internet in.
        open: BTreeSet<String>,
        /// Whether it has others, so that it takes a person to close it.
        has_others: bool,
    },
    /// A grant of an ACL.
    Grant {
        /// Its group's URI, canonical user id or email address.
        grantee: String,
        /// `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP`, `FULL_CONTROL`.
        permission: String,
    },
    /// A statement of a policy.
    Statement {
        /// Its canonical JSON: keys in order, lists as sets.
        json: String,
    },
}

impl Exposure {
    /// What a change closes. None for the deletion of a policy, whose statements are changes of their
    /// own: whether another statement is left exposes nothing.
    pub fn of(change: &Change) -> Option<Self> {
        match change {
            Change::RevokeIngress(rule) => Some(Self::of_rule(rule)),
            Change::RemoveGrant(Grant {
                grantee,
                permission,
            }) => {
                let (Grantee::Group(grantee)
                | Grantee::CanonicalUser(grantee)
                | Grantee::Email(grantee)) = grantee;
                Some(Self::Grant {
                    grantee: grantee.clone(),
                    permission: permission.clone(),
                })
            }
            Change::RemoveStatement { statement, .. } => Some(Self::Statement {
                json: canonical_statement(statement),
            }),
            Change::DeletePolicy { .. } => None,
        }
    }

    fn of_rule(rule: &IngressRule) -> Self {
        let protocol = protocol_name(&rule.protocol);
        let given = |port: Option<i32>| port.filter(|port| *port != -1);
        let (from_port, to_port) = match (protocol, given(rule.from_port), given(rule.to_port)) {
            ("-1", ..) => (None, None),
            ("tcp" | "udp", None, None) => (Some(0), Some(65535)),
            (_, from, to) => (from, to),
        };
        let protocol = protocol.to_owned();
        match &rule.source {
            IngressSource::Cidr(cidr) => {
                let cidr = cidr
                    .parse::<IpNet>()
                    .map_or_else(|_| cidr.clone(), |net| net.trunc().to_string());
                Self::Ingress {
                    protocol,
                    from_port,
                    to_port,
                    cidr,
                }
            }
            IngressSource::PrefixList(list) => Self::PrefixList {
                protocol,
                from_port,
                to_port,
                prefix_list: list.id.clone(),
                open: list.open.clone(),
                has_others: list.has_others,
            },
        }
    }

    /// What an ingress rule opens to whom; none of other exposures.
    fn opened(&self) -> Option<Opened<'_>> {
        match self {
            Self::Ingress {
                protocol,
                from_port,
                to_port,
                cidr,
            } => Some(Opened {
                protocol,
                ports: (*from_port, *to_port),
                prefix_list: None,
                ranges: vec![cidr],
            }),
            Self::PrefixList {
                protocol,
                from_port,
                to_port,
                prefix_list,
                open,
                has_others: _,
            } => Some(Opened {
                protocol,
                ports: (*from_port, *to_port),
                prefix_list: Some(prefix_list),
                ranges: open.iter().map(String::as_str).collect(),
            }),
            Self::Grant { .. } | Self::Statement { .. } => None,
        }
    }

    /// Whether a person who accepted this has accepted the other too, because it is part of it: every
    /// protocol includes tcp, all ports include 22, a wider address range includes a narrower one, in a
    /// prefix list or not, full control includes reading, everybody includes every AWS account. What a
    /// prefix list has includes the same list only, and a statement itself only.
    pub fn covers(&self, other: &Self) -> bool {
        if let (Some(wide), Some(narrow)) = (self.opened(), other.opened()) {
            return wide.includes(&narrow);
        }
        match (self, other) {
            (
                Self::Grant {
                    grantee,
                    permission,
                },
                Self::Grant {
                    grantee: other_grantee,
                    permission: other_permission,
                },
            ) => {
                let everybody = grantee.ends_with("/AllUsers")
                    && other_grantee.ends_with("/AuthenticatedUsers");
                (everybody || grantee == other_grantee)
                    && (permission == "FULL_CONTROL" || permission == other_permission)
            }
            (Self::Statement { json }, Self::Statement { json: other }) => json == other,
            (
                Self::Ingress { .. }
                | Self::PrefixList { .. }
                | Self::Grant { .. }
                | Self::Statement { .. },
                _,
            ) => false,
        }
    }
}

/// What an ingress rule opens to whom.
struct Opened<'a> {
    protocol: &'a str,
    ports: (Option<i32>, Option<i32>),
    prefix_list: Option<&'a String>,
    ranges: Vec<&'a str>,
}

impl Opened<'_> {
    fn includes(&self, other: &Self) -> bool {
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
pub fn protocol_name(protocol: &str) -> &str {
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

/// A statement's JSON in the one form that all spellings of it have: keys in order, a list of one as
/// that one, other lists as sets. What is no JSON stays as it is.
fn canonical_statement(statement: &str) -> String {
    match serde_json::from_str::<Value>(statement) {
        Ok(value) => canonical(value).to_string(),
        Err(_) => statement.to_owned(),
    }
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<String, Value> = fields
                .into_iter()
                .map(|(key, value)| (key, canonical(value)))
                .collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => {
            let sorted: BTreeMap<String, Value> = items
                .into_iter()
                .map(|item| {
                    let item = canonical(item);
                    (item.to_string(), item)
                })
                .collect();
            let mut items: Vec<Value> = sorted.into_values().collect();
            if items.len() == 1 {
                items.remove(0)
            } else {
                Value::Array(items)
            }
        }
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::controls::PrefixList;

    fn range(protocol: &str, from: i32, to: i32, cidr: &str) -> IngressRule {
        IngressRule {
            rule_id: "sgr-1".to_owned(),
            protocol: protocol.to_owned(),
            from_port: Some(from),
            to_port: Some(to),
            source: IngressSource::Cidr(cidr.to_owned()),
            description: None,
            is_left_to_people: false,
        }
    }

    fn ingress(protocol: &str, from: i32, to: i32, cidr: &str) -> Exposure {
        Exposure::of_rule(&range(protocol, from, to, cidr))
    }

    fn statement(statement: &str) -> Exposure {
        let change = Change::RemoveStatement {
            index: 0,
            sid: None,
            statement: statement.to_owned(),
            limited_by: Vec::new(),
            is_unconfirmed: false,
        };
        Exposure::of(&change).unwrap()
    }

    #[test]
    fn rule_ids_descriptions_and_spellings_do_not_matter() {
        let other = IngressRule {
            rule_id: "sgr-2".to_owned(),
            description: Some("jump host".to_owned()),
            ..range("6", 22, 22, "0.0.0.0/0")
        };
        assert_eq!(
            ingress("tcp", 22, 22, "0.0.0.0/0"),
            Exposure::of_rule(&other)
        );
        assert_eq!(
            ingress("-1", -1, -1, "::/0"),
            Exposure::of_rule(&IngressRule {
                from_port: None,
                to_port: None,
                ..range("-1", 0, 0, "0::/0")
            })
        );
        assert_eq!(
            ingress("tcp", 0, 65535, "10.1.2.3/0"),
            ingress("tcp", -1, -1, "0.0.0.0/0")
        );
        assert_ne!(
            ingress("tcp", 22, 22, "0.0.0.0/0"),
            ingress("tcp", 22, 22, "::/0")
        );
    }

    #[test]
    fn a_statement_is_the_same_in_any_order_and_place() {
        let one = r#"{"Sid":"A","Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"]}"#;
        let other = r#"{ "Action": ["s3:ListBucket", "s3:GetObject"], "Principal": ["*"], "Sid": "A", "Effect": "Allow" }"#;
        assert_eq!(statement(one), statement(other));
        assert_ne!(
            statement(one),
            statement(&one.replace("GetObject", "PutObject"))
        );
        let moved = Change::RemoveStatement {
            index: 7,
            sid: Some("A".to_owned()),
            statement: one.to_owned(),
            limited_by: Vec::new(),
            is_unconfirmed: false,
        };
        assert_eq!(Exposure::of(&moved), Some(statement(one)));
        assert_eq!(
            Exposure::of(&Change::DeletePolicy {
                policy: "{}".to_owned()
            }),
            None
        );
    }

    #[test]
    fn the_wider_covers_the_narrower_and_not_the_other_way_round() {
        let everything = ingress("-1", -1, -1, "0.0.0.0/0");
        let all_tcp = ingress("tcp", 0, 65535, "0.0.0.0/0");
        let ssh = ingress("tcp", 22, 22, "0.0.0.0/0");
        let half = ingress("tcp", 22, 22, "0.0.0.0/1");
        for (wide, narrow) in [
            (&everything, &all_tcp),
            (&all_tcp, &ssh),
            (&ssh, &half),
            (&everything, &half),
        ] {
            assert!(
                wide.covers(narrow) && !narrow.covers(wide),
                "{wide:?} {narrow:?}"
            );
        }
        assert!(
            !all_tcp.covers(&ingress("udp", 53, 53, "0.0.0.0/0")),
            "another protocol"
        );
        assert!(
            !everything.covers(&ingress("tcp", 22, 22, "::/0")),
            "other addresses"
        );
        assert!(!ingress("icmp", 8, -1, "0.0.0.0/0").covers(&ingress("icmp", 9, 0, "0.0.0.0/0")));
        assert!(ingress("icmp", 8, -1, "0.0.0.0/0").covers(&ingress("icmp", 8, 0, "0.0.0.0/0")));
    }

    #[test]
    fn a_range_covers_what_a_prefix_list_has_and_a_list_only_itself() {
        let list = |id: &str, open: &[&str], has_others: bool| {
            let open = open.iter().map(|range| (*range).to_owned()).collect();
            let source = IngressSource::PrefixList(PrefixList {
                id: id.to_owned(),
                open,
                has_others,
            });
            Exposure::of_rule(&IngressRule {
                source,
                ..range("tcp", 22, 22, "")
            })
        };
        let one = list("pl-1", &["64.0.0.0/7"], false);
        assert!(ingress("tcp", 22, 22, "0.0.0.0/0").covers(&one) && !one.covers(&one_range()));
        assert!(!ingress("tcp", 22, 22, "64.0.0.0/8").covers(&one));
        assert!(
            one.covers(&list("pl-1", &["64.0.0.0/7"], true)),
            "what is beside it is no exposure"
        );
        assert_ne!(one, list("pl-1", &["64.0.0.0/7"], true), "and another plan");
        assert!(
            !one.covers(&list("pl-1", &["64.0.0.0/7", "::/0"], false)),
            "it has got more"
        );
        assert!(
            !one.covers(&list("pl-2", &["64.0.0.0/7"], false)),
            "another list"
        );
    }

    fn one_range() -> Exposure {
        ingress("tcp", 22, 22, "64.0.0.0/8")
    }

    #[test]
    fn full_control_covers_reading_and_everybody_covers_every_account() {
        let grant = |group: &str, permission: &str| Exposure::Grant {
            grantee: format!("http://acs.amazonaws.com/groups/global/{group}"),
            permission: permission.to_owned(),
        };
        assert!(grant("AllUsers", "FULL_CONTROL").covers(&grant("AuthenticatedUsers", "READ")));
        assert!(!grant("AuthenticatedUsers", "FULL_CONTROL").covers(&grant("AllUsers", "READ")));
        assert!(!grant("AllUsers", "READ").covers(&grant("AllUsers", "WRITE")));
    }

    fn any_ingress() -> impl Strategy<Value = Exposure> {
        let protocol = prop::sample::select(vec!["tcp", "6", "udp", "icmp", "-1"]);
        let cidr = prop::sample::select(vec!["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"]);
        (protocol, cidr, -1..6i32, 0..4i32).prop_map(|(protocol, cidr, from, width)| {
            ingress(
                protocol,
                from,
                if from < 0 { -1 } else { from + width },
                cidr,
            )
        })
    }

    proptest! {
        /// Containment is an order: everything covers itself, and what covers what covers covers.
        #[test]
        fn covering_is_an_order(a in any_ingress(), b in any_ingress(), c in any_ingress()) {
            prop_assert!(a.covers(&a));
            prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
            prop_assert!(!(a.covers(&b) && b.covers(&a)) || a == b);
        }

        /// However a statement's keys and lists are ordered, it is the same.
        #[test]
        fn order_means_nothing(mut actions in prop::collection::vec("[a-c]{1,2}", 1..5), swap in any::<bool>()) {
            let before = statement(&json!({"Effect": "Allow", "Principal": "*", "Action": actions}).to_string());
            actions.reverse();
            if swap {
                actions.push(actions[0].clone());
            }
            let after = statement(&json!({"Action": actions, "Principal": "*", "Effect": "Allow"}).to_string());
            prop_assert_eq!(before, after);
        }
    }
}
