//! Requests that Slack does not send get a status and an id, and have no effect.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::payload::{click, interact, submission};
use crate::support::{ALICE, World, eventually, memory, request, signed, slash_command, status};

type Headers = Vec<(&'static str, String)>;

/// A command that gets an answer when it is genuine.
fn command() -> String {
    slash_command("autoresponse off")
}

fn with(mut headers: Headers, name: &'static str, value: &str) -> Headers {
    headers.retain(|(other, _)| *other != name);
    headers.push((name, value.to_owned()));
    headers
}

fn without(mut headers: Headers, name: &str) -> Headers {
    headers.retain(|(other, _)| *other != name);
    headers
}

const STAMP: &str = "x-slack-request-timestamp";
const SIGNATURE: &str = "x-slack-signature";

/// Requests that are not signed by Slack, or not within five minutes.
fn unverified(body: &str, now: i64) -> Vec<Headers> {
    let genuine = || signed(body, now);
    let [_, (_, stamp), (_, signature)] = genuine().try_into().unwrap();
    let twice = |name: &'static str, value: &str| {
        let mut headers = genuine();
        headers.push((name, value.to_owned()));
        headers
    };
    let mut all = vec![
        Vec::new(),
        without(genuine(), STAMP),
        without(genuine(), SIGNATURE),
        twice(STAMP, &stamp),
        twice(SIGNATURE, &signature),
        twice(SIGNATURE, "v0=00"),
    ];
    let signatures = [
        "",
        "v0=",
        "v0",
        "v0=zz",
        "v1=0000",
        &signature[3..],
        &signature[..signature.len() - 2],
        &signature.to_uppercase(),
        &format!("{signature}00"),
        &format!("v0=v0={}", &signature[3..]),
        &format!("{signature},{signature}"),
        &format!("v0={}", "0".repeat(64)),
        &format!("v0={}", "f".repeat(10_000)),
    ];
    all.extend(
        signatures
            .iter()
            .map(|signature| with(genuine(), SIGNATURE, signature)),
    );
    let stamps = [
        "",
        "0",
        "-1",
        "now",
        "1e9",
        "0x5f",
        &format!("{now}.0"),
        &format!("+{now}"),
        "9223372036854775807",
        "9223372036854775808",
        "99999999999999999999999999",
    ];
    all.extend(stamps.iter().map(|stamp| with(genuine(), STAMP, stamp)));
    // The signature is right, and the time is not.
    all.extend([-301, -3600, 330, 86_400, -(now + 5)].map(|off| signed(body, now + off)));
    all.push(signed(body.replace("off", "on"), now));
    all
}

