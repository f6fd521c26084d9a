//! The remediation and the rule of security groups, before an EC2 that keeps one group and its prefix lists.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::prefix_lists::PrefixLists;
use super::remediation::ProhibitedPort;
use super::rule::RestrictedPorts;
use crate::aws::test_client::{Asked, TestClient};
use crate::aws::{Aws, AwsErrorKind};
use crate::controls::Change;
use crate::controls::evaluation::aws_answer::AwsAnswer;
use crate::controls::evaluation::{
    ComplianceType, ConfigurationItem, EvaluationError, Rule, RuleDefaults, RuleParameters,
};
use crate::controls::remediation::{Prepared, Remediation};
use crate::ids::{AccountId, Region, Resource, ResourceType};

/// What EC2 says of a prefix list: its entries, or a status and the code of an error.
#[derive(Clone)]
enum List {
    Entries(Vec<&'static str>),
    Error(u16, &'static str),
}

/// What EC2 keeps.
#[derive(Clone, Default)]
struct Group {
    /// Its rules, as EC2 writes them, by their ids.
    rules: BTreeMap<String, String>,
    is_gone: bool,
    lists: BTreeMap<&'static str, List>,
}

fn rule(id: &str, egress: bool, port: u16, source: &str) -> (String, String) {
    let xml = format!(
        "<item><securityGroupRuleId>{id}</securityGroupRuleId><isEgress>{egress}</isEgress><ipProtocol>tcp</ipProtocol><fromPort>{port}</fromPort><toPort>{port}</toPort>{source}</item>"
    );
    (id.to_owned(), xml)
}

const EVERYBODY: &str = "<cidrIpv4>0.0.0.0/0</cidrIpv4><description>jump host</description>";
const EVERYBODY_BY_IPV6: &str = "<cidrIpv6>::/0</cidrIpv6><description></description>";
const LIST: &str = "<prefixListId>pl-1</prefixListId>";
const OTHER_GROUP: &str = "<referencedGroupInfo><groupId>sg-2</groupId></referencedGroupInfo>";

impl Group {
    fn of(rules: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            ..Self::default()
        }
    }

    fn with_list(mut self, list: List) -> Self {
        self.lists.insert("pl-1", list);
        self
    }

    fn answer(&mut self, asked: &Asked) -> (u16, String) {
        let form: BTreeMap<String, String> = serde_urlencoded::from_str(&asked.body).unwrap();
        let error = |status, code: &str| {
            let error = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            (
                status,
                format!("<Response><Errors>{error}</Errors></Response>"),
            )
        };
        match form["Action"].as_str() {
            "DescribeSecurityGroups" if self.is_gone => error(400, "InvalidGroup.NotFound"),
            "DescribeSecurityGroups" => (200, "<DescribeSecurityGroupsResponse/>".to_owned()),
            "DescribeSecurityGroupRules" => {
                assert_eq!(form["Filter.1.Value.1"], "sg-1");
                let rules: String = self.rules.values().cloned().collect();
                let set = format!("<securityGroupRuleSet>{rules}</securityGroupRuleSet>");
                (
                    200,
                    format!(
                        "<DescribeSecurityGroupRulesResponse>{set}</DescribeSecurityGroupRulesResponse>"
                    ),
                )
            }
            "GetManagedPrefixListEntries" => match &self.lists[form["PrefixListId"].as_str()] {
                List::Error(status, code) => error(*status, code),
                List::Entries(entries) => {
                    let entry = |cidr: &&str| format!("<item><cidr>{cidr}</cidr></item>");
                    let entries: String = entries.iter().map(entry).collect();
                    (
                        200,
                        format!(
                            "<GetManagedPrefixListEntriesResponse><entrySet>{entries}</entrySet></GetManagedPrefixListEntriesResponse>"
                        ),
                    )
                }
            },
            "RevokeSecurityGroupIngress" => {
                assert_eq!(form["GroupId"], "sg-1");
                let ids = form
                    .iter()
                    .filter(|(name, _)| name.starts_with("SecurityGroupRuleId"));
                for (_, id) in ids {
                    self.rules.remove(id).expect("a rule that is there");
                }
                (200, "<RevokeSecurityGroupIngressResponse/>".to_owned())
            }
            other => panic!("{other}"),
        }
    }
}

struct Ec2 {
    group: Arc<Mutex<Group>>,
    client: TestClient,
    aws: Aws,
}

impl Ec2 {
    fn with(group: Group) -> Self {
        let group = Arc::new(Mutex::new(group));
        let kept = group.clone();
        let client = TestClient::new(move |asked| match asked.body.contains("Action=Authorize") {
            true => (200, "<AuthorizeSecurityGroupIngressResponse/>".to_owned()),
            false => kept.lock().unwrap().answer(asked),
        });
        let aws = client.aws(&account());
        Self { group, client, aws }
    }

