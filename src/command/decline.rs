//! `/dd decline <id>` and its button: an operator declines a request, in an account where it takes two.

use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, CommandError, FindingActions};
use crate::finding::Actor;
use crate::ids::FindingId;
use crate::slack::Content;
use crate::slack::blocks::note;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "decline",
    usage: "decline <id>",
    does: "say no to what another operator asks for, where it takes two",
    who: Who::Operators,
    choices: &[],
    read: |words| with_id(words, Command::Decline),
};

pub(super) async fn run(findings: &FindingActions, id: &FindingId, user: &SlackUserId) -> Answer {
    let done = || note(&format!("Declined. Nothing is done about `{id}`."));
    Ok(answer(findings, id, user).await?.unwrap_or_else(done))
}

/// The button was pressed.
pub(super) async fn answer(
    findings: &FindingActions,
    id: &FindingId,
    user: &SlackUserId,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), findings.clock.now());
    findings
        .decide(id, |finding| finding.declined(&by, now))
        .await
}
