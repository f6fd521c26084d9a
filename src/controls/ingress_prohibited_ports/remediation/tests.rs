use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::controls::evaluation::aws_answer::AwsAnswer;
use crate::controls::evaluation::{ComplianceType, RuleDefaults, RuleKind, RuleParameters};

fn source(text: &str) -> IngressSource {
    match text.starts_with("pl-") {
        true => list(text, &[], true),
        false => IngressSource::Cidr(text.to_owned()),
    }
}

fn list(id: &str, open: &[&str], has_others: bool) -> IngressSource {
    let open = open.iter().map(|range| (*range).to_owned()).collect();
    IngressSource::PrefixList(PrefixList {
        id: id.to_owned(),
        open,
        has_others,
    })
}

fn range(rule_id: &str, protocol: &str, from: i32, to: i32, cidr: &str) -> IngressRule {
    IngressRule {
        rule_id: rule_id.to_owned(),
        protocol: protocol.to_owned(),
        from_port: Some(from),
        to_port: Some(to),
        source: source(cidr),
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
    let changes = plan(
        &"sg-1".parse().unwrap(),
        &group,
        &PrefixLists::default(),
        &RestrictedPorts::default(),
    );
    assert_eq!(ids(&changes), ["sgr-1", "sgr-4"]);
    assert_eq!(
        changes[0].to_string(),
        "revoke tcp, all ports from 0.0.0.0/0 (sgr-1)"
    );
}

#[test]
fn an_exempt_group_stays() {
    let rule = RestrictedPorts {
        exempt_security_groups: ["sg-1".to_owned()].into(),
        ..Default::default()
    };
    let group = [range("sgr-1", "tcp", 22, 22, "0.0.0.0/0")];
    assert_eq!(
        plan(
            &"sg-1".parse().unwrap(),
            &group,
            &PrefixLists::default(),
            &rule
        ),
        []
    );
    assert_eq!(
        plan(
            &"sg-2".parse().unwrap(),
            &group,
            &PrefixLists::default(),
            &rule
        )
        .len(),
        1
    );
}

#[test]
fn a_reference_to_a_prefix_list_goes_only_where_all_its_entries_are_open() {
    let group = ["pl-everybody", "pl-office", "pl-partly"];
    let group: Vec<IngressRule> = group
        .iter()
        .map(|id| range(id, "tcp", 22, 22, id))
        .collect();
    let id = "sg-1".parse().unwrap();
    let lists = lists_without(|_, _| false);
    let changes = plan(&id, &group, &lists, &RestrictedPorts::default());
    let words: Vec<String> = changes.iter().map(Change::to_string).collect();
    assert_eq!(
        words,
        [
            "revoke tcp 22 from 0.0.0.0/0 and ::/0 (prefix list pl-everybody, pl-everybody)",
            "take 0.0.0.0/2 and 64.0.0.0/2 out of the prefix list pl-partly, which opens tcp 22 (pl-partly)",
        ]
    );
    assert!(changes.iter().all(Change::is_left_to_people));
    let takes = RestrictedPorts {
        auto_response_takes_broad_ranges: true,
        ..RestrictedPorts::default()
    };
    let left: Vec<bool> = plan(&id, &group, &lists, &takes)
        .iter()
        .map(Change::is_left_to_people)
        .collect();
    assert_eq!(left, [false, true]);
    assert_eq!(
        plan(&id, &group, &PrefixLists::default(), &takes),
        [],
        "lists that cannot be read"
    );
}

#[test]
fn only_lists_that_open_prohibited_ports_are_read() {
    let group = [
        range("sgr-1", "tcp", 443, 443, "pl-1"),
        range("sgr-2", "-1", -1, -1, "pl-2"),
    ];
    assert_eq!(
        prefix_lists(&group, &RestrictedPorts::default()),
        ["pl-2".to_owned()].into()
    );
}

#[test]
fn an_undo_opens_what_is_missing_and_refuses_what_is_described_otherwise() {
    let described = |text: &str| IngressRule {
        description: Some(text.to_owned()),
        ..range("sgr-1", "tcp", 22, 22, "0.0.0.0/0")
    };
    let other = range("sgr-2", "tcp", 22, 22, "::/0");
    let removed = [described("jump host"), other.clone()].map(Change::RevokeIngress);
    assert_eq!(
        missing(&[], &removed).unwrap(),
        [described("jump host"), other.clone()]
    );
    let back = IngressRule {
        rule_id: "sgr-9".to_owned(),
        ..described("jump host")
    };
    assert_eq!(
        missing(std::slice::from_ref(&back), &removed).unwrap(),
        [other]
    );
    let Err(UndoError::Differs(what)) = missing(&[described("mine")], &removed) else {
        panic!()
    };
    assert_eq!(
        what,
        "tcp 22 is reachable from 0.0.0.0/0 already, by the rule sgr-1, which is described as \"mine\""
    );
}

fn any_range() -> impl Strategy<Value = IngressRule> {
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
        "pl-everybody",
        "pl-half",
        "pl-office",
        "pl-partly",
    ]);
    (protocol, cidr, 0..4000i32, 0..2000i32, 0..1_000_000u32).prop_map(
        |(protocol, cidr, from, width, id)| {
            range(&format!("sgr-{id}"), protocol, from, from + width, cidr)
        },
    )
}

