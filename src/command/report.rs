//! `/dd report` and `/dd report weekly on|off`.

use slack_morphism::prelude::*;

use super::definition::{Definition, Who};
use super::parse::Command;
use super::{Answer, AutoResponseActions};
use crate::contracts::Switch;
use crate::contracts::job::Job;
use crate::finding::auto_response::Wanted;
use crate::finding::event::HistoryEvent;
use crate::slack::blocks::note;

/// The command.
pub(super) const DEFINITION: Definition = Definition {
    word: "report",
    usage: "report [weekly on|off]",
    does: "the last 30 days as a picture; `weekly on` has it come every Monday",
    who: Who::OperatorsToSwitch,
    choices: &[],
    read: |words| match words {
        [] => Some(Command::Report),
        ["weekly", "on"] => Some(Command::WeeklyReport(Switch::On)),
        ["weekly", "off"] => Some(Command::WeeklyReport(Switch::Off)),
        _ => None,
    },
};

/// Drawing takes longer than Slack waits: the notifier does it.
pub(super) async fn run(
    auto_response: &AutoResponseActions,
    user: &SlackUserId,
    channel: &SlackChannelId,
) -> Answer {
    let job = Job::Report {
        at: auto_response.history.clock.now(),
        by: user.to_string(),
        channel: channel.to_string(),
    };
    auto_response
        .queues
        .send(&auto_response.queues.events, &job)
        .await?;
    Ok(note(
        "The report is being drawn and comes into this channel.",
    ))
}

pub(super) async fn weekly(
    auto_response: &AutoResponseActions,
    switch: Switch,
    user: &SlackUserId,
) -> Answer {
    let wanted = Wanted {
        switch,
        by: user.to_string(),
        at: auto_response.history.clock.now(),
    };
    auto_response.table.want_weekly_report(&wanted).await?;
    auto_response
        .history
        .remember(user, HistoryEvent::WeeklyReport { switch })
        .await;
    Ok(note(match switch {
        Switch::On => "The report comes into the alert channel every Monday at 08:00 UTC.",
        Switch::Off => "The weekly report is *off*. `/dd report` shows it when you want it.",
    }))
}
