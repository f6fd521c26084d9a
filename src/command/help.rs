//! `/dd help`

use super::definition::{Definition, Who};
use super::parse::Command;
use crate::slack::Content;
use crate::slack::blocks::note;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "help",
    usage: "help",
    does: "this list",
    who: Who::Everybody,
    choices: &[],
    read: |words| words.is_empty().then_some(Command::Help),
};

/// Lists the commands.
pub(super) fn run(commands: &[&Definition]) -> Content {
    let line = |one: &&Definition| match one.who {
        Who::Everybody => format!("• `/dd {}`: {}", one.usage, one.does),
        who => format!("• `/dd {}`: {} ({})", one.usage, one.does, who.as_str()),
    };
    let lines: Vec<String> = commands.iter().map(line).collect();
    note(&format!(
        "*What you can do*\n{}\nEverybody may look; only operators may act.",
        lines.join("\n")
    ))
}
