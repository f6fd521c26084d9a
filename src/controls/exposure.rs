//! What a change takes away, seen from outside: whom the resource lets in, to what. Two changes that
//! expose the same are the same to a person who agreed to one of them. Rule ids, descriptions and positions
//! do not count.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ingress_prohibited_ports::Opened;

/// An exposure. Only [`Change::exposure`](super::Change::exposure) makes one, so that equal exposures are equal
/// values.
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
        /// The protocol, as of a range.
        protocol: String,
        /// The first port, as of a range.
        from_port: Option<i32>,
        /// The last port, as of a range.
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
            _ => None,
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
            (one, other) => one == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::controls::{
        Change, IngressRule, IngressSource, PolicyStatement, PrefixList, WholePolicy,
    };

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

    fn of_rule(rule: &IngressRule) -> Exposure {
        Change::RevokeIngress(rule.clone()).exposure().unwrap()
    }

    fn ingress(protocol: &str, from: i32, to: i32, cidr: &str) -> Exposure {
        of_rule(&range(protocol, from, to, cidr))
    }

    fn statement(statement: &str) -> Exposure {
        let change = Change::RemoveStatement(PolicyStatement {
            index: 0,
            sid: None,
            statement: statement.to_owned(),
            limited_by: Vec::new(),
            is_unconfirmed: false,
        });
        change.exposure().unwrap()
    }

    #[test]
    fn rule_ids_descriptions_and_spellings_do_not_matter() {
        let other = IngressRule {
            rule_id: "sgr-2".to_owned(),
            description: Some("jump host".to_owned()),
            ..range("6", 22, 22, "0.0.0.0/0")
        };
        assert_eq!(ingress("tcp", 22, 22, "0.0.0.0/0"), of_rule(&other));
        assert_eq!(
            ingress("-1", -1, -1, "::/0"),
            of_rule(&IngressRule {
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
        let moved = Change::RemoveStatement(PolicyStatement {
            index: 7,
            sid: Some("A".to_owned()),
            statement: one.to_owned(),
            limited_by: Vec::new(),
            is_unconfirmed: false,
        });
        assert_eq!(moved.exposure(), Some(statement(one)));
        assert_eq!(
            Change::DeletePolicy(WholePolicy {
                policy: "{}".to_owned()
            })
            .exposure(),
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
            of_rule(&IngressRule {
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
        assert!(!grant("AllUsers", "READ").covers(&grant("LogDelivery", "READ")));
        assert!(!grant("LogDelivery", "READ").covers(&grant("AuthenticatedUsers", "READ")));
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
        fn covering_is_reflexive_and_transitive(a in any_ingress(), b in any_ingress(), c in any_ingress()) {
            prop_assert!(a.covers(&a));
            prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
            prop_assert!(!(a.covers(&b) && b.covers(&a)) || a == b);
        }

        /// However a statement's keys and lists are ordered, it is the same.
        #[test]
        fn the_order_of_keys_and_actions_does_not_matter(mut actions in prop::collection::vec("[a-c]{1,2}", 1..5), swap in any::<bool>()) {
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
