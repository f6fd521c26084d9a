//! People who may not act, and made-up values: nothing changes.

use serde_json::Value;

use crate::support::payload::{self, click, submission};
use crate::support::{BOB, CAROL, Options, World};

/// A user who is not in the workspace any more.
const DAVE: &str = "U0DAVE";

/// Sends a signed interaction, as Slack does; returns the status of the answer.
async fn interact(world: &World, payload: &Value) -> u16 {
    payload::interact(&world.app_url, payload).await.unwrap()
}

/// Everything that must stay the same, except for the history.
async fn standing(world: &World) -> (Vec<String>, Option<String>, bool, u32, Vec<Value>) {
    let group = world.aws.group_id("batch-workers").await;
    let messages = world
        .slack
        .channel()
        .await
        .into_iter()
        .map(|message| message.0)
        .collect();
    (
        world.aws.ingress(&group).await,
        world.aws.policy("defendable-demo-website").await,
        world.aws.rule_is_enabled().await,
        world.aws.messages_in("fix").await,
        messages,
    )
}

/// Every button that changes something, with the value that it carries for a finding.
fn mutations(finding: &str) -> Vec<(&'static str, String)> {
    let of_finding = [
        "fix",
        "review_fix",
        "fix_ignored",
        "ignore",
        "unignore",
        "undo",
        "approve",
        "decline",
    ];
    let mut all: Vec<_> = of_finding
        .iter()
        .map(|action| (*action, finding.to_owned()))
        .collect();
    all.extend([
        ("fix_all", "d-000000000000".to_owned()),
        ("retry", "defendable-events".to_owned()),
        ("autoresponse_on", "on".to_owned()),
        ("autoresponse_off", "off".to_owned()),
    ]);
    all
}

#[tokio::test]
async fn a_non_operator_changes_nothing_by_any_button_or_modal() {
    // Alice may act in another account only, Bob in none, and Dave left the workspace.
    let variables = &[(
        "DEFENDABLE_OPERATORS",
        "U0ALICE@999999999999,U0CAROL,U0DAVE",
    )];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let group = world.aws.group_id("batch-workers").await;
    let finding = world.slack.finding(&group).await.finding_id();
    let yes = world.aws.fix_value(&finding.parse().unwrap()).await;
    let before = standing(&world).await;
    for user in ["U0ALICE", BOB, DAVE] {
        let mut refusals = 0;
        for (action, value) in mutations(&yes) {
            assert_eq!(
                interact(&world, &click(user, action, &value)).await,
                200,
                "{user} {action}"
            );
            // An operator of any account may open the question of **Fix all**, which then looks at the
            // accounts. This digest does not exist.
            refusals += usize::from(!(user == "U0ALICE" && action == "fix_all"));
        }
        for (callback, metadata) in [
            ("ignore", yes.clone()),
            ("fix", yes.clone()),
            ("undo", yes.clone()),
        ] {
            assert_eq!(
                interact(&world, &submission(user, callback, &metadata)).await,
                200,
                "{callback}"
            );
            refusals += 1;
        }
        if user != "U0ALICE" {
            let all_of_it = "d-000000000000 l-0";
            assert_eq!(
                interact(&world, &submission(user, "fix_all", all_of_it)).await,
                200
            );
            refusals += 1;
        }
        let history = world.slack.command(CAROL, "history").await.words();
        let refused = format!("<@{user}> was refused (not an operator here)");
        let theirs = history.lines().filter(|line| line.contains(&refused));
        // What one person was refused by one verb is one line.
        let times = |line: &str| -> usize {
            let times = line
                .strip_suffix(" times)")
                .and_then(|line| line.rsplit('(').next());
            times.map_or(1, |times| times.parse().unwrap())
        };
        assert_eq!(theirs.map(times).sum::<usize>(), refusals, "{history}");
    }
    assert_eq!(standing(&world).await, before);
    assert_eq!(world.slack.modal().await, "");

    // The same click by an operator has an effect, so that the test can fail.
    assert_eq!(interact(&world, &click(CAROL, "fix", &yes)).await, 200);
    world
        .slack
        .finding_says(&group, "Fixed by <@U0CAROL>")
        .await;
}

