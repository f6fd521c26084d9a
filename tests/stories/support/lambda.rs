//! Lambda's Runtime API, and the bootstrap that takes events from it.

use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{ALICE, World};

/// The events, answers and errors of Lambda's Runtime API.
#[derive(Default)]
pub struct Runtime {
    pub events: VecDeque<Value>,
    pub answers: Vec<Value>,
    /// The time at which the function first asked for an event.
    pub first_next: Option<Instant>,
    pub first_answer: Option<Instant>,
}

pub type Shared = Arc<Mutex<Runtime>>;

/// Serves events one by one; an empty queue keeps the function waiting, as Lambda does.
pub async fn runtime_api(events: impl IntoIterator<Item = Value>) -> (String, Shared) {
    let shared: Shared = Arc::new(Mutex::new(Runtime {
        events: events.into_iter().collect(),
        ..Runtime::default()
    }));
    let next = async |State(shared): State<Shared>| {
        shared
            .lock()
            .unwrap()
            .first_next
            .get_or_insert_with(Instant::now);
        loop {
            let event = shared.lock().unwrap().events.pop_front();
            if let Some(event) = event {
                let deadline =
                    SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(60);
                let headers = [
                    (
                        "lambda-runtime-aws-request-id",
                        "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
                    ),
                    (
                        "lambda-runtime-deadline-ms",
                        deadline.as_millis().to_string(),
                    ),
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
        let mut runtime = shared.lock().unwrap();
        runtime.first_answer.get_or_insert_with(Instant::now);
        runtime
            .answers
            .push(serde_json::from_str(&body).unwrap_or(json!(body)));
        http::StatusCode::ACCEPTED
    };
    let app = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(answer))
        .route("/2018-06-01/runtime/init/error", post(answer))
        .with_state(shared.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(tokio::spawn(
        async move { axum::serve(listener, app).await },
    ));
    (address, shared)
}

/// The binary under test: the one just built, or the one that the environment names.
pub fn binary() -> String {
    let built = env!("CARGO_BIN_EXE_defendable");
    std::env::var("DEFENDABLE_BOOTSTRAP").unwrap_or(built.to_owned())
}

/// The bootstrap as one function.
pub fn function_command(world: &World, handler: &str, runtime: &str) -> Command {
    let mut command = Command::new(binary());
    installed(&mut command, world.aws.url(), world.slack.url());
    command
        .envs([("AWS_LAMBDA_RUNTIME_API", runtime), ("_HANDLER", handler)])
        .envs([
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ])
        .envs([
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
        ])
        .envs([("AWS_LAMBDA_LOG_STREAM_NAME", "s")]);
    command
}

/// The settings of an installation in the account that the sandbox prepares, and no others.
pub fn installed(command: &mut Command, aws: &str, slack: &str) {
    let queue = |name: &str| format!("{aws}/123456789012/defendable-{name}");
    command
        .env_clear()
        .envs([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .env("AWS_ENDPOINT_URL", aws)
        .envs([
            ("DEFENDABLE_AWS_ACCOUNT_ID", "123456789012"),
            ("DEFENDABLE_OPERATORS", ALICE),
        ])
        .envs([("DEFENDABLE_FINDINGS_TABLE", "defendable-findings")])
        .envs([("DEFENDABLE_SCHEDULE_RULE", "defendable-auto-response")])
        .envs([
            ("DEFENDABLE_SLACK_CHANNEL", "C0ALERTS"),
            ("DEFENDABLE_SLACK_TEAM_ID", "T0DEMO"),
        ])
        .envs([("DEFENDABLE_SLACK_APP_ID", "A0DEFENDABLE")])
        .envs([(
            "DEFENDABLE_SLACK_BOT_TOKEN_PARAMETER",
            "/defendable/slack/bot-token",
        )])
        .envs([(
            "DEFENDABLE_SLACK_SIGNING_SECRET_PARAMETER",
            "/defendable/slack/signing-secret",
        )])
        .env("DEFENDABLE_SLACK_API_URL", format!("{slack}/api"))
        .env("DEFENDABLE_EVENTS_QUEUE_URL", queue("events"))
        .env("DEFENDABLE_REMEDIATION_QUEUE_URL", queue("remediation"))
        .env("DEFENDABLE_FIX_QUEUE_URL", queue("fix"))
        .env("DEFENDABLE_EC2_QUEUE_URL", queue("ec2"))
        .env("DEFENDABLE_S3_QUEUE_URL", queue("s3"));
}

/// A stand-in of AWS Config that accepts one result token and keeps the evaluations.
pub async fn config_service() -> (String, Arc<Mutex<Vec<Value>>>) {
    let puts: Arc<Mutex<Vec<Value>>> = Arc::default();
    let put = async |State(puts): State<Arc<Mutex<Vec<Value>>>>, body: String| {
        let request: Value = serde_json::from_str(&body).unwrap();
        let known = request["ResultToken"] == "known";
        puts.lock().unwrap().push(request);
        match known {
            true => (
                http::StatusCode::OK,
                json!({"FailedEvaluations": []}).to_string(),
            ),
            false => (
                http::StatusCode::BAD_REQUEST,
                json!({"__type": "InvalidResultTokenException"}).to_string(),
            ),
        }
    };
    let app = Router::new().route("/", post(put)).with_state(puts.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(
        async move { axum::serve(listener, app).await },
    ));
    (url, puts)
}
