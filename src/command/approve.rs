//! `/dd approve <id>`, `/dd decline <id>` and their buttons: another operator's answer where it
//! takes two.

use jiff::Timestamp;
use slack_morphism::prelude::SlackUserId;

use super::{Answer, CommandError, SlackFunction, fix, refused};
use crate::finding::{Actor, Finding};
use crate::ids::{FindingId, PlanDigest};
use crate::slack::Content;
use crate::slack::blocks::note;

pub(super) async fn run(function: &SlackFunction, id: &FindingId, user: &SlackUserId) -> Answer {
    let done = || note(&format!("Approved. The message of `{id}` in the channel tells how it goes."));
    // To the plan that the finding's message shows, and its button carries.
    let Some(record) = function.table.get(id).await? else { return Ok(refused(id, None)) };
    let plan = record.finding.waiting(Timestamp::now()).and_then(|approval| approval.wish.plan()).cloned();
    Ok(approve(function, id, plan.as_ref(), user).await?.unwrap_or_else(done))
}

pub(super) async fn run_decline(function: &SlackFunction, id: &FindingId, user: &SlackUserId) -> Answer {
    let done = || note(&format!("Declined. Nothing is done about `{id}`."));
    Ok(decline(function, id, user).await?.unwrap_or_else(done))
}

/// What was asked for is done, in the name of whoever asked.
pub(super) async fn approve(
    function: &SlackFunction,
    id: &FindingId,
    seen: Option<&PlanDigest>,
    user: &SlackUserId,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), Timestamp::now());
    let agreed = match seen {
        Some(plan) => function.table.plan(plan).await?,
        None => None,
    };
    let approve = |finding: &Finding| finding.approved(&by, seen, agreed.as_ref(), now);
    fix::conclude(function, id, &by, approve).await
}

pub(super) async fn decline(
    function: &SlackFunction,
    id: &FindingId,
    user: &SlackUserId,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), Timestamp::now());
    function.decide(id, |finding| finding.declined(&by, now)).await
}