#[tokio::test]
async fn a_non_operator_changes_nothing_by_any_command() {
    let variables = &[(
        "DEFENDABLE_OPERATORS",
        "U0ALICE@999999999999,U0CAROL,U0DAVE",
    )];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let group = world.aws.group_id("batch-workers").await;
    let finding = world.slack.finding(&group).await.finding_id();
    let before = standing(&world).await;
    let about_it =
        ["fix", "ignore", "undo", "approve", "decline"].map(|verb| format!("{verb} {finding}"));
    let about_all = [
        "autoresponse on",
        "autoresponse off",
        "retry",
        "report weekly on",
        "report weekly off",
    ];
    for user in ["U0ALICE", BOB, DAVE] {
        for command in about_it.iter().map(String::as_str).chain(about_all) {
            let answer = world.slack.command(user, command).await.words();
            assert!(
                answer.contains(":lock:") && answer.to_lowercase().contains("nothing was done"),
                "{command}: {answer}"
            );
        }
    }
    assert_eq!(standing(&world).await, before);
    assert_eq!(world.slack.modal().await, "");
    let history = world
        .slack
        .command(CAROL, &format!("history {finding}"))
        .await
        .words();
    let theirs = history.lines().filter(|line| {
        ["U0ALICE", BOB, DAVE]
            .iter()
            .any(|user| line.contains(user))
    });
    let theirs: Vec<&str> = theirs.collect();
    let refused = theirs
        .iter()
        .filter(|line| line.contains("was refused (not an operator here)"));
    assert_eq!((theirs.len(), refused.count()), (15, 15), "{history}");
    // Many refusals do not push other entries out of the history.
    for number in 0..30 {
        let (verb, spaces) = (
            ["fix", "FIX", "Fix"][number % 3],
            " ".repeat(1 + number / 3),
        );
        world
            .slack
            .command(BOB, &format!("{verb}{spaces}{finding}"))
            .await;
    }
    let history = world
        .slack
        .command(CAROL, &format!("history {finding}"))
        .await
        .words();
    assert!(
        history.contains("AWS Config found it non-compliant"),
        "{history}"
    );
    let answer = world
        .slack
        .command(CAROL, &format!("fix {finding}"))
        .await
        .words();
    assert!(
        answer.contains("will\n• revoke"),
        "the test could have failed: {answer}"
    );
}

#[tokio::test]
async fn made_up_button_values_change_nothing() {
    let world = World::seeded().await;
    let before = standing(&world).await;
    let long = "x".repeat(10_000);
    let values = [
        "f-000000000000",
        "",
        "f-",
        "<!channel>",
        "d-000000000000",
        "\u{202e}\u{0}f-3fa9c01b22de",
        &long,
    ];
    let mut sent = 0;
    for value in values {
        for (action, _) in mutations("") {
            if action.starts_with("autoresponse") {
                // These buttons carry no value that is looked up.
                continue;
            }
            assert_eq!(
                interact(&world, &click("U0ALICE", action, value)).await,
                200,
                "{action} {value:.20}"
            );
            sent += 1;
        }
        for callback in [
            "ignore",
            "fix",
            "undo",
            "fix_all",
            "show_all",
            "of_tomorrow",
        ] {
            assert_eq!(
                interact(&world, &submission("U0ALICE", callback, value)).await,
                200,
                "{callback}"
            );
        }
    }
    assert_eq!(standing(&world).await, before);
    let all = world.slack.told("U0ALICE").await;
    assert!(
        all.len() >= sent,
        "people are told that nothing was done: {} times of {sent}",
        all.len()
    );
    for told in all {
        assert!(
            !told.words().contains("<!channel>") && told.words().len() < 4000,
            "{}",
            told.words()
        );
    }
}
