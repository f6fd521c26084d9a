//! The definition of a slash command: its usage, what it does, who may give it, and how its words are read.
//! Each command has one in its file; the registry lists them.

use super::parse::Command;

/// The people who may give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody: it only shows something.
    Everybody,
    /// Operators: it changes something.
    Operators,
    /// Everybody may look; only operators may switch.
    OperatorsToSwitch,
}

impl Who {
    /// The words for them on the page about Slack, and in `/dd help` where not everybody may.
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
    /// The people who may give it.
    pub(super) who: Who,
    /// Words that may follow, of which the nearest is suggested for one that is misspelt.
    pub(super) choices: &'static [&'static str],
    /// Reads the words behind its own; none where they do not fit its usage.
    pub(super) read: fn(&[&str]) -> Option<Command>,
}
