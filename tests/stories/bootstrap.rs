//! The same binary as a Lambda bootstrap, against a Runtime API of the test.

use std::process::Command;

use defendable::ids::FindingId;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::lambda::{Shared, config_service, function_command, runtime_api};
use crate::support::{
    ALICE, Process, World, eventually, finding_of_bucket, finding_of_group, signed, signed_with,
};

fn function(world: &World, handler: &str, runtime: &str) -> Process {
    Process::spawn(&mut function_command(world, handler, runtime))
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

/// A function URL's event.
fn url_request(headers: &serde_json::Map<String, Value>, body: &str) -> Value {
    json!({"version": "2.0", "routeKey": "$default", "rawPath": "/slack/events", "rawQueryString": "",
        "headers": headers, "body": body, "isBase64Encoded": false,
        "requestContext": {"accountId": "anonymous", "apiId": "x", "domainName": "x.lambda-url.us-east-1.on.aws",
            "domainPrefix": "x", "requestId": "r", "routeKey": "$default", "stage": "$default", "timeEpoch": 1,
            "time": "01/Jan/2026:00:00:00 +0000",
            "http": {"method": "POST", "path": "/slack/events", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "Slackbot"}}})
}

const HELP: &str = "team_id=T0DEMO&channel_id=C0ALERTS&user_id=U0ALICE&command=%2Fdd&text=help&api_app_id=A0DEFENDABLE&response_url=http%3A%2F%2Flocalhost%2Fr&trigger_id=1.2";

/// `/dd help` in base64.
const HELP_IN_BASE64: &str = "dGVhbV9pZD1UMERFTU8mY2hhbm5lbF9pZD1DMEFMRVJUUyZ1c2VyX2lkPVUwQUxJQ0UmY29tbWFuZD0lMkZkZCZ0ZXh0PWhlbHAmYXBpX2FwcF9pZD1BMERFRkVOREFCTEUmcmVzcG9uc2VfdXJsPWh0dHAlM0ElMkYlMkZsb2NhbGhvc3QlMkZyJnRyaWdnZXJfaWQ9MS4y";

#[tokio::test]
async fn the_slack_function_answers_a_function_url() {
    let world = World::seeded().await;
    let body = "team_id=T0DEMO&channel_id=C0ALERTS&user_id=U0ALICE&command=%2Fdd&text=status&api_app_id=A0DEFENDABLE&response_url=http%3A%2F%2Flocalhost%2Fr&trigger_id=1.2";
    let headers: serde_json::Map<String, Value> = signed(body, Timestamp::now().as_second())
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let request = |body: &str| url_request(&headers, body);
    let (runtime, shared) = runtime_api([request(body), request("text=forged")]).await;
    let _function = function(&world, "slack", &runtime);
    let answers = answers(&shared, 2).await;
    assert_eq!(
        (&answers[0]["statusCode"], &answers[1]["statusCode"]),
        (&json!(200), &json!(401))
    );
    assert!(
        answers[0]["body"]
            .as_str()
            .unwrap()
            .contains("Auto-response is off"),
        "{}",
        answers[0]
    );
}

/// `slackapi/java-slack-sdk#1015`, `slackapi/python-slack-sdk#859`: a function URL passes forms on in base64,
/// and Slack signs the decoded bytes. `slackapi/python-slack-events-api#102`: a challenge is answered.
#[tokio::test]
async fn bodies_in_base64_and_challenges_are_understood() {
    let world = World::seeded().await;
    let headers = |body: &str| -> serde_json::Map<String, Value> {
        let signed = signed(body, Timestamp::now().as_second()).into_iter();
        signed
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect()
    };
    let in_base64 = |signed_body: &str| {
        let mut request = url_request(&headers(signed_body), HELP_IN_BASE64);
        request["isBase64Encoded"] = json!(true);
        request
    };
    let challenge = r#"{"token":"t","challenge":"abc123","type":"url_verification"}"#;
    let mut asked = url_request(&headers(challenge), challenge);
    asked["headers"]["content-type"] = json!("application/json");
    let events = [in_base64(HELP), in_base64("text=other"), asked];
    let (runtime, shared) = runtime_api(events).await;
    let _function = function(&world, "slack", &runtime);
    let answers = answers(&shared, 3).await;
    let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["statusCode"]).collect();
    assert_eq!(statuses, [200, 401, 200], "{answers:?}");
    assert!(
        answers[2]["body"].as_str().unwrap().contains("abc123"),
        "{}",
        answers[2]
    );
}

