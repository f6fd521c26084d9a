//! Storms: many findings at once are few messages, and none is lost.

use serde_json::{Value, json};

use crate::support::payload::{click, interact, submission};
use crate::support::peers::BusySlack;
use crate::support::slack::Message;
use crate::support::{ALICE, BOB, CAROL, FAST, Options, World, eventually, finding_of_group};

/// A compliance change of a rule without a control.
fn change(rule: &str, number: usize) -> Value {
    let region = ["us-east-1", "eu-west-1"][number % 2];
    json!({"awsAccountId": "123456789012", "configRuleName": rule, "resourceType": "AWS::IAM::User",
        "resourceId": format!("user-{number}"), "awsRegion": region,
        "newEvaluationResult": {"complianceType": "NON_COMPLIANT", "resultRecordedTime": "2026-01-01T00:00:00Z"},
        "messageType": "ComplianceChangeNotification"})
}

async fn digest_says(world: &World, words: &str) -> Message {
    world.slack.channel_says(words).await
}

async fn digests(world: &World) -> usize {
    world
        .slack
        .channel()
        .await
        .iter()
        .filter(|message| message.button("show_all").is_some())
        .count()
}

#[tokio::test]
async fn a_storm_is_one_digest_and_nothing_is_lost() {
    let world = World::seeded().await;
    let changes: Vec<Value> = (0..120)
        .map(|number| change("no-old-keys", number))
        .collect();
    world.aws.send_all("events", &changes).await;
    // Every message is delivered twice.
    world.aws.send_all("events", &changes).await;
    let digest = digest_says(&world, "*115 more findings within a short time*").await;
    let words = digest.words();
    assert!(
        words.contains("115 open") && words.contains("`no-old-keys`: 115"),
        "{words}"
    );
    assert!(
        words.contains("`123456789012` `us-east-1`: ") && words.contains("*The worst 10*"),
        "{words}"
    );
    assert!(
        digest.button("fix_all").is_none(),
        "nobody can fix these: {words}"
    );
    eventually("the queue is empty", async || {
        (world.aws.messages_in("events").await == 0).then_some(())
    })
    .await;
    assert_eq!(
        (world.slack.findings().await.len(), digests(&world).await),
        (4 + 5, 1)
    );
    let status = world.slack.command(BOB, "status").await.words();
    assert!(status.contains("*Findings:* 124 open"), "{status}");
    assert_eq!(world.aws.findings_in("open").await, 124);
    let found = world.slack.command(BOB, "findings user-119").await.words();
    assert!(
        found.contains("AWS::IAM::User user-119 breaks the rule no-old-keys"),
        "{found}"
    );

    world.slack.click(BOB, &digest, "show_all").await;
    let first = world.slack.modal_says("AWS::IAM::User user-").await;
    assert!(first.contains("*1–30 of 115*"), "{first}");
    turn_page(&world, "next_in_digest").await;
    let third = world.slack.modal_says("*31–60 of 115*").await;
    turn_page(&world, "next_in_digest").await;
    world.slack.modal_says("*61–90 of 115*").await;
    turn_page(&world, "previous_in_digest").await;
    let second = world.slack.modal_says("*31–60 of 115*").await;
    assert_eq!(second, third);
    let ids = |modal: &str| modal.matches("`f-").count();
    assert_eq!((ids(&first), ids(&second)), (30, 30));

    // One finding is ignored by its id, and the digest shows that.
    let id = second
        .split('`')
        .find(|part| part.starts_with("f-"))
        .unwrap()
        .to_owned();
    world.slack.command(ALICE, &format!("ignore {id}")).await;
    let option = json!({"text": {"type": "plain_text", "text": "1 day"}, "value": "1d"});
    let reason = crate::support::because("Ticket 42");
    world
        .slack
        .submit(
            ALICE,
            json!({"duration": {"duration": {"type": "static_select", "selected_option": option}}, "reason": reason}),
        )
        .await;
    digest_says(&world, "114 open, 1 ignored").await;
}

