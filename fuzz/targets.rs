//! Everything that parses what others send, with what must hold whatever they send. Fuzzed by
//! `scripts/fuzz`; the corpus, and what becomes of it when it is damaged, is tried by every test run.

use defendable::attribution::attribution;
use defendable::command::parse::Command;
use defendable::contracts::job::Job;
use defendable::contracts::notice::Notice;
use defendable::contracts::{Arriving, RemediationReport, RemediationRequest, RemediationTask};
use defendable::controls::evaluation::aws_answer::AwsAnswer;
use defendable::controls::evaluation::lines::evaluate_lines;
use defendable::controls::evaluation::{ConfigurationItem, RuleDefaults, RuleKind, RuleParameters};
use defendable::controls::ingress_prohibited_ports::RestrictedPorts;
use defendable::controls::ingress_prohibited_ports::prefix_lists::PrefixLists;
use defendable::controls::{Change, IngressRule, IngressSource, PolicyStatement, PrefixList};
use defendable::ids::{AccountId, DigestId, FindingId};
use defendable::notifier::notification::Notification;
use defendable::routing::Routing;
use defendable::shapes::bucket_policy::BucketPolicy;
use defendable::slack::action;
use defendable::slack::digest_view::fix_all_submission;
use defendable::slack::fix_view::fix_submission;
use defendable::slack::ignore_view::ignore_submission;
use defendable::slack::request::SlackRequest;
use defendable::slack::text::{escape, prose};
use defendable::slack::undo_view::undo_submission;
use defendable::store::Cursor;
use jiff::{SignedDuration, Timestamp};

/// Reads an input; panics where something does not hold.
pub type Target = fn(&[u8]);

/// By name, which is that of the corpus's folder.
pub const TARGETS: &[(&str, Target)] = &[
    ("slack_request", slack_request),
    ("slash_command", slash_command),
    ("events_queue", events_queue),
    ("remediation_queue", remediation_queue),
    ("configuration_item", configuration_item),
    ("bucket_policy", bucket_policy),
    ("rule_parameters", rule_parameters),
    ("routing", routing),
    ("cloudtrail_record", cloudtrail_record),
];

/// A body, as a form and as JSON; and what buttons and modals carry.
fn slack_request(body: &[u8]) {
    for content_type in ["application/x-www-form-urlencoded", "application/json"] {
        match SlackRequest::parse(content_type, body) {
            Ok((_, SlackRequest::BlockAction(action))) => button_value(&action.value),
            Ok((_, SlackRequest::ViewSubmission(event))) => {
                let reasons = [
                    ignore_submission(&event.view).map(|submission| submission.reason),
                    undo_submission(&event.view).map(|submission| submission.reason),
                ];
                for reason in reasons.into_iter().flatten() {
                    assert!(reason.chars().count() <= 500 && !reason.trim().is_empty());
                }
                _ = fix_all_submission(&event.view);
                _ = fix_submission(&event.view);
            }
            _ => {}
        }
    }
}

/// Ids are as they were written, or are none.
fn button_value(value: &str) {
    if let Ok(id) = value.parse::<FindingId>() {
        assert_eq!(id.to_string(), value);
    }
    if let Ok(id) = value.parse::<DigestId>() {
        assert_eq!(id.to_string(), value);
    }
    if let Some((finding, Some(plan))) = action::read_value(value) {
        assert_eq!(action::value(&finding, &plan), value);
    }
    if let Ok(cursor) = value.parse::<Cursor>() {
        assert_eq!(cursor.to_string(), value);
    }
}

/// What stands behind `/dd`.
fn slash_command(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Command::Invalid { problem } = Command::parse(&text) {
        assert!(
            problem.len() < 20_000,
            "an answer of {} bytes",
            problem.len()
        );
        pings_nobody(&problem);
    }
    pings_nobody(&escape(&text));
    pings_nobody(&prose(&text, 2000));
    assert!(prose(&text, 2000).chars().count() <= 2000 * "&amp;".len());
}

/// Slack calls people by `<!…>`, `<@…>` and `<#…>`.
fn pings_nobody(shown: &str) {
    for call in [
        "<!channel",
        "<!here",
        "<!everyone",
        "<!subteam",
        "<@U",
        "<#C",
    ] {
        assert!(!shown.contains(call), "{shown}");
    }
}

/// The account where messages arrive.
fn home() -> AccountId {
    "123456789012".parse().unwrap()
}

/// A message, in every envelope.
fn events_queue(body: &[u8]) {
    let body = String::from_utf8_lossy(body);
    if let Ok(Notification::Report(report)) = Notification::parse(&body, &home()) {
        comes_back(&report);
    }
}

