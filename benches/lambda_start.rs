//! How long the bootstrap takes from its start until it asks Lambda for work, and until its first
//! answer, for every function, beside an echo that is nothing but the runtime. On the sandbox's
//! emulators; `scripts/bench lambda` runs it with the packaged binary.

#[path = "../tests/stories/support/mod.rs"]
#[expect(dead_code, reason = "the stories use more of it")]
mod support;

mod figure;
mod memory;

use std::process::{Command, Stdio};
use std::time::Instant;

use figure::{row, spread};
use jiff::Timestamp;
use serde_json::{Value, json};
use support::lambda::{config_service, function_command, runtime_api};
use support::{ALICE, World, eventually, signed};

const RUNS: usize = 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

/// The functions, each with an event that it answers without AWS where it can.
fn events() -> [(&'static str, Value); 7] {
    let batch = |body: Value| {
        json!({"Records": [{"messageId": "m", "receiptHandle": "r", "body": body.to_string(), "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "us-east-1"}]})
    };
    let task = |violation: &str, kind: &str, id: &str| {
        batch(
            json!({"messageBody": {"raisedByRule": "r", "targetResourceType": kind, "targetResourceId": id,
            "awsRegion": "us-east-1", "violationType": violation, "requestedBy": ALICE}}),
        )
    };
    let item = |kind: &str, rest: Value| {
        let mut item = json!({"resourceType": kind, "resourceId": "r", "awsAccountId": "123456789012",
            "awsRegion": "us-east-1", "configurationItemStatus": "OK",
            "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z"});
        item.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        let invoking = json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item});
        json!({"invokingEvent": invoking.to_string(), "resultToken": "known", "configRuleName": "a"})
    };
    [
        ("slack", slack_request()),
        (
            "notifier",
            batch(json!({"messageType": "ConfigurationSnapshotDeliveryStarted"})),
        ),
        (
            "coordinator",
            json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
        ),
        (
            "ec2-remediator",
            task("EC2_SG_PROHIBITED_PORT", "AWS::EC2::SecurityGroup", "sg-0"),
        ),
        (
            "s3-remediator",
            task("S3_BUCKET_PUBLIC_ACL", "AWS::S3::Bucket", "no-such-bucket"),
        ),
        (
            "restricted-ports-rule",
            item(
                "AWS::EC2::SecurityGroup",
                json!({"configuration": {"ipPermissions": []}}),
            ),
        ),
        (
            "s3-public-access-rule",
            item(
                "AWS::S3::Bucket",
                json!({"supplementaryConfiguration": {
            "AccessControlList": {"grantList": []}, "BucketPolicy": {"policyText": null}}}),
            ),
        ),
    ]
}

/// `/dd help` by function URL: signature check and answer.
fn slack_request() -> Value {
    let body = "team_id=T0DEMO&channel_id=C0ALERTS&user_id=U0ALICE&command=%2Fdd&text=help&api_app_id=A0DEFENDABLE&response_url=http%3A%2F%2Flocalhost%2Fr&trigger_id=1.2";
    let headers: serde_json::Map<String, Value> = signed(body, Timestamp::now().as_second())
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    json!({"version": "2.0", "routeKey": "$default", "rawPath": "/slack/events", "rawQueryString": "",
        "headers": headers, "body": body, "isBase64Encoded": false,
        "requestContext": {"accountId": "a", "apiId": "x", "domainName": "x", "domainPrefix": "x", "requestId": "r",
            "routeKey": "$default", "stage": "$default", "timeEpoch": 1, "time": "01/Jan/2026:00:00:00 +0000",
            "http": {"method": "POST", "path": "/slack/events", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "Slackbot"}}})
}

async fn run() {
    let world = World::seeded().await;
    let (config, _) = config_service().await;
    if let Ok(echo) = std::env::var("DEFENDABLE_ECHO") {
        measure("bare echo", &json!({}), |runtime| {
            let mut command = Command::new(&echo);
            command.env_clear().env("AWS_LAMBDA_RUNTIME_API", runtime);
            command.envs([
                ("AWS_LAMBDA_FUNCTION_NAME", "f"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ]);
            command.envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")]);
            command
        })
        .await;
    }
    for (handler, event) in events() {
        measure(handler, &event, |runtime| {
            let mut command = function_command(&world, handler, runtime);
            command.env("AWS_ENDPOINT_URL_CONFIG_SERVICE", &config);
            command
        })
        .await;
    }
}

async fn measure(name: &str, event: &Value, command: impl Fn(&str) -> Command) {
    let (mut nexts, mut answers, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let (runtime, shared) = runtime_api([event.clone()]).await;
        let begun = Instant::now();
        let mut process = command(&runtime)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (next, answer) = eventually("the function answers", async || {
            let runtime = shared.lock().unwrap();
            Some((runtime.first_next?, runtime.first_answer?))
        })
        .await;
        nexts.push(next - begun);
        answers.push(answer - begun);
        peak = peak.max(memory::memory(process.id(), "VmHWM"));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let [next, answer] = [&nexts, &answers].map(|times| spread(times));
    let figures = format!(
        "first next {next}; first answer {answer}; peak {:.1} MB",
        peak as f64 / 1000.0
    );
    row(&format!("Lambda start: {name}"), RUNS, &figures);
}
