//! `defendable evaluate`: rules over NDJSON, one line at a time and in constant memory.

use std::io::{self, BufRead, Write};

use serde::Deserialize;

use super::rule_event::{InvalidRuleEvent, RuleEvent, Subject};
use super::{
    ConfigurationItem, Evaluation, EvaluationError, RuleDefaults, RuleKind, RuleParameters,
};

#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("not a configuration item: {0}")]
    Shape(#[from] serde_json::Error),
    #[error(transparent)]
    Event(#[from] InvalidRuleEvent),
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    #[error(
        "the item of {0} is oversized: its event lacks the configuration, which AWS Config keeps"
    )]
    Oversized(String),
}

/// Judges every line of `input` (a configuration item, or a whole rule event, whose own
/// parameters then count) and writes one evaluation a line. Complaints about a line go to
/// `complaints` with its number; the rest is still judged. Returns how many lines were bad.
pub fn evaluate_lines(
    rule: RuleKind,
    parameters: &RuleParameters,
    mut input: impl BufRead,
    mut output: impl Write,
    mut complaints: impl Write,
) -> io::Result<u64> {
    let rules = RuleDefaults::default();
    let (mut line, mut number, mut bad) = (Vec::new(), 0u64, 0);
    while input.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        if !line.trim_ascii().is_empty() {
            match evaluate_line(&rules, rule, parameters, &line) {
                Ok(evaluation) => {
                    serde_json::to_writer(&mut output, &evaluation)?;
                    output.write_all(b"\n")?;
                }
                Err(error) => {
                    bad += 1;
                    writeln!(complaints, "line {number}: {error}")?;
                }
            }
        }
        line.clear();
    }
    output.flush()?;
    Ok(bad)
}

fn evaluate_line(
    rules: &RuleDefaults,
    rule: RuleKind,
    parameters: &RuleParameters,
    line: &[u8],
) -> Result<Evaluation, LineError> {
    /// Tells a rule event from an item that cannot be read.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe {
        invoking_event: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice::<ConfigurationItem>(line) {
        Ok(item) => return Ok(rules.evaluate(rule, parameters, &item, false)?),
        Err(error)
            if serde_json::from_slice::<Probe>(line)?
                .invoking_event
                .is_none() =>
        {
            return Err(error.into());
        }
        Err(_) => {}
    }
    let event: RuleEvent = serde_json::from_slice(line)?;
    match event.subject()? {
        Subject::Oversized(summary) if summary.exists() => {
            Err(LineError::Oversized(summary.resource_id.into_owned()))
        }
        Subject::Item(item) | Subject::Oversized(item) => {
            Ok(rules.evaluate(rule, &event.parameters()?, &item, event.event_left_scope)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_named_and_the_rest_is_judged() {
        let input = concat!(
            r#"{"resourceType":"AWS::EC2::SecurityGroup","resourceId":"sg-1","configurationItemStatus":"OK","configuration":{"ipPermissions":[]}}"#,
            "\n\nnot json\n",
            r#"{"resourceType":"AWS::EC2::SecurityGroup","resourceId":"sg-2","configurationItemStatus":"ResourceDeleted"}"#,
        );
        let (mut output, mut complaints) = (Vec::new(), Vec::new());
        let bad = evaluate_lines(
            RuleKind::RestrictedPorts,
            &RuleParameters::default(),
            input.as_bytes(),
            &mut output,
            &mut complaints,
        );
        assert_eq!(bad.unwrap(), 1);
        assert!(
            String::from_utf8(complaints)
                .unwrap()
                .starts_with("line 3: not a configuration item")
        );
        let output = String::from_utf8(output).unwrap();
        assert_eq!(output.lines().count(), 2);
        assert!(
            output.contains(r#""resourceId":"sg-1","complianceType":"COMPLIANT""#),
            "{output}"
        );
    }

    /// What is said of one line: what its evaluation is, or what is wrong with it.
    fn said(line: &serde_json::Value) -> String {
        let (mut output, mut complaints) = (Vec::new(), Vec::new());
        let (rule, parameters) = (RuleKind::RestrictedPorts, RuleParameters::default());
        let line = line.to_string();
        evaluate_lines(
            rule,
            &parameters,
            line.as_bytes(),
            &mut output,
            &mut complaints,
        )
        .unwrap();
        output.extend(complaints);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_whole_rule_event_is_judged_by_its_own_parameters() {
        let open = serde_json::json!({"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1",
            "configurationItemStatus": "OK", "configuration": {"ipPermissions": [{"ipProtocol": "tcp",
                "fromPort": 8080, "toPort": 8080, "ipv4Ranges": [{"cidrIp": "0.0.0.0/0"}]}]}});
        let event = |parameters: &str| {
            let invoked = serde_json::json!({"messageType": "ConfigurationItemChangeNotification",
                "configurationItem": open});
            serde_json::json!({"invokingEvent": invoked.to_string(), "ruleParameters": parameters})
        };
        assert!(
            said(&event("{}")).contains("\"COMPLIANT\""),
            "{}",
            said(&event("{}"))
        );
        let judged = said(&event(r#"{"prohibitedPorts":"8080"}"#));
        assert!(judged.contains("NON_COMPLIANT"), "{judged}");
    }

    #[test]
    fn of_an_oversized_item_only_its_deletion_can_be_judged() {
        let event = |status: &str| {
            let invoked = serde_json::json!({"messageType": "OversizedConfigurationItemChangeNotification",
                "configurationItemSummary": {"resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1",
                    "configurationItemStatus": status, "changeType": "UPDATE"}});
            serde_json::json!({"invokingEvent": invoked.to_string()})
        };
        assert!(said(&event("OK")).contains("line 1: the item of sg-1 is oversized"));
        let deleted = said(&event("ResourceDeleted"));
        assert!(deleted.contains("NOT_APPLICABLE"), "{deleted}");
    }

    #[test]
    fn an_object_that_is_neither_an_item_nor_an_event_is_no_item() {
        let complaint = said(&serde_json::json!({"resourceId": "sg-1"}));
        assert!(
            complaint.starts_with("line 1: not a configuration item: missing field `resourceType`"),
            "{complaint}"
        );
    }
}
