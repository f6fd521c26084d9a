//! What each rule said last. Several rules may speak of one control: a finding is over when none of
//! them complains.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Breach, Finding};
use crate::ids::RuleName;

/// A rule's newest result for the finding's resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceResult {
    /// The rule's ARN, where AWS Config said it.
    #[serde(default)]
    pub arn: Option<String>,
    /// Whether the rule finds the resource compliant.
    pub compliant: bool,
    /// When AWS Config recorded that; older results of this rule change nothing.
    pub recorded_at: Timestamp,
}

impl SourceResult {
    /// A complaint.
    pub(super) fn non_compliant(breach: &Breach) -> Self {
        Self {
            arn: breach.rule_arn.clone(),
            compliant: false,
            recorded_at: breach.recorded_at,
        }
    }
}

impl Finding {
    /// Its rule is what a request says: AWS Config has not spoken yet, and what that rule says, if there is
    /// one, is news.
    pub fn before_aws_config(self) -> Self {
        Self {
            sources: BTreeMap::new(),
            recorded_at: Timestamp::MIN,
            ..self
        }
    }

    /// Whether a result is older than what the same rule said last, or than an undo.
    pub(super) fn is_old_news(&self, breach: &Breach) -> bool {
        let known = match self.sources.get(&breach.rule) {
            Some(result) => result.recorded_at,
            // Versions before 0.2 kept no results by rule.
            None if self.sources.is_empty() => self.recorded_at,
            None => Timestamp::MIN,
        };
        breach.recorded_at <= known.max(self.settled_at.unwrap_or(Timestamp::MIN))
    }

    /// Without the results of rules that do not speak of it any more: one that was renamed would complain
    /// for ever.
    pub fn heard_only_from(&self, speaks_of_it: impl Fn(&RuleName) -> bool) -> Self {
        let mut finding = self.clone();
        finding.sources.retain(|rule, _| speaks_of_it(rule));
        finding
    }

    /// Notes a rule's result.
    pub(super) fn hear(&mut self, breach: &Breach, compliant: bool) {
        let result = SourceResult {
            compliant,
            ..SourceResult::non_compliant(breach)
        };
        self.sources.insert(breach.rule.clone(), result);
        self.recorded_at = self.recorded_at.max(breach.recorded_at);
    }

    /// The rules that complain.
    pub fn complaining(&self) -> impl Iterator<Item = &RuleName> {
        self.sources
            .iter()
            .filter(|(_, result)| !result.compliant)
            .map(|(rule, _)| rule)
    }
}
