use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::any;
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::slack::client::tests::client_of;

/// A Slack that answers every question after a user group with `answer`, and to whom Dave is a member
/// who was deactivated; local-slack knows neither. It counts the questions.
async fn slack(answer: Value) -> (Slack, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let group = async move |State(calls): State<Arc<AtomicUsize>>, RawQuery(asked): RawQuery| {
        calls.fetch_add(1, Ordering::Relaxed);
        if asked.unwrap().contains("S0SLOW") {
            std::future::pending::<()>().await;
        }
        axum::Json(answer.clone())
    };
    let user = async |State(calls): State<Arc<AtomicUsize>>, RawQuery(asked): RawQuery| {
        calls.fetch_add(1, Ordering::Relaxed);
        let asked = asked.unwrap();
        axum::Json(match asked.strip_prefix("user=").unwrap() {
            "U0GONE" => json!({"ok": false, "error": "user_not_found"}),
            "U0UNKNOWN" => json!({"ok": false, "error": "missing_scope"}),
            "U0SLOW" => std::future::pending().await,
            // A profile as Slack has it where a workspace has no fields of its own.
            id => json!({"ok": true, "user": {"id": id, "team_id": "T1", "deleted": id == "U0DAVE",
                "profile": {"avatar_hash": "g1", "fields": [], "status_emoji": "", "huddle_state": null}}}),
        })
    };
    let app = Router::new()
        .route("/api/usergroups.users.list", any(group))
        .route("/api/users.info", any(user))
        .with_state(calls.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    drop(tokio::spawn(
        async move { axum::serve(listener, app).await },
    ));
    (client_of(url), calls)
}

fn operators(list: &[&str]) -> Vec<Operator> {
    list.iter().map(|id| id.parse().unwrap()).collect()
}

#[tokio::test]
async fn an_empty_list_allows_nobody() {
    let (slack, _) = slack(json!({})).await;
    assert_eq!(
        Authoriser::new(Vec::new(), slack, Clock::system())
            .permission(&"U0ALICE".into())
            .await,
        Permission::Denied
    );
}

#[tokio::test]
async fn members_of_a_user_group_may_act_and_are_remembered_for_a_minute() {
    let (slack, calls) = slack(json!({"ok": true, "users": ["U0ALICE"]})).await;
    let begun = Timestamp::now();
    let passed = Arc::new(AtomicU64::new(0));
    let seconds = passed.clone();
    let clock = Clock::by(move || begun + Duration::from_secs(seconds.load(Ordering::Relaxed)));
    let authoriser = Authoriser::new(operators(&["U0CAROL", "S0SECOPS"]), slack, clock);
    assert_eq!(
        authoriser.permission(&"U0CAROL".into()).await,
        Permission::Granted(Reach::Everywhere)
    );
    assert_eq!(
        calls.load(Ordering::Relaxed),
        1,
        "of a named user it is asked whether she is active"
    );
    assert_eq!(
        authoriser.permission(&"U0ALICE".into()).await,
        Permission::Granted(Reach::Everywhere)
    );
    assert_eq!(
        authoriser.permission(&"U0ALICE".into()).await,
        Permission::Granted(Reach::Everywhere)
    );
    assert_eq!(
        authoriser.permission(&"U0BOB".into()).await,
        Permission::Denied
    );
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    for (seconds, asked) in [(59, 3), (60, 5)] {
        passed.store(seconds, Ordering::Relaxed);
        authoriser.permission(&"U0ALICE".into()).await;
        assert_eq!(
            calls.load(Ordering::Relaxed),
            asked,
            "after {seconds} s: the group, and whether she is active"
        );
    }
}

#[tokio::test]
async fn a_person_who_has_left_may_do_nothing_though_they_are_listed() {
    let (slack, _) = slack(json!({"ok": true, "users": ["U0DAVE", "U0ALICE"]})).await;
    let authoriser = Authoriser::new(
        operators(&[
            "S0SECOPS",
            "U0DAVE",
            "U0GONE@111111111111",
            "U0UNKNOWN",
            "U0SLOW",
        ]),
        slack,
        Clock::system(),
    );
    for (user, expected) in [
        ("U0ALICE", Permission::Granted(Reach::Everywhere)),
        ("U0DAVE", Permission::Denied),
        ("U0GONE", Permission::Denied),
        (
            "U0UNKNOWN",
            Permission::Unknown {
                listed: Some(Reach::Everywhere),
            },
        ),
        (
            "U0SLOW",
            Permission::Unknown {
                listed: Some(Reach::Everywhere),
            },
        ),
    ] {
        assert_eq!(
            authoriser.permission(&user.into()).await,
            expected,
            "{user}"
        );
    }
}

#[tokio::test]
async fn a_group_that_cannot_be_read_allows_nobody() {
    let (slack, _) = slack(json!({"ok": false, "error": "missing_scope"})).await;
    let authoriser = Authoriser::new(operators(&["S0SECOPS"]), slack, Clock::system());
    assert_eq!(
        authoriser.permission(&"U0ALICE".into()).await,
        Permission::Unknown { listed: None }
    );
}

#[tokio::test]
async fn a_group_that_does_not_answer_keeps_nobody_of_another_out() {
    let (slack, _) = slack(json!({"ok": true, "users": ["U0ALICE"]})).await;
    let authoriser = Authoriser::new(operators(&["S0SLOW", "S0SECOPS"]), slack, Clock::system());
    assert_eq!(
        authoriser.permission(&"U0ALICE".into()).await,
        Permission::Granted(Reach::Everywhere)
    );
    assert_eq!(
        authoriser.permission(&"U0BOB".into()).await,
        Permission::Unknown { listed: None }
    );
}

#[tokio::test]
async fn an_operator_of_some_accounts_reaches_those_only() {
    let (slack, _) = slack(json!({"ok": true, "users": ["U0BOB"]})).await;
    let listed = operators(&[
        "U0BOB@111111111111",
        "S0SECOPS@222222222222",
        "U0CAROL@111111111111",
        "U0CAROL",
    ]);
    let authoriser = Authoriser::new(listed, slack, Clock::system());
    let Permission::Granted(reach) = authoriser.permission(&"U0BOB".into()).await else {
        panic!()
    };
    let covers = |account: &str| reach.covers(&account.parse().unwrap());
    assert!(covers("111111111111") && covers("222222222222") && !covers("333333333333"));
    assert_eq!(
        authoriser.permission(&"U0CAROL".into()).await,
        Permission::Granted(Reach::Everywhere)
    );
    assert_eq!(
        authoriser.permission(&"U0EVE".into()).await,
        Permission::Denied
    );
}

#[test]
fn only_users_and_groups_are_operators() {
    for text in [
        "",
        "alice",
        "U",
        "C0ALERTS",
        "U0<@X>",
        "U0BOB@",
        "U0BOB@12",
        "@123456789012",
        "U0BOB@*",
    ] {
        assert!(text.parse::<Operator>().is_err(), "{text:?}");
    }
}
