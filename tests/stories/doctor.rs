//! `defendable doctor`: what is wrong, and what to do about it.

use std::process::Command;

use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::lambda::function_command;
use crate::support::{APP_TOKEN, Options, World, eventually, free_ports};

/// An installation whose AWS Config listens where the doctor looks for it.
async fn world() -> (World, String) {
    let [port] = free_ports();
    let address = format!("127.0.0.1:{port}");
    let arguments = vec![
        "--config-service",
        &*Box::leak(address.clone().into_boxed_str()),
    ];
    let arguments: &'static [&str] = Box::leak(arguments.into_boxed_slice());
    let world = World::seeded_with(Options {
        arguments,
        ..Options::default()
    })
    .await;
    (world, format!("http://{address}"))
}

/// The doctor's output, and whether it found no fault.
fn doctor(world: &World, config: &str, change: impl FnOnce(&mut Command)) -> (String, bool) {
    // A person runs the doctor with the settings of a function.
    let mut command = function_command(world, "", "");
    command.env_remove("AWS_LAMBDA_RUNTIME_API").arg("doctor");
    command.env("AWS_ENDPOINT_URL_CONFIG_SERVICE", config);
    change(&mut command);
    let output = command.output().unwrap();
    let said =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (said, output.status.success())
}

#[tokio::test]
async fn doctor_passes_a_sound_installation_and_warns_of_dead_letters() {
    let (world, config) = world().await;
    let (said, well) = doctor(&world, &config, |command| {
        command.env("DEFENDABLE_SLACK_APP_TOKEN", APP_TOKEN);
    });
    assert!(well, "{said}");
    for part in [
        "ok    AWS credentials: arn:aws:sts::123456789012",
        "ok    table defendable-findings: 4 findings open",
        "ok    scheduled rule defendable-auto-response: off",
        "ok    AWS Config's recorder: it records",
        "ok    AWS Config's rules: 2 there, ours among them",
        "ok    queue defendable-remediation: 4 waiting, no dead letters",
        "ok    Slack's signing secret: it can be read",
        "ok    Slack's bot token: ",
        "ok    Slack's app-level token: Slack opens sockets for it",
        "checks: 15, failures: 0",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(
        !said.contains("xoxb-") && !said.contains("sandbox-signing-secret"),
        "{said}"
    );

    world.aws.send_text("events", "not json").await;
    world
        .slack
        .channel_says("dead-letter queue of `defendable-events`")
        .await;
    // A job about the new finding may wait for a moment.
    let (said, well) = eventually("the queue says so", async || {
        let answer = doctor(&world, &config, |_| {});
        answer
            .0
            .contains("warn  queue defendable-events: 0 waiting, 1 dead letter")
            .then_some(answer)
    })
    .await;
    assert!(well, "{said}");
}

#[tokio::test]
async fn doctor_names_each_fault_and_its_remedy() {
    let (world, config) = world().await;
    let (said, well) = doctor(&world, &config, |command| {
        command
            .env("DEFENDABLE_AWS_ACCOUNT_ID", "999999999999")
            .env("DEFENDABLE_FINDINGS_TABLE", "another")
            .env("DEFENDABLE_SCHEDULE_RULE", "another")
            .env("DEFENDABLE_RESTRICTED_PORTS_RULES", "another-rule")
            .env("DEFENDABLE_SLACK_TEAM_ID", "T0OTHER")
            .env("DEFENDABLE_SLACK_SIGNING_SECRET_PARAMETER", "/another")
            .env(
                "DEFENDABLE_FIX_QUEUE_URL",
                format!("{}/123456789012/another", world.aws.url()),
            )
            .env("DEFENDABLE_OPERATORS", "");
    });
    assert!(!well, "{said}");
    for part in [
        "FAIL  AWS credentials: they are of account 123456789012, not 999999999999",
        "FAIL  table another: ",
        "is DEFENDABLE_SCHEDULE_RULE right?",
        "FAIL  AWS Config's rules: AWS Config has no rule another-rule",
        "FAIL  Slack's bot token: it is of the workspace T0DEMO, not T0OTHER",
        "is DEFENDABLE_SLACK_SIGNING_SECRET_PARAMETER right?",
        "FAIL  queue another: ",
        "warn  operators: there are none: nobody may act",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let (said, well) = doctor(&world, &config, |command| {
        command.env_remove("DEFENDABLE_SLACK_CHANNEL");
    });
    assert!(
        !well && said.contains("DEFENDABLE_SLACK_CHANNEL is not set"),
        "{said}"
    );
    let (said, _) = doctor(&world, &config, |command| {
        command.env("DEFENDABLE_OPERATORS", "U0ALICE,S0SECOPS,U0DAVE");
    });
    assert!(
        said.contains("warn  operators: not active in the workspace, so they may not act: U0DAVE"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_names_what_was_removed_or_stopped_after_the_installation() {
    let (world, config) = world().await;
    // Moto's AWS Config has no recorder at first, then one that was never started.
    let (said, well) = doctor(&world, world.aws.url(), |_| {});
    assert!(
        !well && said.contains("FAIL  AWS Config's recorder: there is none in this region"),
        "{said}"
    );
    world.aws.put_recorder("main").await;
    let (said, well) = doctor(&world, world.aws.url(), |_| {});
    assert!(
        !well && said.contains("FAIL  AWS Config's recorder: it is stopped"),
        "{said}"
    );
    assert!(
        said.contains("start-configuration-recorder --configuration-recorder-name main"),
        "{said}"
    );

    world.aws.delete_queue("fix-dead-letters").await;
    // Local-slack accepts any token, so that the proxy refuses.
    let slack = FaultProxy::before(world.slack.url()).await;
    for method in ["slack:auth.test", "slack:apps.connections.open"] {
        slack.inject(method, "", Fault::Denied, 0, 1);
    }
    let (said, well) = doctor(&world, &config, |command| {
        command.env("DEFENDABLE_SLACK_APP_TOKEN", APP_TOKEN);
        command.env("DEFENDABLE_SLACK_API_URL", format!("{}/api", slack.url));
    });
    assert!(!well, "{said}");
    for part in [
        "FAIL  queue defendable-fix: ",
        "create defendable-fix-dead-letters: messages that nobody can handle go there",
        "FAIL  Slack's bot token: Slack says missing_scope",
        "install the app again and store the token that it gives",
        "FAIL  Slack's app-level token: Slack says missing_scope",
        "with the scope connections:write",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains("xoxb-") && !said.contains("xapp-"), "{said}");
}
