//! `/dd unignore <id>`: ends an ignore, as the button **Stop ignoring** does.

use slack_morphism::prelude::SlackUserId;

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, FindingActions, ignore};
use crate::ids::FindingId;
use crate::slack::blocks::note;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "unignore",
    usage: "unignore <id>",
    does: "stop ignoring a finding",
    who: Who::Operators,
    choices: &[],
    read: |words| with_id(words, Command::Unignore),
};

pub(super) async fn run(findings: &FindingActions, id: &FindingId, user: &SlackUserId) -> Answer {
    let done = || note(&format!("`{id}` is not ignored any more."));
    let refused = Box::pin(ignore::unignore(findings, id, user)).await?;
    Ok(refused.unwrap_or_else(done))
}
