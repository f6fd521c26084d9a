//! Peers that no emulator offers: a Slack that throttles, and CloudTrail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::request;

/// Serves a peer; returns its address, which lives as long as the tests.
async fn serve(app: Router) -> &'static str {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(tokio::spawn(
        async move { axum::serve(listener, app).await },
    ));
    Box::leak(url.into_boxed_str())
}

/// A proxy before local-slack that refuses a number of posts, each with a `Retry-After`.
pub struct BusySlack {
    pub url: &'static str,
    state: Arc<Busy>,
}

struct Busy {
    behind: OnceLock<String>,
    to_refuse: AtomicUsize,
    refused: AtomicUsize,
    /// The time before which each refused post must not be repeated.
    turned_away: Mutex<HashMap<Bytes, Instant>>,
    impatient: AtomicUsize,
}

/// The `Retry-After` of a refused post, in seconds.
const RETRY_AFTER: u64 = 1;

impl BusySlack {
    pub async fn start() -> Self {
        let state = Arc::new(Busy {
            behind: OnceLock::new(),
            to_refuse: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            turned_away: Mutex::default(),
            impatient: AtomicUsize::new(0),
        });
        let app = Router::new().fallback(any(pass)).with_state(state.clone());
        Self {
            url: serve(app).await,
            state,
        }
    }

    /// Passes every request on to `behind`.
    pub fn stand_before(&self, behind: &str) {
        self.state.behind.set(behind.to_owned()).unwrap();
    }

    /// Refuses the next posts.
    pub fn refuse(&self, posts: usize) {
        self.state.to_refuse.store(posts, Ordering::SeqCst);
    }

    /// The number of refused posts.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// The number of posts that were repeated too early.
    pub fn impatient(&self) -> usize {
        self.state.impatient.load(Ordering::SeqCst)
    }
}

async fn pass(
    State(busy): State<Arc<Busy>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(behind) = busy.behind.get() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    if uri.path().ends_with("chat.postMessage") {
        let mut turned_away = busy.turned_away.lock().unwrap();
        if turned_away
            .get(&body)
            .is_some_and(|at| Instant::now() < *at)
        {
            busy.impatient.fetch_add(1, Ordering::SeqCst);
        }
        let refuse = |left: usize| left.checked_sub(1);
        if busy
            .to_refuse
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse)
            .is_ok()
        {
            busy.refused.fetch_add(1, Ordering::SeqCst);
            // A little less, because clocks differ.
            turned_away.insert(
                body,
                Instant::now() + Duration::from_millis(RETRY_AFTER * 900),
            );
            let refusal = json!({"ok": false, "error": "ratelimited"});
            let after = [(header::RETRY_AFTER, RETRY_AFTER.to_string())];
            return (StatusCode::TOO_MANY_REQUESTS, after, axum::Json(refusal)).into_response();
        }
    }
    let wanted = [header::CONTENT_TYPE, header::AUTHORIZATION];
    let headers: Vec<(&str, String)> = wanted
        .iter()
        .filter_map(|name| Some((name.as_str(), headers.get(name)?.to_str().ok()?.to_owned())))
        .collect();
    let url = format!("{behind}{}", uri.path_and_query().unwrap());
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (status, answer) = request(method.as_str(), &url, &headers, &body)
        .await
        .unwrap();
    (
        StatusCode::from_u16(status).unwrap(),
        [(header::CONTENT_TYPE, "application/json")],
        answer,
    )
        .into_response()
}

/// A CloudTrail that knows no events at first. Its answers have the shape of the service's.
pub struct CloudTrail {
    pub url: &'static str,
    records: Arc<Mutex<Vec<Value>>>,
}

impl CloudTrail {
    pub async fn start() -> Self {
        let records: Arc<Mutex<Vec<Value>>> = Arc::default();
        let look_up = async |State(records): State<Arc<Mutex<Vec<Value>>>>, body: String| {
            let asked: Value = serde_json::from_str(&body).unwrap();
            let attribute = &asked["LookupAttributes"][0];
            let value = &attribute["AttributeValue"];
            let about = |record: &&Value| match attribute["AttributeKey"].as_str().unwrap() {
                "ResourceName" => record["Resources"][0]["ResourceName"] == *value,
                "EventName" => record["EventName"] == *value,
                other => panic!("CloudTrail is asked by {other}"),
            };
            let found: Vec<Value> = records
                .lock()
                .unwrap()
                .iter()
                .filter(about)
                .cloned()
                .collect();
            // The answer has pages, with reading calls among the events.
            let place = asked["NextToken"].as_str().unwrap_or("0");
            let place: usize = place.parse().unwrap();
            let read = json!({"EventName": "DescribeSecurityGroups", "ReadOnly": "true", "CloudTrailEvent": "{}"});
            let page = match place {
                0 => json!({"Events": [read], "NextToken": "1"}),
                _ if place < found.len() => {
                    json!({"Events": [found[place - 1]], "NextToken": (place + 1).to_string()})
                }
                _ => json!({"Events": found.get(place - 1).into_iter().collect::<Vec<_>>()}),
            };
            (
                [(header::CONTENT_TYPE, "application/x-amz-json-1.1")],
                page.to_string(),
            )
        };
        let app = Router::new()
            .route("/", post(look_up))
            .with_state(records.clone());
        Self {
            url: serve(app).await,
            records,
        }
    }

    /// Adds an event that opened a group.
    pub fn learn(&self, group: &str, user: &str, time: &str) {
        let parameters = json!({"groupId": group, "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 22,
            "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}});
        let resources = json!([{"ResourceType": "AWS::EC2::SecurityGroup", "ResourceName": group}]);
        self.learn_call(
            "AuthorizeSecurityGroupIngress",
            &parameters,
            &resources,
            user,
            time,
        );
    }

    /// Adds an event that opened a prefix list.
    pub fn learn_list(&self, list: &str, user: &str, time: &str) {
        let entry = json!({"tag": 1, "Cidr": "0.0.0.0/0", "Description": ""});
        let request = json!({"PrefixListId": list, "CurrentVersion": 1, "AddEntry": entry});
        let parameters = json!({"ModifyManagedPrefixListRequest": request});
        self.learn_call(
            "ModifyManagedPrefixList",
            &parameters,
            &json!([]),
            user,
            time,
        );
    }

    fn learn_call(
        &self,
        name: &str,
        parameters: &Value,
        resources: &Value,
        user: &str,
        time: &str,
    ) {
        let arn = format!("arn:aws:iam::123456789012:user/{user}");
        let record = json!({"eventVersion": "1.08", "eventSource": "ec2.amazonaws.com", "eventTime": time,
            "eventName": name, "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7",
            "userAgent": "aws-cli/2.15", "readOnly": false, "managementEvent": true, "eventType": "AwsApiCall",
            "userIdentity": {"type": "IAMUser", "arn": arn, "userName": user, "accountId": "123456789012",
                "principalId": "AIDA", "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
            "requestParameters": parameters, "responseElements": {"_return": true},
            "recipientAccountId": "123456789012"});
        let event = json!({"EventId": "1", "EventName": name, "EventSource": "ec2.amazonaws.com",
            "Username": user, "ReadOnly": "false", "Resources": resources, "CloudTrailEvent": record.to_string()});
        self.records.lock().unwrap().push(event);
    }
}
