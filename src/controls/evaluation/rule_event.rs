//! The event with which AWS Config invokes a custom rule's function.
//!
//! [Example events](https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_example-events.html):
//! `invokingEvent` and `ruleParameters` are JSON in strings.

use serde::Deserialize;

use super::configuration_item::{ConfigurationItem, nullable};
use super::parameters::RuleParameters;

/// A custom rule's invocation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleEvent {
    invoking_event: String,
    #[serde(default)]
    rule_parameters: Option<String>,
    /// Goes back with PutEvaluations.
    #[serde(default)]
    pub result_token: Option<String>,
    /// The resource has left the rule's scope. May be absent.
    #[serde(default, deserialize_with = "nullable")]
    pub event_left_scope: bool,
    /// The rule's name in AWS Config.
    #[serde(default)]
    pub config_rule_name: Option<String>,
    /// The account that the rule runs in.
    #[serde(default)]
    pub account_id: Option<String>,
}

/// What a change-triggered rule is asked to judge.
#[derive(Debug)]
pub enum Subject<'a> {
    /// The item itself.
    Item(ConfigurationItem<'a>),
    /// The item was too large for the event: its summary, which lacks the configuration.
    Oversized(ConfigurationItem<'a>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvokingEvent<'a> {
    message_type: String,
    #[serde(borrow, default)]
    configuration_item: Option<ConfigurationItem<'a>>,
    #[serde(borrow, default)]
    configuration_item_summary: Option<ConfigurationItem<'a>>,
}

/// Why an event is none that a change-triggered rule can judge.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRuleEvent {
    /// Not the documented shape.
    #[error("the rule event cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// A periodic trigger, for instance.
    #[error(
        "the rule was invoked with a {0}: it needs ConfigurationItemChangeNotification or \
         OversizedConfigurationItemChangeNotification as its trigger"
    )]
    MessageType(String),
}

impl RuleEvent {
    /// The rule's parameters.
    pub fn parameters(&self) -> Result<RuleParameters, InvalidRuleEvent> {
        Ok(RuleParameters::from_json(self.rule_parameters.as_deref())?)
    }

    /// The item, or the summary of one.
    pub fn subject(&self) -> Result<Subject<'_>, InvalidRuleEvent> {
        let event: InvokingEvent = serde_json::from_str(&self.invoking_event)?;
        match (event.configuration_item, event.configuration_item_summary) {
            (Some(item), _) => Ok(Subject::Item(item)),
            (None, Some(summary)) => Ok(Subject::Oversized(summary)),
            (None, None) => Err(InvalidRuleEvent::MessageType(event.message_type)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(invoking_event: &serde_json::Value) -> RuleEvent {
        serde_json::from_value(
            json!({"invokingEvent": invoking_event.to_string(), "version": "1.0"}),
        )
        .unwrap()
    }

    #[test]
    fn absent_parameters_scope_and_token_are_understood() {
        let item = json!({"resourceType": "AWS::S3::Bucket", "resourceId": "b", "configurationItemStatus": "OK"});
        let event = event(
            &json!({"messageType": "ConfigurationItemChangeNotification", "configurationItem": item}),
        );
        assert!(!event.event_left_scope && event.result_token.is_none());
        assert_eq!(event.parameters().unwrap(), RuleParameters::default());
        assert!(matches!(event.subject().unwrap(), Subject::Item(item) if item.resource_id == "b"));
    }

    #[test]
    fn an_oversized_item_is_told_by_its_summary() {
        let summary = json!({"changeType": "UPDATE", "resourceType": "AWS::S3::Bucket", "resourceId": "b",
            "configurationItemStatus": "OK", "configurationItemCaptureTime": "2026-01-01T00:00:00.000Z"});
        let event = event(
            &json!({"messageType": "OversizedConfigurationItemChangeNotification",
            "configurationItemSummary": summary}),
        );
        assert!(matches!(event.subject().unwrap(), Subject::Oversized(_)));
    }

    #[test]
    fn a_periodic_trigger_is_refused_by_name() {
        let error = event(&json!({"messageType": "ScheduledNotification"}))
            .subject()
            .unwrap_err();
        assert!(
            error.to_string().contains("ScheduledNotification"),
            "{error}"
        );
    }

    #[test]
    fn parameters_are_json_in_a_text() {
        let event: RuleEvent = serde_json::from_value(json!({"invokingEvent": "{}",
            "ruleParameters": r#"{"prohibitedPorts":"22"}"#}))
        .unwrap();
        let parameters = event.parameters().unwrap();
        assert_eq!(parameters.text("prohibitedPorts"), Some("22"));
    }
}
