//! How bad something is, by what it exposes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad something is, from the mildest to the worst.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `low`: a web port that may be meant to be open.
    Low,
    /// `medium`: what nothing more is known of.
    #[default]
    Medium,
    /// `high`: a way to log in, or data that everybody can read.
    High,
    /// `critical`: a database, every port, or data that everybody can change.
    Critical,
}

impl Severity {
    /// `critical`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_severity_is_written_as_it_is_stored() {
        let all = [
            Severity::Low,
            Severity::Medium,
            Severity::High,
            Severity::Critical,
        ];
        for severity in all {
            assert_eq!(
                serde_json::to_value(severity).unwrap(),
                severity.to_string()
            );
        }
        assert!(all.is_sorted());
    }
}
