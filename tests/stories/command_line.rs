//! The command line: `evaluate`, and errors that say what to correct.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn defendable(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_defendable"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

const OPEN: &str = r#"{"resourceType":"AWS::EC2::SecurityGroup","resourceId":"sg-1","configurationItemStatus":"OK","configuration":{"ipPermissions":[{"ipProtocol":"tcp","fromPort":8080,"toPort":8080,"ipRanges":["0.0.0.0/0"]}]}}"#;

#[test]
fn evaluate_judges_items_and_whole_events() {
    let event = serde_json::json!({
        "invokingEvent": format!(r#"{{"messageType":"ConfigurationItemChangeNotification","configurationItem":{OPEN}}}"#),
        "ruleParameters": r#"{"prohibitedPorts":"8000-9000"}"#,
    });
    let output = defendable(
        &[
            "evaluate",
            "restricted-ports",
            "--parameter",
            "prohibitedPorts=22",
        ],
        &format!("{OPEN}\n{event}\nnonsense\n"),
    );
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(
        lines[0].contains(r#""complianceType":"COMPLIANT""#),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains("tcp 8080 from 0.0.0.0/0") && lines[1].contains("EC2_SG_PROHIBITED_PORT")
    );
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("line 3:")
    );
}

#[test]
fn wrong_parameters_and_missing_settings_say_what_to_correct() {
    let output = defendable(
        &[
            "evaluate",
            "restricted-ports",
            "--parameter",
            "prohibitedPorts=ssh",
        ],
        "",
    );
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success()
            && complaint.contains("prohibitedPorts")
            && complaint.contains("5432-5433")
    );

    let output = defendable(
        &[
            "evaluate",
            "s3-public-access",
            "--parameter",
            "prohibitedPorts=22",
        ],
        "",
    );
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("it has bucketWhitelist, sqsUrl")
    );

    let output = defendable(&["serve"], "");
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    for variable in [
        "DEFENDABLE_AWS_ACCOUNT_ID",
        "DEFENDABLE_EVENTS_QUEUE_URL",
        "DEFENDABLE_SLACK_CHANNEL",
    ] {
        assert!(
            complaint.contains(variable),
            "{variable} is not in {complaint}"
        );
    }
    assert!(complaint.contains("for example C0ALERTS"));
}

#[test]
fn the_sandbox_refuses_anything_but_an_emulator() {
    for endpoint in [
        None,
        Some("https://ec2.us-east-1.amazonaws.com"),
        Some("http://192.0.2.1:5050"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_defendable"));
        command
            .arg("sandbox")
            .env_clear()
            .env("AWS_REGION", "us-east-1");
        command.envs(endpoint.map(|endpoint| ("AWS_ENDPOINT_URL", endpoint)));
        let output = command.output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && complaint.contains("emulator on this machine only"),
            "{complaint}"
        );
    }
}

#[test]
fn completions_are_printed() {
    let output = defendable(&["completions", "bash"], "");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("_defendable")
    );
}

#[test]
fn a_reader_that_closes_the_output_early_is_no_mistake() {
    for arguments in [&["completions", "bash"][..], &["actions"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_defendable"))
            .args(arguments)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && complaint.is_empty(),
            "{arguments:?}: {complaint}"
        );
    }
}

#[test]
fn a_level_that_is_none_is_an_error_that_says_what_is_expected() {
    for wanted in ["shout", "defendable=shout", "info,shout"] {
        let output = Command::new(env!("CARGO_BIN_EXE_defendable"))
            .arg("serve")
            .env_clear()
            .env("DEFENDABLE_LOG", wanted)
            .output()
            .unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        let expected =
            format!("error: DEFENDABLE_LOG is {wanted:?}: expected levels, such as info");
        assert!(
            !output.status.success() && complaint.starts_with(&expected),
            "{complaint}"
        );
    }
}
