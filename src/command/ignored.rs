//! `/dd ignored [words]`: the findings that are ignored.

use super::FindingsFilter;
use super::definition::{Definition, Who};
use super::parse::Command;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "ignored",
    usage: "ignored [words]",
    does: "what is ignored, by whom and until when",
    who: Who::Everybody,
    choices: &[],
    read: |words| {
        Some(Command::Findings(FindingsFilter::of(
            &[&["ignored"], words].concat(),
        )))
    },
};
