//! `/dd findings [state] [words]`: the newest findings, by state, page by page.

use super::definition::{Definition, Who};
use super::parse::Command;
use super::{Answer, CommandError, FindingActions};
use crate::finding::{Finding, StateName};
use crate::slack::blocks::{actions, button, message, note, section, sections};
use crate::slack::finding_words::{finding_line, headline};
use crate::slack::request::BlockAction;
use crate::slack::text::{code, prose};
use crate::slack::{Content, action};
use crate::store::{Cursor, Table};

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "findings",
    usage: "findings [open|fixing|ignored|fixed|undoing|deleted] [words]",
    does: "the newest findings, with their ids; each word narrows them down: of a rule, account, region, resource or severity",
    who: Who::Everybody,
    choices: &[],
    read: |words| Some(Command::Findings(FindingsFilter::of(words))),
};

/// The number of findings of each state on one page.
const LIMIT: usize = 10;

/// A choice of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingsFilter {
    /// The state; `None` for all but fixed and deleted.
    pub state: Option<StateName>,
    /// Words in lower case, `critical batch workers`: each is in the rule, account, region, resource, severity or
    /// headline.
    pub words: Option<String>,
}

impl FindingsFilter {
    /// Reads a state, wherever it is, and words to look for.
    pub(super) fn of(words: &[&str]) -> Self {
        let named = |word: &&str| {
            StateName::ALL
                .into_iter()
                .find(|state| state.as_str() == *word)
        };
        let state = words.iter().find_map(named);
        let is_state = |word: &&&str| state.is_some_and(|state| state.as_str() == **word);
        let words: Vec<&str> = words
            .iter()
            .filter(|word| !is_state(word))
            .copied()
            .collect();
        let words = crate::text::cut(&words.join(" "), 200);
        Self {
            state,
            words: (!words.is_empty()).then_some(words),
        }
    }

    fn wants(&self, finding: &Finding) -> bool {
        let Some(words) = &self.words else {
            return true;
        };
        let of_resource = &finding.resource;
        let parts = [
            finding.rule.as_str(),
            of_resource.account.as_str(),
            of_resource.region.as_str(),
            of_resource.id.as_str(),
            finding.id.as_str(),
            finding.severity.as_str(),
            finding.resource_name.as_deref().unwrap_or_default(),
            &headline(finding),
        ]
        .map(str::to_lowercase);
        let is_in = |word: &str| parts.iter().any(|part| part.contains(word));
        words.split_whitespace().all(is_in)
    }
}

pub(super) async fn run(table: &Table, filter: &FindingsFilter) -> Answer {
    let states = match filter.state {
        Some(state) => vec![state],
        None => vec![
            StateName::Open,
            StateName::Fixing,
            StateName::Undoing,
            StateName::Ignored,
        ],
    };
    let (mut blocks, mut total) = (Vec::new(), 0);
    for state in states {
        let (lines, more) = page(table, filter, state, None).await?;
        total += lines.len();
        blocks.extend(show(state, &lines, more, filter, Place::First));
    }
    if blocks.is_empty() {
        return Ok(none(filter));
    }
    Ok(message(&format!("Findings: {total} shown."), blocks))
}

/// **Older** or **Newest** was pressed: another page replaces this one.
pub(super) async fn turned(
    findings: &FindingActions,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let Some((state, from, words)) = read_value(&action.value) else {
        return Ok(Some(note(
            "I do not know that page any more. `/dd findings` shows the newest findings.",
        )));
    };
    let filter = FindingsFilter {
        state: Some(state),
        words,
    };
    let (lines, more) = page(&findings.table, &filter, state, from.as_ref()).await?;
    let place = if from.is_some() {
        Place::Later
    } else {
        Place::First
    };
    let blocks = show(state, &lines, more, &filter, place);
    let content = match blocks.is_empty() {
        true => none(&filter),
        false => message(&format!("Findings: {} shown.", lines.len()), blocks),
    };
    super::autoresponse::settle(&findings.slack, action, content).await
}

