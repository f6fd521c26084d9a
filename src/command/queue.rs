//! `/dd queue`: what auto-response would do now, request by request, without doing it, and what
//! could not be handled; `/dd retry`.

use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use slack_morphism::prelude::*;

use super::status::auto_response_line;
use super::{Answer, CommandError, SlackFunction};
use crate::aws::{AwsError, AwsErrorKind};
use crate::coordinator::Next;
use crate::dead_letters::{DeadLetter, Retry};
use crate::finding::history::Deed;
use crate::queue::{QueueMessage, QueueUrl};
use crate::remediation::{Change, RemediationRequest, RemediationTask};
use crate::slack::Content;
use crate::slack::action;
use crate::slack::blocks::{actions, button, message, note, section};
use crate::slack::finding_message::changes_list;
use crate::slack::request::BlockAction;
use crate::slack::text::{code, count, prose};

/// How many dead letters of each queue one answer shows.
const LETTERS: usize = 3;

/// Slack waits three seconds, for what comes before and after too; what is left over is retried by the next
/// press.
const DEADLINE: Duration = Duration::from_millis(1500);

/// How long planning what one request would change may take.
const PLANNING: Duration = Duration::from_millis(1200);

pub(super) async fn run(function: &SlackFunction) -> Answer {
    // Before looking at them: what somebody looks at does not count as waiting.
    let waiting = function.queues.waiting(&function.remediation_queue).await?;
    let (rule, recorded, requests, letters) = tokio::join!(
        function.schedule.state(),
        function.table.auto_response(),
        next_requests(function),
        all_dead_letters(function),
    );
    let line = auto_response_line(rule?, &recorded?);
    let (told, requests) = (told(waiting, function.blast_radius), requests?);
    let mut blocks = vec![section(&line), section(&told)];
    blocks.extend(requests.iter().map(|request| section(request)));
    blocks.extend(letters?.iter().flat_map(|(queue, letters)| dead(queue, letters)));
    Ok(message(&format!("{line}. {told}"), blocks))
}

fn told(waiting: u64, blast_radius: u32) -> String {
    match waiting {
        0 => "*Nothing waits* for auto-response.".to_owned(),
        waiting => format!(
            "*What auto-response would do now*, request by request · about {} wait, of which one run passes on {blast_radius} before it asks",
            count(waiting, "request")
        ),
    }
}

/// Looks at the next requests without taking them, and says what would become of each.
async fn next_requests(function: &SlackFunction) -> Result<Vec<String>, CommandError> {
    let queue = &function.remediation_queue;
    let seen = function.queues.look_at(queue).await?;
    let now = Timestamp::now();
    let told = join_all(seen.iter().map(|(message, sent_at)| would(function, message, *sent_at, now))).await;
    // What was looked at is there for auto-response again.
    let back = join_all(seen.iter().map(|(message, _)| function.queues.come_back(queue, message, 0))).await;
    for error in back.into_iter().filter_map(Result::err) {
        tracing::info!(%error, "a request that was looked at comes back by itself");
    }
    Ok(told)
}

/// What would become of one request.
async fn would(
    function: &SlackFunction,
    message: &QueueMessage,
    sent_at: Option<Timestamp>,
    now: Timestamp,
) -> String {
    let request: RemediationRequest = match serde_json::from_str(&message.body) {
        Ok(request) => request,
        Err(error) => {
            let what = format!("not a remediation request: {error}");
            return format!("• {}: would be parked, {}", code(&message.id), prose(&what, 200));
        }
    };
    let id = request.finding(&function.decider.home);
    let name = format!("• {} {}", code(id.as_str()), code(request.target_resource_id.as_str()));
    let next = tokio::time::timeout(PLANNING, decided(function, &request, sent_at, now)).await;
    match next {
        Ok(Ok(what)) => format!("{name}: {what}"),
        Ok(Err(error)) => {
            tracing::warn!(%error, finding_id = %id, "cannot say what auto-response would do");
            format!("{name}: :warning: could not be found out")
        }
        Err(_) => format!("{name}: :warning: could not be found out in time"),
    }
}

async fn decided(
    function: &SlackFunction,
    request: &RemediationRequest,
    sent_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<String, CommandError> {
    match function.decider.decide(request, sent_at, now).await? {
        Next::LetGo(reason) => Ok(format!("would be let go: {reason}")),
        Next::Leave => Ok("would wait: a fix or an undo of it is on its way".to_owned()),
        Next::PassOn => planned(function, request).await,
    }
}

/// The live plan, as the remediator would make it.
async fn planned(function: &SlackFunction, request: &RemediationRequest) -> Result<String, CommandError> {
    let resource = request.resource(&function.decider.home);
    let (about, prepared) = tokio::join!(
        function.remediations.about(&resource),
        function.remediations.prepare(request.violation_type, &resource)
    );
    if let Ok(about) = &about
        && let Some(reason) = about.ignored_because()
    {
        return Ok(format!("would be left alone, its tag says: {}", prose(reason, 200)));
    }
    match prepared {
        Err(error) if error.kind == AwsErrorKind::NotFound => Ok("would be let go: it is gone".to_owned()),
        Err(error) => Err(error.into()),
        Ok(prepared) if prepared.changes().is_empty() => Ok("would be let go: it is clean by now".to_owned()),
        Ok(prepared) => {
            Ok(format!("would\n{}", changes_list(prepared.changes().iter().map(Change::to_string))))
        }
    }
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
    let until = Instant::now() + DEADLINE;
    let retried = queues
        .iter()
        .map(|queue| function.queues.retry_dead_letters(queue, |body| route(function, queue, body), until));
    // One queue that fails must not drop what another is doing halfway.
    let (retried, ended): (Vec<usize>, Vec<_>) = join_all(retried).await.into_iter().unzip();
    let retried: usize = retried.into_iter().sum();
    if retried > 0 {
        function.remember(user, Deed::Retried { messages: retried }).await;
    }
    let went_back = format!("{} went back into the queue", count(retried as u64, "message"));
    let ended = match ended.into_iter().collect::<Result<Vec<Retry>, AwsError>>() {
        Ok(ended) => ended,
        Err(error) => {
            tracing::error!(%error, "cannot retry all dead letters");
            return Ok(note(&format!(
                ":warning: {went_back}; then AWS did not do as it was asked. Press again in a minute."
            )));
        }
    };
    Ok(note(&match (retried, ended.contains(&Retry::OfSome)) {
        (0, false) => ":white_check_mark: There is no dead letter to retry.".to_owned(),
        (0, true) => {
            ":warning: AWS takes long, and nothing went back. Press again in a few seconds.".to_owned()
        }
        (_, may_be_more) => format!(
            "{went_back}. What cannot be handled this time either is parked again, and told of.{}",
            if may_be_more { " There may be more: press again in a few seconds." } else { "" }
        ),
    }))
}
