//! How many configuration items a rule judges, from raw JSON, beside how many serde_json only reads.
//! `scripts/bench` builds it as the package is built.

mod figure;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use defendable::controls::evaluation::lines::evaluate_lines;
use defendable::controls::evaluation::{RuleKind, RuleParameters};
use serde_json::{Value, json};

/// Items that one iteration judges.
const ITEMS: usize = 1000;

/// What is measured: its name, the permissions of a group, the ports of each.
const CASES: [(&str, usize, (u16, u16)); 5] = [
    ("1 permission", 1, (443, 443)),
    ("10 permissions", 10, (443, 443)),
    ("60 permissions", 60, (443, 443)),
    ("10 permissions of one port", 10, (22, 22)),
    ("10 permissions of 65,536 ports", 10, (0, 65535)),
];

/// The peer: what it takes to have an item as a `serde_json::Value`, and to judge nothing.
const READ: &str = "10 permissions read into a JSON value";

fn item(permissions: usize, (from, to): (u16, u16)) -> Value {
    let permission = |number: usize| {
        json!({"ipProtocol": "tcp", "fromPort": from, "toPort": to, "userIdGroupPairs": [], "prefixListIds": [],
            "ipv4Ranges": [{"cidrIp": format!("10.{number}.0.0/16"), "description": "an office"}],
            "ipv6Ranges": [], "ipRanges": [format!("10.{number}.0.0/16")]})
    };
    let permissions: Vec<Value> = (0..permissions).map(permission).collect();
    json!({"version": "1.3", "configurationItemCaptureTime": "2026-11-25T02:00:00.000Z",
        "configurationItemStatus": "OK", "configurationStateId": "1", "awsAccountId": "123456789012",
        "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-0123456789abcdef0", "awsRegion": "us-east-1",
        "tags": {"team": "payments"}, "relationships": [], "supplementaryConfiguration": {},
        "configuration": {"groupId": "sg-0123456789abcdef0", "groupName": "g", "description": "d", "vpcId": "vpc-1",
            "ownerId": "123456789012", "ipPermissions": permissions, "ipPermissionsEgress": [], "tags": []}})
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .sample_size(20);
    let mut group = criterion.benchmark_group("evaluation");
    group.throughput(Throughput::Elements(ITEMS as u64));
    for (name, permissions, ports) in CASES {
        let lines = format!("{}\n", item(permissions, ports)).repeat(ITEMS);
        group.bench_with_input(
            BenchmarkId::from_parameter(name),
            &lines,
            |bencher, lines| {
                bencher.iter(|| {
                    let parameters = RuleParameters::default();
                    let mut output = Vec::with_capacity(ITEMS * 300);
                    let rule = RuleKind::RestrictedPorts;
                    let bad = evaluate_lines(
                        rule,
                        &parameters,
                        lines.as_bytes(),
                        &mut output,
                        std::io::sink(),
                    );
                    assert_eq!(bad.unwrap(), 0);
                    output.len()
                });
            },
        );
    }
    let read = format!("{}\n", item(10, (443, 443))).repeat(ITEMS);
    group.bench_with_input(
        BenchmarkId::from_parameter(READ),
        &read,
        |bencher, lines| {
            bencher.iter(|| {
                let items = lines
                    .lines()
                    .map(|line| serde_json::from_str::<Value>(line).unwrap());
                items
                    .filter(|item| item["configuration"]["ipPermissions"].is_array())
                    .count()
            });
        },
    );
    group.finish();
    for (name, ..) in CASES {
        tell(name, "judged, from raw JSON");
    }
    tell(READ, "only, from raw JSON");
}

/// What criterion has measured, as it keeps it.
fn tell(name: &str, what: &str) {
    let home = std::env::var("CRITERION_HOME")
        .expect("scripts/bench says where criterion keeps what it finds");
    let path = format!("{home}/evaluation/{name}/new/estimates.json");
    let found = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let found: Value = serde_json::from_str(&found).unwrap();
    let bounds = &found["mean"]["confidence_interval"];
    let times = [
        &found["mean"]["point_estimate"],
        &bounds["upper_bound"],
        &bounds["lower_bound"],
    ];
    let [mean, least, most] = times.map(|time| ITEMS as f64 * 1e9 / time.as_f64().unwrap());
    let figures = format!("{mean:.0} items/s (95 %: {least:.0} to {most:.0}), one thread");
    figure::row(&format!("a group of {name} {what}"), 20, &figures);
}
