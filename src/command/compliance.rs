//! The compliance of rules, as AWS Config counts it, for `/dd status`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_config::types::{ComplianceByConfigRule, ComplianceType};
use futures::FutureExt;
use tokio::time::timeout;

use super::{CommandError, Overview};
use crate::aws::AwsError;
use crate::finding::{Finding, State, StateName};
use crate::slack::text::{code, count};

/// The number of rules that are named.
const NAMED: usize = 10;

/// A rule that resources break.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Broken {
    rule: String,
    /// The number of resources that break it; AWS Config counts up to 25.
    resources: u64,
    /// Whether there are more.
    are_more: bool,
}

/// All rules, by what AWS Config says of them.
#[derive(Debug, Default)]
struct Rules {
    broken: Vec<Broken>,
    compliant: Vec<String>,
    not_evaluated: Vec<String>,
    /// Whether the rules that are not broken could be read too.
    is_whole: bool,
}

/// How long all rules are read. Those that are broken are read beside them.
const PATIENCE: Duration = Duration::from_millis(1300);

/// The part of the status about rules.
pub(super) async fn run(overview: &Overview) -> Result<String, CommandError> {
    let all = async { Ok(timeout(PATIENCE, rules(overview, None)).await.ok()) };
    let broken = rules(overview, Some(ComplianceType::NonCompliant));
    let (broken, all, ignored) = tokio::try_join!(broken, all, ignored(overview))?;
    let mut rules = Rules {
        broken: broken.iter().map(Broken::of).collect(),
        is_whole: all.is_some(),
        ..Rules::default()
    };
    for rule in all.transpose()?.unwrap_or_default() {
        let compliance = rule
            .compliance
            .and_then(|compliance| compliance.compliance_type);
        let name = rule.config_rule_name.unwrap_or_default();
        match compliance {
            Some(ComplianceType::NonCompliant) => {}
            Some(ComplianceType::Compliant) => rules.compliant.push(name),
            _ => rules.not_evaluated.push(name),
        }
    }
    Ok(rules.told(&ignored))
}

/// The rules with a compliance type, or all.
async fn rules(
    overview: &Overview,
    compliance: Option<ComplianceType>,
) -> Result<Vec<ComplianceByConfigRule>, CommandError> {
    let config = overview.aws.config_service();
    let types = compliance.map(|compliance| vec![compliance]);
    let (mut rules, mut next) = (Vec::new(), None);
    loop {
        let page = config
            .describe_compliance_by_config_rule()
            .set_compliance_types(types.clone())
            .set_next_token(next)
            .send()
            .boxed()
            .await;
        let page = page
            .map_err(|error| AwsError::from_sdk("config:DescribeComplianceByConfigRule", error))?;
        rules.extend(page.compliance_by_config_rules.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(rules);
        }
    }
}

/// The number of ignored findings of each rule that AWS Config counts here: of this account and region, and of
/// resources that are not compliant.
async fn ignored(overview: &Overview) -> Result<BTreeMap<String, u64>, CommandError> {
    let region = overview.aws.home_region()?;
    let is_counted = |finding: &&Finding| {
        let is_compliant = matches!(
            &finding.state,
            State::Ignored {
                compliant: true,
                ..
            }
        );
        !is_compliant
            && finding.resource.account == overview.backlog.home
            && finding.resource.region == region
    };
    let mut ignored = BTreeMap::new();
    let reading = overview.table.read_state(StateName::Ignored).await?;
    for finding in reading.findings.iter().filter(is_counted) {
        *ignored.entry(finding.rule.to_string()).or_default() += 1;
    }
    Ok(ignored)
}

impl Broken {
    fn of(rule: &ComplianceByConfigRule) -> Self {
        let breaches = rule
            .compliance()
            .and_then(|compliance| compliance.compliance_contributor_count());
        Self {
            rule: rule.config_rule_name().unwrap_or_default().to_owned(),
            resources: breaches.map_or(1, |breaches| breaches.capped_count().unsigned_abs().into()),
            are_more: breaches.is_none_or(|breaches| breaches.cap_exceeded()),
        }
    }

    fn line(&self, ignored: u64) -> String {
        let (name, number) = (code(&self.rule), self.resources);
        if !self.are_more && ignored >= number {
            return format!(
                "• {name}: :no_bell: {} not compliant, all ignored",
                resources(number)
            );
        }
        let more = if self.are_more { "at least " } else { "" };
        let of_these = match ignored {
            0 => String::new(),
            ignored => format!(", {ignored} ignored"),
        };
        format!(
            "• {name}: :red_circle: {} {more}{} not compliant{of_these}",
            bar(number),
            resources(number)
        )
    }
}

