//! `/dd findings`: the newest findings, by state.

use super::{Answer, FindingsFilter, SlackFunction};
use crate::finding::StateName;
use crate::finding::table::Order;
use crate::slack::blocks::{message, note, section};
use crate::slack::finding_message::finding_line;

/// How many findings one answer shows of each state.
const LIMIT: usize = 10;

pub(super) async fn run(function: &SlackFunction, filter: FindingsFilter) -> Answer {
    let states = match filter {
        Some(state) => vec![state],
        None => vec![StateName::Open, StateName::Fixing, StateName::Undoing, StateName::Ignored],
    };
    let (mut blocks, mut total) = (Vec::new(), 0);
    for state in states {
        // One more than is shown tells whether there are more.
        let records = function.table.by_state(state, Order::NewestFirst, LIMIT + 1).await?;
        if records.is_empty() {
            continue;
        }
        total += records.len();
        let shown = records.iter().take(LIMIT);
        let lines: Vec<String> = shown.map(|record| format!("• {}", finding_line(&record.finding))).collect();
        let title = title(state, records.len());
        for (index, lines) in lines.chunks(5).enumerate() {
            let heading = if index == 0 { format!("*{title}*\n") } else { String::new() };
            blocks.push(section(&format!("{heading}{}", lines.join("\n"))));
        }
    }
    if total == 0 {
        let which = filter.map_or("open, fixing, undoing or ignored", StateName::as_str);
        return Ok(note(&format!(":white_check_mark: No finding is {which}.")));
    }
    Ok(message(&format!("Findings: {total} shown."), blocks))
}

fn title(state: StateName, found: usize) -> String {
    let name = match state {
        StateName::Open => "Open",
        StateName::Fixing => "Fixing",
        StateName::Ignored => "Ignored",
        StateName::Fixed => "Fixed",
        StateName::Undoing => "Undoing",
    };
    if found > LIMIT { format!("{name}, the newest {LIMIT}") } else { name.to_owned() }
}
