//! A proxy between Defendable and a peer. It passes calls on, and makes chosen ones fail.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::movable_clock::MovableClock;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection closes without an answer; nothing was done.
    Refused,
    /// No answer comes; nothing was done.
    Hangs,
    /// The call was carried out, and the connection closes without an answer.
    AnswerLost,
    /// 429, with a `Retry-After` of a second.
    TooManyWait,
    /// 429 without `Retry-After`.
    TooMany,
    /// 503, with a `Retry-After` of a second.
    UnavailableWait,
    /// 503 without `Retry-After`.
    Unavailable,
    /// The service's own error for throttling, with a `Retry-After` of a second.
    ThrottledWait,
    /// The service's own error for throttling.
    Throttled,
    /// The service's own error for missing permission.
    Denied,
    /// The call was carried out, and the answer is truncated.
    Garbled,
    /// 200 with this body; the call was not passed on.
    Says(&'static str),
}

impl Fault {
    pub const ALL: [Self; 11] = [
        Self::Refused,
        Self::Hangs,
        Self::AnswerLost,
        Self::TooManyWait,
        Self::TooMany,
        Self::UnavailableWait,
        Self::Unavailable,
        Self::ThrottledWait,
        Self::Throttled,
        Self::Denied,
        Self::Garbled,
    ];
}

/// How deliveries of a queue are disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// Every message is delivered twice.
    Duplicate,
    /// Messages are delivered so much later.
    Delay(Duration),
    /// The first message is held back until others have been delivered.
    Reorder,
}

/// Makes calls of an operation fail whose request contains a text.
struct Injection {
    operation: String,
    about: String,
    fault: Fault,
    /// How many calls are passed on first.
    skip: usize,
    /// How many calls fail.
    times: usize,
    hits: usize,
}

/// A call that was passed on.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Instant,
    pub operation: String,
    /// The path and the body.
    pub said: String,
}

#[derive(Default)]
struct State {
    injections: Vec<Injection>,
    tamperings: Vec<(String, Tampering)>,
    /// The queues with disturbed deliveries, once for each delivery.
    tampered: Vec<String>,
    held_back: Vec<(String, Value)>,
    /// A queue, and the visibility timeout of its messages in seconds, whatever the request says.
    unseen: Option<(String, u32)>,
    calls: Vec<Call>,
    is_down: bool,
    /// What happens before a call, and how many calls are passed on first.
    hook: Option<(usize, Hook)>,
    /// The clock by which messages are stamped, in place of the queue's.
    clock: Option<MovableClock>,
    /// The number of calls that had been passed on when the hook was set.
    hook_set: usize,
    /// The number of calls that had been passed on when the hook ran.
    hooked: Option<usize>,
}

type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

pub struct FaultProxy {
    pub url: String,
    state: Arc<Mutex<State>>,
}

/// The number of an injection.
#[derive(Debug, Clone, Copy)]
pub struct Injected(usize);

