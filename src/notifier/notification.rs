//! The messages of the events queue, in each of their envelopes: SNS's JSON, SNS raw delivery, an EventBridge
//! event, a bare report, a CloudWatch alarm, a job or notice of our own functions.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::contracts::job::Job;
use crate::contracts::notice::Notice;
use crate::contracts::{Arriving, RemediationReport};
use crate::controls::Severity;
use crate::finding::Breach;
use crate::ids::{AccountId, InvalidId, Region, Resource, ResourceId, ResourceType, RuleName};

/// A parsed message.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// AWS Config's opinion of a resource has changed.
    ComplianceChange(ComplianceChange),
    /// A remediator reports.
    Report(Box<RemediationReport>),
    /// A CloudWatch alarm went off.
    Alarm(Alarm),
    /// A function asks the notifier to do something.
    Job(Job),
    /// A function tells people something.
    Notice(Notice),
    /// A well-formed message that Defendable ignores, and what it is.
    Ignored(String),
}

/// AWS Config's compliance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compliance {
    /// `COMPLIANT`
    Compliant,
    /// `NON_COMPLIANT`
    NonCompliant,
    /// `NOT_APPLICABLE`: deleted or out of scope.
    NotApplicable,
    /// `INSUFFICIENT_DATA`, or a compliance type that is not known.
    #[serde(other)]
    InsufficientData,
}

/// A compliance change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComplianceChange {
    /// The resource, the rule, and the time at which the result was recorded.
    pub breach: Breach,
    /// The compliance type now.
    pub now: Compliance,
    /// The compliance type before, where there was one.
    pub before: Option<Compliance>,
}

/// A CloudWatch alarm that went off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alarm {
    /// The alarm's name.
    pub alarm_name: String,
    /// The alarm's description.
    #[serde(default)]
    pub alarm_description: Option<String>,
    /// The alarm's account.
    #[serde(default, rename = "AWSAccountId")]
    pub aws_account_id: Option<String>,
    /// `ALARM`, `OK`, `INSUFFICIENT_DATA`.
    pub new_state_value: String,
    /// The reason of the state.
    #[serde(default)]
    pub new_state_reason: String,
    /// The time of the state as text: `2017-01-12T16:30:42.236+0000`, which is not RFC 3339.
    #[serde(default)]
    pub state_change_time: String,
    /// A display name, `US East (N. Virginia)`.
    #[serde(default)]
    pub region: Option<String>,
}

