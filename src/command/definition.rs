//! What a slash command is: its usage, what it does, who may, and how its words are read. Each command has a
//! definition in its file; the registry lists them.

use super::parse::Command;

/// Who may give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// It only shows something.
    Everybody,
    /// It changes something.
    Operators,
    /// Everybody may look; only operators may switch.
    OperatorsToSwitch,
}

impl Who {
    /// As the page about Slack says it, and `/dd help` where not everybody may.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Operators => "operators",
            Self::OperatorsToSwitch => "to switch: operators",
        }
    }
}

/// A slash command.
#[derive(Debug)]
pub(super) struct Definition {
    /// The word behind `/dd`: `fix`.
    pub(super) word: &'static str,
    /// How it is written: `fix <id>`.
    pub(super) usage: &'static str,
    /// What it does, as its line in `/dd help` says it.
    pub(super) does: &'static str,
    /// Who may.
    pub(super) who: Who,
    /// Words that may follow, of which the nearest is suggested for one that is misspelt.
    pub(super) choices: &'static [&'static str],
    /// Reads the words behind its own; none where they do not fit its usage.
    pub(super) read: fn(&[&str]) -> Option<Command>,
}
