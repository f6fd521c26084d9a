//! `/dd status`: everything at a glance, gathered side by side under a deadline. A part that
//! could not be read says so; the rest is shown.

use std::fmt::Display;
use std::time::Duration;

use futures::future::try_join_all;

use super::definition::{Definition, Who};
use super::forecast::Forecast;
use super::parse::Command;
use super::{Overview, compliance};
use crate::aws::AwsError;
use crate::contracts::Switch;
use crate::finding::StateName;
use crate::finding::auto_response::{AutoResponse, BY_DEPLOYMENT};
use crate::slack::Content;
use crate::slack::blocks::{context, message, section};
use crate::slack::finding_words::headline;
use crate::slack::text::{actor, age, code, count, escape, mention, when};
use crate::store::TableError;
use crate::text::cut;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "status",
    usage: "status",
    does: "is the account compliant, is auto-response on, what is waiting?",
    who: Who::Everybody,
    choices: &[],
    read: |words| words.is_empty().then_some(Command::Status),
};

/// The number of requests for approval that are listed.
const APPROVALS: usize = 10;

/// Slack waits three seconds, and the Home tab has its own way to Slack still before it.
pub(super) const DEADLINE: Duration = Duration::from_millis(1800);

pub(super) async fn run(overview: &Overview) -> Content {
    let (auto_response, rules, findings, approvals, waiting, dead) = tokio::join!(
        part("Auto-response", auto_response(overview)),
        part("Compliance", compliance::run(overview)),
        part("Findings", findings(overview)),
        part("Approvals", approvals(overview)),
        part("What auto-response would do", waiting(overview)),
        part("Dead letters", dead_letters(overview)),
    );
    let queues = format!("{waiting}\n{dead}");
    let parts: Vec<String> = [auto_response, rules, findings, approvals, queues]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
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

/// The requests that wait for a second operator; empty where there are none.
async fn approvals(overview: &Overview) -> Result<String, TableError> {
    let now = overview.clock.now();
    let waiting = overview.table.approvals(now).await?;
    let mut lines: Vec<String> = waiting
        .iter()
        .take(APPROVALS)
        .filter_map(|finding| Some((finding, finding.waiting(now)?)))
        .map(|(finding, approval)| {
            let (id, word) = (&finding.id, approval.request.word());
            format!(
                "• {} · {}: {} asked for {} {word} {} (`/dd approve {id}`)",
                code(id.as_str()),
                escape(&cut(&headline(finding), 120)),
                actor(&approval.asked_by),
                if word == "undo" { "an" } else { "a" },
                when(approval.since),
            )
        })
        .collect();
    if lines.is_empty() {
        return Ok(String::new());
    }
    if waiting.len() > APPROVALS {
        lines.push(format!("• and {} more", waiting.len() - APPROVALS));
    }
    let title = ":busts_in_silhouette: *Waiting for a second operator*";
    Ok(format!("{title}\n{}", lines.join("\n")))
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
