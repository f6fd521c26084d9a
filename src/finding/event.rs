//! What somebody did to a finding or to Defendable, as the history and the log have it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Actor, Finding, StateName};
use crate::contracts::Switch;
use crate::controls::Change;
use crate::ids::{FindingId, MessageId, RuleName};

/// What somebody did, or what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "deed",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum HistoryEvent {
    /// AWS Config found the resource non-compliant.
    Found,
    /// It was found compliant without our doing.
    Complied,
    /// A fix was asked for.
    FixAsked,
    /// A fix took something away.
    Fixed {
        /// What, as sentences' ends: "revoked tcp 22 from …".
        changes: Vec<String>,
    },
    /// A fix did not work.
    FixFailed {
        /// The reason, for people.
        reason: String,
    },
    /// Nothing was changed, for the plan was not the one that was agreed to.
    NotAgreed {
        /// What a fix would have changed beyond it; nothing where the plan is not known.
        new: Vec<String>,
    },
    /// What is ignored was opened further.
    OpenedBeyondIgnore {
        /// What is exposed beyond it: "tcp 22 is reachable from …".
        new: Vec<String>,
    },
    /// The resource was deleted.
    Deleted,
    /// It is left as it is.
    Ignored {
        /// The reason for the ignore.
        reason: String,
        /// Until when, if that is known.
        until: Option<Timestamp>,
    },
    /// An ignore was taken back.
    Unignored,
    /// The time of an ignore was over.
    IgnoreEnded,
    /// The tag that said to ignore it was gone.
    Untagged,
    /// An undo was asked for.
    UndoAsked {
        /// The reason for the undo.
        reason: String,
    },
    /// What had been taken away was put back.
    Undone {
        /// What is so again: "tcp 22 is reachable from …".
        changes: Vec<String>,
    },
    /// An undo did not work.
    UndoFailed {
        /// The reason, for people.
        reason: String,
    },
    /// Something was asked for that takes another's yes.
    ApprovalAsked {
        /// `fix` or `undo`
        what: String,
    },
    /// Another operator said yes.
    Approved {
        /// `fix` or `undo`
        what: String,
    },
    /// An operator said no.
    Declined {
        /// `fix` or `undo`
        what: String,
    },
    /// Fixing every finding of a digest was asked for.
    FixAllAsked {
        /// The number of findings that were to be fixed.
        findings: u64,
    },
    /// The weekly report was switched.
    WeeklyReport {
        /// Whether the report comes every week from then on.
        switch: Switch,
    },
    /// Auto-response was switched.
    Switched {
        /// The state to which auto-response was switched.
        switch: Switch,
    },
    /// A run that had stopped at its cap was told to go on.
    WentOn,
    /// Dead letters were sent back into their queues.
    Retried {
        /// The number of dead letters.
        messages: usize,
    },
    /// A dead letter was deleted.
    Discarded {
        /// The name of the queue that could not handle it.
        queue: String,
        /// Its first id.
        message: MessageId,
        /// The reason why it could not be handled.
        reason: String,
    },
    /// Somebody who may not act tried to.
    Refused {
        /// What they asked for: `/dd fix f-3fa9c01b22de`.
        what: String,
    },
}

/// An entry of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The time at which it happened.
    pub at: Timestamp,
    /// The actor.
    pub by: Actor,
    /// The event.
    #[serde(rename = "deed")]
    pub event: HistoryEvent,
    /// The finding that it is about, if it is about one.
    #[serde(default)]
    pub finding: Option<FindingId>,
    /// What people call the finding's resource.
    #[serde(default)]
    pub resource: Option<String>,
    /// The finding's state after the event.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// How often within the hour, where somebody was refused the same again and again; else 0. Noted
    /// beside the entry.
    #[serde(skip)]
    pub times: u32,
}

/// Where a finding stood: what the report counts by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The rule.
    pub rule: RuleName,
    /// The state.
    pub state: StateName,
    /// The time at which the episode began.
    pub opened_at: Timestamp,
}

