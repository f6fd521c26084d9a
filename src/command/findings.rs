//! `/dd findings [state] [words]`: the findings by state, the worst first, page by page.

use futures::future::try_join_all;
use slack_morphism::prelude::SlackBlock;

use super::definition::{Definition, Who};
use super::parse::Command;
use super::{Answer, CommandError, FindingActions};
use crate::finding::order::{by_severity, worst_first};
use crate::finding::{Finding, StateName};
use crate::slack::blocks::{actions, message, note, section, sections};
use crate::slack::finding_words::{bullet, headline};
use crate::slack::page::Page;
use crate::slack::request::BlockAction;
use crate::slack::text::{code, prose};
use crate::slack::{Content, action};
use crate::store::{Reading, Table};

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "findings",
    usage: "findings [open|fixing|ignored|fixed|undoing|deleted] [words]",
    does: "the findings, the worst first, with their ids; each word narrows them down: of a rule, account, region, resource or severity",
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

/// What stands for the list where blocks are not shown.
const TEXT: &str = "Findings, the worst first.";

/// The states that are listed where none is named, in the order of the list.
const LISTED: [StateName; 4] = [
    StateName::Open,
    StateName::Fixing,
    StateName::Undoing,
    StateName::Ignored,
];

pub(super) async fn run(table: &Table, filter: &FindingsFilter) -> Answer {
    let states = match &filter.state {
        Some(state) => std::slice::from_ref(state),
        None => &LISTED,
    };
    let lists = states
        .iter()
        .map(async |state| page(table, filter, *state, 0).await);
    let lists = try_join_all(lists).await?;
    let is_whole = lists.iter().all(|(is_whole, _)| *is_whole);
    let blocks: Vec<SlackBlock> = lists.into_iter().flat_map(|(_, blocks)| blocks).collect();
    if blocks.is_empty() {
        return Ok(none(filter, is_whole));
    }
    Ok(message(TEXT, blocks))
}

/// A button to another page was pressed: that page replaces this one.
pub(super) async fn turned(
    findings: &FindingActions,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let Some((state, from, words)) = read_value(&action.value) else {
        return Ok(Some(note(
            "I do not know that page any more. `/dd findings` lists the findings.",
        )));
    };
    let filter = FindingsFilter {
        state: Some(state),
        words,
    };
    let (is_whole, blocks) = page(&findings.table, &filter, state, from).await?;
    let content = match blocks.is_empty() {
        true => none(&filter, is_whole),
        false => message(TEXT, blocks),
    };
    super::settle::settle(&findings.slack, action, content).await
}

/// One page of a state's findings, behind `from` of them, and whether all of them could be read.
async fn page(
    table: &Table,
    filter: &FindingsFilter,
    state: StateName,
    from: usize,
) -> Result<(bool, Vec<SlackBlock>), CommandError> {
    let mut reading = table.read_state(state).await?;
    reading.findings.retain(|finding| filter.wants(finding));
    worst_first(&mut reading.findings);
    Ok((reading.is_whole, show(&reading, from, filter, state)))
}

fn show(
    Reading { findings, is_whole }: &Reading,
    from: usize,
    filter: &FindingsFilter,
    state: StateName,
) -> Vec<SlackBlock> {
    if findings.is_empty() {
        return Vec::new();
    }
    let (page, shown) = Page::of(findings, from, LIMIT, *is_whole);
    let mut title = format!("*{}*", title(state));
    if let Some(words) = &filter.words {
        title += &format!(", with {}", code(words));
    }
    title += &format!(": {}", totals(&page, findings));
    let mut blocks = vec![section(&title)];
    blocks.extend(sections(shown.iter().map(bullet)));
    let ids = [action::PREVIOUS_FINDINGS, action::NEXT_FINDINGS];
    let buttons = page.buttons(ids, |from| value(state, from, filter));
    blocks.extend((!buttons.is_empty()).then(|| actions(buttons)));
    blocks
}

/// `212 (3 critical, 9 high, 200 medium) · 31–60 of 212, the worst first`
pub(super) fn totals(page: &Page, findings: &[Finding]) -> String {
    let numbers: Vec<String> = by_severity(findings)
        .into_iter()
        .map(|(severity, number)| format!("{number} {severity}"))
        .collect();
    let span = page
        .span()
        .map_or_else(String::new, |span| format!(" · {span}, the worst first"));
    let read = if page.is_whole() {
        ""
    } else {
        " of those read"
    };
    format!("{} ({}{read}){span}", page.total(), numbers.join(", "))
}

fn none(filter: &FindingsFilter, is_whole: bool) -> Content {
    if !is_whole {
        return note(
            "There are more findings than could be read in time, and none of those that were read is asked for. Name a state: `/dd findings open …`.",
        );
    }
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

/// The value of a button: state, number of findings before the page, and words, a line each.
fn value(state: StateName, from: usize, filter: &FindingsFilter) -> String {
    let words = filter.words.as_deref().unwrap_or_default();
    format!("{}\n{from}\n{words}", state.as_str())
}

fn read_value(value: &str) -> Option<(StateName, usize, Option<String>)> {
    let mut lines = value.splitn(3, '\n');
    let (state, from, words) = (lines.next()?, lines.next()?, lines.next()?);
    let state = StateName::ALL
        .into_iter()
        .find(|name| name.as_str() == state)?;
    // In version 0.1 a button named a finding there: its list begins again.
    let from = from.parse().unwrap_or_default();
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
