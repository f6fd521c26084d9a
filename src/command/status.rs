//! `/dd status`: everything at a glance, gathered side by side under a deadline. A part that
//! could not be read says so; the rest is shown.

use std::fmt::Display;
use std::time::Duration;

use futures::FutureExt;
use futures::future::try_join_all;

use super::Overview;
use super::definition::{Definition, Who};
use super::forecast::Forecast;
use super::parse::Command;
use crate::aws::AwsError;
use crate::contracts::Switch;
use crate::finding::StateName;
use crate::finding::auto_response::{AutoResponse, BY_DEPLOYMENT};
use crate::slack::Content;
use crate::slack::blocks::{context, message, section};
use crate::slack::text::{age, code, count, mention, when};
use crate::store::TableError;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "status",
    usage: "status",
    does: "is the account compliant, is auto-response on, what is waiting?",
    who: Who::Everybody,
    choices: &[],
    read: |words| words.is_empty().then_some(Command::Status),
};

/// Slack waits three seconds, and the Home tab has its own way to Slack still before it.
pub(super) const DEADLINE: Duration = Duration::from_millis(1800);

pub(super) async fn run(overview: &Overview) -> Content {
    let (auto_response, compliance, findings, waiting, dead) = tokio::join!(
        part("Auto-response", auto_response(overview)),
        part("Compliance", compliance(overview)),
        part("Findings", findings(overview)),
        part("What auto-response would do", waiting(overview)),
        part("Dead letters", dead_letters(overview)),
    );
    let queues = format!("{waiting}\n{dead}");
    let parts = [auto_response, compliance, findings, queues];
    let mut blocks: Vec<_> = parts.iter().map(|text| section(text)).collect();
    blocks.push(context(&format!("As of {}", when(overview.clock.now()))));
    message(&parts.join("\n"), blocks)
}

/// A part's text, or that it could not be read.
pub(super) async fn part<E: Display>(
    name: &str,
    gather: impl Future<Output = Result<String, E>>,
) -> String {
    match tokio::time::timeout(DEADLINE, gather).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            tracing::error!(%error, part = name, "cannot read a part of the status");
            format!(":warning: *{name}:* could not be read")
        }
        Err(_) => format!(":warning: *{name}:* could not be read in time"),
    }
}

async fn auto_response(overview: &Overview) -> Result<String, super::CommandError> {
    let (rule, recorded) = tokio::join!(overview.schedule.state(), overview.table.auto_response());
    Ok(auto_response_line(rule?, &recorded?))
}

/// On or off, since when, by whom; and what does not fit.
pub(super) fn auto_response_line(rule: Switch, recorded: &AutoResponse) -> String {
    let mut line = format!("*Auto-response is {}*", rule.as_str());
    match &recorded.wanted {
        Some(wanted) if wanted.switch == rule => {
            line += &format!(" since {}, by {}", when(wanted.at), by(&wanted.by));
        }
        Some(wanted) => {
            line += &format!(
                "\n:warning: {} turned it {} {}, but the rule is {}. Use `/dd autoresponse {}` to settle it.",
                by(&wanted.by),
                wanted.switch.as_str(),
                when(wanted.at),
                rule.as_str(),
                wanted.switch.as_str(),
            );
        }
        None => line += ", as it was deployed",
    }
    if let Some(hold) = &recorded.hold {
        line += &format!(
            "\n:raised_hand: It stopped {} after {} and waits for an answer in the channel.",
            when(hold.at),
            count(u64::from(hold.dispatched), "request"),
        );
    }
    line
}

/// A person, or the deployment.
fn by(user: &str) -> String {
    if user == BY_DEPLOYMENT {
        "the deployment".to_owned()
    } else {
        mention(user)
    }
}

async fn compliance(overview: &Overview) -> Result<String, AwsError> {
    let config = overview.aws.config_service();
    let (mut lines, mut next) = (Vec::new(), None);
    loop {
        let page = config
            .describe_compliance_by_config_rule()
            .set_next_token(next)
            .send()
            .boxed()
            .await;
        let page = page
            .map_err(|error| AwsError::from_sdk("config:DescribeComplianceByConfigRule", error))?;
        for rule in page.compliance_by_config_rules() {
            let name = code(rule.config_rule_name().unwrap_or_default());
            lines.push(format!("• {name}: {}", compliance_words(rule.compliance())));
        }
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    if lines.is_empty() {
        return Ok("*Compliance:* AWS Config has no rules yet".to_owned());
    }
    Ok(format!("*Compliance by rule*\n{}", lines.join("\n")))
}

fn compliance_words(compliance: Option<&aws_sdk_config::types::Compliance>) -> String {
    use aws_sdk_config::types::ComplianceType;
    let breaches = compliance.and_then(|compliance| compliance.compliance_contributor_count());
    match compliance.and_then(|compliance| compliance.compliance_type()) {
        Some(ComplianceType::Compliant) => ":white_check_mark: compliant".to_owned(),
        Some(ComplianceType::NonCompliant) => match breaches {
            Some(breaches) => {
                let number = u64::from(breaches.capped_count().unsigned_abs());
                let more = if breaches.cap_exceeded() {
                    "more than "
                } else {
                    ""
                };
                let verb = if number == 1 && !breaches.cap_exceeded() {
                    "breaks"
                } else {
                    "break"
                };
                format!(
                    ":red_circle: {} {more}{} {verb} it",
                    bar(number),
                    count(number, "resource")
                )
            }
            None => ":red_circle: not compliant".to_owned(),
        },
        _ => ":white_circle: not evaluated yet".to_owned(),
    }
}

/// A mark for each, up to a dozen, so that rules can be compared at a glance.
fn bar(number: u64) -> String {
    "▮".repeat(number.min(12) as usize)
}

async fn findings(overview: &Overview) -> Result<String, TableError> {
    let (open, fixing, ignored, oldest) = tokio::try_join!(
        overview.table.count(StateName::Open),
        overview.table.count(StateName::Fixing),
        overview.table.count(StateName::Ignored),
        overview.table.oldest(StateName::Open),
    )?;
    let oldest = oldest.map_or_else(String::new, |oldest| {
        let opened_at = oldest.finding.episode.opened_at;
        let seconds = overview.clock.now().duration_since(opened_at).as_secs();
        format!("; the oldest has been open for {}", age(seconds))
    });
    Ok(format!(
        "*Findings:* {open} open, {fixing} fixing, {ignored} ignored{oldest}"
    ))
}

async fn waiting(overview: &Overview) -> Result<String, TableError> {
    let forecast = Forecast::read(&overview.table, overview.clock.now()).await?;
    Ok(format!(
        "*Auto-response would:* {}. `/dd queue` lists them",
        forecast.numbers()
    ))
}

async fn dead_letters(overview: &Overview) -> Result<String, AwsError> {
    let backlog = &overview.backlog;
    let dead = backlog
        .watched_queues
        .iter()
        .map(|queue| async { backlog.queues.waiting(&queue.dead_letters()).await });
    let dead: u64 = try_join_all(dead).await?.into_iter().sum();
    Ok(match dead {
        0 => "*Dead letters:* none".to_owned(),
        dead => format!(
            ":warning: *Dead letters:* {} could not be handled. `/dd queue` lists them",
            count(dead, "message")
        ),
    })
}