/// A group's rules as AWS Config's item has them.
fn item(group: &[IngressRule]) -> String {
    let permission = |rule: &IngressRule| {
        let mut permission = json!({"ipProtocol": rule.protocol, "fromPort": rule.from_port, "toPort": rule.to_port});
        match &rule.source {
            IngressSource::Cidr(cidr) if cidr.contains(':') => {
                permission["ipv6Ranges"] = json!([{"cidrIpv6": cidr}]);
            }
            IngressSource::Cidr(cidr) => permission["ipv4Ranges"] = json!([{"cidrIp": cidr}]),
            IngressSource::PrefixList(list) => {
                permission["prefixListIds"] = json!([{"prefixListId": list.id}]);
            }
        }
        permission
    };
    json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1", "configurationItemStatus": "OK",
        "configuration": {"ipPermissions": group.iter().map(permission).collect::<Vec<_>>()}})
    .to_string()
}

/// Whether the rule complains of a group.
fn violates(group: &[IngressRule], lists: &PrefixLists, prohibited: &str) -> bool {
    let parameters: RuleParameters = [("prohibitedPorts", prohibited)].into_iter().collect();
    let item = item(group);
    let item = serde_json::from_str(&item).unwrap();
    let answer = AwsAnswer::PrefixLists(lists.clone());
    let rules = RuleDefaults::default();
    let evaluation = rules
        .evaluate_by(
            RuleKind::RestrictedPorts,
            &parameters,
            &item,
            false,
            &answer,
        )
        .unwrap();
    evaluation.compliance_type == ComplianceType::NonCompliant
}

/// What of a group everybody would see: rule ids come and go.
fn without_ids(group: &[IngressRule]) -> Vec<String> {
    let mut all: Vec<String> = group
        .iter()
        .map(|range| {
            let IngressRule {
                protocol,
                from_port,
                to_port,
                source,
                description,
                ..
            } = range;
            let source = match source {
                IngressSource::Cidr(cidr) => cidr,
                IngressSource::PrefixList(list) => &list.id,
            };
            format!("{protocol} {from_port:?} {to_port:?} {source} {description:?}")
        })
        .collect();
    all.sort();
    all
}

/// A group as EC2 keeps one: every range once.
fn group() -> impl Strategy<Value = Vec<IngressRule>> {
    prop::collection::vec(any_range(), 0..12).prop_map(|ranges| {
        let mut group: Vec<IngressRule> = Vec::new();
        for (number, range) in ranges.into_iter().enumerate() {
            if !group.iter().any(|other| other.opens_the_same(&range)) {
                group.push(IngressRule {
                    rule_id: format!("sgr-{number}"),
                    ..range
                });
            }
        }
        group
    })
}

/// The prefix lists that the groups refer to.
const LISTS: [(&str, &[&str]); 4] = [
    ("pl-everybody", &["0.0.0.0/0", "::/0"]),
    ("pl-half", &["0.0.0.0/1"]),
    ("pl-office", &["198.51.100.0/24", "2001:db8::/48"]),
    ("pl-partly", &["0.0.0.0/2", "64.0.0.0/2", "198.51.100.7/32"]),
];