#[tokio::test]
async fn queue_functions_and_the_schedule_run_on_lambda() {
    let world = World::seeded().await;
    let message = world.slack.finding("defendable-demo-website").await;
    let request = json!(
        world
            .aws
            .asked(&message.finding_id().parse().unwrap(), ALICE)
            .await
            .remove(0)
    );
    // The coordinator on Lambda takes the fix; the remediator and notifier of the sandbox do the rest.
    let (runtime, shared) = runtime_api([sqs(&[request.to_string(), "poison".to_owned()])]).await;
    let mut command = function_command(&world, "coordinator", &runtime);
    let _function = Process::spawn(command.env("DEFENDABLE_ENABLE_AUTO_RESPONSE", "true"));
    assert_eq!(
        answers(&shared, 1).await[0],
        json!({"batchItemFailures": []}),
        "the poisoned record is parked"
    );
    assert_eq!(world.aws.messages_in("fix-dead-letters").await, 1);
    world
        .slack
        .finding_says("defendable-demo-website", "Fixed by <@U0ALICE>")
        .await;

    let schedule = json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
    shared.lock().unwrap().events.push_back(schedule);
    answers(&shared, 2).await;
    world
        .slack
        .finding_says("defendable-demo-downloads", "Fixed by auto-response")
        .await;
}

#[tokio::test]
async fn the_notifier_and_the_remediators_run_on_lambda() {
    let world = World::seeded().await;
    let alarm =
        json!({"AlarmName": "On Lambda", "NewStateValue": "ALARM", "NewStateReason": "because"});
    let (runtime, notified) = runtime_api([sqs(&[alarm.to_string()])]).await;
    let _notifier = function(&world, "notifier", &runtime);
    assert_eq!(
        answers(&notified, 1).await[0],
        json!({"batchItemFailures": []})
    );
    world
        .slack
        .channel_says("CloudWatch alarm: On Lambda")
        .await;

    let task = async |id: FindingId| {
        let request = world.aws.asked(&id, ALICE).await.remove(0);
        json!({"messageBody": request}).to_string()
    };
    let group = world.aws.group_id("remote-desktops").await;
    let (runtime, remediated) = runtime_api([sqs(&[task(finding_of_group(&group)).await])]).await;
    let _groups = function(&world, "ec2-remediator", &runtime);
    assert_eq!(
        answers(&remediated, 1).await[0],
        json!({"batchItemFailures": []})
    );
    assert_eq!(
        world.aws.ingress(&group).await,
        ["tcp 3389-3389 203.0.113.0/24"]
    );

    let bucket = task(finding_of_bucket("defendable-demo-downloads")).await;
    let (runtime, remediated) = runtime_api([sqs(&[bucket])]).await;
    let _buckets = function(&world, "s3-remediator", &runtime);
    assert_eq!(
        answers(&remediated, 1).await[0],
        json!({"batchItemFailures": []})
    );
    assert!(
        !world
            .aws
            .grants("defendable-demo-downloads")
            .await
            .iter()
            .any(|grant| grant.contains("AllUsers"))
    );
}