    async fn prepare(&self) -> Result<Prepared, crate::aws::AwsError> {
        let (rules, resource) = (RuleDefaults::default(), resource());
        ProhibitedPort.prepare(&self.aws, &rules, &resource).await
    }

    async fn plan(&self) -> Vec<String> {
        let prepared = self.prepare().await.unwrap();
        prepared.changes().iter().map(Change::to_string).collect()
    }

    /// Plans, and carries the plan out.
    async fn fix(&self) -> Vec<Change> {
        let Prepared { changes, live, .. } = self.prepare().await.unwrap();
        live.apply(&self.aws, &resource(), &changes).await.unwrap();
        changes
    }

    /// Undoes it; returns what EC2 was asked to let in, if anything; or why it was not undone.
    async fn undo(&self, removed: &[Change]) -> Result<Option<BTreeMap<String, String>>, String> {
        let resource = resource();
        let prepared = ProhibitedPort.prepare_undo(&self.aws, &resource, removed);
        let Some(put_back) = prepared.await.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        put_back.put(&self.aws, &resource).await.unwrap();
        let asked = self.client.requests().pop().unwrap();
        let form = serde_urlencoded::from_str(&asked.body).unwrap();
        Ok(Some(form))
    }
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn resource() -> Resource {
    Resource {
        account: account(),
        region: region(),
        resource_type: ResourceType::SECURITY_GROUP.parse().unwrap(),
        id: "sg-1".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_fix_revokes_the_open_rules_by_their_ids_and_an_undo_lets_them_in_again() {
    let ec2 = Ec2::with(Group::of([
        rule("sgr-1", false, 22, EVERYBODY),
        rule("sgr-2", false, 22, EVERYBODY_BY_IPV6),
        rule("sgr-3", false, 443, EVERYBODY),
        rule("sgr-4", true, 22, EVERYBODY),
        rule("sgr-5", false, 22, OTHER_GROUP),
    ]));
    let removed = ec2.fix().await;
    let left: Vec<String> = ec2.group.lock().unwrap().rules.keys().cloned().collect();
    assert_eq!(left, ["sgr-3", "sgr-4", "sgr-5"]);
    let asked = ec2.undo(&removed).await.unwrap().expect("both are missing");
    for (name, value) in [
        ("Action", "AuthorizeSecurityGroupIngress"),
        ("GroupId", "sg-1"),
        ("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"),
        ("IpPermissions.1.IpRanges.1.Description", "jump host"),
        ("IpPermissions.1.FromPort", "22"),
        ("IpPermissions.2.Ipv6Ranges.1.CidrIpv6", "::/0"),
        ("IpPermissions.2.ToPort", "22"),
        ("IpPermissions.2.IpProtocol", "tcp"),
    ] {
        assert_eq!(
            asked.get(name).map(String::as_str),
            Some(value),
            "{name}: {asked:?}"
        );
    }
    assert!(!asked.contains_key("IpPermissions.2.Ipv6Ranges.1.Description"));
    let back = [
        rule("sgr-8", false, 22, EVERYBODY),
        rule("sgr-9", false, 22, EVERYBODY_BY_IPV6),
    ];
    ec2.group.lock().unwrap().rules.extend(back);
    assert_eq!(ec2.undo(&removed).await, Ok(None), "they are back already");
}

#[tokio::test]
async fn a_group_that_is_gone_is_told_from_one_without_rules() {
    let ec2 = Ec2::with(Group::default());
    assert_eq!(ec2.plan().await, [""; 0]);
    ec2.group.lock().unwrap().is_gone = true;
    assert_eq!(
        ec2.prepare().await.unwrap_err().kind,
        AwsErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_prefix_list_with_open_entries_is_taken_out_and_let_in_again_unless_it_has_got_more() {
    let group = Group::of([
        rule("sgr-1", false, 22, LIST),
        rule("sgr-2", false, 443, LIST),
    ]);
    let ec2 = Ec2::with(group.with_list(List::Entries(vec!["0.0.0.0/0"])));
    let removed = ec2.fix().await;
    assert_eq!(
        removed[0].done(),
        "revoked tcp 22 from 0.0.0.0/0 (prefix list pl-1, sgr-1)"
    );
    let asked = ec2.undo(&removed).await.unwrap().expect("it is missing");
    assert_eq!(
        asked["IpPermissions.1.PrefixListIds.1.PrefixListId"],
        "pl-1"
    );
    let more = List::Entries(vec!["0.0.0.0/0", "10.0.0.0/8"]);
    ec2.group.lock().unwrap().lists.insert("pl-1", more);
    let refused = ec2.undo(&removed).await.unwrap_err();
    assert!(
        refused.contains("the prefix list pl-1 has got other entries since: 10.0.0.0/8"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_prefix_list_that_may_not_be_read_is_left_and_one_that_cannot_be_read_now_is_an_error() {
    let group = Group::of([rule("sgr-1", false, 22, LIST)]);
    let of = |list| Ec2::with(group.clone().with_list(list));
    let denied = of(List::Error(403, "UnauthorizedOperation"));
    assert_eq!(denied.plan().await, [""; 0]);
    let throttled = of(List::Error(400, "RequestLimitExceeded"));
    assert_eq!(
        throttled.prepare().await.unwrap_err().kind,
        AwsErrorKind::Transient
    );
}

#[tokio::test]
async fn two_looks_at_a_group_change_the_same_until_its_rules_are_others() {
    let ec2 = Ec2::with(Group::of([rule("sgr-1", false, 22, EVERYBODY)]));
    let before = ec2.prepare().await.unwrap();
    assert!(before.changes_the_same(&ec2.prepare().await.unwrap()));
    let other = rule("sgr-2", false, 3389, EVERYBODY);
    ec2.group.lock().unwrap().rules.extend([other]);
    assert!(!before.changes_the_same(&ec2.prepare().await.unwrap()));
}

#[test]
fn reports_name_the_calls_that_changes_make() {
    assert_eq!(ProhibitedPort.call(&[]), "RevokeSecurityGroupIngress");
    assert_eq!(ProhibitedPort.undo_call(), "AuthorizeSecurityGroupIngress");
}

#[tokio::test]
async fn the_rule_asks_for_the_entries_of_the_prefix_lists_that_matter() {
    let item = json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1",
        "configurationItemStatus": "OK", "configuration": {"ipPermissions": [
            {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "prefixListIds": [{"prefixListId": "pl-1"}]}]}});
    let item = item.to_string();
    let item: ConfigurationItem = serde_json::from_str(&item).unwrap();
    let (rule, parameters) = (RestrictedPorts::default(), RuleParameters::default());
    let rules = RuleDefaults::default();
    let kind = crate::controls::evaluation::RuleKind::RestrictedPorts;
    let by_item = rules.evaluate(kind, &parameters, &item, false);
    assert!(rule.has_to_ask(&by_item));
    let ec2 = Ec2::with(Group::default().with_list(List::Entries(vec!["0.0.0.0/0"])));
    let (account, region) = (account(), region());
    let answer = rule.ask(&ec2.aws, (&account, &region), &item, &by_item);
    let answer = answer.await.unwrap();
    let verdict = rule.judge(&parameters, &item, &answer).unwrap();
    assert_eq!(verdict.compliance_type, ComplianceType::NonCompliant);
    let not_asked = rule
        .judge(&parameters, &item, &AwsAnswer::NotAsked)
        .unwrap();
    assert_eq!(not_asked.compliance_type, ComplianceType::Compliant);

    let unread = EvaluationError::Unread {
        resource_id: "sg-1".to_owned(),
        part: "configuration",
    };
    assert!(!rule.has_to_ask(&Err(unread)));
    let completed = rule.complete(&ec2.aws, (&account, &region), &item).await;
    assert_eq!(completed.unwrap(), None, "an item of a group is whole");
    let AwsAnswer::PrefixLists(lists) = answer else {
        panic!("{answer:?}");
    };
    assert!(lists.knows("pl-1") && !lists.knows("pl-2"));
    assert_eq!(lists.entries("pl-1"), ["0.0.0.0/0".parse().unwrap()].into());
    assert!(PrefixLists::default().entries("pl-1").is_empty());
}

#[test]
fn the_rule_has_dd_aws_s_parameters_and_reads_only() {
    let rule = RestrictedPorts::default();
    assert_eq!(
        rule.parameters(),
        [
            "prohibitedPorts",
            "exemptSecurityGroups",
            "broadestIpv4",
            "broadestIpv6",
            "sqsUrl"
        ]
    );
    assert_eq!(rule.actions(), ["ec2:GetManagedPrefixListEntries"]);
}