impl FaultProxy {
    /// Passes everything on to `upstream`.
    pub async fn before(upstream: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, upstream): (Arc<Mutex<State>>, Arc<str>) = (Arc::default(), upstream.into());
        let (shared, client) = (
            state.clone(),
            Client::builder(TokioExecutor::new()).build_http(),
        );
        drop(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, upstream, client) = (shared.clone(), upstream.clone(), client.clone());
                let service = service_fn(move |request| {
                    pass(state.clone(), upstream.clone(), client.clone(), request)
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                drop(tokio::spawn(connection));
            }
        }));
        Self { url, state }
    }

    /// After `skip` calls of `operation` with `about` in them, the next `times` fail.
    pub fn inject(
        &self,
        operation: &str,
        about: &str,
        fault: Fault,
        skip: usize,
        times: usize,
    ) -> Injected {
        let (operation, about) = (operation.to_owned(), about.to_owned());
        let mut state = self.state.lock().unwrap();
        state.injections.push(Injection {
            operation,
            about,
            fault,
            skip,
            times,
            hits: 0,
        });
        Injected(state.injections.len() - 1)
    }

    /// After so many calls, runs `hook` before the next one is passed on.
    pub fn before_call(
        &self,
        calls: usize,
        hook: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static,
    ) {
        let mut state = self.state.lock().unwrap();
        let hook: Hook = Box::new(hook);
        (state.hook, state.hooked, state.hook_set) = (Some((calls, hook)), None, state.calls.len());
    }

    /// Removes the hook. If it has run, returns the operations that were called before it and after it.
    pub fn forget_before_call(&self) -> Option<(Vec<String>, Vec<String>)> {
        let mut state = self.state.lock().unwrap();
        state.hook = None;
        let happened = state.hooked.take()?;
        let operations = |calls: &[Call]| calls.iter().map(|call| call.operation.clone()).collect();
        Some((
            operations(&state.calls[state.hook_set..happened]),
            operations(&state.calls[happened..]),
        ))
    }

    /// How many calls have failed by an injection.
    pub fn hits(&self, injected: Injected) -> usize {
        self.state.lock().unwrap().injections[injected.0].hits
    }

    /// Disturbs the deliveries of a queue.
    pub fn tamper(&self, queue: &str, tampering: Tampering) {
        self.state
            .lock()
            .unwrap()
            .tamperings
            .push((queue.to_owned(), tampering));
    }

    /// Sets the visibility timeout of a queue's messages in seconds, whatever the request says.
    pub fn set_unseen(&self, queue: &str, seconds: u32) {
        self.state.lock().unwrap().unseen = Some((queue.to_owned(), seconds));
    }

    /// The number of disturbed deliveries of a queue.
    pub fn times_tampered(&self, queue: &str) -> usize {
        let state = self.state.lock().unwrap();
        state
            .tampered
            .iter()
            .filter(|tampered| tampered.ends_with(queue))
            .count()
    }

    /// Stamps the messages that queues deliver by a clock.
    pub fn stamp_by(&self, clock: &MovableClock) {
        self.state.lock().unwrap().clock = Some(clock.clone());
    }

    /// Refuses every connection, or none any more.
    pub fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// The calls of an operation that have been passed on.
    pub fn calls(&self, operation: &str) -> Vec<Call> {
        let state = self.state.lock().unwrap();
        state
            .calls
            .iter()
            .filter(|call| call.operation == operation)
            .cloned()
            .collect()
    }
}

/// The error that closes a connection.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

type Upstream = Client<HttpConnector, Full<Bytes>>;
type Answer = Response<Full<Bytes>>;

async fn pass(
    state: Arc<Mutex<State>>,
    upstream: Arc<str>,
    client: Upstream,
    request: Request<Incoming>,
) -> Result<Answer, Broken> {
    let (parts, body) = request.into_parts();
    let mut body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    let operation = operation(&parts, &text);
    let said = format!("{} {text}", parts.uri);
    let hook = state.lock().unwrap().due_hook();
    if let Some(hook) = hook {
        hook().await;
        let mut state = state.lock().unwrap();
        state.hooked = Some(state.calls.len());
    }
    let fault = {
        let mut state = state.lock().unwrap();
        if state.is_down {
            return Err(Broken);
        }
        let fault = state.fault(&operation, &said);
        body = state.seen_sooner(&operation, body);
        if matches!(fault, None | Some(Fault::AnswerLost | Fault::Garbled)) {
            let call = Call {
                at: Instant::now(),
                operation: operation.clone(),
                said,
            };
            state.calls.push(call);
        }
        fault
    };
    match fault {
        None => {
            let answer = forward(&client, &upstream, parts, body).await?;
            Ok(if operation == "sqs:ReceiveMessage" {
                let clock = state.lock().unwrap().clock.clone();
                tampered(&state, &text, stamped(clock, answer).await).await
            } else {
                answer
            })
        }
        Some(Fault::Refused) => Err(Broken),
        Some(Fault::Hangs) => std::future::pending::<Result<Answer, Broken>>().await,
        Some(Fault::AnswerLost) => {
            forward(&client, &upstream, parts, body).await?;
            Err(Broken)
        }
        Some(Fault::Garbled) => {
            let (parts, body) = forward(&client, &upstream, parts, body).await?.into_parts();
            let body = body.collect().await.expect("it has come whole").to_bytes();
            Ok(Response::from_parts(parts, Full::from(cut_off(&body))))
        }
        Some(Fault::Says(body)) => Ok(Response::new(Full::from(body))),
        Some(said) => Ok(refusal(said, &operation)),
    }
}

impl State {
    fn due_hook(&mut self) -> Option<Hook> {
        let (calls, _) = self.hook.as_mut()?;
        if *calls > 0 {
            *calls -= 1;
            return None;
        }
        self.hook.take().map(|(_, hook)| hook)
    }