async fn page(
    table: &Table,
    filter: &FindingsFilter,
    state: StateName,
    from: Option<&Cursor>,
) -> Result<(Vec<String>, Option<Cursor>), CommandError> {
    let (records, more) = table
        .page(state, from, LIMIT, |finding| filter.wants(finding))
        .await?;
    Ok((
        records
            .iter()
            .map(|record| bullet(&record.finding))
            .collect(),
        more,
    ))
}

pub(super) fn bullet(finding: &Finding) -> String {
    format!("• {}", finding_line(finding))
}

enum Place {
    First,
    Later,
}

fn show(
    state: StateName,
    lines: &[String],
    more: Option<Cursor>,
    filter: &FindingsFilter,
    place: Place,
) -> Vec<slack_morphism::prelude::SlackBlock> {
    let mut buttons = Vec::new();
    if matches!(place, Place::Later) {
        buttons.push(button(
            action::NEWEST_FINDINGS,
            "Newest",
            &value(state, None, filter),
        ));
    }
    buttons.extend(more.map(|more| {
        button(
            action::OLDER_FINDINGS,
            "Older",
            &value(state, Some(&more), filter),
        )
    }));
    if lines.is_empty() && buttons.is_empty() {
        return Vec::new();
    }
    let title = match (&filter.words, lines.is_empty()) {
        (None, _) => format!("*{}*", title(state)),
        (Some(words), false) => format!("*{}*, with {}", title(state), code(words)),
        (Some(words), true) => {
            format!("*{}*: none with {} on this page", title(state), code(words))
        }
    };
    let mut blocks = vec![section(&title)];
    blocks.extend(sections(lines.iter().cloned()));
    if !buttons.is_empty() {
        blocks.push(actions(buttons));
    }
    blocks
}

fn none(filter: &FindingsFilter) -> Content {
    let Some(words) = &filter.words else {
        let nothing = match filter.state {
            None => "No finding is open, fixing, undoing or ignored",
            Some(StateName::Open) => "No finding is open",
            Some(StateName::Fixing) => "No fix is under way",
            Some(StateName::Ignored) => "No finding is ignored",
            Some(StateName::Fixed) => "No finding is fixed",
            Some(StateName::Undoing) => "No undo is under way",
            Some(StateName::Deleted) => "No resource of a finding was deleted",
        };
        return note(&format!(":white_check_mark: {nothing}."));
    };
    let which = filter
        .state
        .map_or("open, fixing, undoing or ignored", StateName::as_str);
    let meant = StateName::ALL.map(StateName::as_str).into_iter();
    let meant = meant
        .filter(|state| filter.state.is_none() && strsim::damerau_levenshtein(state, words) <= 2);
    let meant: String = meant
        .map(|state| format!(" Did you mean `/dd findings {state}`?"))
        .collect();
    note(&format!(
        "No finding that is {which} has {} in it.{meant}",
        prose(words, 100)
    ))
}

/// The value of a button: state, place and words, a line each.
fn value(state: StateName, from: Option<&Cursor>, filter: &FindingsFilter) -> String {
    let from = from.map_or_else(String::new, Cursor::to_string);
    format!(
        "{}\n{from}\n{}",
        state.as_str(),
        filter.words.as_deref().unwrap_or_default()
    )
}

fn read_value(value: &str) -> Option<(StateName, Option<Cursor>, Option<String>)> {
    let mut lines = value.splitn(3, '\n');
    let (state, from, words) = (lines.next()?, lines.next()?, lines.next()?);
    let state = StateName::ALL
        .into_iter()
        .find(|name| name.as_str() == state)?;
    let from = if from.is_empty() {
        None
    } else {
        Some(from.parse().ok()?)
    };
    Some((state, from, (!words.is_empty()).then(|| words.to_owned())))
}

fn title(state: StateName) -> &'static str {
    match state {
        StateName::Open => "Open",
        StateName::Fixing => "Fixing",
        StateName::Ignored => "Ignored",
        StateName::Fixed => "Fixed",
        StateName::Undoing => "Undoing",
        StateName::Deleted => "Deleted",
    }
}
