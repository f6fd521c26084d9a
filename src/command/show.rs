//! `/dd show <id>`: a finding's message as it is now, and its history.

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, history, refused};
use crate::ids::FindingId;
use crate::slack::blocks::message;
use crate::slack::finding_message::finding_message;
use crate::store::Table;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "show",
    usage: "show <id>",
    does: "a finding's whole story",
    who: Who::Everybody,
    choices: &[],
    read: |words| with_id(words, Command::Show),
};

/// The finding's message as it is now, and its story.
pub(super) async fn run(table: &Table, id: &FindingId) -> Answer {
    let Some(record) = table.get(id).await? else {
        return Ok(refused(id, None));
    };
    let shown = finding_message(&record.finding, None);
    let story = history::run(table, Some(id)).await?;
    let blocks = [
        shown.blocks.unwrap_or_default(),
        story.blocks.unwrap_or_default(),
    ]
    .concat();
    Ok(message(&shown.text.unwrap_or_default(), blocks))
}
