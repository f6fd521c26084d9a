//! `/dd queue`: what auto-response would do now, finding by finding, without doing it, and what
//! could not be handled.

use futures::future::try_join_all;
use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::findings::bullet;
use super::parse::Command;
use super::status::auto_response_line;
use super::{Answer, Backlog, CommandError, Overview};
use crate::aws::AwsError;
use crate::coordinator::{CONTESTED, Next, next};
use crate::finding::StateName;
use crate::queue::QueueUrl;
use crate::queue::dead_letters::DeadLetter;
use crate::slack::action;
use crate::slack::blocks::{actions, button, message, section, sections};
use crate::slack::finding_words::changes_list;
use crate::slack::text::{code, count, prose};
use crate::store::{Order, Record};

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

/// The number of open findings that are looked at, and the number that are shown.
const LOOKED_THROUGH: usize = 500;
const SHOWN: usize = 10;

pub(super) async fn run(overview: &Overview) -> Answer {
    let (rule, recorded, waiting, would, letters) = tokio::join!(
        overview.schedule.state(),
        overview.table.auto_response(),
        overview.backlog.waiting(),
        would(overview),
        all_dead_letters(&overview.backlog),
    );
    let line = auto_response_line(rule?, &recorded?);
    let would = would?;
    let told = would.told(waiting?, overview.blast_radius);
    let mut blocks = vec![section(&line), section(&told)];
    blocks.extend(sections(would.lines));
    blocks.extend(
        letters?
            .iter()
            .flat_map(|(queue, letters)| dead(queue, letters)),
    );
    Ok(message(&format!("{line}. {told}"), blocks))
}

/// What auto-response would do now, worked out from the findings, since the messages of a queue cannot be
/// listed.
struct Would {
    /// The first findings that it would fix, and about which it would ask.
    lines: Vec<String>,
    fix: usize,
    ask: usize,
    ignored: u64,
    more: bool,
}

impl Would {
    fn told(&self, waiting: u64, blast_radius: u32) -> String {
        let Self {
            fix,
            ask,
            ignored,
            more,
            ..
        } = self;
        let least = if *more { "at least " } else { "" };
        format!(
            "*What auto-response would do now:* fix {least}{fix} · skip {ignored} (ignored) · ask for {ask}. One run passes on {blast_radius} before it asks; about {} wait in its queue.",
            count(waiting, "message")
        )
    }
}

async fn would(overview: &Overview) -> Result<Would, CommandError> {
    let (open, ignored) = tokio::try_join!(
        overview
            .table
            .by_state(StateName::Open, Order::OldestFirst, LOOKED_THROUGH),
        overview.table.count(StateName::Ignored),
    )?;
    let (now, more) = (overview.clock.now(), open.len() == LOOKED_THROUGH);
    let (mut fixes, mut asks) = (Vec::new(), Vec::new());
    for Record { finding, .. } in &open {
        let mut changes = finding.to_fix();
        changes.retain(|(_, change)| !change.is_left_to_people());
        match next(finding, None, now) {
            _ if changes.is_empty() => {}
            Next::LetGo(CONTESTED) => {
                asks.push(format!("{}: asks, for {CONTESTED}", bullet(finding)))
            }
            Next::LetGo(_) | Next::Leave => {}
            Next::PassOn => {
                let would = changes_list(changes.iter().map(|(_, change)| change.to_string()));
                fixes.push(format!("{}: would\n{would}", bullet(finding)));
            }
        }
    }
    let (fix, ask) = (fixes.len(), asks.len());
    let mut lines: Vec<String> = fixes.into_iter().chain(asks).collect();
    let left = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if left > 0 {
        lines.push(format!("• and {left} more; `/dd findings open` lists them"));
    }
    Ok(Would {
        lines,
        fix,
        ask,
        ignored,
        more,
    })
}

type Letters<'a> = Vec<(&'a QueueUrl, Vec<DeadLetter>)>;

async fn all_dead_letters(backlog: &Backlog) -> Result<Letters<'_>, AwsError> {
    let queues = backlog.watched_queues.iter();
    let letters = queues
        .map(async |queue| Ok::<_, AwsError>((queue, backlog.queues.dead_letters(queue).await?)));
    let letters: Letters<'_> = try_join_all(letters).await?;
    Ok(letters
        .into_iter()
        .filter(|(_, letters)| !letters.is_empty())
        .collect())
}

fn dead(queue: &QueueUrl, letters: &[DeadLetter]) -> [SlackBlock; 2] {
    let mut lines = vec![format!(
        ":warning: *Dead letters of* {}",
        code(queue.name())
    )];
    let shown = letters.iter().take(LETTERS);
    lines.extend(
        shown.map(|letter| format!("• {}: {}", code(&letter.id), prose(&letter.reason, 300))),
    );
    if letters.len() > LETTERS {
        lines.push("• and more".to_owned());
    }
    let retry = button(action::RETRY, "Retry", queue.name());
    [section(&lines.join("\n")), actions(vec![retry])]
}
