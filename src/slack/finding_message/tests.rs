use crate::slack::ignore_view::ignore_view;
use crate::slack::undo_view::undo_view;
use jiff::Timestamp;

use super::*;
use crate::finding::severity::Severity;
use crate::finding::{Breach, Failure, Wish};
use crate::remediation::IngressRange;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn finding_of(resource_type: &str, id: &str, plan: Plan) -> Finding {
    let breach = Breach {
        rule: "restricted-ports".parse().unwrap(),
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
    let range = IngressRange {
        rule_id: format!("sgr-{number}"),
        protocol: "tcp".to_owned(),
        from_port: Some(22),
        to_port: Some(22),
        cidr: "0.0.0.0/0".to_owned(),
        description: None,
    };
    (ViolationType::Ec2SgProhibitedPort, Change::RevokeIngress(range))
}

fn group(changes: usize) -> Finding {
    let changes = (1..=changes).map(revoke).collect();
    finding_of(ResourceType::SECURITY_GROUP, "sg-0123", Plan::Known { changes })
}

fn alice() -> Actor {
    Actor::User("U0ALICE".to_owned())
}

#[test]
fn open() {
    insta::assert_json_snapshot!(finding_message(&group(1), None));
}

#[test]
fn open_again_with_a_link_to_last_time() {
    insta::assert_json_snapshot!(finding_message(&group(2), Some("https://demo.slack.com/archives/C1/p1")));
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
    finding.state = State::Open { last_failure: Some(failure) };
    insta::assert_json_snapshot!(finding_message(&finding, None));
}

#[test]
fn opened_by_somebody_and_waiting_for_another_operator() {
    let opener = Opener {
        principal: "arn:aws:iam::123456789012:user/mallory".to_owned(),
        call: "AuthorizeSecurityGroupIngress".to_owned(),
        at: at(-60),
        source_address: Some("203.0.113.7".to_owned()),
    };
    let finding = Finding { opener: Some(opener), ..group(1) };
    let waiting = finding.approval_asked(alice(), Wish::Fix { even_ignored: false }, at(60)).unwrap();
    insta::assert_json_snapshot!(finding_message(&waiting, None));
}

#[test]
fn a_critical_one_calls_people() {
    let called = mentioning(finding_message(&group(1), None), &"S0ONCALL".into());
    insta::assert_json_snapshot!(called);
}

#[test]
fn ignored_by_its_tag() {
    insta::assert_json_snapshot!(finding_message(&group(1).tagged("by design", at(60)).unwrap(), None));
}

#[test]
fn fixing() {
    insta::assert_json_snapshot!(finding_message(&group(1).fix_asked(alice(), false, at(60)).unwrap(), None));
}

#[test]
fn ignored() {
    let ignored = group(1).ignored(alice(), at(60), Some(at(86460)), "Ticket 42".to_owned()).unwrap();
    insta::assert_json_snapshot!(finding_message(&ignored, None));
}

#[test]
fn fixed() {
    let mut finding = group(1);
    finding.state = State::Fixed { by: Actor::AutoResponse, at: at(60) };
    finding.removed = vec![revoke(1).1];
    insta::assert_json_snapshot!(finding_message(&finding, None));
}

#[test]
fn undoing_and_not_undone() {
    let mut finding = group(1);
    finding.state = State::Fixed { by: Actor::AutoResponse, at: at(60) };
    finding.removed = vec![revoke(1).1];
    let undoing = finding.undo_asked(alice(), at(60), "The build fails".to_owned(), at(120)).unwrap();
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
        let undoing = self.undo_asked(alice(), at(1), reason.repeat(3), at(2));
        if asked { undoing.unwrap_or(self) } else { self }
    }
}

/// Every text and its limit, wherever it stands.
fn check_limits(value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            if let Some(text) = fields.get("text").and_then(|text| text.as_str()) {
                assert!(text.chars().count() <= 3000 && !text.is_empty(), "{text}");
                for ping in ["<!channel>", "<!here>", "<@U0EVE>"] {
                    assert!(!text.contains(ping), "{text}");
                }
            }
            if fields.get("type").is_some_and(|kind| kind == "button") {
                assert!(fields["value"].as_str().unwrap().len() <= 2000);
                if let Some(confirm) = fields.get("confirm") {
                    assert!(confirm["text"]["text"].as_str().unwrap().chars().count() <= 300);
                }
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

proptest::proptest! {
    /// Whatever AWS sends, the message keeps Slack's limits and pings nobody.
    #[test]
    fn no_finding_breaks_a_limit(
        id in "[^\\p{Cc}]{1,300}",
        annotation in ".{0,2000}",
        principal in "[^\\p{Cc}]{1,300}",
        changes in 0usize..30,
        state in 0usize..7,
    ) {
        let mut finding = group(changes);
        finding.resource.id = format!("{id}<!channel>").parse().unwrap();
        finding.annotation = Some(format!("<!here><@U0EVE>\0\u{202e}{}", annotation.repeat(6)));
        finding.opener = Some(Opener {
            principal: format!("<!here>{principal}"),
            call: principal.clone(),
            at: at(0),
            source_address: Some(principal),
        });
        finding = match state {
            0 => finding,
            1 => finding.fix_asked(alice(), false, at(1)).unwrap(),
            2 => finding.ignored(alice(), at(1), None, annotation.repeat(3)).unwrap(),
            3 => finding.tagged(&format!("<!channel>{annotation}"), at(1)).unwrap(),
            4 => finding.approval_asked(alice(), Wish::Fix { even_ignored: false }, at(1)).unwrap(),
            state => Finding { removed: (0..changes).map(|number| revoke(number).1).collect(),
                           state: State::Fixed { by: alice(), at: at(1) }, ..finding }
                .with_undo(state == 6, &annotation),
        };
        check_limits(&serde_json::to_value(undo_view(&finding)).unwrap());
        check_limits(&serde_json::to_value(finding_message(&finding, None)).unwrap());
    }
}
