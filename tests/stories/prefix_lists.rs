//! Prefix lists: a group that references a list allows the list's entries, which its configuration item does
//! not contain.

use serde_json::json;

use crate::ignoring::filled_in;
use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::payload::{click, interact};
use crate::support::{ALICE, because, eventually, finding_of_group, several_ticks};

const RULE: &str = "JUDGED_AGAIN#defendable-restricted-ports";

/// A group that allows port 22 from a new prefix list.
async fn group_for_list(world: &Installation, name: &str, ranges: &[&str]) -> (String, String) {
    let list = world.aws.create_prefix_list(name, ranges).await;
    let group = world.aws.create_group(name).await;
    world.aws.open_port_to_list(&group, 22, &list).await;
    (group, list)
}

/// AWS Config judges all groups, as it does once a day.
async fn a_day_goes_by(world: &Installation) {
    eventually("housekeeping knows the rule", async || {
        world.aws.item(RULE, "JUDGED_AGAIN").await
    })
    .await;
    world
        .aws
        .set_text(
            RULE,
            "JUDGED_AGAIN",
            "judgedAgain.#at",
            "2026-01-01T00:00:00Z",
        )
        .await;
}

#[tokio::test]
async fn a_reference_to_a_list_of_open_ranges_is_fixed_by_people_and_can_be_undone() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start(&[], every_second).await;
    interact(&world.app_url, &click(ALICE, "autoresponse_on", "on"))
        .await
        .unwrap();
    let (group, list) = group_for_list(&world, "everybody", &["0.0.0.0/0"]).await;
    let office = world
        .aws
        .create_prefix_list("office", &["198.51.100.0/24"])
        .await;
    world.aws.open_port_to_list(&group, 22, &office).await;
    let both = world.aws.ingress(&group).await;
    assert_eq!(both.len(), 2);
    let plan = format!("• revoke tcp 22 from 0.0.0.0/0 (prefix list {list}, sgr-");
    let words = world.slack.finding_says(&group, &plan).await.words();
    assert!(
        words.contains("the rest takes a person") && !words.contains(&office),
        "{words}"
    );
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&group).await,
        both,
        "auto-response leaves it"
    );

    // A list that grows between the look and the click makes another plan.
    world
        .aws
        .change_prefix_list(&list, &["128.0.0.0/1"], &[])
        .await;
    let message = world.slack.finding(&group).await;
    world.slack.click(ALICE, &message, "fix").await;
    let grown = world
        .slack
        .finding_says(&group, "Nothing was changed")
        .await;
    assert!(
        grown.words().contains("0.0.0.0/0 and 128.0.0.0/1"),
        "{}",
        grown.words()
    );
    assert_eq!(world.aws.ingress(&group).await.len(), 2);
    world.slack.click(ALICE, &grown, "fix").await;
    let fixed = world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert_eq!(
        world.aws.ingress(&group).await,
        [format!("tcp 22-22 {office}")]
    );

    // An undo restores the reference as it was.
    world
        .aws
        .change_prefix_list(&list, &["8.8.8.8/32"], &[])
        .await;
    world.slack.click(ALICE, &fixed, "undo").await;
    world
        .slack
        .modal_says("tcp 22 is reachable from 0.0.0.0/0 and 128.0.0.0/1")
        .await;
    world
        .slack
        .submit(ALICE, json!({"reason": because("the office moves")}))
        .await;
    let refused = world
        .slack
        .finding_says(&group, "has got other entries since: 8.8.8.8/32")
        .await;
    assert_eq!(world.aws.ingress(&group).await.len(), 1);
    world
        .aws
        .change_prefix_list(&list, &[], &["8.8.8.8/32"])
        .await;
    world.slack.click(ALICE, &refused, "undo").await;
    world.slack.modal_says("tcp 22 is reachable from").await;
    world
        .slack
        .submit(ALICE, json!({"reason": because("the office moves")}))
        .await;
    eventually("it is back", async || {
        (world.aws.ingress(&group).await == both).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_open_part_of_a_prefix_list_is_removed_by_hand() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start(&[], every_second).await;
    let (group, list) = group_for_list(&world, "mixed", &["0.0.0.0/0", "198.51.100.7/32"]).await;
    let by_hand =
        format!("• take 0.0.0.0/0 out of the prefix list {list}, which opens tcp 22 (sgr-");
    let message = world.slack.finding_says(&group, &by_hand).await;
    assert!(
        message.button("fix").is_none() && message.button("look_again").is_some(),
        "{}",
        message.words()
    );
    let answer = world
        .slack
        .command(ALICE, &format!("fix {}", message.finding_id()))
        .await;
    assert!(
        answer.words().contains("is to be closed by hand"),
        "{}",
        answer.words()
    );

    // Port 3306 is fixed, and the finding stays open for the list.
    world.aws.open_port(&group, 3306).await;
    let both = world
        .slack
        .finding_says(&group, "• revoke tcp 3306 from 0.0.0.0/0")
        .await;
    assert!(both.words().contains(&by_hand), "{}", both.words());
    world.slack.click(ALICE, &both, "fix").await;
    eventually("it is done", async || {
        (world.aws.ingress(&group).await.len() == 1).then_some(())
    })
    .await;
    let left = world
        .slack
        .finding_says(&group, "Open · high severity")
        .await;
    assert!(
        left.words().contains(&by_hand) && left.button("undo").is_some(),
        "{}",
        left.words()
    );
    several_ticks().await;
    assert_eq!(
        world.aws.finding(&finding_of_group(&group)).await.unwrap()["state"],
        "open"
    );

    // AWS Config sends no item when only the list changes.
    world
        .aws
        .change_prefix_list(&list, &[], &["0.0.0.0/0"])
        .await;
    a_day_goes_by(&world).await;
    world.slack.finding_says(&group, "is no longer open").await;
    assert_eq!(
        world.aws.ingress(&group).await,
        [format!("tcp 22-22 {list}")]
    );
}

#[tokio::test]
async fn work_by_hand_can_be_ignored_until_the_list_grows() {
    let every_second = vec![("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned())];
    let world = Installation::start(&[], every_second).await;
    let (group, list) = group_for_list(&world, "left", &["64.0.0.0/7", "198.51.100.7/32"]).await;
    let message = world
        .slack
        .finding_says(&group, "• take 64.0.0.0/7 out of")
        .await;
    world.slack.click(ALICE, &message, "ignore").await;
    world
        .slack
        .modal_says("tcp 22 is reachable from 64.0.0.0/7")
        .await;
    world.slack.submit(ALICE, filled_in("1d")).await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    world
        .aws
        .change_prefix_list(&list, &["0.0.0.0/0"], &[])
        .await;
    a_day_goes_by(&world).await;
    world.slack.finding_says(&group, "• take 0.0.0.0/0").await;
}

#[tokio::test]
async fn a_list_that_may_not_be_read_is_named_and_nothing_is_planned() {
    let world = Installation::start(&[], Vec::new()).await;
    let list = world.aws.create_prefix_list("secret", &["0.0.0.0/0"]).await;
    world.rules_to_aws.inject(
        "ec2:GetManagedPrefixListEntries",
        &list,
        Fault::Denied,
        0,
        100,
    );
    world.to_aws.inject(
        "ec2:GetManagedPrefixListEntries",
        &list,
        Fault::Denied,
        0,
        100,
    );
    let group = world.aws.create_group("secret").await;
    world.aws.open_port_to_list(&group, 22, &list).await;
    eventually("it is judged", async || {
        let calls = world
            .rules_to_config
            .calls("config:PutEvaluations")
            .into_iter();
        let words = format!("Prefix lists were not looked into: {list}.");
        calls
            .map(|call| call.said)
            .find(|said| said.contains(&words) && said.contains("\"COMPLIANT\""))
    })
    .await;
    world.aws.open_port(&group, 3306).await;
    let open = world
        .slack
        .finding_says(&group, "• revoke tcp 3306 from 0.0.0.0/0")
        .await;
    assert!(
        open.words()
            .contains(&format!("Prefix lists were not looked into: {list}")),
        "{}",
        open.words()
    );
    world.slack.click(ALICE, &open, "fix").await;
    world
        .slack
        .finding_says(&group, "Fixed by <@U0ALICE>")
        .await;
    assert_eq!(
        world.aws.ingress(&group).await,
        [format!("tcp 22-22 {list}")]
    );
}
