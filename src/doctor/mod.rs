//! `defendable doctor`: looks at everything that an installation needs, and says of each part
//! whether it is well, what is wrong, and what to do about it. Changes nothing.

mod aws;
mod slack;

use std::fmt;
use std::io::{self, Write};

use crate::wiring::Wiring;

/// The IAM actions of the doctor, beside those of the functions. It runs with a person's credentials.
pub const ACTIONS: &[&str] = &[
    "config:DescribeConfigurationRecorderStatus",
    "sts:GetCallerIdentity",
];

/// The finding about one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnosis {
    /// The part is well: a few words about it.
    Passed(String),
    /// Something is unusual, and Defendable works.
    Warning {
        /// The unusual thing: `"2 dead letters in defendable-events-dead-letters"`.
        problem: String,
        /// The step that the operator should take next.
        next: String,
    },
    /// Defendable does not work like this.
    Failed {
        /// The problem, as a sentence.
        problem: String,
        /// The step that the operator should take next.
        next: String,
    },
}

/// One part and its diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The part: `queue defendable-events`.
    pub part: String,
    /// The result of the check.
    pub diagnosis: Diagnosis,
}

impl Examined {
    fn of(part: impl Into<String>, diagnosis: Diagnosis) -> Self {
        Self {
            part: part.into(),
            diagnosis,
        }
    }
}

impl Diagnosis {
    fn failed(problem: impl fmt::Display, next: &str) -> Self {
        Self::Failed {
            problem: problem.to_string(),
            next: next.to_owned(),
        }
    }

    fn warning(problem: impl fmt::Display, next: &str) -> Self {
        Self::Warning {
            problem: problem.to_string(),
            next: next.to_owned(),
        }
    }
}

impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = &self.part;
        match &self.diagnosis {
            Diagnosis::Passed(words) => write!(f, "ok    {part}: {words}"),
            Diagnosis::Warning { problem, next } => {
                write!(f, "warn  {part}: {problem}\n      Next: {next}")
            }
            Diagnosis::Failed { problem, next } => {
                write!(f, "FAIL  {part}: {problem}\n      Next: {next}")
            }
        }
    }
}

/// Checks all parts at once.
pub async fn examine(wiring: &Wiring) -> Vec<Examined> {
    let (aws, slack) = tokio::join!(aws::examine(wiring), slack::examine(wiring));
    aws.into_iter().chain(slack).collect()
}

/// Prints the diagnoses, a line each. Returns whether Defendable can work.
pub fn print(found: &[Examined], mut output: impl Write) -> io::Result<bool> {
    for examined in found {
        writeln!(output, "{examined}")?;
    }
    let count = |wanted: fn(&Diagnosis) -> bool| {
        found
            .iter()
            .filter(|examined| wanted(&examined.diagnosis))
            .count()
    };
    let failures = count(|diagnosis| matches!(diagnosis, Diagnosis::Failed { .. }));
    let warnings = count(|diagnosis| matches!(diagnosis, Diagnosis::Warning { .. }));
    let checks = found.len();
    writeln!(
        output,
        "checks: {checks}, failures: {failures}, warnings: {warnings}"
    )?;
    Ok(failures == 0)
}
