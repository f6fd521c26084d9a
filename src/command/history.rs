//! `/dd history [id]`: who did what when.

use super::Answer;
use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use crate::finding::Actor;
use crate::finding::event::{Entry, HistoryEvent};
use crate::ids::FindingId;
use crate::slack::blocks::{message, note, section, sections};
use crate::slack::text::{actor, code, escape, prose, when};
use crate::store::Table;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "history",
    usage: "history [id]",
    does: "who did what when, of one finding or of all",
    who: Who::Everybody,
    choices: &[],
    read: |words| match words {
        [] => Some(Command::History(None)),
        words => with_id(words, |id| Command::History(Some(id))),
    },
};

/// The number of lines of one answer.
const LIMIT: usize = 30;

pub(super) async fn run(table: &Table, finding: Option<&FindingId>) -> Answer {
    let entries = match finding {
        Some(id) => table.history_of(id, LIMIT).await?,
        None => table.history(None, LIMIT).await?,
    };
    if entries.is_empty() {
        return Ok(match finding {
            Some(id) => note(&format!(
                "Nothing is known of {}. `/dd findings` lists what is.",
                code(id.as_str())
            )),
            None => note("Nobody has done anything yet."),
        });
    }
    let heading = match finding {
        Some(id) => format!("*The history of {}*", code(id.as_str())),
        None => "*Who did what*".to_owned(),
    };
    let sections = sections(entries.iter().map(|entry| line(entry, finding.is_none())));
    let text = format!("{heading}, the newest {} first", entries.len());
    Ok(message(
        &text,
        std::iter::once(section(&text)).chain(sections).collect(),
    ))
}

pub(super) fn line(entry: &Entry, with_finding: bool) -> String {
    let about = match (&entry.finding, &entry.resource) {
        (Some(id), Some(resource)) if with_finding => {
            format!(
                " ({} {})",
                code(id.as_str()),
                escape(&crate::text::cut(resource, 60))
            )
        }
        _ => String::new(),
    };
    let by = match &entry.by {
        Actor::External => String::new(),
        by => format!("{} ", actor(by)),
    };
    let event = match &entry.event {
        // The time is shown in the reader's own time zone.
        HistoryEvent::Ignored {
            reason,
            until: Some(until),
        } => {
            format!("ignored it until {}: {}", when(*until), prose(reason, 300))
        }
        event => prose(&event.to_string(), 300),
    };
    let again = if entry.times > 1 {
        format!(" ({} times within the hour)", entry.times)
    } else {
        String::new()
    };
    format!("• {} · {by}{event}{again}{about}", when(entry.at))
}
