//! Whole bucket policies, judged by the analyser and by a slow oracle that shares no code with it:
//! `scripts/public_policy.py` tries the requests of strangers.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use defendable::shapes::bucket_policy::BucketPolicy;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The oracle's process, asked by lines on its standard input.
struct Oracle {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/public_policy.py");
        let mut command = Command::new("python3");
        command
            .args(["-B", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python 3 is installed");
        let (questions, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            child,
            questions,
            answers: BufReader::new(answers),
        }
    }

    fn is_public(&mut self, policy: &Value) -> bool {
        writeln!(self.questions, "{policy}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("no answer to {policy}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn is_public(policy: &Value) -> bool {
    !BucketPolicy::parse(&policy.to_string())
        .unwrap()
        .public_statements()
        .unwrap()
        .is_empty()
}

fn one_of(values: &[Value]) -> impl Strategy<Value = Value> + use<> {
    prop::sample::select(values.to_vec())
}

fn condition() -> impl Strategy<Value = Value> {
    let operator = prop::sample::select(vec![
        "StringEquals",
        "StringLike",
        "StringNotEquals",
        "StringNotLike",
        "StringEqualsIfExists",
        "StringNotEqualsIfExists",
        "ForAnyValue:StringEquals",
        "ForAnyValue:StringLike",
        "ForAllValues:StringEquals",
        "ForAllValues:StringNotLike",
        "ForAnyValue:StringNotLike",
    ]);
    let named = one_of(&[
        json!({"aws:SourceVpc": "vpc-1"}),
        json!({"aws:SourceVpc": ["vpc-1", "vpc-2"]}),
        json!({"aws:SourceVpc": "vpc-*"}),
        json!({"aws:PrincipalOrgID": "o-a1b2c3d4e5"}),
        json!({"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/*"}),
        json!({"aws:PrincipalOrgPaths": ["o-a1b2c3d4e5/r-ab12/ou-1/", "o-*"]}),
        json!({"aws:VpceOrgID": "o-a1b2c3d4e5"}),
        json!({"aws:SourceAccount": 111_122_223_333_u64}),
        json!({"aws:PrincipalAccount": "anonymous"}),
        json!({"aws:userid": "AROAEXAMPLE:*"}),
        json!({"aws:userid": "*:*"}),
        json!({"aws:Referer": "https://example.com"}),
        json!({"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:us-east-1:111122223333:key/1"}),
        json!({"aws:VpceAccount": "111122223333"}),
        json!({"aws:VpceOrgPaths": "o-a1b2c3d4e5/r-ab12/*"}),
        json!({"aws:SourceOrgPaths": ["o-a1b2c3d4e5/*", "o-*"]}),
        json!({"aws:PrincipalServiceName": "cloudtrail.amazonaws.com"}),
        json!({"aws:SourceVpc": "vpc-1", "aws:PrincipalOrgID": "o-a1b2c3d4e5"}),
    ]);
    let ranges = one_of(&[
        json!(["203.0.113.0/24"]),
        json!(["64.0.0.0/8"]),
        json!(["64.0.0.0/8", "65.0.0.0/8"]),
        json!(["64.0.0.0/8", "66.0.0.0/8"]),
        json!(["0.0.0.0/1", "128.0.0.0/1"]),
        json!(["203.0.113.0/24", "2001:db8::/32", "2001:db9::/32"]),
    ]);
    let addresses = (
        prop::sample::select(vec!["IpAddress", "NotIpAddress"]),
        ranges,
    )
        .prop_map(|(operator, ranges)| json!({operator: {"aws:SourceIp": ranges}}));
    let names = (operator, named).prop_map(|(operator, keys)| json!({operator: keys}));
    prop_oneof![3 => names, 2 => addresses, 1 => Just(json!({"Bool": {"aws:SecureTransport": "false"}}))]
}

fn statement(effect: &'static str) -> impl Strategy<Value = Value> {
    let principal = one_of(&[
        json!({"Principal": "*"}),
        json!({"Principal": {"AWS": "*"}}),
        json!({"Principal": {"AWS": ["*", "arn:aws:iam::111122223333:root"]}}),
        json!({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}),
        json!({"Principal": {"Service": "*"}}),
        json!({"Principal": {"Federated": "graph.facebook.com"}}),
        json!({"Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/own"}}),
        json!({"Principal": {"Service": "cloudtrail.amazonaws.com"}}),
    ]);
    let action = one_of(&[
        json!("s3:GetObject"),
        json!("s3:*"),
        json!("*"),
        json!(["s3:Get*", "s3:ListBucket"]),
    ]);
    let resource = one_of(&[
        json!("arn:aws:s3:::b/*"),
        json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"]),
        json!("arn:aws:s3:::b/in/*"),
        json!("*"),
    ]);
    (principal, action, resource, prop::option::of(condition())).prop_map(
        move |(mut statement, action, resource, condition)| {
            statement["Effect"] = json!(effect);
            statement["Action"] = action;
            statement["Resource"] = resource;
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            statement
        },
    )
}

fn policy(denies: std::ops::Range<usize>) -> impl Strategy<Value = Value> {
    let allows = prop::collection::vec(statement("Allow"), 1..3);
    let denies = prop::collection::vec(statement("Deny"), denies);
    (allows, denies).prop_map(|(allows, denies)| {
        json!({"Version": "2012-10-17", "Statement": allows.into_iter().chain(denies).collect::<Vec<_>>()})
    })
}

#[test]
fn allows_are_public_where_a_request_of_a_stranger_is_allowed() {
    let oracle = RefCell::new(Oracle::start());
    proptest!(ProptestConfig::with_cases(1000), |(policy in policy(0..1))| {
        prop_assert_eq!(is_public(&policy), oracle.borrow_mut().is_public(&policy), "{}", policy);
    });
}

#[test]
fn a_policy_that_lets_strangers_in_despite_its_denies_is_public() {
    let oracle = RefCell::new(Oracle::start());
    // The analyser calls a policy public where it cannot prove that it is private. That must be the rarer
    // case.
    let unproved = RefCell::new((0, 0));
    proptest!(ProptestConfig::with_cases(1000), |(policy in policy(1..3))| {
        let (ours, theirs) = (is_public(&policy), oracle.borrow_mut().is_public(&policy));
        prop_assert!(ours || !theirs, "{}", policy);
        let mut unproved = unproved.borrow_mut();
        unproved.0 += u32::from(ours && !theirs);
        unproved.1 += u32::from(!theirs);
    });
    let (unproved, private) = unproved.into_inner();
    eprintln!("{unproved} of {private} private policies are called public, for want of a proof");
}

#[test]
fn the_usual_deny_of_all_but_one_s_own_makes_a_policy_private() {
    let mut oracle = Oracle::start();
    for condition in [
        json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}),
        json!({"NotIpAddress": {"aws:SourceIp": ["64.0.0.0/8"]}}),
        json!({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
    ] {
        let resources = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"];
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources, "Condition": condition});
        let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resources[1]});
        let policy = json!({"Version": "2012-10-17", "Statement": [allow, deny]});
        assert!(
            !is_public(&policy) && !oracle.is_public(&policy),
            "{policy}"
        );
    }
}