#[tokio::test]
async fn tasks_in_a_queue_of_version_0_1_are_done_by_the_new_remediator() {
    let world = World::seeded().await;
    for name in ["security-group", "security-group-dead-letters"] {
        world.aws.create_queue(name).await;
    }
    let group = world.aws.group_id("remote-desktops").await;
    let request = world.aws.asked(&finding_of_group(&group), ALICE).await;
    let task = json!({"messageBody": request[0]}).to_string();
    let mut event = sqs(&[task, "poison".to_owned()]);
    for record in event["Records"].as_array_mut().unwrap() {
        record["eventSourceARN"] =
            json!("arn:aws:sqs:us-east-1:123456789012:defendable-security-group");
    }
    let (runtime, remediated) = runtime_api([event]).await;
    // Lambda may run the new code while the function still has the old handler's name.
    let mut command = function_command(&world, "security-group-remediator", &runtime);
    let older = world.aws.queue("security-group");
    command.env("DEFENDABLE_SECURITY_GROUP_QUEUE_URL", older.as_str());
    let _function = Process::spawn(&mut command);
    assert_eq!(
        answers(&remediated, 1).await[0],
        json!({"batchItemFailures": []})
    );
    assert_eq!(
        world.aws.ingress(&group).await,
        ["tcp 3389-3389 203.0.113.0/24"]
    );
    let parked = async |queue: &str| world.aws.messages_in(queue).await;
    assert_eq!(
        (
            parked("security-group-dead-letters").await,
            parked("ec2-dead-letters").await
        ),
        (1, 0),
        "what cannot be used is parked beside the queue that it came from"
    );
}

#[tokio::test]
async fn the_rule_functions_run_on_lambda_and_fail_when_config_does_not_take_the_evaluation() {
    let world = World::seeded().await;
    let (config, puts) = config_service().await;
    let event = |token: &str, resource_type: &str, rest: Value| {
        let mut item = json!({"resourceType": resource_type, "resourceId": "r", "awsAccountId": "123456789012",
            "awsRegion": "us-east-1", "configurationItemStatus": "OK",
            "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z"});
        item.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        let invoking = json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item});
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
        assert!(
            answers[1]["errorMessage"]
                .as_str()
                .unwrap()
                .contains("PutEvaluations"),
            "{}",
            answers[1]
        );
        let put = puts.lock().unwrap().remove(0);
        assert_eq!(put["Evaluations"][0]["ComplianceType"], "NON_COMPLIANT");
        puts.lock().unwrap().clear();
        // The requests were queued before PutEvaluations was refused. Nothing is lost, and Lambda invokes
        // the rule again.
        assert_eq!(world.aws.messages_in("remediation").await, waiting + 2);
    }
}

/// `cloud-custodian/cloud-custodian#4514`: many violations of one resource exceed AWS's size limits.
#[tokio::test]
async fn many_breaches_are_one_evaluation_with_a_short_annotation_and_all_are_queued() {
    let world = World::seeded().await;
    let (config, puts) = config_service().await;
    let permission = |port: u16| {
        json!({"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipv4Ranges": [{"cidrIp": "0.0.0.0/0"}],
            "ipv6Ranges": [{"cidrIpv6": "::/0"}]})
    };
    let permissions: Vec<Value> = (1000..1025).map(permission).collect();
    let item = json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-0ffff000011112222",
        "awsAccountId": "123456789012", "awsRegion": "us-east-1", "configurationItemStatus": "OK",
        "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z", "configuration": {"ipPermissions": permissions}});
    let invoking =
        json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item});
    let event = json!({"invokingEvent": invoking.to_string(), "resultToken": "known", "configRuleName": "a-rule",
        "ruleParameters": json!({"prohibitedPorts": "1000-2000"}).to_string()});
    let waiting = world.aws.messages_in("remediation").await;
    let (runtime, shared) = runtime_api([event]).await;
    let mut command = function_command(&world, "restricted-ports-rule", &runtime);
    let _function = Process::spawn(command.env("AWS_ENDPOINT_URL_CONFIG_SERVICE", &config));
    assert_eq!(answers(&shared, 1).await[0], Value::Null);
    let put = puts.lock().unwrap().clone();
    let annotation = put[0]["Evaluations"][0]["Annotation"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        (put.len(), annotation.chars().count()),
        (1, 256),
        "{annotation}"
    );
    assert_eq!(world.aws.messages_in("remediation").await, waiting + 25);
}