    fn fault(&mut self, operation: &str, said: &str) -> Option<Fault> {
        let about = |injection: &&mut Injection| {
            injection.times > 0
                && injection.operation == operation
                && said.contains(&injection.about)
        };
        let injection = self.injections.iter_mut().find(about)?;
        if injection.skip > 0 {
            injection.skip -= 1;
            return None;
        }
        injection.times -= 1;
        injection.hits += 1;
        Some(injection.fault)
    }

    /// The request with the visibility timeout of [`FaultProxy::set_unseen`].
    fn seen_sooner(&self, operation: &str, body: Bytes) -> Bytes {
        let Some((queue, seconds)) = &self.unseen else {
            return body;
        };
        let Ok(mut request) = serde_json::from_slice::<Value>(&body) else {
            return body;
        };
        let of_it = request["QueueUrl"]
            .as_str()
            .is_some_and(|url| url.ends_with(queue.as_str()));
        if operation != "sqs:ReceiveMessage" || !of_it {
            return body;
        }
        request["VisibilityTimeout"] = json!(seconds);
        request.to_string().into()
    }
}

async fn forward(
    client: &Upstream,
    upstream: &str,
    parts: Parts,
    body: Bytes,
) -> Result<Answer, Broken> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(parts.method)
        .uri(format!("{upstream}{path}"));
    for (name, value) in &parts.headers {
        if !matches!(
            name.as_str(),
            "host" | "connection" | "content-length" | "transfer-encoding"
        ) {
            request = request.header(name, value);
        }
    }
    let answer = client
        .request(request.body(Full::from(body)).unwrap())
        .await
        .map_err(|_| Broken)?;
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONNECTION);
    Ok(Response::from_parts(parts, Full::from(body)))
}

/// Truncates JSON; replaces any other body by a piece of JSON.
fn cut_off(body: &Bytes) -> Bytes {
    if body.starts_with(b"{") {
        body.slice(..body.len() - 2)
    } else {
        Bytes::from_static(b"{\"ok\": tr")
    }
}

/// `slack:chat.postMessage`, `sqs:SendMessage/defendable-fix`, `ec2:DescribeSecurityGroups` …
fn operation(parts: &Parts, body: &str) -> String {
    let path = parts.uri.path();
    if let Some(method) = path.strip_prefix("/api/") {
        return format!("slack:{method}");
    }
    if let Some(target) = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
    {
        let (service, action) = target.split_once('.').unwrap_or_default();
        return match service {
            "AmazonSQS" => with_queue(action, body),
            "AWSEvents" => format!("events:{action}"),
            "StarlingDoveService" => format!("config:{action}"),
            "AmazonSSM" => format!("ssm:{action}"),
            service if service.starts_with("DynamoDB") => format!("dynamodb:{action}"),
            service => format!("{service}:{action}"),
        };
    }
    if let Some(action) = body
        .split('&')
        .find_map(|field| field.strip_prefix("Action="))
    {
        return format!(
            "{}:{action}",
            if body.contains("Version=2016-11-15") {
                "ec2"
            } else {
                "query"
            }
        );
    }
    let query = parts.uri.query().unwrap_or_default();
    let what = query
        .split(['&', '='])
        .find(|word| *word != "x-id")
        .unwrap_or_default();
    format!("s3:{} {what}", parts.method)
}

/// The operation with the queue's name, which tells calls to different queues apart.
fn with_queue(action: &str, body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let url = body["QueueUrl"].as_str().unwrap_or_default();
    let queue = url.rsplit('/').next().unwrap_or_default();
    match action {
        "SendMessage" => format!("sqs:SendMessage/{queue}"),
        action => format!("sqs:{action}"),
    }
}

