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

/// Looks for the dead letter in all queues, and deletes it. The history has it first: a letter that is gone can be
/// read nowhere else.
pub(super) async fn run(backlog: &Backlog, id: &MessageId, user: &SlackUserId) -> Answer {
    let until = Instant::now() + DEADLINE;
    let looks = backlog.watched_queues.iter().map(async |queue| {
        let found = backlog.queues.find_dead_letters(queue, id, until).await;
        found.map(|letters| (queue, letters))
    });
    let looks = join_all(looks).await;
    let found = looks.iter().flatten();
    let Some((queue, letters)) = found.into_iter().find(|(_, letters)| !letters.is_empty()) else {
        return match looks.into_iter().find_map(Result::err) {
            Some(error) => Err(error.into()),
            None => Ok(note(&format!(
                "I see no dead letter {}. One that somebody has just looked for is hidden for two seconds. `/dd queue` lists them.",
                code(id.as_str())
            ))),
        };
    };
    let reason = &letters[0].reason;
    let event = HistoryEvent::Discarded {
        queue: queue.name().to_owned(),
        message: id.clone(),
        reason: reason.clone(),
    };
    backlog.history.remember(user, event).await;
    for letter in letters {
        backlog.queues.discard(queue, letter).await?;
    }
    Ok(note(&format!(
        "The dead letter {} of {} was deleted. It was there because: {}",
        code(id.as_str()),
        code(queue.name()),
        prose(reason, 300)
    )))
}