#[tokio::test]
async fn a_message_that_fails_comes_back_alone_and_soon() {
    let world = World::seeded().await;
    // The queue has no dead-letter queue, so that a message that cannot be parked stays in it.
    let queue = world.aws.create_queue("fix-on-lambda").await;
    world.slack.finding("defendable-demo-website").await;
    let id = finding_of_bucket("defendable-demo-website");
    let request = json!(world.aws.asked(&id, ALICE).await.remove(0));
    for body in [&request.to_string(), "poison"] {
        world.aws.send_text("fix-on-lambda", body).await;
    }
    let records = world.aws.receive("fix-on-lambda", 2).await;
    let poison = records
        .iter()
        .find(|record| record["body"] == "poison")
        .unwrap()["messageId"]
        .clone();

    let (runtime, shared) = runtime_api([json!({"Records": records})]).await;
    let mut command = function_command(&world, "coordinator", &runtime);
    let _function = Process::spawn(command.env("DEFENDABLE_FIX_QUEUE_URL", &queue));
    assert_eq!(
        answers(&shared, 1).await[0],
        json!({"batchItemFailures": [{"itemIdentifier": poison}]})
    );
    world
        .slack
        .finding_says("defendable-demo-website", "Fixed by <@U0ALICE>")
        .await;

    // The message is visible again long before its visibility timeout of half an hour.
    let again = world.aws.receive("fix-on-lambda", 1).await;
    assert_eq!(
        (&again[0]["messageId"], &again[0]["body"]),
        (&poison, &json!("poison"))
    );
}

#[tokio::test]
async fn new_secrets_are_read_when_the_old_ones_prove_wrong() {
    let world = World::seeded().await;
    let request = |signature: &[(&'static str, String)]| {
        let headers: serde_json::Map<String, Value> = signature
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        url_request(&headers, HELP)
    };
    let now = Timestamp::now().as_second();
    let (runtime, shared) = runtime_api([request(&signed(HELP, now))]).await;
    let _function = function(&world, "slack", &runtime);
    assert_eq!(answers(&shared, 1).await[0]["statusCode"], 200);

    world
        .aws
        .put_secret("/defendable/slack/signing-secret", "the-new-secret")
        .await;
    let by_the_new = signed_with("the-new-secret", HELP, now);
    shared
        .lock()
        .unwrap()
        .events
        .extend([request(&by_the_new), request(&signed(HELP, now))]);
    let statuses: Vec<Value> = answers(&shared, 3)
        .await
        .iter()
        .map(|answer| answer["statusCode"].clone())
        .collect();
    assert_eq!(
        statuses,
        [200, 200, 401],
        "the old secret is not valid any more"
    );
}

#[tokio::test]
async fn a_function_that_cannot_start_tells_lambda_everything_that_is_wrong() {
    for (handler, said) in [
        (
            "nope",
            [
                "_HANDLER is \"nope\"",
                "restricted-ports-rule",
                "s3-remediator",
            ],
        ),
        (
            "slack",
            [
                "settings are invalid",
                "DEFENDABLE_AWS_ACCOUNT_ID is \"12\"",
                "DEFENDABLE_FINDINGS_TABLE",
            ],
        ),
    ] {
        let (runtime, shared) = runtime_api([]).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_defendable"));
        command
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", runtime.as_str()),
                ("_HANDLER", handler),
            ])
            .envs([
                ("AWS_REGION", "us-east-1"),
                ("DEFENDABLE_AWS_ACCOUNT_ID", "12"),
            ]);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        assert!(!output.status.success());
        let told = answers(&shared, 1).await[0].clone();
        let log: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(
            (&log["level"], &log["message"]),
            (&json!("ERROR"), &json!("cannot start"))
        );
        for part in said {
            assert!(
                told["errorMessage"].as_str().unwrap().contains(part),
                "{part} is not in {told}"
            );
            assert!(
                log["error"].as_str().unwrap().contains(part),
                "{part} is not in {log}"
            );
        }
    }
}
