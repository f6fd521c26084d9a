use crate::slack::ignore_view::ignore_view;
use crate::slack::undo_view::undo_view;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::contracts::Attempt;
use crate::controls::{
    AgreedPlan, Change, Control, Grant, Grantee, IngressRule, IngressSource, PolicyStatement,
    PrefixList,
};
use crate::controls::{Severity, ViolationType};
use crate::finding::digest::{Digest, Entry, Member, Tally};
use crate::finding::{ActionRequest, Breach, Covers, Episode, Failure, Plan, Refusal, Repeat};
use crate::ids::PlanListId;
use crate::ids::ResourceType;
use crate::slack::digest_message::digest_message;
use crate::slack::digest_view::show_all_view;
use crate::slack::fix_view::fix_view;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn finding_of(resource_type: &str, id: &str, plan: Plan) -> Finding {
    let breach = Breach {
        rule: "restricted-ports".parse().unwrap(),
        rule_arn: None,
        control: Control::ALL
            .into_iter()
            .find(|control| control.resource_type() == resource_type),
        resource: Resource {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            resource_type: resource_type.parse().unwrap(),
            id: id.parse().unwrap(),
        },
        resource_name: (resource_type == ResourceType::SECURITY_GROUP).then(|| "web".to_owned()),
        annotation: Some("Open to the internet: tcp 22 from 0.0.0.0/0.".to_owned()),
        severity: Severity::High,
        channel: None,
        recorded_at: at(0),
    };
    Finding::open(breach, plan)
}

fn revoke(number: usize) -> (ViolationType, Change) {
    let range = IngressRule {
        rule_id: format!("sgr-{number}"),
        protocol: "tcp".to_owned(),
        from_port: Some(22),
        to_port: Some(22),
        source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
        description: None,
        is_left_to_people: false,
    };
    (
        ViolationType::Ec2SgProhibitedPort,
        Change::RevokeIngress(range),
    )
}

fn group(changes: usize) -> Finding {
    let changes = (1..=changes).map(revoke).collect();
    finding_of(
        ResourceType::SECURITY_GROUP,
        "sg-0123",
        Plan::Known { changes },
    )
}

fn alice() -> Actor {
    Actor::User("U0ALICE".to_owned())
}

fn plan_of(finding: &Finding) -> Option<AgreedPlan> {
    finding.fix_plan()
}

fn fix_asked(finding: &Finding, now: Timestamp) -> Option<Finding> {
    finding
        .fix_asked(alice(), &plan_of(finding)?, false, now)
        .ok()
}

fn asked_of_another(finding: &Finding, now: Timestamp) -> Option<Finding> {
    let plan = plan_of(finding)?;
    let request = ActionRequest::Fix {
        even_ignored: false,
        plan: Some(plan.digest()),
    };
    finding
        .approval_asked(alice(), request, Some(&plan), now)
        .ok()
}

fn undo_asked(finding: &Finding, reason: &str, now: Timestamp) -> Option<Finding> {
    finding
        .undo_asked(
            alice(),
            &finding.undo_plan()?.digest(),
            reason.to_owned(),
            now,
        )
        .ok()
}

fn ignored_by_alice(
    finding: &Finding,
    now: Timestamp,
    until: Option<Timestamp>,
    reason: &str,
) -> Option<Finding> {
    let changes: Vec<Change> = finding
        .to_fix()
        .into_iter()
        .map(|(_, change)| change)
        .collect();
    finding
        .ignored(alice(), now, until, reason.to_owned(), Covers::of(&changes))
        .ok()
}

fn breach_of(finding: &Finding, recorded_at: Timestamp) -> Breach {
    Breach {
        rule: finding.rule.clone(),
        rule_arn: None,
        control: finding.control,
        resource: finding.resource.clone(),
        resource_name: None,
        annotation: None,
        severity: Severity::High,
        channel: None,
        recorded_at,
    }
}

/// A range beside the one on port 22.
fn revoke_port(port: i32) -> (ViolationType, Change) {
    let (kind, change) = revoke(port.unsigned_abs() as usize);
    let Change::RevokeIngress(range) = change else {
        unreachable!("a range is revoked")
    };
    (
        kind,
        Change::RevokeIngress(IngressRule {
            from_port: Some(port),
            to_port: Some(port),
            ..range
        }),
    )
}