/// The lists, without the ranges that somebody has taken out.
fn lists_without(taken: impl Fn(&str, &str) -> bool) -> PrefixLists {
    let entries = |id: &str, ranges: &[&str]| {
        ranges
            .iter()
            .filter(|range| !taken(id, range))
            .map(|range| range.parse().unwrap())
            .collect()
    };
    LISTS
        .into_iter()
        .map(|(id, ranges)| (id, entries(id, ranges)))
        .collect()
}

/// What one rule lets in, as the shortest of its prefixes.
fn shortest_prefix(rule: &IngressRule, lists: &PrefixLists) -> u8 {
    match &rule.source {
        IngressSource::Cidr(cidr) => cidr.parse::<IpNet>().unwrap().prefix_len(),
        IngressSource::PrefixList(list) => lists
            .entries(&list.id)
            .iter()
            .map(IpNet::prefix_len)
            .min()
            .unwrap(),
    }
}

proptest! {
    /// The executor against a model of EC2: it revokes by rule id, and an undo authorises anew. What is by
    /// hand, a person does.
    #[test]
    fn a_fix_satisfies_the_rule_and_an_undo_restores_the_group(
        group in group(),
        first in 0u16..3000,
        width in 0u16..3000,
        other in 0u16..6000,
    ) {
        let prohibited = format!("{first}-{},{other}", first + width);
        let rule = RestrictedPorts { prohibited_ports: prohibited.parse().unwrap(), ..RestrictedPorts::default() };
        let lists = lists_without(|_, _| false);
        let changes = plan(&"sg-1".parse().unwrap(), &group, &lists, &rule);
        prop_assert_eq!(violates(&group, &lists, &prohibited), !changes.is_empty());

        let (by_hand, changes): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(Change::is_by_hand);
        let revoked = ids(&changes);
        let fixed: Vec<IngressRule> =
            group.iter().filter(|rule| !revoked.contains(&rule.rule_id.as_str())).cloned().collect();
        // What is left is by hand, and was said to be.
        let left = plan(&"sg-1".parse().unwrap(), &fixed, &lists, &rule);
        let by_hand_ids = ids(&by_hand);
        prop_assert!(ids(&left).iter().all(|id| by_hand_ids.contains(id)), "{:?}", left);
        prop_assert!(left.iter().all(Change::is_by_hand));
        let taken = |id: &str, range: &str| by_hand.iter().any(|change| {
            let Change::RevokeIngress(rule) = change else { return false };
            matches!(&rule.source, IngressSource::PrefixList(list) if list.id == id && list.open.contains(range))
        });
        prop_assert!(!violates(&fixed, &lists_without(taken), &prohibited));

        // What violates by itself is gone, or by hand; and what went would violate still, with all that is no
        // broader.
        for rule in &group {
            let alone = violates(std::slice::from_ref(rule), &lists, &prohibited);
            let is_by_hand = by_hand_ids.contains(&rule.rule_id.as_str());
            prop_assert!(!alone || is_by_hand || !fixed.contains(rule), "{:?}", rule);
            if !fixed.contains(rule) {
                let no_broader: Vec<IngressRule> = group
                    .iter()
                    .filter(|other| shortest_prefix(other, &lists) >= shortest_prefix(rule, &lists))
                    .cloned()
                    .collect();
                prop_assert!(violates(&no_broader, &lists, &prohibited), "{:?}", rule);
            }
        }

        let back = missing(&fixed, &changes).unwrap();
        let undone: Vec<IngressRule> = fixed.iter().cloned().chain(back).collect();
        prop_assert_eq!(without_ids(&undone), without_ids(&group));
    }
}

#[test]
fn of_what_was_removed_twice_one_rule_is_missing_and_a_prefix_list_is_known_by_its_id() {
    let removed = [
        range("sgr-1", "tcp", 22, 22, "0.0.0.0/0"),
        range("sgr-2", "tcp", 22, 22, "0.0.0.0/0"),
    ];
    let removed = removed.map(Change::RevokeIngress);
    assert_eq!(missing(&[], &removed).unwrap().len(), 1);
    let of_list = |id: &str, entries: &[&str]| IngressRule {
        source: list(id, entries, false),
        ..range("sgr-3", "tcp", 22, 22, "pl-1")
    };
    let one = of_list("pl-1", &["0.0.0.0/0"]);
    assert!(one.opens_the_same(&of_list("pl-1", &[])));
    assert!(!one.opens_the_same(&of_list("pl-2", &["0.0.0.0/0"])));
}
