//! `/dd history [id]`: who did what when, page by page.

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, CommandError};
use crate::finding::Actor;
use crate::finding::event::{Entry, HistoryEvent};
use crate::finding::fold::{Fold, Row, folded};
use crate::ids::FindingId;
use crate::slack::blocks::{actions, message, note, section, sections};
use crate::slack::client::Slack;
use crate::slack::page::Page;
use crate::slack::request::BlockAction;
use crate::slack::text::{actor, code, count, escape, prose, when};
use crate::slack::{Content, action};
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

/// The number of lines of one page.
const LIMIT: usize = 30;

/// The number of entries that are read first.
const READ_AT_ONCE: usize = 250;

/// The number of findings of a fold that are named.
const NAMED: usize = 3;

pub(super) async fn run(table: &Table, finding: Option<&FindingId>) -> Answer {
    page(table, finding, 0).await
}

/// A button to another page was pressed: that page replaces this one.
pub(super) async fn turned(
    table: &Table,
    slack: &Slack,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let (from, finding) = action.value.split_once(' ').unwrap_or_default();
    let (from, finding) = (from.parse().unwrap_or_default(), finding.parse().ok());
    let answer = page(table, finding.as_ref(), from).await?;
    super::settle::settle(slack, action, answer).await
}

/// The lines behind the newest `from`. As many entries are read as it takes to fill the page: what repeats itself
/// is folded before it is cut into pages.
async fn page(table: &Table, finding: Option<&FindingId>, from: usize) -> Answer {
    let (mut read, mut entries, mut is_whole) = (READ_AT_ONCE, Vec::new(), false);
    while !is_whole && folded(&entries).len() <= from + LIMIT {
        entries = match finding {
            Some(id) => table.history_of(id, read).await?,
            None => table.history(None, read).await?,
        };
        is_whole = entries.len() < read;
        read *= 4;
    }
    if entries.is_empty() {
        return Ok(match finding {
            Some(id) => note(&format!(
                "Nothing is known of {}. `/dd findings` lists what is.",
                code(id.as_str())
            )),
            None => note("Nobody has done anything yet."),
        });
    }
    let lines = lines(&folded(&entries), finding.is_none());
    let (page, shown) = Page::of(&lines, from, LIMIT, is_whole);
    let heading = match finding {
        Some(id) => format!("*The history of {}*", code(id.as_str())),
        None => "*Who did what*".to_owned(),
    };
    let span = page
        .span()
        .map_or_else(String::new, |span| format!(", {span}"));
    let text = format!("{heading}, the newest first{span}");
    let mut blocks = vec![section(&text)];
    blocks.extend(sections(shown.iter().cloned()));
    let ids = [action::PREVIOUS_IN_HISTORY, action::NEXT_IN_HISTORY];
    let buttons = page.buttons(ids, |from| {
        format!("{from} {}", finding.map_or("", FindingId::as_str))
    });
    blocks.extend((!buttons.is_empty()).then(|| actions(buttons)));
    Ok(message(&text, blocks))
}

/// The lines of a list of the history.
pub(super) fn lines(folds: &[Fold<'_>], with_finding: bool) -> Vec<String> {
    let line = |fold: &Fold<'_>| match fold {
        Fold::One(entry) => line(entry, with_finding),
        Fold::Refusals {
            newest,
            what,
            times,
        } => refusals(newest, what, *times),
        Fold::Many {
            newest,
            what,
            findings,
        } => many(newest, *what, findings),
    };
    folds.iter().map(line).collect()
}

fn refusals(newest: &Entry, what: &str, times: u32) -> String {
    let often = match times {
        1 => String::new(),
        times => format!(" ({times} times)"),
    };
    format!(
        "• {} · {} was refused (not an operator here): {}{often}",
        when(newest.at),
        actor(&newest.by),
        prose(what, 200)
    )
}

/// `@alice fixed 48 of 50 findings: f-1, f-2, f-3 and 47 more`
fn many(newest: &Entry, what: Row, findings: &[FindingId]) -> String {
    let number = count(findings.len() as u64, "finding");
    let did = match what {
        Row::Found => format!("AWS Config found {number}"),
        Row::Fixes { made } if made == findings.len() => {
            format!("{} fixed {number}", actor(&newest.by))
        }
        Row::Fixes { made } => format!(
            "{} asked for fixes of {number}, of which {made} {} made",
            actor(&newest.by),
            if made == 1 { "was" } else { "were" }
        ),
    };
    let named = findings.iter().take(NAMED);
    let named: Vec<String> = named.map(|id| code(id.as_str())).collect();
    format!(
        "• {} · {did}: {} and {} more (`/dd history <id>` tells of one)",
        when(newest.at),
        named.join(", "),
        findings.len().saturating_sub(NAMED),
    )
}

fn line(entry: &Entry, with_finding: bool) -> String {
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
    format!("• {} · {by}{event}{about}", when(entry.at))
}