#[test]
fn a_plan_that_has_grown_asks_again_and_says_what_is_new() {
    let fixing = fix_asked(&group(1), at(60)).unwrap();
    let (_, new) = revoke_port(3306);
    let grown = fixing.has_grown(alice(), &[new], at(61)).unwrap();
    let live = Plan::Known {
        changes: vec![revoke(1), revoke_port(3306)],
    };
    insta::assert_json_snapshot!(finding_message(
        &grown.looked_at(&live, at(61)).unwrap(),
        None
    ));
}

#[test]
fn a_finding_opens_again_beyond_its_ignore() {
    let ignored = ignored_by_alice(&group(1), at(60), Some(at(86460)), "Ticket 42").unwrap();
    let live = Plan::Known {
        changes: vec![revoke(1), revoke_port(3306)],
    };
    insta::assert_json_snapshot!(finding_message(
        &ignored.looked_at(&live, at(4000)).unwrap(),
        None
    ));
}

/// A prefix list that is open on port 22.
fn revoke_list(has_others: bool) -> (ViolationType, Change) {
    let (kind, change) = revoke(9);
    let Change::RevokeIngress(rule) = change else {
        unreachable!("a rule is revoked")
    };
    let open = ["0.0.0.0/0".to_owned()].into();
    let source = IngressSource::PrefixList(PrefixList {
        id: "pl-0123".to_owned(),
        open,
        has_others,
    });
    (
        kind,
        Change::RevokeIngress(IngressRule {
            source,
            is_left_to_people: true,
            ..rule
        }),
    )
}