/// A service's own error.
fn refusal(fault: Fault, operation: &str) -> Answer {
    let service = operation.split(':').next().unwrap_or_default();
    let (status, body) = match (service, fault) {
        ("slack", Fault::TooMany | Fault::TooManyWait) => (429, slack_error("ratelimited")),
        ("slack", Fault::Throttled | Fault::ThrottledWait) => (200, slack_error("ratelimited")),
        ("slack", Fault::Denied) => (200, slack_error("missing_scope")),
        ("slack", _) => (503, "upstream connect error".to_owned()),
        ("ec2", Fault::Denied) => (403, ec2_error("UnauthorizedOperation")),
        ("ec2", Fault::Unavailable | Fault::UnavailableWait) => (503, ec2_error("Unavailable")),
        ("ec2", Fault::Throttled | Fault::ThrottledWait) => {
            (503, ec2_error("RequestLimitExceeded"))
        }
        ("ec2", _) => (429, ec2_error("RequestLimitExceeded")),
        ("s3", Fault::Denied) => (403, s3_error("AccessDenied")),
        ("s3", Fault::TooMany | Fault::TooManyWait) => (429, s3_error("SlowDown")),
        ("s3", Fault::Unavailable | Fault::UnavailableWait) => {
            (503, s3_error("ServiceUnavailable"))
        }
        ("s3", _) => (503, s3_error("SlowDown")),
        (_, Fault::Denied) => (400, json_error("AccessDeniedException")),
        (_, Fault::Throttled | Fault::ThrottledWait) => (400, json_error("ThrottlingException")),
        (_, Fault::Unavailable | Fault::UnavailableWait) => {
            (503, json_error("ServiceUnavailableException"))
        }
        (_, _) => (429, json_error("TooManyRequestsException")),
    };
    let kind = if matches!(service, "ec2" | "s3") {
        "text/xml"
    } else {
        "application/json"
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if matches!(
        fault,
        Fault::TooManyWait | Fault::UnavailableWait | Fault::ThrottledWait
    ) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    *answer.headers_mut() = headers;
    answer
}

fn slack_error(code: &str) -> String {
    json!({"ok": false, "error": code}).to_string()
}

fn json_error(code: &str) -> String {
    json!({"__type": code, "message": "broken on purpose"}).to_string()
}

fn ec2_error(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Response><Errors><Error><Code>{code}</Code><Message>broken on purpose</Message></Error></Errors><RequestID>1</RequestID></Response>"
    )
}

fn s3_error(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>broken on purpose</Message></Error>"
    )
}

/// A delivery whose messages were sent at the time that a clock had then.
async fn stamped(clock: Option<MovableClock>, answer: Answer) -> Answer {
    let Some(clock) = clock else { return answer };
    let (parts, body) = answer.into_parts();
    let Ok(body) = body
        .collect()
        .await
        .map_err(|never: Infallible| match never {});
    let mut delivery: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    for message in delivery["Messages"].as_array_mut().into_iter().flatten() {
        let sent = &mut message["Attributes"]["SentTimestamp"];
        let millisecond = sent.as_str().and_then(|text| text.parse().ok());
        if let Some(at) = millisecond.and_then(|at| Timestamp::from_millisecond(at).ok()) {
            *sent = json!(clock.at(at).as_millisecond().to_string());
        }
    }
    Response::from_parts(parts, Full::from(delivery.to_string()))
}

/// A delivery, disturbed as the queue's setting says.
async fn tampered(state: &Arc<Mutex<State>>, request: &str, answer: Answer) -> Answer {
    let request: Value = serde_json::from_str(request).unwrap_or_default();
    let queue = request["QueueUrl"].as_str().unwrap_or_default().to_owned();
    let tampering = {
        let state = state.lock().unwrap();
        state
            .tamperings
            .iter()
            .find(|(of, _)| queue.ends_with(of.as_str()))
            .map(|(_, how)| *how)
    };
    let Some(tampering) = tampering else {
        return answer;
    };
    let (mut parts, body) = answer.into_parts();
    let Ok(body) = body
        .collect()
        .await
        .map_err(|never: Infallible| match never {});
    let mut delivery: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    if let Some(messages) = delivery["Messages"].as_array_mut() {
        state.lock().unwrap().tampered.push(queue.clone());
        match tampering {
            Tampering::Duplicate => messages.extend(messages.clone()),
            Tampering::Delay(pause) => tokio::time::sleep(pause).await,
            Tampering::Reorder => {
                let mut state = state.lock().unwrap();
                let earlier = state
                    .held_back
                    .extract_if(.., |(of, _)| *of == queue)
                    .map(|(_, held)| held);
                let earlier: Vec<Value> = earlier.collect();
                if earlier.is_empty() {
                    state
                        .held_back
                        .extend(messages.drain(..1).map(|message| (queue.clone(), message)));
                }
                messages.reverse();
                messages.extend(earlier);
            }
        }
    } else if tampering == Tampering::Reorder {
        // No other message has come, so that the held one is delivered.
        let mut state = state.lock().unwrap();
        let earlier: Vec<Value> = state
            .held_back
            .extract_if(.., |(of, _)| *of == queue)
            .map(|(_, held)| held)
            .collect();
        if !earlier.is_empty() {
            delivery = json!({"Messages": earlier});
        }
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Full::from(delivery.to_string()))
}
