//! `/dd discard <id>`, and the **Discard** button of a dead letter.

use std::time::Instant;

use futures::future::join_all;
use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::Command;
use super::retry::DEADLINE;
use super::{Answer, Backlog};
use crate::finding::event::HistoryEvent;
use crate::ids::MessageId;
use crate::queue::dead_letters::DeadLetter;
use crate::slack::blocks::note;
use crate::slack::text::{code, prose};

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "discard",
    usage: "discard <id>",
    does: "delete a dead letter that `/dd queue` lists",
    who: Who::Operators,
    choices: &[],
    read: |words| {
        let [id] = words else { return None };
        id.parse().ok().map(Command::Discard)
    },
};

/// Looks for the dead letter in all queues, and deletes it.
pub(super) async fn run(backlog: &Backlog, id: &MessageId, user: &SlackUserId) -> Answer {
    let until = Instant::now() + DEADLINE;
    let queues = backlog.watched_queues.iter();
    let discards = queues.map(async |queue| {
        let discarded = backlog.queues.discard_dead_letter(queue, id, until).await;
        discarded.map(|letter| letter.map(|letter| (queue, letter)))
    });
    let (discarded, failed): (Vec<_>, Vec<_>) = join_all(discards)
        .await
        .into_iter()
        .partition(Result::is_ok);
    let discarded = discarded
        .into_iter()
        .filter_map(Result::ok)
        .flatten()
        .next();
    if let Some((queue, DeadLetter { reason, .. })) = discarded {
        let event = HistoryEvent::Discarded {
            queue: queue.name().to_owned(),
            message: id.clone(),
            reason: reason.clone(),
        };
        backlog.history.remember(user, event).await;
        return Ok(note(&format!(
            "The dead letter {} of {} was deleted. It was there because: {}",
            code(id.as_str()),
            code(queue.name()),
            prose(&reason, 300)
        )));
    }
    match failed.into_iter().find_map(Result::err) {
        Some(error) => Err(error.into()),
        None => Ok(note(&format!(
            "I see no dead letter {}. It may be hidden for a few seconds after somebody looked for it. `/dd queue` lists them.",
            code(id.as_str())
        ))),
    }
}