#[tokio::test]
async fn a_request_that_is_not_from_slack_gets_a_status_and_an_id() {
    let world = World::seeded().await;
    let url = format!("{}/slack/events", world.app_url);
    let (body, now) = (command(), Timestamp::now().as_second());
    let all = unverified(&body, now);
    assert!(all.len() >= 36, "{}", all.len());
    for headers in all {
        let (status, answer) = request("POST", &url, &headers, &body).await.unwrap();
        assert_eq!(status, 401, "{headers:?}");
        assert!(
            answer.starts_with(r#"{"id":""#) && answer.len() < 60,
            "{answer}"
        );
    }
    assert!(
        !world
            .slack
            .command(ALICE, "history")
            .await
            .words()
            .contains("turned auto-response off")
    );
    let (status, _) = request("POST", &url, &signed(&body, now), &body)
        .await
        .unwrap();
    assert_eq!(status, 200, "the test could have failed");
    assert!(
        world
            .slack
            .command(ALICE, "history")
            .await
            .words()
            .contains("turned auto-response off")
    );
}

/// `slackapi/bolt-js#2899`: `ssl_check` in the body of a command. `abdolence/slack-morphism-rust#186`: an interaction of
/// a type that the library does not know.
#[tokio::test]
async fn what_slack_adds_to_its_requests_is_acknowledged_and_changes_nothing() {
    let world = World::seeded().await;
    let url = format!("{}/slack/events", world.app_url);
    let post =
        async |body: &str, headers: &Headers| request("POST", &url, headers, body).await.unwrap();
    let now = Timestamp::now().as_second();
    // Slack checks the certificate; nothing else of the body is looked at, signed or not.
    let check = "token=legacy&ssl_check=1";
    assert_eq!(post(check, &signed(check, now)).await, (200, String::new()));
    let smuggled = format!("{}&ssl_check=1", command());
    assert_eq!(
        post(&smuggled, &signed(&smuggled, now)).await,
        (200, String::new())
    );
    let unsigned = vec![(
        "content-type",
        "application/x-www-form-urlencoded".to_owned(),
    )];
    assert_eq!(post(&smuggled, &unsigned).await.0, 401);
    // A kind of interaction that is not known yet.
    let tomorrow = json!({"type": "workflow_step_edit", "team": {"id": "T0DEMO"}, "user": {"id": ALICE},
        "api_app_id": "A0DEFENDABLE", "callback_id": "x", "trigger_id": "1.1.x"});
    let body = serde_urlencoded::to_string([("payload", tomorrow.to_string())]).unwrap();
    assert_eq!(post(&body, &signed(&body, now)).await, (200, String::new()));
    // A click in the Home tab, in a container without a message.
    let mut click = click(ALICE, "unheard_of", "f-3fa9c01b22de");
    click["container"] = json!({"type": "message"});
    click.as_object_mut().unwrap().remove("channel");
    assert_eq!(interact(&world.app_url, &click).await, Some(200));
    let history = world.slack.command(ALICE, "history").await.words();
    assert!(!history.contains("turned auto-response off"), "{history}");
}

#[tokio::test]
async fn a_request_that_cannot_be_read_gets_a_status_and_an_id() {
    let world = World::seeded().await;
    let url = format!("{}/slack/events", world.app_url);
    let deep = "[".repeat(100_000);
    let payload = |payload: &str| serde_urlencoded::to_string([("payload", payload)]).unwrap();
    let click = click(ALICE, "autoresponse_off", "off").to_string();
    let event = json!({"type": "event_callback", "team_id": "T0OTHER", "api_app_id": "A0DEFENDABLE",
        "event": {"type": "app_home_opened", "user": ALICE, "channel": "D1", "tab": "home", "event_ts": "1.2"}});
    let form = "application/x-www-form-urlencoded";
    let unreadable = [
        (form, String::new(), 400),
        (form, "a=b".to_owned(), 400),
        (form, "payload=".to_owned(), 400),
        (form, "payload=%".to_owned(), 400),
        (form, "payload=%ff%fe".to_owned(), 400),
        (form, format!("payload={}", "%25".repeat(100_000)), 400),
        (form, payload(&deep), 400),
        // Of no workspace that is known.
        (form, payload("{\"type\":\"of_tomorrow\"}"), 401),
        (form, payload("null"), 400),
        (form, "\u{0}\u{1}".to_owned(), 400),
        ("application/json", deep.clone(), 400),
        ("application/json", "{\"type\":".to_owned(), 400),
        // The command would be carried out with its right content type.
        ("text/plain", command(), 400),
        ("application/json", command(), 400),
        ("multipart/form-data; boundary=x", command(), 400),
        ("", command(), 400),
        (form, payload(&click.replace("T0DEMO", "T0OTHER")), 401),
        (
            form,
            payload(&click.replace("A0DEFENDABLE", "A0OTHER")),
            401,
        ),
        (form, command().replace("T0DEMO", "T0OTHER"), 401),
        (form, command().replace("A0DEFENDABLE", "A0OTHER"), 401),
        (form, command().replace("api_app_id", "app"), 401),
        ("application/json", event.to_string(), 401),
        (
            "application/json",
            event
                .to_string()
                .replace("T0OTHER", "T0DEMO")
                .replace("A0DEF", "A0OTHER"),
            401,
        ),
        (form, "x".repeat(1024 * 1024), 400),
        (form, "x".repeat(1024 * 1024 + 1), 413),
        (form, "x".repeat(8 * 1024 * 1024), 413),
    ];
    for (content_type, body, expected) in unreadable {
        let headers = with(
            signed(&body, Timestamp::now().as_second()),
            "content-type",
            content_type,
        );
        // A server that refuses a large body may close the connection before it has read the body.
        let Some((status, answer)) = request("POST", &url, &headers, &body).await else {
            assert_eq!(expected, 413, "{body:.60}");
            continue;
        };
        assert_eq!(status, expected, "{content_type} {body:.60}");
        assert!(
            answer.starts_with(r#"{"id":""#) && answer.len() < 60,
            "{answer}"
        );
    }
    for not_text in [
        b"\xff\xfe\x00".to_vec(),
        [b"payload=", b"\xc3\x28".as_slice()].concat(),
    ] {
        let (status, answer) = request(
            "POST",
            &url,
            &signed(&not_text, Timestamp::now().as_second()),
            &not_text,
        )
        .await
        .unwrap();
        assert_eq!(status, 400, "{not_text:?}");
        assert!(
            answer.starts_with(r#"{"id":""#) && answer.len() < 60,
            "{answer}"
        );
    }
    // A request that announces too large a body is refused unread.
    let address = world.app_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /slack/events HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1048577\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 300];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains(r#"{"id":""#),
        "{answer}"
    );
    assert!(
        !world
            .slack
            .command(ALICE, "history")
            .await
            .words()
            .contains("turned auto-response")
    );
}

#[tokio::test]
async fn a_genuine_click_that_is_replayed_has_one_effect() {
    let world = World::seeded().await;
    let group = world.aws.group_id("remote-desktops").await;
    let message = world.slack.finding(&group).await;
    let fix = Genuine::interaction(
        &world,
        &click(
            ALICE,
            "fix",
            message.button("fix").unwrap()["value"].as_str().unwrap(),
        ),
    );
    futures::future::join_all((0..8).map(|_| fix.send())).await;
    world.slack.finding_says(&group, "*What was done*").await;
    fix.send_again().await;
    let history = world
        .slack
        .command(ALICE, &format!("history {}", message.finding_id()))
        .await
        .words();
    assert_eq!(history.matches("asked for a fix").count(), 1, "{history}");
    assert_eq!(history.matches("revoked tcp 3389").count(), 1, "{history}");
}

/// A genuine request of Alice's, which somebody records and sends again.
struct Genuine {
    url: String,
    headers: Headers,
    body: String,
}

impl Genuine {
    fn new(world: &World, body: String) -> Self {
        let headers = signed(&body, Timestamp::now().as_second());
        Self {
            url: format!("{}/slack/events", world.app_url),
            headers,
            body,
        }
    }

    fn interaction(world: &World, payload: &Value) -> Self {
        Self::new(
            world,
            serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap(),
        )
    }

    async fn send(&self) {
        assert_eq!(
            request("POST", &self.url, &self.headers, &self.body)
                .await
                .unwrap()
                .0,
            200
        );
    }

    async fn send_again(&self) {
        let (status, answer) = request("POST", &self.url, &self.headers, &self.body)
            .await
            .unwrap();
        assert_eq!(status, 200);
        assert!(
            answer.starts_with(r#"{"id":""#) && answer.len() < 60,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_replay_does_not_change_what_people_decided_since() {
    let world = World::seeded().await;
    let on = Genuine::interaction(&world, &click(ALICE, "autoresponse_on", "on"));
    let off = Genuine::new(&world, slash_command("autoresponse off"));
    on.send().await;
    assert!(world.aws.rule_is_enabled().await);
    off.send().await;
    assert!(!world.aws.rule_is_enabled().await);
    on.send_again().await;
    off.send_again().await;
    assert!(!world.aws.rule_is_enabled().await, "off holds");
    assert_eq!(
        world.aws.auto_response_wanted().await.as_deref(),
        Some("off")
    );

    let finding = world
        .slack
        .finding("defendable-demo-website")
        .await
        .finding_id();
    let seen = world.aws.fix_value(&finding.parse().unwrap()).await;
    let ignore = Genuine::interaction(&world, &submission(ALICE, "ignore", &seen));
    ignore.send().await;
    world
        .slack
        .finding_says("defendable-demo-website", "Ignored by <@U0ALICE>")
        .await;
    Genuine::interaction(&world, &click(ALICE, "unignore", &finding))
        .send()
        .await;
    eventually("it is open again", async || {
        world
            .slack
            .finding("defendable-demo-website")
            .await
            .button("fix")
            .map(drop)
    })
    .await;
    ignore.send_again().await;
    assert_eq!(
        world.aws.finding(&finding.parse().unwrap()).await.unwrap()["state"],
        "open"
    );

    let history = world.slack.command(ALICE, "history").await.words();
    for event in [
        "turned auto-response on",
        "turned auto-response off",
        "ignored it until",
    ] {
        assert_eq!(history.matches(event).count(), 1, "{event}: {history}");
    }
}

#[tokio::test]
async fn slow_bodies_time_out_and_others_are_served_meanwhile() {
    let world = World::seeded().await;
    let address = world.app_url.strip_prefix("http://").unwrap();
    let head = format!(
        "POST /slack/events HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\r\nslow"
    );
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // Other requests are served meanwhile.
    assert_eq!(
        status(&format!("{}/healthz", world.app_url)).await,
        Some(200)
    );
    assert!(
        world
            .slack
            .command(ALICE, "help")
            .await
            .words()
            .contains("What you can do")
    );
    let answer = eventually("a slow one is given up", async || {
        let mut answer = vec![0; 300];
        let read = tokio::time::timeout(Duration::from_secs(20), slow[0].read(&mut answer)).await;
        let read = read.ok()?.ok()?;
        Some(String::from_utf8_lossy(&answer[..read]).into_owned())
    })
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains(r#"{"id":""#),
        "{answer}"
    );
    assert!(answer.len() < 300, "nothing else: {answer}");
}

#[tokio::test]
async fn unfinished_large_bodies_use_little_memory_and_block_nobody() {
    let world = World::seeded().await;
    let address = world.app_url.strip_prefix("http://").unwrap();
    let head = format!(
        "POST /slack/events HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000000\r\n\r\n"
    );
    let (before, part) = (memory(world.app.0.id()), vec![b'x'; 500_000]);
    let sending = (0..300).map(async |_| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A connection that waits for its turn is not read.
        _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&part)).await;
        stream
    });
    let large = futures::future::join_all(sending).await;
    assert!(
        world
            .slack
            .command(ALICE, "help")
            .await
            .words()
            .contains("What you can do")
    );
    let grown = memory(world.app.0.id()).saturating_sub(before);
    assert!(
        grown < 50_000,
        "{} large bodies cost {grown} kB",
        large.len()
    );
}

#[tokio::test]
async fn thousands_of_silent_connections_block_nobody_and_are_closed() {
    let world = World::seeded().await;
    let address = world.app_url.strip_prefix("http://").unwrap();
    let before = memory(world.app.0.id());
    let mut silent = Vec::new();
    for _ in 0..5000 {
        // Opens as many connections as this process may have.
        let Ok(stream) = TcpStream::connect(address).await else {
            break;
        };
        silent.push(stream);
    }
    assert!(
        silent.len() > 2000,
        "only {} connections: see `ulimit -n`",
        silent.len()
    );
    let all = silent.len();
    // Closes some, so that this process can open another.
    drop(silent.split_off(all - 50));
    assert!(
        world
            .slack
            .command(ALICE, "help")
            .await
            .words()
            .contains("What you can do")
    );
    let grown = memory(world.app.0.id()).saturating_sub(before);
    assert!(grown < 60_000, "{all} connections cost {grown} kB");
    for stream in &mut silent[..2] {
        let closed =
            tokio::time::timeout(Duration::from_secs(20), stream.read(&mut [0; 300])).await;
        assert_eq!(closed.expect("it is closed").unwrap_or(0), 0);
    }
}
