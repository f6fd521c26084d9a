//! What changes when minutes and days pass. The stories move the clock of `serve`.

use defendable::finding::{Plan, State};
use defendable::ids::FindingId;
use futures::StreamExt;
use jiff::SignedDuration;

use crate::ignoring::filled_in;
use crate::support::installation::Installation;
use crate::support::movable_clock::MovableClock;
use crate::support::{
    ALICE, eventually, finding_of_group, request, several_ticks, signed, slash_command,
};

#[tokio::test]
async fn a_signing_secret_that_was_rotated_out_stops_working_within_a_minute() {
    let clock = MovableClock::default();
    let world = Installation::start_by(&clock, Vec::new()).await;
    let events = format!("{}/slack/events", world.app_url);
    let by_the_old = async || {
        let help = slash_command("help");
        let headers = signed(&help, clock.now().as_second());
        request("POST", &events, &headers, &help).await.unwrap().0
    };
    assert_eq!(by_the_old().await, 200);
    // No request is signed with the new secret, so that none proves the old one wrong.
    world
        .aws
        .put_secret("/defendable/slack/signing-secret", "the-new-secret")
        .await;
    clock.pass(SignedDuration::from_secs(50));
    assert_eq!(by_the_old().await, 200, "it was read 50 seconds ago");
    clock.pass(SignedDuration::from_secs(10));
    assert_eq!(by_the_old().await, 401);
}

/// An open group whose finding Alice ignores for a week.
async fn ignored_for_a_week(world: &Installation) -> String {
    let group = world.aws.open_group("ignored-for-a-week").await;
    let message = world.slack.finding_says(&group, "• revoke tcp 22").await;
    world.slack.click(ALICE, &message, "ignore").await;
    world.slack.submit(ALICE, filled_in("7d")).await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    group
}

#[tokio::test]
async fn an_ignore_ends_on_its_day_and_the_finding_is_open_again() {
    let schedule = ("DEFENDABLE_SCHEDULE_SECONDS", "1".to_owned());
    let clock = MovableClock::default();
    let world = Installation::start_by(&clock, vec![schedule]).await;
    let group = ignored_for_a_week(&world).await;
    let state = async || {
        let record = world.aws.finding(&finding_of_group(&group)).await.unwrap();
        record["state"].clone()
    };
    clock.pass(SignedDuration::from_hours(7 * 24 - 1));
    several_ticks().await;
    assert_eq!(state().await, "ignored", "an hour is left");

    clock.pass(SignedDuration::from_hours(1));
    eventually("it is open", async || {
        (state().await == "open").then_some(())
    })
    .await;
    let open = world.slack.finding_says(&group, "• revoke tcp 22").await;
    assert!(open.button("fix").is_some(), "{}", open.words());
    assert_eq!(world.slack.findings().await.len(), 1);
}

#[tokio::test]
async fn an_ignore_ends_on_its_day_behind_a_thousand_others() {
    let schedule = ("DEFENDABLE_SCHEDULE_SECONDS", "5".to_owned());
    let clock = MovableClock::default();
    let world = Installation::start_by(&clock, vec![schedule]).await;
    let group = ignored_for_a_week(&world).await;
    let (table, id) = (world.aws.table(), finding_of_group(&group));
    let ignored = table.get(&id).await.unwrap().unwrap().finding;
    // They were ignored an hour before, and for good. Nobody looks at them, since they have no fix.
    let others = (0..1200).map(|number| {
        let mut other = ignored.clone();
        other.resource.id = format!("sg-{number}").parse().unwrap();
        other.rule = "a-rule-of-others".parse().unwrap();
        other.id = FindingId::of_rule(&other.rule, &other.resource);
        (other.control, other.plan) = (None, Plan::Unsupported);
        let State::Ignored { since, until, .. } = &mut other.state else {
            panic!("{:?}", other.state);
        };
        (*since, *until) = (*since - SignedDuration::from_hours(1), None);
        other
    });
    let writes = others.map(async |other| {
        let written = table.change(&other.id, |_| Ok::<_, ()>(other.clone()));
        written.await.unwrap();
    });
    futures::stream::iter(writes)
        .buffer_unordered(8)
        .collect::<()>()
        .await;
    clock.pass(SignedDuration::from_hours(7 * 24));
    eventually("it is open", async || {
        let record = world.aws.finding(&id).await.unwrap();
        (record["state"] == "open").then_some(())
    })
    .await;
}
