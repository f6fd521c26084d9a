//! The parameters of a custom rule: a JSON object, in a string. AWS Config passes on what the operator
//! wrote, be it `"22"` or `22`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

/// `{"prohibitedPorts": "22,3389", "sqsUrl": "https://sqs…"}`; names that nobody asks for change nothing,
/// since AWS Config lets operators add their own, and are [told of](Self::unknown).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleParameters(BTreeMap<String, String>);

/// A parameter that a rule cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rule parameter {name} is wrong: {reason}")]
pub struct InvalidParameter {
    name: &'static str,
    reason: String,
}

impl<'a> FromIterator<(&'a str, &'a str)> for RuleParameters {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }
}

impl RuleParameters {
    /// Reads the `ruleParameters` of a rule event; it may be absent.
    pub fn from_json(text: Option<&str>) -> serde_json::Result<Self> {
        let values: BTreeMap<String, Value> = super::from_stringified(text.unwrap_or_default())?;
        let text = |value| match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        Ok(Self(
            values
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect(),
        ))
    }

    /// The names that are not among those that a rule `knows`: misspelt ones, perhaps.
    pub fn unknown<'a>(&'a self, knows: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|name| !knows.contains(name))
    }

    /// A parameter's text; blank is absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A parameter, parsed.
    pub fn parse<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, InvalidParameter> {
        let parsed = self.text(name).map(str::parse).transpose();
        parsed.map_err(|error: T::Err| InvalidParameter {
            name,
            reason: error.to_string(),
        })
    }
}

/// The items of a list with commas: `a, b` is `a` and `b`.
pub fn list(text: &str) -> BTreeSet<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> RuleParameters {
        RuleParameters::from_json(Some(json)).unwrap()
    }

    #[test]
    fn numbers_may_stand_without_quotation_marks() {
        let parameters =
            read(r#"{"prohibitedPorts": 22, "strict": true, "none": null, "smtp": [25, 587]}"#);
        assert_eq!(parameters.text("prohibitedPorts"), Some("22"));
        assert_eq!(
            (parameters.text("strict"), parameters.text("none")),
            (Some("true"), None)
        );
        assert_eq!(parameters.parse::<u16>("prohibitedPorts"), Ok(Some(22)));
        let wrong = parameters.parse::<u16>("smtp").unwrap_err().to_string();
        assert!(
            wrong.starts_with("the rule parameter smtp is wrong"),
            "{wrong}"
        );
    }

    #[test]
    fn unknown_parameters_are_named() {
        let parameters = read(r#"{"prohibitedPort": "22", "sqsUrl": "https://sqs"}"#);
        assert_eq!(
            parameters
                .unknown(&["prohibitedPorts", "sqsUrl"])
                .collect::<Vec<_>>(),
            ["prohibitedPort"]
        );
        assert_eq!(
            RuleParameters::from_json(None)
                .unwrap()
                .unknown(&[])
                .count(),
            0
        );
    }
}