/// Presses a button to another page in the open modal, which local-slack's control does not.
async fn turn_page(world: &World, action: &str) {
    let (modal, content) = world.slack.open_modal().await;
    let value = content.button(action).expect("a button to another page")["value"].clone();
    let mut click = click(BOB, action, value.as_str().unwrap());
    click["container"] = json!({"type": "view", "view_id": modal});
    click["view"] = json!({"id": modal, "type": "modal"});
    click.as_object_mut().unwrap().remove("channel");
    assert_eq!(interact(&world.app_url, &click).await, Some(200));
}

#[tokio::test]
async fn operators_fix_all_of_a_digest_in_parts() {
    let variables = &[
        ("DEFENDABLE_BLAST_RADIUS", "3"),
        ("DEFENDABLE_OPERATORS", "U0ALICE,U0CAROL@999999999999"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let mut groups = Vec::new();
    for number in 0..12 {
        groups.push(world.aws.create_group(&format!("storm-{number}")).await);
    }
    for group in &groups {
        world.aws.open_port(group, 22).await;
    }
    // Three findings of a rule of which the channel shows two already.
    let digest = digest_says(&world, "*9 more findings within a short time*").await;
    assert!(
        digest.words().contains("open · *high* · `f-") && digest.words().contains("9 open"),
        "{}",
        digest.words()
    );
    world.slack.click(BOB, &digest, "fix_all").await;
    world.slack.is_told(BOB, "not an operator").await;
    world.slack.click(CAROL, &digest, "fix_all").await;
    world
        .slack
        .modal_says("nothing in this digest that you can have fixed")
        .await;
    let id = digest.button("fix_all").unwrap()["value"].as_str().unwrap();
    assert_eq!(
        interact(&world.app_url, &submission(CAROL, "fix_all", id)).await,
        Some(200)
    );
    world
        .slack
        .is_told(CAROL, "nothing left to fix in this digest that you may")
        .await;
    world.slack.click(ALICE, &digest, "fix_all").await;
    let asked = world.slack.modal_says("*Fix 9 open findings?*").await;
    assert!(
        asked.contains("At most 3 are under way at a time"),
        "{asked}"
    );
    for group in &groups {
        assert_ne!(world.aws.ingress(group).await, [""; 0], "it asks first");
    }
    world.slack.submit(ALICE, json!({})).await;
    let done = digest_says(&world, "<@U0ALICE> fixed 9 of 9").await;
    assert!(
        done.words().contains("9 fixed") && done.button("fix_all").is_none(),
        "{}",
        done.words()
    );
    assert_eq!(done.ts(), digest.ts());
    let (mut open, mut fixed) = (0, Vec::new());
    for group in &groups {
        match world.aws.ingress(group).await.is_empty() {
            true => fixed.push(group),
            false => open += 1,
        }
    }
    assert_eq!(open, 3, "what has messages of its own is not in the digest");
    let history = world.slack.command(BOB, "history").await.words();
    assert!(
        history.contains("<@U0ALICE> fixed 9 findings: `f-"),
        "{history}"
    );
    let one = format!("history {}", finding_of_group(fixed[0]));
    let history = world.slack.command(BOB, &one).await.words();
    assert!(
        history.contains("<@U0ALICE> revoked tcp 22 from 0.0.0.0/0"),
        "{history}"
    );
}

#[tokio::test]
async fn slack_s_limits_are_kept_and_everything_arrives() {
    let busy = BusySlack::start().await;
    let api = Box::leak(format!("{}/api", busy.url).into_boxed_str());
    let variables: &'static [(&str, &str)] =
        Box::leak(vec![("DEFENDABLE_SLACK_API_URL", &*api), FAST.variables[0]].into_boxed_slice());
    let world = World::start(Options {
        variables,
        ..Options::default()
    })
    .await;
    busy.stand_before(world.slack.url());
    eventually("four findings appear", async || {
        (world.slack.findings().await.len() == 4).then_some(())
    })
    .await;

    busy.refuse(6);
    for number in 0..4 {
        world
            .aws
            .send("events", &change("no-old-keys", number))
            .await;
    }
    eventually("they arrive all the same", async || {
        (world.slack.findings().await.len() == 8).then_some(())
    })
    .await;
    assert_eq!((busy.refused(), busy.impatient()), (6, 0));
    eventually("the queue is empty", async || {
        (world.aws.messages_in("events").await == 0).then_some(())
    })
    .await;
    assert_eq!(world.slack.findings().await.len(), 8, "none arrives twice");
}
