//! The app's Home tab: the account at a glance, its open findings with their buttons, what is
//! ignored, and who did what.

use jiff::SignedDuration;
use slack_morphism::prelude::*;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::{Overview, findings, help, history, status};
use crate::contracts::Switch;
use crate::finding::StateName;
use crate::finding::fold::{folded, is_by_somebody};
use crate::finding::order::worst_first;
use crate::slack::action;
use crate::slack::blocks::{actions, button, confirm, section, sections};
use crate::slack::finding_buttons::buttons;
use crate::slack::finding_words::{bullet, finding_line};
use crate::slack::page::Page;
use crate::store::{Reading, TableError};

/// How many findings one page shows, each with its buttons.
const FINDINGS: usize = 5;

/// How many ignored findings, and how many events of the history.
const LINES: usize = 10;

/// The number of events of the history that are looked through for what people and auto-response did.
const LOOKED_THROUGH: usize = 250;

/// What a user sees; `from` the number of open findings before those that are shown, `told` what came of a click.
pub(super) async fn run(
    overview: &Overview,
    from: usize,
    told: Option<Vec<SlackBlock>>,
) -> SlackHomeView {
    let (status, switch, ages, open, ignored, events) = tokio::join!(
        status::run(overview),
        timeout(status::DEADLINE, overview.schedule.state()),
        status::part("Open by age", ages(overview)),
        timeout(status::DEADLINE, open(overview, from)),
        timeout(status::DEADLINE, ignored(overview)),
        timeout(status::DEADLINE, events(overview)),
    );
    let mut blocks = told.unwrap_or_default();
    blocks.extend(status.blocks.unwrap_or_default());
    let refresh = button(action::REFRESH_HOME, "Refresh", "home");
    blocks.push(actions(
        switch
            .ok()
            .and_then(Result::ok)
            .map(switch_button)
            .into_iter()
            .chain([refresh])
            .collect(),
    ));
    blocks.push(SlackDividerBlock::new().into());
    blocks.push(section(&ages));
    blocks.extend(or_warning("Open findings", open));
    blocks.push(SlackDividerBlock::new().into());
    blocks.extend(or_warning("Ignored", ignored));
    blocks.extend(or_warning("Who did what", events));
    blocks.push(SlackDividerBlock::new().into());
    blocks.extend(
        help::run(&super::registry::COMMANDS)
            .blocks
            .unwrap_or_default(),
    );
    SlackHomeView::new(blocks)
}

/// A part's blocks, or that it could not be read.
fn or_warning(
    name: &str,
    part: Result<Result<Vec<SlackBlock>, TableError>, Elapsed>,
) -> Vec<SlackBlock> {
    match part {
        Ok(Ok(blocks)) => blocks,
        Ok(Err(error)) => {
            tracing::error!(%error, part = name, "cannot read a part of the Home tab");
            vec![section(&format!(":warning: *{name}* could not be read"))]
        }
        Err(_) => vec![section(&format!(
            ":warning: *{name}* could not be read in time"
        ))],
    }
}

fn switch_button(rule: Switch) -> SlackBlockButtonElement {
    match rule {
        Switch::On => button(action::AUTORESPONSE_OFF, "Turn auto-response off", "off"),
        Switch::Off => {
            let what = "Violations are then fixed every minute without asking. What waits is checked again first; what is ignored stays.";
            button(action::AUTORESPONSE_ON, "Turn auto-response on", "on").with_confirm(confirm(
                "Turn auto-response on?",
                what,
                "Turn on",
            ))
        }
    }
}

/// How long the open findings have been open.
async fn ages(overview: &Overview) -> Result<String, TableError> {
    let now = overview.clock.now();
    let (day, week) = (
        now - SignedDuration::from_hours(24),
        now - SignedDuration::from_hours(7 * 24),
    );
    let count = |from, to| overview.table.count_between(StateName::Open, from, to);
    let (young, middle, old) = tokio::try_join!(
        count(Some(day), None),
        count(Some(week), Some(day)),
        count(None, Some(week)),
    )?;
    Ok(format!(
        "*Open by age*\nless than a day: {young} · a day to a week: {middle} · longer: {old}"
    ))
}

async fn open(overview: &Overview, from: usize) -> Result<Vec<SlackBlock>, TableError> {
    let Reading {
        mut findings,
        is_whole,
    } = overview.table.read_state(StateName::Open).await?;
    if findings.is_empty() {
        return Ok(vec![section(":white_check_mark: No finding is open.")]);
    }
    worst_first(&mut findings);
    let (page, shown) = Page::of(&findings, from, FINDINGS, is_whole);
    let totals = findings::totals(&page, &findings);
    let mut blocks = vec![section(&format!("*Open findings:* {totals}"))];
    for finding in shown {
        blocks.push(section(&finding_line(finding)));
        blocks.extend(buttons(finding));
    }
    let ids = [action::PREVIOUS_IN_HOME, action::NEXT_IN_HOME];
    let pages = page.buttons(ids, |from| from.to_string());
    blocks.extend((!pages.is_empty()).then(|| actions(pages)));
    Ok(blocks)
}

async fn ignored(overview: &Overview) -> Result<Vec<SlackBlock>, TableError> {
    let Reading {
        mut findings,
        is_whole,
    } = overview.table.read_state(StateName::Ignored).await?;
    if findings.is_empty() {
        return Ok(vec![section("*Ignored:* nothing")]);
    }
    worst_first(&mut findings);
    let (page, shown) = Page::of(&findings, 0, LINES, is_whole);
    let totals = findings::totals(&page, &findings);
    let mut blocks = vec![section(&format!("*Ignored:* {totals}"))];
    let more = findings.len() - shown.len();
    let more = (more > 0).then(|| format!("• and {more} more: `/dd ignored` lists them"));
    blocks.extend(sections(shown.iter().map(bullet).chain(more)));
    Ok(blocks)
}

/// What people and auto-response did last.
async fn events(overview: &Overview) -> Result<Vec<SlackBlock>, TableError> {
    let mut entries = overview.table.history(None, LOOKED_THROUGH).await?;
    entries.retain(is_by_somebody);
    let mut folds = folded(&entries);
    folds.truncate(LINES);
    let mut blocks = vec![section("*Who did what*")];
    match folds.is_empty() {
        true => blocks.push(section("nothing yet")),
        false => blocks.extend(sections(history::lines(&folds, true))),
    }
    Ok(blocks)
}
