//! Plans are stored as they were shown. A plan that is missing or changed asks again.

use serde_json::json;

use super::{MYSQL, SSH, open_group};
use crate::support::payload::{click, interact};
use crate::support::slack::Message;
use crate::support::{ALICE, World, eventually, finding_of_bucket, several_ticks};

fn digest_in(message: &Message, button: &str) -> String {
    let value = message.button(button).unwrap()["value"]
        .as_str()
        .unwrap()
        .to_owned();
    value
        .split_once(' ')
        .expect("a finding and a plan")
        .1
        .to_owned()
}

#[tokio::test]
async fn a_plan_that_has_expired_asks_again() {
    let world = World::seeded().await;
    let (group, _, message) = open_group(&world, "forgotten").await;
    let digest = digest_in(&message, "fix");
    world
        .aws
        .delete_item(&format!("PLAN#{digest}"), "PLAN")
        .await;
    world.slack.click(ALICE, &message, "fix").await;
    let asked = world.slack.is_told(ALICE, "will\n• revoke tcp 22").await;
    assert_eq!(world.aws.ingress(&group).await, [SSH], "it asks first");
    world.slack.click(ALICE, &asked, "fix").await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert!(world.aws.ingress(&group).await.is_empty());
}

#[tokio::test]
async fn a_stored_plan_is_not_overwritten_and_a_changed_one_is_refused() {
    let world = World::seeded().await;
    let (group, id, message) = open_group(&world, "kept").await;
    let (key, shown) = (
        format!("PLAN#{}", digest_in(&message, "fix")),
        digest_in(&message, "fix"),
    );
    let kept = world.aws.item(&key, "PLAN").await.unwrap()["plan"].clone();
    // A plan that is shown again is stored again, unchanged.
    world.slack.command(ALICE, &format!("fix {id}")).await;
    assert_eq!(world.aws.item(&key, "PLAN").await.unwrap()["plan"], kept);
    // A plan that has grown is stored beside it.
    world.aws.open_port(&group, 3306).await;
    let grown = world.slack.finding_says(&group, "• revoke tcp 3306").await;
    let wider = world
        .aws
        .item(&format!("PLAN#{}", digest_in(&grown, "fix")), "PLAN")
        .await
        .unwrap();
    assert_eq!(world.aws.item(&key, "PLAN").await.unwrap()["plan"], kept);
    // A writer of the table changes the plan under the digest that was agreed to.
    world
        .aws
        .put_item(&json!({"pk": key, "sk": "PLAN", "plan": wider["plan"]}))
        .await;
    let pressed = click(ALICE, "fix", &format!("{id} {shown}"));
    assert_eq!(interact(&world.app_url, &pressed).await, Some(200));
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&group).await,
        [SSH, MYSQL],
        "nothing was changed"
    );
    assert_eq!(world.aws.finding(&id).await.unwrap()["state"], "open");
}

#[tokio::test]
async fn the_plan_of_an_undo_is_stored_too() {
    let world = World::seeded().await;
    let bucket = "defendable-demo-downloads";
    let message = world.slack.finding(bucket).await;
    world.slack.click(ALICE, &message, "fix").await;
    world.slack.finding_says(bucket, "*What was done*").await;
    let undo = world.aws.undo_value(&finding_of_bucket(bucket)).await;
    let digest = undo.split_once(' ').unwrap().1;
    let kept = eventually("it is kept", async || {
        world.aws.item(&format!("PLAN#{digest}"), "PLAN").await
    })
    .await;
    assert_eq!(kept["plan"]["direction"], "undo");
}