/// Requests, tasks, and what our own functions tell.
fn remediation_queue(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    if let Ok(request) = RemediationRequest::read(&text, &home()) {
        comes_back(&request);
    }
    if let Ok(task) = RemediationTask::read(&text, &home()) {
        comes_back(&task);
    }
    if let Ok(report) = RemediationReport::read(&text, &home()) {
        comes_back(&report);
    }
    if let Ok(job) = serde_json::from_slice::<Job>(body) {
        comes_back(&job);
    }
    if let Ok(notice) = serde_json::from_slice::<Notice>(body) {
        comes_back(&notice);
    }
}

/// What we read we can send on, and it is the same.
fn comes_back<T>(value: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value);
}

/// Items of both resources, and whole rule events, line by line.
fn configuration_item(lines: &[u8]) {
    for rule in RuleKind::ALL {
        let (mut output, mut complaints) = (Vec::new(), Vec::new());
        evaluate_lines(
            rule,
            &RuleParameters::default(),
            lines,
            &mut output,
            &mut complaints,
        )
        .unwrap();
        for line in output
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let evaluation: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert!(evaluation["annotation"].as_str().is_none_or(is_annotation));
        }
    }
    let prefix_lists: PrefixLists = [
        ("pl-1", "0.0.0.0/0"),
        ("pl-2", "0.0.0.0/1"),
        ("pl-3", "10.0.0.0/8"),
    ]
    .map(|(id, range)| (id, [range.parse().unwrap()].into()))
    .into_iter()
    .collect();
    let (rules, parameters) = (RuleDefaults::default(), RuleParameters::default());
    let answer = AwsAnswer::PrefixLists(prefix_lists);
    for line in lines.split(|byte| *byte == b'\n') {
        let Ok(item) = serde_json::from_slice::<ConfigurationItem>(line) else {
            continue;
        };
        if let Ok(judged) = rules.evaluate_by(
            RuleKind::RestrictedPorts,
            &parameters,
            &item,
            false,
            &answer,
        ) {
            assert!(is_annotation(&judged.annotation));
        }
    }
}

/// What PutEvaluations takes
/// ([Evaluation](https://docs.aws.amazon.com/config/latest/APIReference/API_Evaluation.html)).
fn is_annotation(text: &str) -> bool {
    text.chars().count() <= 256
}

/// A policy without its public statements has none, and put back they are where they were.
fn bucket_policy(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let Ok(policy) = BucketPolicy::parse(&text) else {
        return;
    };
    let Ok(public) = policy.public_statements() else {
        return;
    };
    let indices: Vec<usize> = public.iter().map(|statement| statement.index).collect();
    let Some(rest) = policy.without(&indices) else {
        return;
    };
    let rest = BucketPolicy::parse(&rest).unwrap();
    assert!(rest.public_statements().unwrap().is_empty());
    if let [only] = public.as_slice()
        && let Ok(Some(back)) = rest.with(only.index, &only.text)
    {
        let again = BucketPolicy::parse(&back)
            .unwrap()
            .public_statements()
            .unwrap();
        assert_eq!(again, public);
    }
}

/// A rule's parameters.
fn rule_parameters(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Ok(parameters) = RuleParameters::from_json(Some(&text)) {
        _ = RestrictedPorts::default().with_parameters(&parameters);
    }
}

/// The routing table.
fn routing(text: &[u8]) {
    _ = String::from_utf8_lossy(text).parse::<Routing>();
}

/// Records of CloudTrail, line by line, held against each kind of change.
fn cloudtrail_record(lines: &[u8]) {
    let records: Vec<String> = String::from_utf8_lossy(lines)
        .lines()
        .map(str::to_owned)
        .collect();
    let to_range = IngressRule {
        rule_id: "sgr-1".to_owned(),
        protocol: "tcp".to_owned(),
        from_port: Some(22),
        to_port: Some(22),
        source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
        description: None,
        is_left_to_people: false,
    };
    let list = PrefixList {
        id: "pl-1".to_owned(),
        open: ["0.0.0.0/0".to_owned()].into(),
        has_others: false,
    };
    let to_list = IngressRule {
        source: IngressSource::PrefixList(list),
        ..to_range.clone()
    };
    let statement = Change::RemoveStatement(PolicyStatement {
        index: 0,
        sid: None,
        statement: "{}".to_owned(),
        limited_by: Vec::new(),
        is_unconfirmed: false,
    });
    for change in [
        Change::RevokeIngress(to_range),
        Change::RevokeIngress(to_list),
        statement,
    ] {
        if let Some(attribution) = attribution(
            &records,
            &[change],
            Timestamp::MAX - SignedDuration::from_hours(1),
        ) {
            assert!(attribution.principal.chars().count() <= 300);
            assert!(
                attribution
                    .source_address
                    .is_none_or(|address| address.chars().count() <= 100)
            );
        }
    }
}
