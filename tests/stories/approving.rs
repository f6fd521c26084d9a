//! Operators of some accounts, and accounts in which a second operator approves.

use serde_json::json;

use crate::support::slack::Message;
use crate::support::{ALICE, BOB, CAROL, Options, World, because, eventually};

const HERE: &str = "123456789012";

#[tokio::test]
async fn a_fix_and_its_undo_wait_for_a_second_operator() {
    let variables = &[
        ("DEFENDABLE_TWO_PERSON_ACCOUNTS", HERE),
        ("DEFENDABLE_OPERATORS", "U0ALICE,U0CAROL"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let group = world.aws.group_id("batch-workers").await;
    let before = world.aws.ingress(&group).await;
    let message = world.slack.finding(&group).await;
    world.slack.click(ALICE, &message, "fix").await;
    world
        .slack
        .is_told(ALICE, "In this account it takes two")
        .await;
    let waiting = world
        .slack
        .finding_says(&group, "<@U0ALICE> wants this fixed")
        .await;
    assert!(waiting.button("ignore").is_some() && waiting.button("approve").is_some());
    let green = |action| waiting.button(action).unwrap()["style"] == "primary";
    assert!(green("approve") && !green("fix"), "one button stands out");
    let id = waiting.finding_id();
    let thread = async |words: &str| {
        eventually(words, async || {
            let replies = world.slack.thread(&waiting).await;
            let says = |reply: &Message| reply.words().contains(words);
            replies.iter().any(says).then_some(())
        })
        .await;
    };
    thread("<@U0ALICE> asks for a fix. A second operator approves").await;
    let status = world.slack.command(BOB, "status").await.words();
    assert!(
        status.contains("*Waiting for a second operator*")
            && status.contains("<@U0ALICE> asked for a fix")
            && status.contains(&format!("/dd approve {id}")),
        "{status}"
    );

    world.slack.click(ALICE, &waiting, "approve").await;
    world
        .slack
        .is_told(ALICE, "You asked for it yourself")
        .await;
    world.slack.click(BOB, &waiting, "approve").await;
    world.slack.is_told(BOB, "not an operator").await;
    let again = world.slack.command(CAROL, &format!("fix {id}")).await;
    world.slack.click(CAROL, &again, "fix").await;
    world.slack.is_told(CAROL, "<@U0ALICE> asked for").await;
    assert_eq!(
        world.aws.ingress(&group).await,
        before,
        "nothing has happened"
    );

    world.slack.click(CAROL, &waiting, "decline").await;
    let declined = world.slack.finding_says(&group, "Fix will").await;
    assert!(declined.button("fix").is_some());
    thread("<@U0ALICE>: <@U0CAROL> declined the fix.").await;
    let status = world.slack.command(BOB, "status").await.words();
    assert!(!status.contains("second operator"), "{status}");
    let asked = world.slack.command(ALICE, &format!("fix {id}")).await;
    world.slack.click(ALICE, &asked, "fix").await;
    world.slack.finding_says(&group, "wants this fixed").await;
    let shown = world.slack.command(CAROL, &format!("approve {id}")).await;
    assert!(
        shown.words().contains("in the window that opened"),
        "{}",
        shown.words()
    );
    world
        .slack
        .modal_says("revoke tcp 1024-65535 from 0.0.0.0/0")
        .await;
    assert_eq!(
        world.aws.ingress(&group).await,
        before,
        "it shows what it would do, and asks"
    );
    world.slack.submit(CAROL, json!({})).await;
    let fixed = world.slack.finding_says(&group, "*What was done*").await;
    assert!(
        fixed
            .words()
            .contains("Fixed by <@U0ALICE>, approved by <@U0CAROL>"),
        "{}",
        fixed.words()
    );
    assert_ne!(world.aws.ingress(&group).await, before);

    let closed = world.aws.ingress(&group).await;
    world.slack.click(CAROL, &fixed, "undo").await;
    world
        .slack
        .submit(CAROL, json!({"reason": because("The workers stand still")}))
        .await;
    let waiting = world
        .slack
        .finding_says(&group, "wants the fix undone: The workers stand still")
        .await;
    assert_eq!(world.aws.ingress(&group).await, closed);
    world.slack.click(ALICE, &waiting, "approve").await;
    world
        .slack
        .modal_says("tcp 1024-65535 is reachable from 0.0.0.0/0 again")
        .await;
    assert_eq!(
        world.aws.ingress(&group).await,
        closed,
        "it shows what it would put back, and asks"
    );
    world.slack.submit(ALICE, json!({})).await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0CAROL>")
        .await;
    assert_eq!(world.aws.ingress(&group).await, before);
    let history = world
        .slack
        .command(BOB, &format!("history {id}"))
        .await
        .words();
    for line in [
        "<@U0ALICE> asked for a fix; a second operator must approve",
        "<@U0CAROL> declined the fix",
        "<@U0CAROL> approved the fix",
        "<@U0ALICE> approved the undo",
    ] {
        assert!(history.contains(line), "{line} is not in {history}");
    }
}

#[tokio::test]
async fn operators_of_other_accounts_change_nothing_here() {
    let world = World::seeded_with(Options {
        variables: &[(
            "DEFENDABLE_OPERATORS",
            "U0ALICE@999999999999,U0CAROL@123456789012",
        )],
        ..Options::default()
    })
    .await;
    let website = "defendable-demo-website";
    let (message, policy) = (
        world.slack.finding(website).await,
        world.aws.policy(website).await,
    );
    let id = message.finding_id();
    for action in ["fix", "ignore"] {
        world.slack.click(ALICE, &message, action).await;
        world
            .slack
            .is_told(ALICE, "you are an operator of other accounts only")
            .await;
    }
    for command in ["undo", "ignore", "approve", "decline", "fix"] {
        let answer = world
            .slack
            .command(ALICE, &format!("{command} {id}"))
            .await
            .words();
        assert!(
            answer.contains("This is in account `123456789012`"),
            "{answer}"
        );
    }
    for command in [
        "autoresponse on",
        "autoresponse off",
        "retry",
        "report weekly on",
    ] {
        for user in [ALICE, CAROL] {
            let answer = world.slack.command(user, command).await.words();
            assert!(
                answer.contains("This concerns every account"),
                "{command}: {answer}"
            );
        }
    }
    assert_eq!(
        (world.aws.policy(website).await, world.slack.modal().await),
        (policy, String::new())
    );
    assert_eq!(world.slack.finding(website).await.0, message.0);
    let history = world.slack.command(BOB, "history").await.words();
    assert!(
        history.contains(&format!(
            "<@U0ALICE> was refused (not an operator here): /dd fix {id}"
        )),
        "{history}"
    );

    world.slack.click(CAROL, &message, "fix").await;
    world
        .slack
        .finding_says(website, "Fixed by <@U0CAROL>")
        .await;
}

#[tokio::test]
async fn a_finding_that_waits_for_approval_leaves_its_digest() {
    let variables = &[
        ("DEFENDABLE_TWO_PERSON_ACCOUNTS", HERE),
        ("DEFENDABLE_OPERATORS", "U0ALICE,U0CAROL"),
    ];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    for number in 0..5 {
        world.aws.open_group(&format!("storm-{number}")).await;
    }
    let digest = world
        .slack
        .channel_says("*2 more findings within a short time*")
        .await;
    world.slack.click(ALICE, &digest, "fix_all").await;
    world
        .slack
        .modal_says("nothing in this digest that you can have fixed this way")
        .await;

    let words = digest.words();
    let id = words
        .split('`')
        .find(|part| part.starts_with("f-"))
        .unwrap();
    let asked = world.slack.command(ALICE, &format!("fix {id}")).await;
    world.slack.click(ALICE, &asked, "fix").await;
    let waiting = eventually("it has a message of its own", async || {
        let messages = world.slack.findings().await;
        messages
            .into_iter()
            .find(|message| message.finding_id() == id && message.button("approve").is_some())
    })
    .await;
    world.slack.click(CAROL, &waiting, "approve").await;
    world.slack.channel_says("1 open, 1 fixed").await;
}
