//! Where findings go, how bad they are, and whom they call.

use crate::support::{Options, World, eventually};

const ROUTING: &str = r#"
mention = "S0ONCALL"
[[routes]]
channel = "C0PAYMENTS"
tags = { team = "payments" }
[[routes]]
channel = "C0NOWHERE"
rules = ["defendable-s3-public-access"]
"#;

#[tokio::test]
async fn findings_go_where_their_tags_say_and_the_worst_call_people() {
    let world = World::seeded_with(Options {
        variables: &[("DEFENDABLE_ROUTING", ROUTING)],
        ..Options::default()
    })
    .await;
    // A route that leads nowhere keeps nothing from people.
    world
        .slack
        .finding_says("defendable-demo-website", "high")
        .await;
    let desktops = world
        .slack
        .finding(&world.aws.group_id("remote-desktops").await)
        .await;
    assert!(
        desktops.words().contains("· high severity"),
        "{}",
        desktops.words()
    );
    assert!(
        !desktops.words().contains("<!subteam"),
        "{}",
        desktops.words()
    );
    // Every port from 1024 on holds those of databases.
    let workers = world
        .slack
        .finding(&world.aws.group_id("batch-workers").await)
        .await;
    assert!(
        workers.words().contains("· critical severity"),
        "{}",
        workers.words()
    );
    assert!(
        workers.words().contains("<!subteam^S0ONCALL>"),
        "{}",
        workers.words()
    );

    let group = world.aws.create_group("ledger").await;
    world.aws.tag(&group, "team", "payments").await;
    world.aws.open_port(&group, 22).await;
    let routed = eventually(
        "the finding is in the payments team's channel",
        async || {
            let messages = world.slack.messages_of("C0PAYMENTS").await;
            messages
                .into_iter()
                .find(|message| message.text().contains(&group))
        },
    )
    .await;
    assert!(routed.words().contains("· high severity") && routed.button("fix").is_some());
    assert!(
        !world
            .slack
            .findings()
            .await
            .iter()
            .any(|message| message.text().contains(&group))
    );

    world
        .aws
        .ec2
        .delete_security_group()
        .group_id(&group)
        .send()
        .await
        .unwrap();
    eventually("it is edited where it is", async || {
        let messages = world.slack.messages_of("C0PAYMENTS").await;
        let same = |message: &&crate::support::slack::Message| message.ts() == routed.ts();
        messages
            .iter()
            .find(same)?
            .words()
            .contains("was deleted")
            .then_some(())
    })
    .await;
}
