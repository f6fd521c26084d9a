//! `/dd autoresponse [on|off]`, its confirmation, and the answer to a run that stopped.

use std::time::Duration;

use jiff::Timestamp;
use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::forecast::Forecast;
use super::parse::Command;
use super::settle::settle;
use super::status::auto_response_line;
use super::{Answer, AutoResponseActions, CommandError};
use crate::contracts::Switch;
use crate::contracts::notice::Notice;
use crate::finding::auto_response::Wanted;
use crate::finding::event::HistoryEvent;
use crate::ids::PlanListId;
use crate::slack::blocks::{actions, button, message, note, section};
use crate::slack::request::BlockAction;
use crate::slack::{Content, action, notice_message};

/// How long the state of the rule is waited for where the record says already what is asked for.
const SOON: Duration = Duration::from_millis(500);

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "autoresponse",
    usage: "autoresponse [on|off]",
    does: "fix violations every minute without asking, or stop doing so",
    who: Who::OperatorsToSwitch,
    choices: &["on", "off"],
    read: |words| match words {
        [] => Some(Command::AutoResponse(None)),
        ["on"] => Some(Command::AutoResponse(Some(Switch::On))),
        ["off"] => Some(Command::AutoResponse(Some(Switch::Off))),
        _ => None,
    },
};

/// Is it on, and the button to change that.
pub(super) async fn show(auto_response: &AutoResponseActions) -> Answer {
    let (rule, recorded) = tokio::join!(
        auto_response.schedule.state(),
        auto_response.table.auto_response()
    );
    let (rule, recorded) = (rule?, recorded?);
    let line = auto_response_line(rule, &recorded);
    let button = match rule {
        Switch::On => button(action::AUTORESPONSE_OFF, "Turn off", "off"),
        Switch::Off => return ask_with(auto_response, &line).await,
    };
    Ok(message(&line, vec![section(&line), actions(vec![button])]))
}

/// Asks before turning it on, showing what is waiting.
pub(super) async fn ask(auto_response: &AutoResponseActions) -> Answer {
    ask_with(auto_response, "*Turn auto-response on?*").await
}

async fn ask_with(auto_response: &AutoResponseActions, heading: &str) -> Answer {
    let now = auto_response.history.clock.now();
    let forecast = Forecast::read(&auto_response.table, now).await?;
    let text = format!(
        "{heading}\nIt would {}. `/dd queue` lists them, each with its plan. Each is looked at again first: what is clean by now is left alone, and what is ignored stays. From then on violations are fixed every minute without asking.",
        forecast.numbers()
    );
    let turn_on =
        button(action::AUTORESPONSE_ON, "Turn on", "on").with_style(SlackBlockButtonStyle::Primary);
    Ok(message(&text, vec![section(&text), actions(vec![turn_on])]))
}

/// The **Turn on** button, or **Go on** under a run that stopped.
pub(super) async fn on_clicked(
    auto_response: &AutoResponseActions,
    action: &BlockAction,
) -> Result<Option<Content>, CommandError> {
    let Some(hold) = action.value.strip_prefix("hold ") else {
        let answer = switch(auto_response, Switch::On, &action.user).await?;
        return settle(&auto_response.slack, action, answer).await;
    };
    // Of versions before 0.2 it has no list: then what waits counts against the next run's cap.
    let (at, list) = match hold.split_once(' ') {
        Some((at, list)) => (at, list.parse::<PlanListId>().ok()),
        None => (hold, None),
    };
    let released = match at.parse::<Timestamp>() {
        Ok(at) => {
            auto_response
                .table
                .release_hold(at, list, auto_response.history.clock.now())
                .await?
        }
        Err(_) => false,
    };
    if !released {
        return Ok(Some(note("Somebody has answered that already.")));
    }
    tracing::info!(user = %action.user.to_string(), "auto-response goes on");
    auto_response
        .history
        .remember(&action.user, HistoryEvent::WentOn)
        .await;
    settle(
        &auto_response.slack,
        action,
        notice_message::went_on(&action.user.0),
    )
    .await
}

/// Records what is wanted, then tells EventBridge, then the channel. Recorded first: if we die
/// in between, "off" holds and "on" is not yet on. "Off" that EventBridge does not carry out holds too, and
/// is tried again with every run.
pub(super) async fn switch(
    auto_response: &AutoResponseActions,
    switch: Switch,
    user: &SlackUserId,
) -> Answer {
    if let Some(already) = already(auto_response, switch).await {
        return Ok(already);
    }
    let wanted = Wanted {
        switch,
        by: user.to_string(),
        at: auto_response.history.clock.now(),
    };
    auto_response.table.want(&wanted).await?;
    let set = auto_response.schedule.set(switch).await;
    let carried_out = match (set, switch) {
        (Ok(()), _) => {
            // A process that does not learn of it carries it out again.
            if let Err(error) = auto_response.table.carried_out(wanted.at).await {
                tracing::warn!(%error, "it is not noted that the schedule was switched");
            }
            true
        }
        (Err(error), Switch::Off) => {
            tracing::error!(%error, "the schedule cannot be switched off: it is tried again");
            false
        }
        (Err(error), Switch::On) => return Err(error.into()),
    };
    auto_response
        .history
        .remember(user, HistoryEvent::Switched { switch })
        .await;
    tracing::info!(switch = switch.as_str(), user = %wanted.by, carried_out, "auto-response was switched");
    let notice = Notice::Switched {
        at: wanted.at,
        switch,
        by: wanted.by,
        carried_out,
    };
    auto_response
        .queues
        .send(&auto_response.queues.events, &notice)
        .await?;
    Ok(note(&match carried_out {
        true => format!("Auto-response is *{}*. Everybody in the channel is told.", switch.as_str()),
        false => ":warning: Auto-response is recorded as *off*, and nothing is fixed automatically. AWS did not switch the schedule's rule off; that is tried again every minute.".to_owned(),
    }))
}

/// The answer where auto-response is what is asked for, by the record and by the rule: nobody else need be told.
/// Where one of them cannot be read it is switched.
async fn already(auto_response: &AutoResponseActions, switch: Switch) -> Option<Content> {
    let recorded = auto_response.table.auto_response().await.ok()?;
    // "On" also answers a run that has stopped.
    let is_recorded = recorded.wanted.as_ref()?.switch == switch
        && recorded.carried_out.is_some()
        && recorded.hold.is_none();
    if !is_recorded {
        return None;
    }
    // A rule that cannot be read soon must not keep "off" from being carried out.
    let rule = tokio::time::timeout(SOON, auto_response.schedule.state());
    let rule = rule.await.ok()?.ok()?;
    (rule == switch).then(|| {
        let line = auto_response_line(switch, &recorded);
        note(&format!("{line}. Nothing was changed."))
    })
}
