//! Log lines and metrics of what was done.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::payload::{click, interact};
use crate::support::{
    ALICE, APP_TOKEN, BOB, BOT_TOKEN, SIGNING_SECRET, eventually, finding_of_group,
};

/// A group that is open to the internet, with its message.
async fn open_group(world: &Installation, name: &str) -> String {
    let group = world.aws.open_group(name).await;
    let id = finding_of_group(&group);
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    group
}

async fn is_in(world: &Installation, group: &str, state: &str) {
    let id = finding_of_group(group);
    eventually(&format!("{group} is {state}"), async || {
        let record = world.aws.finding(&id).await?;
        (record["state"] == state && world.aws.is_shown(&id).await).then_some(())
    })
    .await;
}

/// Makes events to report: a fix that was refused and then done, one that AWS does not allow, one by
/// auto-response, an ignore, and a Slack that throttles.
async fn live_through(world: &Installation) -> [String; 3] {
    let fixed = open_group(world, "fixed").await;
    let id = finding_of_group(&fixed);
    world
        .to_slack
        .inject("slack:chat.postEphemeral", "", Fault::Unavailable, 0, 1);
    interact(
        &world.app_url,
        &click(BOB, "fix", &world.aws.fix_value(&id).await),
    )
    .await
    .unwrap();
    interact(
        &world.app_url,
        &click(ALICE, "fix", &world.aws.fix_value(&id).await),
    )
    .await
    .unwrap();
    is_in(world, &fixed, "fixed").await;

    world
        .to_slack
        .inject("slack:chat.postMessage", "", Fault::TooManyWait, 0, 1);
    let failed = open_group(world, "failed").await;
    let call = "ec2:RevokeSecurityGroupIngress";
    let denied = world.to_aws.inject(call, &failed, Fault::Denied, 0, 1);
    let failed_id = finding_of_group(&failed);
    interact(
        &world.app_url,
        &click(ALICE, "fix", &world.aws.fix_value(&failed_id).await),
    )
    .await
    .unwrap();
    eventually("it is denied", async || {
        (world.to_aws.hits(denied) == 1).then_some(())
    })
    .await;
    is_in(world, &failed, "open").await;

    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    is_in(world, &failed, "fixed").await;

    let ignored = world.aws.create_group("ignored").await;
    world
        .aws
        .tag(&ignored, "defendable:ignore", "a honeypot")
        .await;
    world.aws.open_port(&ignored, 22).await;
    is_in(world, &ignored, "ignored").await;
    [fixed, failed, ignored]
}

#[tokio::test]
async fn decisions_are_log_lines_and_figures_are_metrics() {
    let variables = vec![
        ("DEFENDABLE_METRICS_NAMESPACE", "Defendable/test".to_owned()),
        ("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned()),
        ("DEFENDABLE_LOG", "trace".to_owned()),
    ];
    let mut world = Installation::start(&[], variables).await;
    let [fixed, failed, ignored] = live_through(&world).await;
    assert!(world.terminate().await.success());
    let log = world.logged();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();

    let decisions: Vec<&Value> = lines
        .iter()
        .filter(|line| line["target"] == "decision")
        .collect();
    let expected = [
        (&fixed, "found", "elsewhere"),
        (&fixed, "refused", BOB),
        (&fixed, "fixAsked", ALICE),
        (&fixed, "dispatched", ALICE),
        (&fixed, "fixed", ALICE),
        (&failed, "fixFailed", ALICE),
        (&failed, "fixed", "auto-response"),
        (&ignored, "ignored", "tag"),
    ];
    for (group, outcome, actor) in expected {
        let id = finding_of_group(group);
        let told: Vec<_> = decisions
            .iter()
            .filter(|line| {
                line["finding_id"] == id.as_str()
                    && line["outcome"] == outcome
                    && line["actor"] == actor
            })
            .collect();
        assert_eq!(told.len(), 1, "{id} {outcome} {actor}: {decisions:#?}");
        assert!(told[0]["span"]["request_id"].is_string(), "{}", told[0]);
    }
    let switched = decisions
        .iter()
        .filter(|line| line["outcome"] == "switched" && line["actor"] == ALICE);
    assert_eq!(switched.count(), 1);

    let metrics: Vec<&Value> = lines
        .iter()
        .filter(|line| line["_aws"].is_object())
        .collect();
    let names: BTreeSet<&str> = metrics
        .iter()
        .flat_map(|line| line.as_object().unwrap().keys())
        .map(String::as_str)
        .collect();
    for name in [
        "FindingsOpened",
        "FindingsFixed",
        "FindingsIgnored",
        "FixesFailed",
        "FixesFailedByReason",
        "ChangeToMessage",
        "ClickToFixed",
        "SlackCalls",
        "SlackErrors",
        "SlackRateLimits",
        "MessageAge",
        "ScheduledRuns",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    let with = |name: &str, value: &str| metrics.iter().any(|line| line[name] == value);
    assert!(with("Reason", "AccessDenied") && with("Method", "chat.postMessage"));
    assert!(with("Queue", "defendable-remediation") && with("Queue", "defendable-events"));
    for line in &metrics {
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"][0]["Namespace"],
            "Defendable/test"
        );
    }
    for secret in [BOT_TOKEN, APP_TOKEN, SIGNING_SECRET, "v0="] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
}
