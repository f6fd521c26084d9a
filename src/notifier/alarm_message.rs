//! CloudWatch alarms as Slack messages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::notification::Alarm;
use crate::slack::Content;
use crate::slack::blocks::{fields, message, section};
use crate::slack::text::{code, escape, prose};

/// How bad an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Info,
    Medium,
    High,
    Critical,
}

/// One of the alarms of the CIS benchmark; the rest of it is Terraform's.
#[derive(Deserialize)]
struct CisAlarm {
    severity: Severity,
}

/// By the end of the alarm's name: ours are called `defendable-Root_Account_Usage`, DD-AWS's
/// `DD_BP_Alarm_Root_Account_Usage`.
static CIS_ALARMS: LazyLock<BTreeMap<String, CisAlarm>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../infra/cis_alarms.json"))
        .expect("the tests read the file")
});

impl Severity {
    fn of(alarm: &Alarm) -> Self {
        let known = CIS_ALARMS
            .iter()
            .find(|(name, _)| alarm.alarm_name.ends_with(*name));
        known.map_or(Self::Medium, |(_, alarm)| alarm.severity)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Info => ("information", ":large_blue_circle:"),
            Self::Medium => ("medium severity", ":large_yellow_circle:"),
            Self::High => ("high severity", ":large_orange_circle:"),
            Self::Critical => ("critical", ":red_circle:"),
        }
    }
}

/// An alarm that went off.
pub(super) fn alarm(alarm: &Alarm) -> Content {
    let (severity, dot) = Severity::of(alarm).words();
    let name = escape(&crate::text::cut(&alarm.alarm_name, 255));
    let mut blocks = vec![section(&format!(
        "*CloudWatch alarm: {name}*\n{dot} {severity}"
    ))];
    let mut rows = Vec::new();
    rows.extend(
        alarm
            .aws_account_id
            .as_deref()
            .map(|account| ("Account", code(account))),
    );
    rows.extend(
        alarm
            .region
            .as_deref()
            .map(|region| ("Region", code(region))),
    );
    if !alarm.state_change_time.is_empty() {
        rows.push(("When", code(&alarm.state_change_time)));
    }
    if !rows.is_empty() {
        blocks.push(fields(&rows));
    }
    let description = alarm.alarm_description.as_deref().unwrap_or_default();
    let words = [description, &alarm.new_state_reason];
    let words: Vec<String> = words
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| prose(text, 1000))
        .collect();
    if !words.is_empty() {
        blocks.push(section(&words.join("\n")));
    }
    message(
        &format!(
            "CloudWatch alarm, {severity}: {name}. {}",
            prose(&alarm.new_state_reason, 500)
        ),
        blocks,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn an_alarm(name: &str) -> Alarm {
        serde_json::from_value(serde_json::json!({
            "AlarmName": name, "AlarmDescription": "Root was used <!channel>", "AWSAccountId": "123456789012",
            "NewStateValue": "ALARM", "NewStateReason": "Threshold Crossed: 1 datapoint",
            "StateChangeTime": "2017-01-12T16:30:42.236+0000", "Region": "US East (N. Virginia)",
        }))
        .unwrap()
    }

    #[test]
    fn an_alarm_s_message() {
        insta::assert_json_snapshot!(alarm(&an_alarm("DD_BP_Alarm_Root_Account_Usage")));
    }

    #[test]
    fn alarms_have_the_benchmark_s_severities_under_either_name() {
        assert_eq!(CIS_ALARMS.len(), 14);
        for name in [
            "DD_BP_Alarm_Console_Sign_In_Without_MFA",
            "defendable-Console_Sign_In_Without_MFA",
        ] {
            assert_eq!(Severity::of(&an_alarm(name)), Severity::High);
        }
        assert_eq!(
            Severity::of(&an_alarm("defendable-Disable_Delete_CMK")),
            Severity::Info
        );
    }

    #[test]
    fn an_unknown_alarm_is_of_medium_severity() {
        assert_eq!(Severity::of(&an_alarm("mine")), Severity::Medium);
    }
}