/// The reason why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The message is not JSON, or not of the shape that its kind has.
    #[error("not a notification that can be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The message names something that is no AWS id.
    #[error("the notification is wrong: {0}")]
    Id(#[from] InvalidId),
    /// A time is missing or not RFC 3339.
    #[error("the notification's time is wrong: {0}")]
    Time(#[from] jiff::Error),
    /// Lambda's record of an event that a function could not handle.
    /// ([Destinations](https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html))
    #[error(
        "{function} could not judge what AWS Config sent it: {error}. When that is mended: aws configservice start-config-rules-evaluation --config-rule-names {rule}"
    )]
    GivenUp {
        /// The function's ARN.
        function: String,
        /// The function's error.
        error: String,
        /// The rule's name in AWS Config.
        rule: String,
    },
    /// A required field is missing.
    #[error("the notification lacks {0}")]
    Missing(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ComplianceBody {
    aws_account_id: String,
    config_rule_name: String,
    #[serde(default, rename = "configRuleARN")]
    config_rule_arn: Option<String>,
    resource_type: String,
    resource_id: String,
    aws_region: String,
    new_evaluation_result: Option<EvaluationResult>,
    #[serde(default)]
    old_evaluation_result: Option<EvaluationResult>,
    #[serde(default)]
    notification_creation_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EvaluationResult {
    compliance_type: Compliance,
    #[serde(default)]
    annotation: Option<String>,
    #[serde(default)]
    result_recorded_time: Option<String>,
}

impl Notification {
    /// Reads a message's body that arrived in the account `home`.
    pub fn parse(body: &str, home: &AccountId) -> Result<Self, Malformed> {
        Self::of_value(serde_json::from_str(body)?, home)
    }

    fn of_value(value: Value, home: &AccountId) -> Result<Self, Malformed> {
        let has = |key: &str| value.get(key).is_some();
        if has("Type") && has("TopicArn") {
            return Self::of_sns(&value, home);
        }
        if let Some(detail_type) = value.get("detail-type").and_then(Value::as_str) {
            return match detail_type {
                "Config Rules Compliance Change" => Self::of_value(value["detail"].clone(), home),
                other => Ok(Self::Ignored(format!("an EventBridge event {other:?}"))),
            };
        }
        if let Some(message_type) = value.get("messageType").and_then(Value::as_str) {
            return match message_type {
                "ComplianceChangeNotification" => {
                    Self::of_compliance(serde_json::from_value(value)?)
                }
                other => Ok(Self::Ignored(format!("a {other} of AWS Config"))),
            };
        }
        if has("remediationSource") {
            return Ok(Self::Report(Box::new(RemediationReport::read_value(
                value, home,
            )?)));
        }
        if has("AlarmName") {
            return Ok(Self::Alarm(serde_json::from_value(value)?));
        }
        if let Some(function) = value
            .pointer("/requestContext/functionArn")
            .and_then(Value::as_str)
        {
            let text = |pointer| {
                value
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or("(not said)")
                    .to_owned()
            };
            return Err(Malformed::GivenUp {
                function: function.to_owned(),
                error: text("/responsePayload/errorMessage"),
                rule: text("/requestPayload/configRuleName"),
            });
        }
        if let Some(tag) = value.get("notice") {
            return Ok(match tag.as_str().is_some_and(Job::is_tag) {
                true => Self::Job(serde_json::from_value(value)?),
                false => Self::Notice(serde_json::from_value(value)?),
            });
        }
        Ok(Self::Ignored(
            "a message of a kind that we do not know".to_owned(),
        ))
    }

    /// SNS's envelope: `Message` is a string (the documentation prints an object). Not all of
    /// AWS Config's messages are JSON: the oversized one begins with prose.
    fn of_sns(envelope: &Value, home: &AccountId) -> Result<Self, Malformed> {
        match (&envelope["Type"], &envelope["Message"]) {
            (Value::String(kind), _) if kind != "Notification" => {
                Ok(Self::Ignored(format!("an SNS {kind}")))
            }
            (_, Value::String(text)) => match serde_json::from_str::<Value>(text) {
                Ok(message @ Value::Object(_)) => Self::of_value(message, home),
                _ => Ok(Self::Ignored(
                    "an SNS notification that is not JSON".to_owned(),
                )),
            },
            (_, message @ Value::Object(_)) => Self::of_value(message.clone(), home),
            _ => Err(Malformed::Missing("Message")),
        }
    }

    fn of_compliance(body: ComplianceBody) -> Result<Self, Malformed> {
        let result = body
            .new_evaluation_result
            .ok_or(Malformed::Missing("newEvaluationResult"))?;
        let recorded = result
            .result_recorded_time
            .or(body.notification_creation_time);
        let recorded_at: Timestamp = recorded
            .ok_or(Malformed::Missing("resultRecordedTime"))?
            .parse()?;
        let resource = Resource {
            account: body.aws_account_id.parse::<AccountId>()?,
            region: body.aws_region.parse::<Region>()?,
            resource_type: body.resource_type.parse::<ResourceType>()?,
            id: body.resource_id.parse::<ResourceId>()?,
        };
        let rule: RuleName = body.config_rule_name.parse()?;
        let annotation = result.annotation.filter(|text| !text.trim().is_empty());
        Ok(Self::ComplianceChange(ComplianceChange {
            breach: Breach {
                rule,
                rule_arn: body.config_rule_arn,
                control: None,
                resource,
                resource_name: None,
                annotation,
                severity: Severity::default(),
                channel: None,
                recorded_at,
            },
            now: result.compliance_type,
            before: body.old_evaluation_result.map(|old| old.compliance_type),
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: &str) -> Result<Notification, Malformed> {
        Notification::parse(body, &"123456789012".parse().unwrap())
    }

    #[test]
    fn an_event_that_a_rule_could_not_judge_names_a_remedy() {
        let record = json!({"version": "1.0", "timestamp": "2026-01-01T00:00:00.000Z",
            "requestContext": {"requestId": "r", "condition": "RetriesExhausted", "approximateInvokeCount": 3,
                "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:defendable-restricted-ports-rule:$LATEST"},
            "requestPayload": {"configRuleName": "defendable-restricted-ports", "resultToken": "t"},
            "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
            "responsePayload": {"errorType": "E", "errorMessage": "config:PutEvaluations failed"}});
        let reason = parse(&record.to_string()).unwrap_err().to_string();
        assert!(
            reason.contains("config:PutEvaluations failed. When that is mended"),
            "{reason}"
        );
        assert!(
            reason.ends_with("--config-rule-names defendable-restricted-ports"),
            "{reason}"
        );
    }

    fn compliance_body() -> Value {
        json!({
            "awsAccountId": "123456789012", "configRuleName": "restricted-ports",
            "configRuleARN": "arn:aws:config:us-east-1:123456789012:config-rule/config-rule-1",
            "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-1", "awsRegion": "us-east-1",
            "newEvaluationResult": {
                "evaluationResultIdentifier": {"orderingTimestamp": "2026-01-01T00:00:00.000Z"},
                "complianceType": "NON_COMPLIANT", "resultRecordedTime": "2026-01-01T00:00:01.500Z",
                "annotation": null, "resultToken": null,
            },
            "oldEvaluationResult": null, "notificationCreationTime": "2026-01-01T00:00:02.000Z",
            "messageType": "ComplianceChangeNotification", "recordVersion": "1.0",
        })
    }

    fn sns(message: &Value) -> String {
        json!({"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t",
               "Message": message})
        .to_string()
    }

    #[test]
    fn a_compliance_change_is_the_same_in_every_envelope() {
        let body = compliance_body();
        let event = json!({"version": "0", "detail-type": "Config Rules Compliance Change", "source": "aws.config",
            "account": "123456789012", "region": "us-east-1", "detail": body});
        let raw = parse(&body.to_string()).unwrap();
        assert!(matches!(&raw, Notification::ComplianceChange(change)
            if change.now == Compliance::NonCompliant && change.before.is_none()));
        for envelope in [sns(&json!(body.to_string())), sns(&body), event.to_string()] {
            assert_eq!(parse(&envelope).unwrap(), raw);
        }
    }

    #[test]
    fn the_twin_without_annotation_and_old_result_is_understood() {
        let mut body = compliance_body();
        body.as_object_mut().unwrap().remove("oldEvaluationResult");
        body["newEvaluationResult"]
            .as_object_mut()
            .unwrap()
            .remove("annotation");
        assert!(matches!(
            parse(&body.to_string()),
            Ok(Notification::ComplianceChange(_))
        ));
    }

    #[test]
    fn other_messages_are_ignored_and_broken_ones_refused() {
        let prose = sns(&json!(
            "The configuration item was too large. {\"messageType\":"
        ));
        for body in [
            json!({"messageType": "ConfigurationItemChangeNotification"}).to_string(),
            json!({"messageType": "SomethingNew"}).to_string(),
            json!({"detail-type": "EC2 Instance State-change Notification"}).to_string(),
            json!({"Type": "SubscriptionConfirmation", "TopicArn": "arn"}).to_string(),
            json!({"hello": "world"}).to_string(),
            prose,
        ] {
            assert!(
                matches!(parse(&body), Ok(Notification::Ignored(_))),
                "{body}"
            );
        }
        let mut wrong = compliance_body();
        wrong["awsAccountId"] = json!("nobody");
        for body in [
            "",
            "not json",
            &wrong.to_string(),
            r#"{"messageType":"ComplianceChangeNotification"}"#,
        ] {
            assert!(parse(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_cloudwatch_alarm_is_read_by_sns_too() {
        let alarm = json!({"AlarmName": "Root", "AlarmDescription": null, "AWSAccountId": "123456789012",
            "NewStateValue": "ALARM", "NewStateReason": "Threshold Crossed", "OldStateValue": "OK",
            "StateChangeTime": "2017-01-12T16:30:42.236+0000", "Region": "US East (N. Virginia)"});
        let parsed = parse(&sns(&json!(alarm.to_string()))).unwrap();
        assert!(matches!(parsed, Notification::Alarm(alarm) if alarm.alarm_name == "Root"));
    }
}
