//! Cases from public bug reports of comparable tools: how a rule judges an item, and who opened it. Accounts
//! and names are replaced; `cases.json` has the source of each, and why the expected answer is right.

use std::collections::BTreeMap;
use std::path::PathBuf;

use defendable::attribution::attribution;
use defendable::controls::evaluation::lines::evaluate_lines;
use defendable::controls::evaluation::{RuleKind, RuleParameters};
use defendable::controls::{Change, Grant, Grantee, IngressRule, IngressSource, PolicyStatement};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    file: String,
    rule: String,
    parameters: BTreeMap<String, String>,
    what: String,
    /// The compliance type of each line; empty where the lines are refused.
    expected: Vec<String>,
    /// Texts that the answer contains.
    says: Vec<String>,
}

fn read(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_item_is_judged_as_it_should_be() {
    let cases: Vec<Case> = serde_json::from_str(&read("cases.json")).unwrap();
    assert_eq!(cases.len(), 44);
    let mut wrong = Vec::new();
    for Case {
        file,
        rule,
        parameters,
        what,
        expected,
        says,
    } in cases
    {
        let rule = match rule.as_str() {
            "restricted-ports" => RuleKind::RestrictedPorts,
            "s3-public-access" => RuleKind::S3PublicAccess,
            other => panic!("{other}"),
        };
        let pairs = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let parameters: RuleParameters = pairs.collect();
        let (mut output, mut complaints, input) = (Vec::new(), Vec::new(), read(&file));
        evaluate_lines(
            rule,
            &parameters,
            input.as_bytes(),
            &mut output,
            &mut complaints,
        )
        .unwrap();
        let (output, complaints) = (
            String::from_utf8(output).unwrap(),
            String::from_utf8(complaints).unwrap(),
        );
        let judged: Vec<Value> = output
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let types: Vec<&str> = judged
            .iter()
            .map(|evaluation| evaluation["complianceType"].as_str().unwrap())
            .collect();
        let said = says
            .iter()
            .all(|words| output.contains(words) || complaints.contains(words));
        if types != expected || !said || expected.is_empty() == complaints.is_empty() {
            wrong.push(format!(
                "{file}: {what}\n  expected {expected:?} {says:?}\n  {output}{complaints}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn evaluate_says_that_aws_was_not_asked() {
    let item = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/s3-05.ndjson");
    let judged = std::process::Command::new(env!("CARGO_BIN_EXE_defendable"))
        .args(["evaluate", "s3-public-access", item])
        .output()
        .unwrap();
    let said = String::from_utf8(judged.stderr).unwrap();
    assert!(said.contains("Judged by the items alone."), "{said}");
}

#[test]
fn attribution_names_only_the_person_who_opened_it() {
    let range = |port: i32, cidr: &str| {
        Change::RevokeIngress(IngressRule {
            rule_id: "sgr-0a1b2c3d4e5f60718".to_owned(),
            protocol: "tcp".to_owned(),
            from_port: Some(port),
            to_port: Some(port),
            source: IngressSource::Cidr(cidr.to_owned()),
            description: None,
            is_left_to_people: false,
        })
    };
    let grantee = Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
    let grant = Change::RemoveGrant(Grant {
        grantee,
        permission: "READ".to_owned(),
        is_unconfirmed: false,
    });
    let statement = r#"{"Sid":"World","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::trail-ct-05-14008/*"}"#;
    let statement = Change::RemoveStatement(PolicyStatement {
        index: 0,
        sid: Some("World".to_owned()),
        statement: statement.to_owned(),
        limited_by: Vec::new(),
        is_unconfirmed: false,
    });
    let seen_at: Timestamp = "2026-11-27T21:13:30Z".parse().unwrap();
    for (file, change, expected) in [
        ("ct-01.json", range(22, "0.0.0.0/0"), "modifier"),
        ("ct-02.json", range(3389, "::/0"), "stack"),
        ("ct-04.json", grant, "opener"),
        ("ct-05.json", statement, "opener"),
    ] {
        let input: Value = serde_json::from_str(&read(file)).unwrap();
        let records: Vec<String> = input["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect();
        let found =
            attribution(&records, &[change], seen_at).unwrap_or_else(|| panic!("{file}: nobody"));
        assert!(
            found.principal.ends_with(&format!("/{expected}")),
            "{file}: {found:?}"
        );
    }
}
