//! `/dd fix <id>`, the **Fix** and **Look again** buttons.

use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::{Command, with_id};
use super::{Answer, CommandError, FindingActions, refused};
use crate::contracts::job::Job;
use crate::finding::{ActionRequest, Actor, Finding, Refusal, State};
use crate::fix::Asked;
use crate::ids::{FindingId, PlanDigest};
use crate::slack::blocks::{actions, button, message, note, section, sections};
use crate::slack::finding_buttons::{fix_button, fix_ignored_button};
use crate::slack::finding_words::{changes_list, headline};
use crate::slack::fix_view::{fix_submission, fix_view};
use crate::slack::text::{actor, code, escape, prose};
use crate::slack::{Content, action};
use crate::store::Record;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "fix",
    usage: "fix <id>",
    does: "show what a fix would change, and ask, as its *Fix* button does",
    who: Who::Operators,
    choices: &[],
    read: |words| with_id(words, Command::Fix),
};

/// Shows the plan, and asks, as the button under the finding's message does.
pub(super) async fn run(findings: &FindingActions, id: &FindingId) -> Answer {
    let Some(record) = findings.table.get(id).await? else {
        return Ok(refused(id, None));
    };
    Ok(match record.finding.can_fix(false, findings.clock.now()) {
        Ok(()) => {
            findings.table.keep_shown(&record.finding).await?;
            ask(&record.finding)
        }
        Err(Refusal::Ignored { by, reason }) => {
            findings.table.keep_shown(&record.finding).await?;
            ask_again(&record.finding, &by, &reason)
        }
        Err(Refusal::NoPlan | Refusal::NothingToFix) => {
            look_again(findings, id).await?;
            let text = format!(
                "What a fix of {} would change is not known now. It is being looked at again.",
                code(id.as_str())
            );
            let again = button(action::LOOK_AGAIN, "Look again", id.as_str());
            message(&text, vec![section(&text), actions(vec![again])])
        }
        Err(refusal) => refused(id, Some(&refusal)),
    })
}

/// The plan whole, and its button.
fn ask(finding: &Finding) -> Content {
    let changes = finding.to_fix();
    let text = format!(
        "*{}*\nFix {} will\n{}",
        escape(&headline(finding)),
        code(finding.id.as_str()),
        changes_list(changes.iter().map(|(_, change)| change.to_string()))
    );
    message(
        &text,
        vec![
            section(&text),
            actions(fix_button(finding).into_iter().collect()),
        ],
    )
}

/// Asks again before something ignored is fixed.
fn ask_again(finding: &Finding, by: &Actor, reason: &str) -> Content {
    let changes = finding.to_fix();
    let text = format!(
        "{} is ignored by {}: {}\nA fix would",
        code(finding.id.as_str()),
        actor(by),
        prose(reason, 500),
    );
    let mut blocks = vec![section(&text)];
    blocks.extend(sections(
        changes
            .iter()
            .map(|(_, change)| format!("• {}", prose(&change.to_string(), 200))),
    ));
    blocks.extend(fix_ignored_button(finding, by, reason).map(|button| actions(vec![button])));
    message(&text, blocks)
}

/// Opens the modal that shows a long plan whole.
pub(super) async fn review(
    findings: &FindingActions,
    id: &FindingId,
    trigger: &SlackTriggerId,
) -> Result<Option<Content>, CommandError> {
    let Some(record) = findings.table.get(id).await? else {
        return Ok(Some(refused(id, None)));
    };
    if let Err(refusal) = record.finding.can_fix(false, findings.clock.now()) {
        return Ok(Some(refused(id, Some(&refusal))));
    }
    let Some(view) = fix_view(&record.finding) else {
        return Ok(Some(refused(id, Some(&Refusal::NoPlan))));
    };
    findings.slack.open_view(trigger, view).await?;
    Ok(None)
}

/// The modal was submitted: the operator agrees to the plan.
pub(super) async fn submitted(
    findings: &FindingActions,
    event: &SlackInteractionViewSubmissionEvent,
) -> Result<Option<Content>, CommandError> {
    let Some((id, plan)) = fix_submission(&event.view) else {
        return Ok(Some(note(
            "Nothing is fixed: the window carried no plan. Press *Fix…* again.",
        )));
    };
    let id = findings.resolve(&id).await?;
    clicked(findings, &id, Some(&plan), &event.user.id, false).await
}

