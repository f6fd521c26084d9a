//! `/dd retry`, and the **Retry** button under a queue's dead letters.

use std::time::{Duration, Instant};

use futures::future::join_all;
use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::Command;
use super::{Answer, Backlog, CommandError};
use crate::aws::AwsError;
use crate::contracts::{Arriving, RemediationTask};
use crate::finding::event::HistoryEvent;
use crate::queue::QueueUrl;
use crate::queue::dead_letters::Retry;
use crate::slack::Content;
use crate::slack::blocks::note;
use crate::slack::request::BlockAction;
use crate::slack::text::count;

/// Slack waits three seconds, for what comes before and after too; what is left over is retried by the next
/// press.
pub(super) const DEADLINE: Duration = Duration::from_millis(1500);

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "retry",
    usage: "retry",
    does: "send back what could not be handled, as the *Retry* button does",
    who: Who::Operators,
    choices: &[],
    read: |words| words.is_empty().then_some(Command::Retry),
};

/// `/dd retry`: the dead letters of all queues go back.
pub(super) async fn run(backlog: &Backlog, user: &SlackUserId) -> Answer {
    let queues: Vec<&QueueUrl> = backlog.watched_queues.iter().collect();
    retry(backlog, &queues, user).await
}

/// The **Retry** button under one queue's dead letters.
pub(super) async fn clicked(
    backlog: &Backlog,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let queues: Vec<&QueueUrl> = backlog
        .watched_queues
        .iter()
        .filter(|queue| queue.name() == action.value)
        .collect();
    if queues.is_empty() {
        return Ok(Some(note(
            "I have no such queue. `/dd queue` shows what there is.",
        )));
    }
    Ok(Some(retry(backlog, &queues, &action.user).await?))
}

/// Where a dead letter goes: a remediator's task back to where its request came from, past the
/// coordinator's checks, for people may have said "off", "ignore" or "undo" meanwhile.
fn route(backlog: &Backlog, queue: &QueueUrl, body: String) -> (QueueUrl, String) {
    let Ok(task) = RemediationTask::read(&body, &backlog.home) else {
        return (queue.clone(), body);
    };
    let Ok(request) = serde_json::to_string(&task.message_body) else {
        return (queue.clone(), body);
    };
    let target = if task.sqs_url.is_some() {
        &backlog.remediation_queue
    } else {
        &backlog.fix_queue
    };
    (target.clone(), request)
}

async fn retry(backlog: &Backlog, queues: &[&QueueUrl], user: &SlackUserId) -> Answer {
    let until = Instant::now() + DEADLINE;
    let retried = queues.iter().map(|queue| {
        backlog
            .queues
            .retry_dead_letters(queue, |body| route(backlog, queue, body), until)
    });
    // One queue that fails must not drop what another is doing halfway.
    let (retried, ended): (Vec<usize>, Vec<_>) = join_all(retried).await.into_iter().unzip();
    let retried: usize = retried.into_iter().sum();
    if retried > 0 {
        backlog
            .history
            .remember(user, HistoryEvent::Retried { messages: retried })
            .await;
    }
    let went_back = format!(
        "{} went back into the queue",
        count(retried as u64, "message")
    );
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
            ":warning: AWS takes long, and nothing went back. Press again in a few seconds."
                .to_owned()
        }
        (_, may_be_more) => format!(
            "{went_back}. What cannot be handled this time either is parked again, and told of.{}",
            if may_be_more {
                " There may be more: press again in a few seconds."
            } else {
                ""
            }
        ),
    }))
}
