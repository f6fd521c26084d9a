//! What a slash command asks for.

use super::authorise::Subject;
use super::{FindingActions, FindingsFilter};
use crate::contracts::Switch;
use crate::ids::{FindingId, MessageId};
use crate::slack::text::code;
use crate::store::TableError;

/// A slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/dd status`
    Status,
    /// `/dd autoresponse [on|off]`
    AutoResponse(Option<Switch>),
    /// `/dd findings [open|fixing|ignored|fixed|undoing|deleted] [words]`
    Findings(FindingsFilter),
    /// `/dd fix <id>`
    Fix(FindingId),
    /// `/dd ignore <id>`
    Ignore(FindingId),
    /// `/dd unignore <id>`
    Unignore(FindingId),
    /// `/dd queue`
    Queue,
    /// `/dd retry`
    Retry,
    /// `/dd discard <id>`
    Discard(MessageId),
    /// `/dd history [id]`
    History(Option<FindingId>),
    /// `/dd show <id>`
    Show(FindingId),
    /// `/dd undo <id>`
    Undo(FindingId),
    /// `/dd approve <id>`
    Approve(FindingId),
    /// `/dd decline <id>`
    Decline(FindingId),
    /// `/dd report`
    Report,
    /// `/dd report weekly on|off`
    WeeklyReport(Switch),
    /// `/dd help`
    Help,
    /// Anything else, with what to say about it.
    Invalid {
        /// For people, in mrkdwn.
        problem: String,
    },
}

impl Command {
    /// The command about the id under which its finding is kept: people may type an old one.
    pub(super) async fn resolved(self, findings: &FindingActions) -> Result<Self, TableError> {
        let of = async |id: FindingId| findings.resolve(&id).await;
        Ok(match self {
            Self::Fix(id) => Self::Fix(of(id).await?),
            Self::Ignore(id) => Self::Ignore(of(id).await?),
            Self::Unignore(id) => Self::Unignore(of(id).await?),
            Self::Undo(id) => Self::Undo(of(id).await?),
            Self::Show(id) => Self::Show(of(id).await?),
            Self::Approve(id) => Self::Approve(of(id).await?),
            Self::Decline(id) => Self::Decline(of(id).await?),
            Self::History(Some(id)) => Self::History(Some(of(id).await?)),
            about_no_finding @ (Self::Status
            | Self::AutoResponse(_)
            | Self::Findings(_)
            | Self::Queue
            | Self::Retry
            | Self::Discard(_)
            | Self::History(None)
            | Self::Report
            | Self::WeeklyReport(_)
            | Self::Help
            | Self::Invalid { .. }) => about_no_finding,
        })
    }

    /// What it changes, which only operators may.
    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::AutoResponse(Some(Switch::Off)) => Subject::Off,
            Self::AutoResponse(Some(Switch::On))
            | Self::WeeklyReport(_)
            | Self::Retry
            | Self::Discard(_) => Subject::Everything,
            // A fix is asked for by the button under the plan that it shows; only operators are shown one.
            Self::Fix(id)
            | Self::Ignore(id)
            | Self::Unignore(id)
            | Self::Undo(id)
            | Self::Approve(id)
            | Self::Decline(id) => Subject::Finding(id.clone()),
            Self::Status
            | Self::AutoResponse(None)
            | Self::Findings(_)
            | Self::History(_)
            | Self::Queue
            | Self::Show(_)
            | Self::Report
            | Self::Help
            | Self::Invalid { .. } => Subject::Nothing,
        }
    }
}

/// A command about one finding.
pub(super) fn with_id(words: &[&str], command: fn(FindingId) -> Command) -> Option<Command> {
    let [id] = words else { return None };
    Some(match id.parse() {
        Ok(id) => command(id),
        Err(_) => Command::Invalid {
            problem: format!(
                "{} is no finding's id, such as `f-3fa9c01b22de`; `/dd findings` shows the ids.",
                code(id)
            ),
        },
    })
}