#[test]
fn the_plan_lists_work_by_hand_beside_the_fix() {
    let changes = vec![revoke(1), revoke_list(true)];
    let finding = finding_of(
        ResourceType::SECURITY_GROUP,
        "sg-0123",
        Plan::Known { changes },
    );
    insta::assert_json_snapshot!(finding_message(&finding, None));
    let alone = Plan::Known {
        changes: vec![revoke_list(true)],
    };
    let alone = finding_of(ResourceType::SECURITY_GROUP, "sg-0123", alone);
    let message = serde_json::to_value(finding_message(&alone, None))
        .unwrap()
        .to_string();
    assert!(
        !message.contains(r#""action_id":"fix""#) && message.contains("look_again"),
        "{message}"
    );
    assert_eq!(alone.can_fix(false, at(60)), Err(Refusal::ByHand));
    // Once the list has no other entries, a fix takes the reference: nobody has agreed to that.
    let plan = fix_asked(&finding, at(60)).unwrap();
    let whole = Plan::Known {
        changes: vec![revoke(1), revoke_list(false)],
    };
    let whole = finding.looked_at(&whole, at(61)).unwrap();
    assert!(
        !whole.is_within(&plan_of(&finding).unwrap()),
        "{:?}",
        plan.state
    );
}

#[test]
fn a_plan_too_long_for_a_dialog_is_shown_in_a_modal() {
    let finding = group(30);
    let message = serde_json::to_value(finding_message(&finding, None))
        .unwrap()
        .to_string();
    assert!(
        message.contains("review_fix") && !message.contains(r#""action_id":"fix""#),
        "{message}"
    );
    let view = serde_json::to_value(SlackView::Modal(fix_view(&finding).unwrap())).unwrap();
    assert_eq!(
        view.to_string().matches("• revoke").count(),
        30,
        "all of it"
    );
}

#[test]
fn a_finding_without_a_plan_is_read_again_and_cannot_be_fixed() {
    let plan = Plan::Unknown {
        reason: "ec2:DescribeSecurityGroups failed: throttled".to_owned(),
        looking: true,
    };
    let finding = finding_of(ResourceType::SECURITY_GROUP, "sg-0123", plan);
    insta::assert_json_snapshot!(finding_message(&finding, None));
}

#[test]
fn deleted() {
    insta::assert_json_snapshot!(finding_message(&group(1).deleted(at(60)).unwrap(), None));
}

#[test]
fn fixed_again_and_again() {
    let mut finding = group(1);
    let attribution = Attribution {
        principal: "arn:aws:sts::123456789012:assumed-role/deploy/ci".to_owned(),
        call: "AuthorizeSecurityGroupIngress".to_owned(),
        at: at(-60),
        source_address: None,
        agent: Some("Terraform".to_owned()),
    };
    finding.earlier_attributions = vec![attribution];
    let exposure = revoke(1).1.exposure().unwrap();
    finding.repeats = (0..3)
        .map(|number| Repeat {
            exposure: exposure.clone(),
            at: at(number),
        })
        .collect();
    insta::assert_json_snapshot!(finding_message(&finding, None));
}

#[test]
fn open() {
    insta::assert_json_snapshot!(finding_message(&group(1), None));
}

#[test]
fn open_again_with_a_link_to_last_time() {
    insta::assert_json_snapshot!(finding_message(
        &group(2),
        Some("https://demo.slack.com/archives/C1/p1")
    ));
}

#[test]
fn open_after_a_failure() {
    let mut finding = group(1);
    let failure = Failure {
        asked_by: alice(),
        at: at(60),
        reason: "ec2:RevokeSecurityGroupIngress failed: UnauthorizedOperation".to_owned(),
        advice: "Allow it, then press Fix again.".to_owned(),
    };
    finding.state = State::Open {
        last_failure: Some(failure),
        asks_again: None,
    };
    insta::assert_json_snapshot!(finding_message(&finding, None));
}

#[test]
fn opened_by_somebody_and_waiting_for_another_operator() {
    let attribution = Attribution {
        principal: "arn:aws:iam::123456789012:user/mallory".to_owned(),
        call: "AuthorizeSecurityGroupIngress".to_owned(),
        at: at(-60),
        source_address: Some("203.0.113.7".to_owned()),
        agent: Some("Terraform".to_owned()),
    };
    let mut finding = group(1);
    finding.episode.attribution = Some(attribution);
    let waiting = asked_of_another(&finding, at(60)).unwrap();
    insta::assert_json_snapshot!(finding_message(&waiting, None));
}

#[test]
fn a_critical_one_calls_people() {
    let called = mentioning(finding_message(&group(1), None), &"S0ONCALL".into());
    insta::assert_json_snapshot!(called);
}

#[test]
fn ignored_by_its_tag() {
    insta::assert_json_snapshot!(finding_message(
        &group(1).tagged("by design", at(60)).unwrap(),
        None
    ));
}

#[test]
fn fixing() {
    insta::assert_json_snapshot!(finding_message(
        &fix_asked(&group(1), at(60)).unwrap(),
        None
    ));
}

#[test]
fn ignored() {
    let ignored = ignored_by_alice(&group(1), at(60), Some(at(86460)), "Ticket 42").unwrap();
    insta::assert_json_snapshot!(finding_message(&ignored, None));
}

#[test]
fn ignored_when_a_fix_was_on_its_way_already() {
    let mut ignored = ignored_by_alice(&group(1), at(60), Some(at(86460)), "Ticket 42").unwrap();
    ignored.episode.removed = vec![revoke(1).1];
    insta::assert_json_snapshot!(finding_message(
        &ignored.complied(&breach_of(&ignored, at(70))).unwrap(),
        None
    ));
}

#[test]
fn fixed() {
    let mut finding = group(1);
    finding.state = State::Fixed {
        by: Actor::AutoResponse,
        at: at(60),
    };
    finding.episode.removed = vec![revoke(1).1];
    insta::assert_json_snapshot!(finding_message(&finding, None));
}

#[test]
fn undoing_and_not_undone() {
    let mut finding = group(1);
    finding.state = State::Fixed {
        by: Actor::AutoResponse,
        at: at(60),
    };
    finding.episode.removed = vec![revoke(1).1];
    let undoing = undo_asked(&finding, "The build fails", at(120)).unwrap();
    insta::assert_json_snapshot!(finding_message(&undoing, None));
    let failed = undoing.undo_not_queued(at(121));
    insta::assert_json_snapshot!(finding_message(&failed, None));
    insta::assert_json_snapshot!(SlackView::Modal(undo_view(&finding)));
    insta::assert_json_snapshot!(SlackView::Modal(ignore_view(&group(1))));
}

#[test]
fn a_resource_that_only_people_can_fix() {
    insta::assert_json_snapshot!(finding_message(
        &finding_of("AWS::::Account", "123456789012", Plan::Unsupported),
        None
    ));
}

impl Finding {
    fn with_undo(self, asked: bool, reason: &str) -> Self {
        let undoing = undo_asked(&self, &reason.repeat(3), at(2));
        if asked { undoing.unwrap_or(self) } else { self }
    }
}

/// What may begin with `<`: what we put there ourselves.
const OUR_TOKENS: [&str; 6] = [
    "<@U0ALICE>",
    "<!date^",
    "<!subteam^S0ONCALL>",
    "<https://demo.slack.com/",
    "<https://us-east-1.console.aws.amazon.com/",
    "<https://s3.console.aws.amazon.com/",
];

/// A text that pings nobody, disguises nothing, and is shown in full.
fn check_text(text: &str, limit: usize) {
    assert!(
        !text.is_empty() && text.chars().count() <= limit,
        "{} characters: {text}",
        text.chars().count()
    );
    for (place, _) in text.match_indices('<') {
        assert!(
            OUR_TOKENS
                .iter()
                .any(|token| text[place..].starts_with(token)),
            "{}",
            &text[place..]
        );
    }
    let hidden = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(hidden), "{text:?}");
}

/// Every text and its limit, wherever it stands
/// ([Block Kit's reference](https://docs.slack.dev/reference/block-kit)).
fn check_limits(value: &serde_json::Value) {
    let characters = |value: &serde_json::Value| value.as_str().unwrap().chars().count();
    match value {
        serde_json::Value::Object(fields) => {
            if let Some(text) = fields.get("text").and_then(|text| text.as_str()) {
                check_text(
                    text,
                    if fields.contains_key("blocks") {
                        4000
                    } else {
                        3000
                    },
                );
            }
            match fields.get("type").and_then(|kind| kind.as_str()) {
                Some("button") => {
                    assert!(characters(&fields["value"]) <= 2000);
                    assert!(characters(&fields["text"]["text"]) <= 75);
                    if let Some(confirm) = fields.get("confirm") {
                        assert!(characters(&confirm["text"]["text"]) <= 300);
                    }
                }
                Some("section") => {
                    let all = fields.get("fields").and_then(|all| all.as_array());
                    assert!(all.is_none_or(|all| all.len() <= 10));
                    all.into_iter()
                        .flatten()
                        .for_each(|field| check_text(field["text"].as_str().unwrap(), 2000));
                }
                Some("header") => assert!(characters(&fields["text"]["text"]) <= 150),
                Some("modal") => {
                    assert!(characters(&fields["title"]["text"]) <= 24);
                    assert!(
                        fields
                            .get("private_metadata")
                            .is_none_or(|metadata| characters(metadata) <= 3000)
                    );
                }
                _ => {}
            }
            fields.values().for_each(check_limits);
        }
        serde_json::Value::Array(items) => {
            assert!(items.len() <= 50);
            items.iter().for_each(check_limits);
        }
        _ => {}
    }
}

/// Text as somebody writes it who wants to be misread.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("<!channel>".to_owned()),
        Just("<!everyone|x>".to_owned()),
        Just("<@U0EVE>".to_owned()),
        Just("<!subteam^S0EVE>".to_owned()),
        Just("<https://evil.example|Fix>".to_owned()),
        Just("\u{202e}\u{2066}\u{61c}\u{0}\u{1b}".to_owned()),
        Just("&amp;&lt;".repeat(40)),
        Just("```\n*_~`".to_owned()),
        "[^\\p{Cc}]{1,40}",
        Just("x".repeat(10_000)),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

/// A change that takes away what somebody named.
fn change() -> impl Strategy<Value = (ViolationType, Change)> {
    let range = (hostile(), hostile(), hostile()).prop_map(|(rule_id, cidr, description)| {
        let (kind, change) = revoke(1);
        let Change::RevokeIngress(range) = change else {
            unreachable!("a range is revoked")
        };
        (
            kind,
            Change::RevokeIngress(IngressRule {
                rule_id,
                source: IngressSource::Cidr(cidr),
                description: Some(description),
                ..range
            }),
        )
    });
    let grant = (hostile(), any::<bool>()).prop_map(|(name, group)| {
        let grantee = if group {
            Grantee::Group(name.clone())
        } else {
            Grantee::Email(name.clone())
        };
        (
            ViolationType::S3BucketPublicAcl,
            Change::RemoveGrant(Grant {
                grantee,
                permission: name,
                is_unconfirmed: false,
            }),
        )
    });
    let statement = (hostile(), prop::option::of(hostile())).prop_map(|(statement, sid)| {
        (
            ViolationType::S3BucketPublicPolicy,
            Change::RemoveStatement(PolicyStatement {
                index: 1,
                sid,
                statement,
                limited_by: Vec::new(),
                is_unconfirmed: false,
            }),
        )
    });
    prop_oneof![range, grant, statement]
}

fn hostile_finding() -> impl Strategy<Value = Finding> {
    let texts = (
        hostile(),
        hostile(),
        hostile(),
        hostile(),
        prop::option::of(hostile()),
    );
    let kind = prop::sample::select(vec![
        ResourceType::SECURITY_GROUP,
        ResourceType::BUCKET,
        "AWS::IAM::User",
    ]);
    (texts, kind, prop::collection::vec(change(), 0..30)).prop_map(
        |((id, annotation, principal, rule, name), kind, changes)| {
            let mut finding = finding_of(kind, "sg-0123", Plan::Known { changes });
            // What cannot be an id is refused long before.
            finding.resource.id = id.parse().unwrap_or(finding.resource.id);
            finding.rule = rule.parse().unwrap_or(finding.rule);
            finding.resource_name = name;
            finding.annotation = Some(annotation);
            let call = principal.clone();
            finding.episode.attribution = Some(Attribution {
                call,
                at: at(0),
                source_address: Some(principal.clone()),
                principal,
                agent: None,
            });
            finding
        },
    )
}

/// The finding in one of the states that it can have.
fn in_state(finding: Finding, state: usize, reason: &str) -> Finding {
    match state {
        0 => finding,
        1 => fix_asked(&finding, at(1)).unwrap_or(finding),
        2 => ignored_by_alice(&finding, at(1), None, reason).unwrap(),
        3 => finding.tagged(reason, at(1)).unwrap(),
        4 => asked_of_another(&finding, at(1)).unwrap_or(finding),
        state => {
            let removed = match &finding.plan {
                Plan::Known { changes } => {
                    changes.iter().map(|(_, change)| change.clone()).collect()
                }
                Plan::Unknown { .. } | Plan::Unsupported => Vec::new(),
            };
            let mut fixed = Finding {
                state: State::Fixed {
                    by: alice(),
                    at: at(1),
                },
                ..finding
            };
            fixed.episode.removed = removed;
            fixed.with_undo(state == 6, reason)
        }
    }
}

proptest! {
    /// Whatever AWS sends, whatever shows the finding keeps Slack's limits and pings nobody.
    #[test]
    fn no_finding_breaks_a_limit(finding in hostile_finding(), reason in hostile(), state in 0usize..7) {
        let finding = in_state(finding, state, &reason);
        let again = finding_message(&finding, Some("https://demo.slack.com/archives/C1/p1"));
        check_limits(&serde_json::to_value(mentioning(again, &"S0ONCALL".into())).unwrap());
        check_limits(&serde_json::to_value(finding_message(&finding, None)).unwrap());
        for view in [undo_view(&finding), ignore_view(&finding)].into_iter().chain(fix_view(&finding)) {
            check_limits(&serde_json::to_value(SlackView::Modal(view)).unwrap());
        }
        let mut tally = Tally::default();
        let member = Member { entry: Entry::of(&finding, &headline(&finding)), tried: None, retired: false };
        let members = vec![member; 30];
        members.iter().for_each(|member| tally.add(member.clone(), None));
        let id = "d-3fa9c01b22de".parse().unwrap();
        let digest = Digest { channel: "C1".to_owned(), begun_at: at(0), ts: None, fix_all: None,
            called: false, counts: tally.counts.clone(), list: None };
        check_limits(&serde_json::to_value(digest_message(&id, &digest, &tally, Some(&PlanListId::of("l")))).unwrap());
        let entries: Vec<Entry> = members.iter().map(|member| member.entry.clone()).collect();
        let shown = serde_json::to_value(SlackView::Modal(show_all_view(&id, &entries, 0, true))).unwrap();
        check_limits(&shown);
        let lines = shown.to_string().matches("• ").count();
        prop_assert_eq!(lines, members.len(), "every finding has its line");
    }

    /// A change that is no news is not shown: so it must not be visible.
    #[test]
    fn findings_that_look_alike_are_shown_alike(finding in hostile_finding(), state in 0usize..7) {
        let finding = in_state(finding, state, "words");
        let kind = ViolationType::Ec2SgProhibitedPort;
        let episode = Episode {
            undo_asked_at: Some(at(98)),
            ended: vec![Attempt::begin()],
            undone: vec![(revoke(7).1, at(97))],
            remediated: [kind].into(),
            reports: vec![(kind, at(96))],
            ..finding.episode.clone()
        };
        let noted = Finding {
            recorded_at: at(99),
            episode,
            events: Vec::new(),
            ..finding.clone()
        };
        prop_assert!(noted.looks_like(&finding));
        prop_assert_eq!(finding_message(&noted, None), finding_message(&finding, None));
        let entry = |finding| Entry::of(finding, &headline(finding));
        prop_assert_eq!(entry(&noted), entry(&finding));
    }
}
