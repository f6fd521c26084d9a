//! `/dd approve <id>`, `/dd decline <id>` and their buttons: another operator's answer where it
//! takes two.

use jiff::Timestamp;
use slack_morphism::prelude::SlackUserId;

use super::{Answer, CommandError, SlackFunction, fix};
use crate::finding::{Actor, Finding};
use crate::ids::FindingId;
use crate::slack::Content;
use crate::slack::blocks::note;

pub(super) async fn run(function: &SlackFunction, id: &FindingId, user: &SlackUserId) -> Answer {
    let done = || note(&format!("Approved. The message of `{id}` in the channel tells how it goes."));
    Ok(approve(function, id, user).await?.unwrap_or_else(done))
}

pub(super) async fn run_decline(function: &SlackFunction, id: &FindingId, user: &SlackUserId) -> Answer {
    let done = || note(&format!("Declined. Nothing is done about `{id}`."));
    Ok(decline(function, id, user).await?.unwrap_or_else(done))
}

/// What was asked for is done, in the name of whoever asked.
pub(super) async fn approve(
    function: &SlackFunction,
    id: &FindingId,
    user: &SlackUserId,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), Timestamp::now());
    fix::conclude(function, id, |finding: &Finding| finding.approved(&by, now)).await
}

pub(super) async fn decline(
    function: &SlackFunction,
    id: &FindingId,
    user: &SlackUserId,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), Timestamp::now());
    function.decide(id, |finding| finding.declined(&by, now)).await
}