/// `1 resource is`, `2 resources are`.
fn resources(number: u64) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", count(number, "resource"))
}

/// A mark for each, up to a dozen, so that rules can be compared at a glance.
fn bar(number: u64) -> String {
    "▮".repeat(number.min(12) as usize)
}

impl Rules {
    /// The worst rules by name; the rest by name too where there are few, else by number.
    fn told(mut self, ignored: &BTreeMap<String, u64>) -> String {
        let of = |broken: &Broken| ignored.get(&broken.rule).copied().unwrap_or_default();
        self.broken.sort_by_key(|broken| {
            let open = broken.resources.saturating_sub(of(broken));
            (Reverse((broken.are_more, open)), broken.rule.clone())
        });
        let rules = self.broken.len() + self.compliant.len() + self.not_evaluated.len();
        if rules == 0 && self.is_whole {
            return "*Compliance:* AWS Config has no rules yet".to_owned();
        }
        let mut lines = vec!["*Compliance by rule*".to_owned()];
        let worst = self.broken.iter().take(NAMED);
        lines.extend(worst.map(|broken| broken.line(of(broken))));
        let more = self.broken.len().saturating_sub(NAMED);
        if more > 0 {
            let rules = count(more as u64, "more rule");
            lines.push(format!(
                "• :red_circle: {rules} with resources that are not compliant"
            ));
        }
        let room = rules <= NAMED;
        lines.extend(others(
            &self.compliant,
            ":white_check_mark: compliant",
            room,
        ));
        lines.extend(others(
            &self.not_evaluated,
            ":white_circle: not evaluated yet",
            room,
        ));
        if !self.is_whole {
            lines.push("• the other rules could not be read in time".to_owned());
        }
        lines.join("\n")
    }
}

/// Rules about which there is nothing more to say: each by its name, or their number.
fn others(names: &[String], what: &str, by_name: bool) -> Vec<String> {
    match (names, by_name) {
        ([], _) => Vec::new(),
        (names, true) => {
            let lines = names.iter().map(|name| format!("• {}: {what}", code(name)));
            lines.collect()
        }
        (names, false) => vec![format!("• {}: {what}", count(names.len() as u64, "rule"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rule: &str, resources: u64, are_more: bool) -> Broken {
        Broken {
            rule: rule.to_owned(),
            resources,
            are_more,
        }
    }

    #[test]
    fn a_rule_whose_resources_are_all_ignored_is_not_red() {
        let rules = Rules {
            broken: vec![
                broken("buckets", 2, false),
                broken("ports", 1, false),
                broken("many", 25, true),
            ],
            compliant: vec!["roots".to_owned()],
            not_evaluated: vec!["new".to_owned()],
            is_whole: true,
        };
        let ignored =
            [("buckets", 2), ("many", 30)].map(|(rule, number)| (rule.to_owned(), number));
        assert_eq!(
            rules.told(&ignored.into()),
            "*Compliance by rule*
• `many`: :red_circle: ▮▮▮▮▮▮▮▮▮▮▮▮ at least 25 resources are not compliant, 30 ignored
• `ports`: :red_circle: ▮ 1 resource is not compliant
• `buckets`: :no_bell: 2 resources are not compliant, all ignored
• `roots`: :white_check_mark: compliant
• `new`: :white_circle: not evaluated yet"
        );
    }

    #[test]
    fn of_hundreds_of_rules_the_worst_are_named_and_the_rest_counted() {
        let rules = Rules {
            broken: (1..=14)
                .map(|number| broken(&format!("rule-{number}"), number, false))
                .collect(),
            compliant: (0..300).map(|number| format!("kept-{number}")).collect(),
            not_evaluated: Vec::new(),
            is_whole: true,
        };
        let told = rules.told(&BTreeMap::new());
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), 13);
        assert!(lines[1].contains("`rule-14`") && lines[10].contains("`rule-5`"));
        assert_eq!(
            lines[11..],
            [
                "• :red_circle: 4 more rules with resources that are not compliant",
                "• 300 rules: :white_check_mark: compliant"
            ]
        );
    }

    #[test]
    fn an_account_without_rules_says_so() {
        let none = |is_whole| {
            let rules = Rules {
                is_whole,
                ..Rules::default()
            };
            rules.told(&BTreeMap::new())
        };
        assert_eq!(none(true), "*Compliance:* AWS Config has no rules yet");
        assert!(none(false).ends_with("the other rules could not be read in time"));
    }
}