/// Has the notifier look at the resource again, and bring the message up to date.
pub(super) async fn look_again(
    findings: &FindingActions,
    id: &FindingId,
) -> Result<Option<Content>, CommandError> {
    let job = Job::Look {
        finding: id.clone(),
        at: Some(findings.clock.now()),
    };
    let queues = &findings.fix_requests.queues;
    queues.send(&queues.events, &job).await?;
    Ok(None)
}

/// The button was pressed. Returns what the operator is told. A button of version 0.1 names no plan: then the
/// plan is shown, and the operator is asked again.
pub(super) async fn clicked(
    findings: &FindingActions,
    id: &FindingId,
    plan: Option<&PlanDigest>,
    user: &SlackUserId,
    even_ignored: bool,
) -> Result<Option<Content>, CommandError> {
    let Some(plan) = plan else {
        return Ok(Some(run(findings, id).await?));
    };
    request(
        findings,
        id,
        user,
        ActionRequest::Fix {
            even_ignored,
            plan: Some(plan.clone()),
        },
    )
    .await
}

/// Asks for a fix or an undo; in an account where it takes two, for another operator's approval.
pub(super) async fn request(
    findings: &FindingActions,
    id: &FindingId,
    user: &SlackUserId,
    request: ActionRequest,
) -> Result<Option<Content>, CommandError> {
    let (by, now) = (Actor::User(user.to_string()), findings.clock.now());
    if !findings.two_person_accounts.is_empty() {
        let record = findings.table.get(id).await?;
        let account = record.map(|record| record.finding.resource.account);
        if account.is_some_and(|account| findings.two_person_accounts.contains(&account)) {
            findings.table.note_approval(id, now).await?;
        }
        // Nothing else would show the buttons of a request that waits for approval.
        findings.publisher.show_later(id).await?;
    }
    let agreed = match request.plan() {
        Some(plan) => findings.table.plan(plan).await?,
        None => None,
    };
    let agreed = agreed.as_ref();
    let ask = |finding: &Finding| match findings
        .two_person_accounts
        .contains(&finding.resource.account)
    {
        true => finding.approval_asked(by.clone(), request.clone(), agreed, now),
        false => finding.asked(by.clone(), &request, agreed, now),
    };
    conclude(findings, id, &by, ask).await
}

/// Asks for a fix or an undo, brings the message up to date, and returns what the operator is told.
pub(super) async fn conclude(
    findings: &FindingActions,
    id: &FindingId,
    by: &Actor,
    ask: impl Fn(&Finding) -> Result<Finding, Refusal>,
) -> Result<Option<Content>, CommandError> {
    let asked = findings.fix_requests.ask(id, ask).await?;
    if asked.record().is_some() {
        findings.publish(id).await;
    }
    Ok(match asked {
        Asked::UnderWay(record) if record.finding.shows_waiting().is_some() => Some(note(
            ":busts_in_silhouette: In this account it takes two. Another operator approves or declines in the finding's message.",
        )),
        Asked::UnderWay(_) => None,
        Asked::NotQueued(record) => Some(not_queued(id, record.as_deref())),
        Asked::Refused(Some(Refusal::Ignored { by, reason })) => findings
            .table
            .get(id)
            .await?
            .map(|record| ask_again(&record.finding, &by, &reason)),
        // The plan that the operator saw is not stored any more: the operator is shown the current one, and
        // asked.
        Asked::Refused(Some(Refusal::PlanNotKnown)) => {
            let now = findings.clock.now();
            let ended = |finding: &Finding| finding.outgrown(&[], now).ok_or(Refusal::NotWaiting);
            findings.decide(id, ended).await?;
            Some(run(findings, id).await?)
        }
        Asked::Refused(Some(refusal)) => {
            if let Refusal::Grown { new } = &refusal {
                // The finding's message says what is new, and asks again.
                let now = findings.clock.now();
                let grown = |finding: &Finding| {
                    let asked = finding.outgrown(new, now);
                    asked
                        .or_else(|| finding.has_grown(by.clone(), new, now))
                        .ok_or(Refusal::NotFixing)
                };
                findings.decide(id, grown).await?;
            }
            Some(refused(id, Some(&refusal)))
        }
        Asked::Refused(None) => Some(refused(id, None)),
    })
}

fn not_queued(id: &FindingId, record: Option<&Record>) -> Content {
    let undo = record.is_some_and(|record| matches!(record.finding.state, State::Fixed { .. }));
    let what = record.map_or_else(|| id.to_string(), |record| headline(&record.finding));
    note(&format!(
        ":warning: The {} could not be queued, so nothing was done: {}. Press the button again in a minute.",
        if undo { "undo" } else { "fix" },
        escape(&what)
    ))
}
