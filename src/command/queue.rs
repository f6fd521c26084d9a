//! `/dd queue`: what fixing the open findings would change, how much waits for auto-response, and
//! what could not be handled; `/dd retry`.

use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use slack_morphism::prelude::*;

use super::status::auto_response_line;
use super::{Answer, CommandError, SlackFunction};
use crate::aws::AwsError;
use crate::dead_letters::DeadLetter;
use crate::finding::history::Deed;
use crate::finding::{Finding, Plan, StateName};
use crate::queue::QueueUrl;
use crate::remediation::RemediationTask;
use crate::slack::Content;
use crate::slack::action;
use crate::slack::blocks::{actions, button, message, note, section};
use crate::slack::finding_message::{changes_list, headline};
use crate::slack::request::BlockAction;
use crate::slack::text::{code, count, escape, prose};

/// How many findings one answer shows.
const FINDINGS: usize = 10;

/// How many dead letters of each queue one answer shows.
const LETTERS: usize = 3;

/// Slack waits three seconds; what is left over is retried by the next press.
const DEADLINE: Duration = Duration::from_secs(2);

pub(super) async fn run(function: &SlackFunction) -> Answer {
    let table = &function.table;
    let wanted = |finding: &Finding| !finding.auto_requests().is_empty();
    let (rule, recorded, waiting, page, letters) = tokio::join!(
        function.schedule.state(),
        table.auto_response(),
        function.queues.waiting(&function.remediation_queue),
        table.page(StateName::Open, None, FINDINGS, wanted),
        all_dead_letters(function),
    );
    let line = auto_response_line(rule?, &recorded?);
    let (waiting, (records, more)) = (waiting?, page?);
    let mut blocks = vec![section(&line)];
    if records.is_empty() {
        blocks.push(section(&format!(
            "*No open finding has a fix that is known.* {} in the queue; a run checks each again, and fixes what breaks its rule then.",
            count(waiting, "request")
        )));
    } else {
        let more = if more.is_some() { ", the newest" } else { "" };
        blocks.push(section(&format!(
            "*What fixing the open findings would change*{more} · {} in the queue, each of which a run checks again first",
            count(waiting, "request")
        )));
        blocks.extend(records.iter().map(|record| section(&would(&record.finding))));
    }
    blocks.extend(letters?.iter().flat_map(|(queue, letters)| dead(queue, letters)));
    Ok(message(&format!("{line}. {} in the queue.", count(waiting, "request")), blocks))
}

fn would(finding: &Finding) -> String {
    let Plan::Known { changes } = &finding.plan else { return String::new() };
    let changes = changes_list(changes.iter().map(|(_, change)| change.to_string()));
    format!(
        "{} {}\n{changes}",
        code(finding.id.as_str()),
        escape(&crate::evaluation::cut(&headline(finding), 200))
    )
}

type Letters<'a> = Vec<(&'a QueueUrl, Vec<DeadLetter>)>;

async fn all_dead_letters(function: &SlackFunction) -> Result<Letters<'_>, AwsError> {
    let queues = function.watched_queues.iter();
    let letters =
        queues.map(async |queue| Ok::<_, AwsError>((queue, function.queues.dead_letters(queue).await?)));
    let letters: Letters<'_> = try_join_all(letters).await?;
    Ok(letters.into_iter().filter(|(_, letters)| !letters.is_empty()).collect())
}

fn dead(queue: &QueueUrl, letters: &[DeadLetter]) -> [SlackBlock; 2] {
    let mut lines = vec![format!(":warning: *Dead letters of* {}", code(queue.name()))];
    let shown = letters.iter().take(LETTERS);
    lines.extend(shown.map(|letter| format!("• {}: {}", code(&letter.id), prose(&letter.reason, 300))));
    if letters.len() > LETTERS {
        lines.push("• and more".to_owned());
    }
    let retry = button(action::RETRY, "Retry", queue.name());
    [section(&lines.join("\n")), actions(vec![retry])]
}

/// `/dd retry`: the dead letters of all queues go back.
pub(super) async fn retry_all(function: &SlackFunction, user: &SlackUserId) -> Answer {
    let queues: Vec<&QueueUrl> = function.watched_queues.iter().collect();
    retry(function, &queues, user).await
}

/// The **Retry** button under one queue's dead letters.
pub(super) async fn clicked(
    function: &SlackFunction,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let queues: Vec<&QueueUrl> =
        function.watched_queues.iter().filter(|queue| queue.name() == action.value).collect();
    if queues.is_empty() {
        return Ok(Some(note("I have no such queue. `/dd queue` shows what there is.")));
    }
    Ok(Some(retry(function, &queues, &action.user).await?))
}

/// Where a dead letter goes: a remediator's task back to where its request came from, past the
/// coordinator's checks, for people may have said "off", "ignore" or "undo" meanwhile.
fn route(function: &SlackFunction, queue: &QueueUrl, body: String) -> (QueueUrl, String) {
    let Ok(task) = serde_json::from_str::<RemediationTask>(&body) else { return (queue.clone(), body) };
    let Ok(request) = serde_json::to_string(&task.message_body) else { return (queue.clone(), body) };
    let target = if task.sqs_url.is_some() { &function.remediation_queue } else { &function.fix_queue };
    (target.clone(), request)
}

async fn retry(function: &SlackFunction, queues: &[&QueueUrl], user: &SlackUserId) -> Answer {
    let begun = Instant::now();
    let may_go_on = || begun.elapsed() < DEADLINE;
    let retried = queues.iter().map(|queue| {
        let route = |body| route(function, queue, body);
        function.queues.retry_dead_letters(queue, route, may_go_on)
    });
    // One queue that fails must not drop what another is doing halfway.
    let (retried, failed): (Vec<_>, Vec<_>) = join_all(retried).await.into_iter().partition(Result::is_ok);
    let retried: usize = retried.into_iter().flatten().sum();
    if retried > 0 {
        function.remember(user, Deed::Retried { messages: retried }).await;
    }
    if let Some(Err(error)) = failed.into_iter().next() {
        tracing::error!(%error, "cannot retry all dead letters");
        return Ok(note(&format!(
            ":warning: {} went back into the queue; then AWS did not do as it was asked. Press again in a minute.",
            count(retried as u64, "message")
        )));
    }
    if retried == 0 {
        return Ok(note(":white_check_mark: There is no dead letter to retry."));
    }
    let rest = if may_go_on() { "" } else { " There may be more: press again." };
    Ok(note(&format!(
        "{} went back into the queue. What cannot be handled this time either is parked again, and told of.{rest}",
        count(retried as u64, "message")
    )))
}
