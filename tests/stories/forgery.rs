//! Requests that are not Slack's, or not from now: 401, and nothing happens.

use jiff::Timestamp;
use serde_json::json;

use crate::support::{ALICE, World, request, signed};

#[tokio::test]
async fn forged_old_and_altered_requests_get_401_and_have_no_effect() {
    let world = World::seeded().await;
    let group = world.aws.group_id("remote-desktops").await;
    let message = world.slack.finding(&group).await;
    let before = world.aws.ingress(&group).await;
    let url = format!("{}/slack/events", world.app_url);
    let payload = |team: &str| {
        json!({"type": "block_actions", "team": {"id": team}, "api_app_id": "A0DEFENDABLE",
            "user": {"id": ALICE}, "trigger_id": "1.2.3", "channel": {"id": "C0ALERTS"},
            "container": {"type": "message", "message_ts": message.ts(), "channel_id": "C0ALERTS"},
            "actions": [{"type": "button", "action_id": "fix", "value": message.finding_id()}]})
        .to_string()
    };
    let body = serde_urlencoded::to_string([("payload", payload("T0DEMO"))]).unwrap();
    let foreign = serde_urlencoded::to_string([("payload", payload("T0OTHER"))]).unwrap();
    let now = Timestamp::now().as_second();

    let mut wrong = signed(&body, now);
    wrong[2].1 = format!("v0={}", "0".repeat(64));
    let requests = [
        (wrong, body.clone()),
        (signed(&body, now - 301), body.clone()),
        (signed(&body, now + 330), body.clone()),
        (signed(&body, now), body.replace(ALICE, "U0EVE")),
        (signed(&foreign, now), foreign),
        (Vec::new(), body.clone()),
    ];
    for (headers, body) in requests {
        let (status, answer) = request("POST", &url, &headers, &body).await.unwrap();
        assert_eq!(status, 401, "{headers:?}");
        assert!(answer.starts_with(r#"{"id":""#) && answer.len() < 60, "{answer}");
    }
    let (status, _) = request("POST", &url, &signed("a=b", now), "a=b").await.unwrap();
    assert_eq!(status, 400, "genuine, but nothing that we can read");
    assert_eq!(world.aws.ingress(&group).await, before);
    assert_eq!(world.slack.finding(&group).await.0, message.0);

    // The same click, genuine: the test could have failed.
    let (status, _) = request("POST", &url, &signed(&body, now), &body).await.unwrap();
    assert_eq!(status, 200);
    world.slack.finding_says(&group, "Fixed by <@U0ALICE>").await;
}
