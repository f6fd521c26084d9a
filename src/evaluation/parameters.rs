//! The parameters of a custom rule: a JSON object of strings, in a string.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

/// `{"prohibitedPorts": "22,3389", "sqsUrl": "https://sqs…"}`; names that nobody asks for are
/// ignored, since AWS Config lets operators add their own.
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
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl RuleParameters {
    /// Reads the `ruleParameters` of a rule event; it may be absent.
    pub fn from_json(text: Option<&str>) -> serde_json::Result<Self> {
        super::from_stringified(text.unwrap_or_default()).map(Self)
    }

    /// A parameter's text; blank is absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A parameter, parsed.
    pub fn parse<T: FromStr<Err: Display>>(&self, name: &'static str) -> Result<Option<T>, InvalidParameter> {
        let parsed = self.text(name).map(str::parse).transpose();
        parsed.map_err(|error: T::Err| InvalidParameter { name, reason: error.to_string() })
    }
}

/// The items of a list with commas: `a, b` is `a` and `b`.
pub fn list(text: &str) -> BTreeSet<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}
