//! `/dd queue`: what auto-response would do now, finding by finding, without doing it, and what
//! could not be handled.

use futures::future::try_join_all;
use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::forecast::Forecast;
use super::parse::Command;
use super::status::auto_response_line;
use super::{Answer, Backlog, CommandError, Overview};
use crate::aws::AwsError;
use crate::queue::QueueUrl;
use crate::queue::dead_letters::DeadLetter;
use crate::slack::blocks::{actions, button, confirm, message, section, section_with, sections};
use crate::slack::client::Slack;
use crate::slack::page::Page;
use crate::slack::request::BlockAction;
use crate::slack::text::{code, count, prose};
use crate::slack::{Content, action};

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "queue",
    usage: "queue",
    does: "what auto-response would do now, finding by finding, and what could not be handled",
    who: Who::Everybody,
    choices: &[],
    read: |words| words.is_empty().then_some(Command::Queue),
};

/// The number of dead letters of each queue that one answer shows.
const LETTERS: usize = 3;

/// The number of findings on one page.
const SHOWN: usize = 10;

pub(super) async fn run(overview: &Overview) -> Answer {
    page(overview, 0).await
}

/// A button to another page was pressed: that page replaces this one.
pub(super) async fn turned(
    overview: &Overview,
    slack: &Slack,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let answer = page(overview, action.value.parse().unwrap_or_default()).await?;
    super::settle::settle(slack, action, answer).await
}

async fn page(overview: &Overview, from: usize) -> Answer {
    let (rule, recorded, forecast, letters) = tokio::join!(
        overview.schedule.state(),
        overview.table.auto_response(),
        Forecast::read(&overview.table, overview.clock.now()),
        all_dead_letters(&overview.backlog),
    );
    let line = auto_response_line(rule?, &recorded?);
    let forecast = forecast?;
    let lines = forecast.lines();
    let (page, shown) = Page::of(&lines, from, SHOWN, forecast.is_whole());
    let span = page
        .span()
        .map_or_else(String::new, |span| format!("\n{span}, the worst first"));
    let told = format!(
        "*What auto-response would do now:* {}. One run makes at most {}, then it asks.{span}",
        forecast.numbers(),
        count(u64::from(overview.blast_radius), "fix"),
    );
    let mut blocks = vec![section(&line), section(&told)];
    blocks.extend(sections(shown.iter().cloned()));
    let ids = [action::PREVIOUS_IN_QUEUE, action::NEXT_IN_QUEUE];
    let buttons = page.buttons(ids, |from| from.to_string());
    blocks.extend((!buttons.is_empty()).then(|| actions(buttons)));
    let letters = letters?.into_iter();
    blocks.extend(letters.flat_map(|(queue, number, letters)| dead(queue, number, &letters)));
    Ok(message(&format!("{line}. {told}"), blocks))
}

type Letters<'a> = Vec<(&'a QueueUrl, u64, Vec<DeadLetter>)>;

/// The dead letters of every queue that has some: about how many, and some of them.
async fn all_dead_letters(backlog: &Backlog) -> Result<Letters<'_>, AwsError> {
    let queues = backlog.watched_queues.iter();
    let letters = queues.map(async |queue| {
        let dead_letters = queue.dead_letters();
        let (number, letters) = tokio::try_join!(
            backlog.queues.waiting(&dead_letters),
            backlog.queues.dead_letters(queue),
        )?;
        Ok::<_, AwsError>((queue, number, letters))
    });
    let letters: Letters<'_> = try_join_all(letters).await?;
    Ok(letters
        .into_iter()
        .filter(|(_, _, letters)| !letters.is_empty())
        .collect())
}

fn dead(queue: &QueueUrl, number: u64, letters: &[DeadLetter]) -> Vec<SlackBlock> {
    let shown = &letters[..letters.len().min(LETTERS)];
    let number = number.max(letters.len() as u64);
    let some = match number > shown.len() as u64 {
        true => format!("{number}, of which these are {}", shown.len()),
        false => number.to_string(),
    };
    let heading = format!(":warning: *Dead letters of* {}: {some}", code(queue.name()));
    let mut blocks = vec![section(&heading)];
    blocks.extend(shown.iter().map(letter_block));
    let retry = match number {
        1 => "Retry".to_owned(),
        number => format!("Retry all {number}"),
    };
    blocks.push(actions(vec![button(action::RETRY, &retry, queue.name())]));
    blocks
}

fn letter_block(letter: &DeadLetter) -> SlackBlock {
    let DeadLetter {
        id, reason, body, ..
    } = letter;
    let text = format!(
        "• {}: {}\n{}",
        code(id),
        prose(reason, 300),
        code(&crate::text::cut(body, 150))
    );
    let what = "It is deleted, and what it asked for does not happen.";
    let discard = button(action::DISCARD, "Discard", id).with_confirm(confirm(
        "Discard this message?",
        what,
        "Discard",
    ));
    section_with(&text, discard)
}