/// As it continues after a name: "asked for a fix"; a sentence where nobody of ours did it.
impl fmt::Display for HistoryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => f.write_str("AWS Config found it non-compliant"),
            Self::Complied => f.write_str("it was found compliant again"),
            Self::FixAsked => f.write_str("asked for a fix"),
            Self::Fixed { changes } => f.write_str(&changes.join("; ")),
            Self::FixFailed { reason } => write!(f, "could not fix it: {reason}"),
            Self::NotAgreed { new } if new.is_empty() => {
                f.write_str("asked for a fix without saying of which plan: nothing was changed")
            }
            Self::NotAgreed { new } => {
                write!(
                    f,
                    "had agreed to less than a fix would change now ({}): nothing was changed",
                    new.join("; ")
                )
            }
            Self::OpenedBeyondIgnore { new } => {
                write!(
                    f,
                    "it was opened beyond what is ignored: {}",
                    new.join("; ")
                )
            }
            Self::Deleted => f.write_str("the resource was deleted"),
            Self::Ignored {
                reason,
                until: None,
            } => write!(f, "ignored it: {reason}"),
            Self::Ignored {
                reason,
                until: Some(until),
            } => {
                write!(
                    f,
                    "ignored it until {}: {reason}",
                    until.strftime("%Y-%m-%d %H:%M UTC")
                )
            }
            Self::Unignored => f.write_str("stopped ignoring it"),
            Self::IgnoreEnded => f.write_str("the time for which it was ignored is over"),
            Self::Untagged => f.write_str("the tag that said to ignore it is gone"),
            Self::UndoAsked { reason } => write!(f, "asked for an undo: {reason}"),
            Self::Undone { changes } => write!(f, "undid the fix: {}", changes.join("; ")),
            Self::UndoFailed { reason } => write!(f, "could not undo the fix: {reason}"),
            Self::ApprovalAsked { what } => {
                let article = if what == "undo" { "an" } else { "a" };
                write!(
                    f,
                    "asked for {article} {what}; a second operator must approve"
                )
            }
            Self::Approved { what } => write!(f, "approved the {what}"),
            Self::Declined { what } => write!(f, "declined the {what}"),
            Self::FixAllAsked { findings: 1 } => {
                f.write_str("asked to fix the one open finding of a digest")
            }
            Self::FixAllAsked { findings } => {
                write!(f, "asked to fix all {findings} open findings of a digest")
            }
            Self::WeeklyReport { switch } => {
                write!(f, "turned the weekly report {}", switch.as_str())
            }
            Self::Switched { switch } => write!(f, "turned auto-response {}", switch.as_str()),
            Self::Retried { messages: 1 } => f.write_str("retried a dead letter"),
            Self::Retried { messages } => write!(f, "retried {messages} dead letters"),
            Self::Discarded {
                queue,
                message,
                reason,
            } => write!(
                f,
                "discarded the dead letter {message} of {queue}, which was there because: {reason}"
            ),
            Self::WentOn => f.write_str("let auto-response go on"),
            Self::Refused { what } => write!(f, "was refused (not an operator here): {what}"),
        }
    }
}

impl HistoryEvent {
    /// The event of a fix that made these changes.
    pub(super) fn fixed(changes: &[Change]) -> Self {
        Self::Fixed {
            changes: changes.iter().map(Change::done).collect(),
        }
    }
}

impl Finding {
    /// Remembers an event until the finding is written.
    pub(super) fn record(&mut self, at: Timestamp, by: Actor, event: HistoryEvent) {
        self.events.push((at, by, event));
    }

    /// The events of the change that made it what it is.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.events.iter().map(|event| self.entry(event))
    }

    fn entry(&self, (at, by, event): &(Timestamp, Actor, HistoryEvent)) -> Entry {
        let resource = self
            .resource_name
            .clone()
            .unwrap_or_else(|| self.resource.id.to_string());
        Entry {
            at: *at,
            by: by.clone(),
            event: event.clone(),
            finding: Some(self.id.clone()),
            resource: Some(resource),
            standing: Some(Standing {
                rule: self.rule.clone(),
                // It may have been fixed by the very write that tells of it.
                state: match event {
                    HistoryEvent::Found => StateName::Open,
                    _ => self.state_name(Timestamp::MIN),
                },
                opened_at: self.episode.opened_at,
            }),
            times: 0,
        }
    }
}
