//! The same binary as a Lambda bootstrap, against a Runtime API of this test's own.

use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{ALICE, Process, World, eventually, signed};

#[derive(Default)]
struct Runtime {
    events: VecDeque<Value>,
    answers: Vec<Value>,
}

type Shared = Arc<Mutex<Runtime>>;

/// Serves events one by one; an empty queue keeps the function waiting, as Lambda does.
async fn runtime_api(events: impl IntoIterator<Item = Value>) -> (String, Shared) {
    let shared: Shared =
        Arc::new(Mutex::new(Runtime { events: events.into_iter().collect(), answers: Vec::new() }));
    let next = async |State(shared): State<Shared>| {
        loop {
            let event = shared.lock().unwrap().events.pop_front();
            if let Some(event) = event {
                let deadline =
                    SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
                let headers = [
                    ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
                    ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
                    (
                        "lambda-runtime-invoked-function-arn",
                        "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
                    ),
                    ("lambda-runtime-trace-id", "Root=1".to_owned()),
                    ("content-type", "application/json".to_owned()),
                ];
                return (headers, event.to_string()).into_response();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = async |State(shared): State<Shared>, body: String| {
        shared.lock().unwrap().answers.push(serde_json::from_str(&body).unwrap_or(json!(body)));
        http::StatusCode::ACCEPTED
    };
    let app = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(answer))
        .with_state(shared.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
    (address, shared)
}

fn function(world: &World, handler: &str, runtime: &str) -> Process {
    Process::spawn(&mut function_command(world, handler, runtime))
}

fn function_command(world: &World, handler: &str, runtime: &str) -> Command {
    let (aws, slack) = (world.aws.url(), world.slack.url());
    let queue = |name: &str| format!("{aws}/123456789012/defendable-{name}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_defendable"));
    command
        .env_clear()
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .envs([("AWS_LAMBDA_RUNTIME_API", runtime), ("_HANDLER", handler), ("AWS_ENDPOINT_URL", aws)])
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"), ("AWS_LAMBDA_LOG_GROUP_NAME", "g")])
        .envs([("AWS_LAMBDA_LOG_STREAM_NAME", "s")])
        .envs([("DEFENDABLE_AWS_ACCOUNT_ID", "123456789012"), ("DEFENDABLE_OPERATORS", ALICE)])
        .envs([("DEFENDABLE_FINDINGS_TABLE", "defendable-findings")])
        .envs([("DEFENDABLE_SCHEDULE_RULE", "defendable-auto-response")])
        .envs([("DEFENDABLE_SLACK_CHANNEL", "C0ALERTS"), ("DEFENDABLE_SLACK_TEAM_ID", "T0DEMO")])
        .envs([("DEFENDABLE_SLACK_APP_ID", "A0DEFENDABLE")])
        .envs([("DEFENDABLE_SLACK_BOT_TOKEN_PARAMETER", "/defendable/slack/bot-token")])
        .envs([("DEFENDABLE_SLACK_SIGNING_SECRET_PARAMETER", "/defendable/slack/signing-secret")])
        .env("DEFENDABLE_SLACK_API_URL", format!("{slack}/api"))
        .env("DEFENDABLE_EVENTS_QUEUE_URL", queue("events"))
        .env("DEFENDABLE_REMEDIATION_QUEUE_URL", queue("remediation"))
        .env("DEFENDABLE_FIX_QUEUE_URL", queue("fix"))
        .env("DEFENDABLE_SECURITY_GROUP_QUEUE_URL", queue("security-group"))
        .env("DEFENDABLE_S3_BUCKET_QUEUE_URL", queue("s3-bucket"));
    command
}

async fn answers(shared: &Shared, count: usize) -> Vec<Value> {
    eventually("the function answers", async || {
        let answers = shared.lock().unwrap().answers.clone();
        (answers.len() == count).then_some(answers)
    })
    .await
}

fn sqs(bodies: &[String]) -> Value {
    let record = |(index, body): (usize, &String)| {
        json!({"messageId": format!("m{index}"), "receiptHandle": "r", "body": body, "attributes": {},
               "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
               "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:defendable-fix"})
    };
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
}

#[tokio::test]
async fn the_slack_function_answers_a_function_url() {
    let world = World::seeded().await;
    let body = "team_id=T0DEMO&channel_id=C0ALERTS&user_id=U0ALICE&command=%2Fdd&text=status&api_app_id=A0DEFENDABLE&response_url=http%3A%2F%2Flocalhost%2Fr&trigger_id=1.2";
    let headers: serde_json::Map<String, Value> = signed(body, Timestamp::now().as_second())
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let context = json!({"accountId": "anonymous", "apiId": "x", "domainName": "x.lambda-url.us-east-1.on.aws",
        "domainPrefix": "x", "requestId": "r", "routeKey": "$default", "stage": "$default", "timeEpoch": 1,
        "time": "01/Jan/2026:00:00:00 +0000",
        "http": {"method": "POST", "path": "/slack/events", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "Slackbot"}});
    let request = |body: &str| {
        json!({"version": "2.0", "routeKey": "$default", "rawPath": "/slack/events", "rawQueryString": "",
               "headers": headers, "requestContext": context, "body": body, "isBase64Encoded": false})
    };
    let (runtime, shared) = runtime_api([request(body), request("text=forged")]).await;
    let _function = function(&world, "slack", &runtime);
    let answers = answers(&shared, 2).await;
    assert_eq!((&answers[0]["statusCode"], &answers[1]["statusCode"]), (&json!(200), &json!(401)));
    assert!(answers[0]["body"].as_str().unwrap().contains("Auto-response is off"), "{}", answers[0]);
}

#[tokio::test]
async fn queue_functions_and_the_schedule_run_on_lambda() {
    let world = World::seeded().await;
    let message = world.slack.finding("defendable-demo-website").await;
    let request = json!({"raisedByRule": "defendable-s3-public-access", "targetResourceType": "AWS::S3::Bucket",
        "targetResourceId": "defendable-demo-website", "awsRegion": "us-east-1", "requestedBy": ALICE,
        "violationType": "S3_BUCKET_PUBLIC_POLICY", "findingId": message.finding_id()});
    // Lambda's coordinator takes the fix; the sandbox's own remediator and notifier do the rest.
    let (runtime, shared) = runtime_api([sqs(&[request.to_string(), "poison".to_owned()])]).await;
    let _function = function(&world, "coordinator", &runtime);
    assert_eq!(
        answers(&shared, 1).await[0],
        json!({"batchItemFailures": []}),
        "the poisoned record is parked"
    );
    assert_eq!(world.aws.messages_in("fix-dead-letters").await, 1);
    world.slack.finding_says("defendable-demo-website", "Fixed by <@U0ALICE>").await;

    let schedule =
        json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
    shared.lock().unwrap().events.push_back(schedule);
    answers(&shared, 2).await;
    world.slack.finding_says("defendable-demo-downloads", "Fixed by auto-response").await;
}

#[tokio::test]
async fn the_notifier_and_the_remediators_run_on_lambda() {
    let world = World::seeded().await;
    let alarm = json!({"AlarmName": "On Lambda", "NewStateValue": "ALARM", "NewStateReason": "because"});
    let (runtime, notified) = runtime_api([sqs(&[alarm.to_string()])]).await;
    let _notifier = function(&world, "notifier", &runtime);
    assert_eq!(answers(&notified, 1).await[0], json!({"batchItemFailures": []}));
    world.slack.channel_says("CloudWatch alarm: On Lambda").await;

    let task = |violation: &str, resource_type: &str, resource: &str| {
        json!({"messageBody": {"raisedByRule": "r", "targetResourceType": resource_type, "awsRegion": "us-east-1",
            "targetResourceId": resource, "violationType": violation, "requestedBy": ALICE}})
        .to_string()
    };
    let group = world.aws.group_id("remote-desktops").await;
    let (runtime, remediated) =
        runtime_api([sqs(&[task("EC2_SG_PROHIBITED_PORT", "AWS::EC2::SecurityGroup", &group)])]).await;
    let _groups = function(&world, "security-group-remediator", &runtime);
    assert_eq!(answers(&remediated, 1).await[0], json!({"batchItemFailures": []}));
    assert_eq!(world.aws.ingress(&group).await, ["tcp 3389-3389 203.0.113.0/24"]);

    let bucket = task("S3_BUCKET_PUBLIC_ACL", "AWS::S3::Bucket", "defendable-demo-downloads");
    let (runtime, remediated) = runtime_api([sqs(&[bucket])]).await;
    let _buckets = function(&world, "s3-bucket-remediator", &runtime);
    assert_eq!(answers(&remediated, 1).await[0], json!({"batchItemFailures": []}));
    assert!(
        !world.aws.grants("defendable-demo-downloads").await.iter().any(|grant| grant.contains("AllUsers"))
    );
}

/// An AWS Config that knows one result token, and keeps what is put.
async fn config_service() -> (String, Arc<Mutex<Vec<Value>>>) {
    let puts: Arc<Mutex<Vec<Value>>> = Arc::default();
    let put = async |State(puts): State<Arc<Mutex<Vec<Value>>>>, body: String| {
        let request: Value = serde_json::from_str(&body).unwrap();
        let known = request["ResultToken"] == "known";
        puts.lock().unwrap().push(request);
        match known {
            true => (http::StatusCode::OK, json!({"FailedEvaluations": []}).to_string()),
            false => {
                (http::StatusCode::BAD_REQUEST, json!({"__type": "InvalidResultTokenException"}).to_string())
            }
        }
    };
    let app = Router::new().route("/", post(put)).with_state(puts.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(async move { axum::serve(listener, app).await }));
    (url, puts)
}

#[tokio::test]
async fn the_rule_functions_run_on_lambda_and_fail_when_config_does_not_take_the_evaluation() {
    let world = World::seeded().await;
    let (config, puts) = config_service().await;
    let event = |token: &str, resource_type: &str, rest: Value| {
        let mut item = json!({"resourceType": resource_type, "resourceId": "r", "awsAccountId": "123456789012",
            "awsRegion": "us-east-1", "configurationItemStatus": "OK",
            "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z"});
        item.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let invoking =
            json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item});
        json!({"invokingEvent": invoking.to_string(), "resultToken": token, "configRuleName": "a-rule"})
    };
    let open = json!({"configuration": {"ipPermissions": [{"ipProtocol": "-1", "ipRanges": ["0.0.0.0/0"]}]}});
    let acl = json!({"grantList": [{"grantee": "AllUsers", "permission": "Read"}]}).to_string();
    let public = json!({"supplementaryConfiguration": {"AccessControlList": acl}});
    for (handler, resource_type, rest) in [
        ("restricted-ports-rule", "AWS::EC2::SecurityGroup", open),
        ("s3-public-access-rule", "AWS::S3::Bucket", public),
    ] {
        let waiting = world.aws.messages_in("remediation").await;
        let events = ["known", "unknown"].map(|token| event(token, resource_type, rest.clone()));
        let (runtime, shared) = runtime_api(events).await;
        let mut command = function_command(&world, handler, &runtime);
        let _function = Process::spawn(command.env("AWS_ENDPOINT_URL_CONFIG_SERVICE", &config));
        let answers = answers(&shared, 2).await;
        assert_eq!(answers[0], Value::Null);
        assert!(answers[1]["errorMessage"].as_str().unwrap().contains("PutEvaluations"), "{}", answers[1]);
        let put = puts.lock().unwrap().remove(0);
        assert_eq!(put["Evaluations"][0]["ComplianceType"], "NON_COMPLIANT");
        puts.lock().unwrap().clear();
        // Queued before the evaluation was refused: nothing is lost, and Config asks again.
        assert_eq!(world.aws.messages_in("remediation").await, waiting + 2);
    }
}

#[test]
fn an_unknown_handler_is_named_with_those_that_exist() {
    let output = Command::new(env!("CARGO_BIN_EXE_defendable"))
        .env_clear()
        .envs([("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"), ("_HANDLER", "nope")])
        .output()
        .unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("\"nope\"") && complaint.contains("restricted-ports-rule"), "{complaint}");
}
