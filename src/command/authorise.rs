//! Authorisation: operators may change things, some of them in some accounts only.

use slack_morphism::prelude::*;

use super::{CommandError, SlackFunction};
use crate::finding::Actor;
use crate::finding::decision;
use crate::finding::event::HistoryEvent;
use crate::ids::{AccountId, DigestId, FindingId};
use crate::slack::authorisation::{Permission, Reach};
use crate::slack::blocks::note;
use crate::slack::request::BlockAction;
use crate::slack::text::code;
use crate::slack::{Content, action};
use crate::text::cut;

/// What a request would change, by which it is decided who may make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// Nothing: it only shows something, which everybody may.
    Nothing,
    /// This finding.
    Finding(FindingId),
    /// The findings of a digest, in accounts where the person may act.
    Digest(DigestId),
    /// Something that concerns every account, or that cannot be told.
    Everything,
    /// Turning auto-response off. A person in the list may, also where Slack does not say whether the person
    /// is active, so that a failing Slack does not keep it on.
    Off,
}

/// The answer.
#[derive(Debug)]
pub(super) enum Authorised {
    /// The person may, in these accounts; `None` where no permission is needed.
    Yes(Option<Reach>),
    /// The person may not; the answer says why.
    No(Content),
}

impl Subject {
    /// The subject of a button.
    pub(super) fn of_action(pressed: &BlockAction) -> Self {
        match pressed.action_id.as_str() {
            action::PREVIOUS_FINDINGS
            | action::NEXT_FINDINGS
            | action::PREVIOUS_IN_HISTORY
            | action::NEXT_IN_HISTORY
            | action::PREVIOUS_IN_DIGEST
            | action::NEXT_IN_DIGEST
            | action::PREVIOUS_IN_QUEUE
            | action::NEXT_IN_QUEUE
            | action::REFRESH_HOME
            | action::PREVIOUS_IN_HOME
            | action::NEXT_IN_HOME
            | action::LOOK_AGAIN
            | action::SHOW_ALL => Self::Nothing,
            action::FIX_ALL => {
                let digest = pressed.value.split(' ').next().unwrap_or_default();
                digest.parse().map_or(Self::Everything, Self::Digest)
            }
            action::FIX
            | action::REVIEW_FIX
            | action::FIX_IGNORED
            | action::IGNORE
            | action::UNIGNORE
            | action::UNDO
            | action::APPROVE
            | action::DECLINE => action::read_value(&pressed.value)
                .map_or(Self::Everything, |(id, _)| Self::Finding(id)),
            action::AUTORESPONSE_OFF => Self::Off,
            _ => Self::Everything,
        }
    }

    /// The finding, if it is one.
    fn finding(&self) -> Option<&FindingId> {
        match self {
            Self::Finding(id) => Some(id),
            Self::Nothing | Self::Digest(_) | Self::Everything | Self::Off => None,
        }
    }
}

impl SlackFunction {
    /// Decides whether a person may change `subject`. `asked` is the command or button, for the history.
    pub(super) async fn authorise(
        &self,
        user: &SlackUserId,
        subject: &Subject,
        asked: &str,
    ) -> Result<Authorised, CommandError> {
        if *subject == Subject::Nothing {
            return Ok(Authorised::Yes(None));
        }
        let reach = match self.authoriser.permission(user).await {
            Permission::Granted(reach) => reach,
            Permission::Unknown {
                listed: Some(reach),
            } if *subject == Subject::Off => reach,
            Permission::Denied => {
                return Ok(self
                    .refuse(
                        user,
                        subject,
                        asked,
                        ":lock: You are not an operator of Defendable, so nothing was done. \
                         Ask the people who run it to add you; `/dd status` and `/dd findings` are for everybody.",
                    )
                    .await);
            }
            Permission::Unknown { .. } => {
                let by = Actor::User(user.to_string());
                decision::line(
                    subject.finding(),
                    &by,
                    "refused",
                    "Slack did not say who may act",
                );
                return Ok(Authorised::No(note(
                    ":lock: Slack did not say whether you are an operator, so nothing was done. Try again in a minute; \
                     if it stays so, the people who run Defendable can ask `defendable doctor` what is missing.",
                )));
            }
        };
        if reach.accounts().is_none() {
            return Ok(Authorised::Yes(Some(reach)));
        }
        match subject {
            Subject::Nothing | Subject::Digest(_) => Ok(Authorised::Yes(Some(reach))),
            Subject::Everything | Subject::Off => Ok(self
                .refuse(
                    user,
                    subject,
                    asked,
                    ":lock: This concerns every account, and you are an operator of some only. Nothing was done: ask an operator of all.",
                )
                .await),
            Subject::Finding(id) => {
                let account = self.findings.table.get(id).await?.map(|record| record.finding.resource.account);
                match account {
                    Some(account) if !reach.covers(&account) => {
                        Ok(self.refuse(user, subject, asked, &elsewhere(&account)).await)
                    }
                    // A finding that does not exist is told of later.
                    _ => Ok(Authorised::Yes(Some(reach))),
                }
            }
        }
    }

    async fn refuse(
        &self,
        user: &SlackUserId,
        subject: &Subject,
        asked: &str,
        why: &str,
    ) -> Authorised {
        tracing::warn!(user = %user.to_string(), "refused: not an operator, or not there");
        let history = &self.history;
        history
            .note(
                user,
                HistoryEvent::Refused {
                    what: cut(asked, 200),
                },
                subject.finding().cloned(),
            )
            .await;
        Authorised::No(note(why))
    }
}

fn elsewhere(account: &AccountId) -> String {
    format!(
        ":lock: This is in account {}, and you are an operator of other accounts only, so nothing was done.",
        code(account.as_str())
    )
}
