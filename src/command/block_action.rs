//! Block actions: what each button does.

use super::authorise::{Authorised, Subject};
use super::{
    CommandError, SlackFunction, approve, autoresponse, decline, digest, discard, findings, fix,
    history, ignore, in_time, queue, retry, settle, sorry, undo,
};
use crate::contracts::Switch;
use crate::slack::authorisation::Reach;
use crate::slack::blocks::note;
use crate::slack::request::BlockAction;
use crate::slack::{Content, action};

impl SlackFunction {
    /// Carries out a pressed button. Slack ignores the body of the answer, so the person gets an ephemeral
    /// message.
    pub async fn block_action(&self, action: &BlockAction) {
        tracing::info!(action_id = action.action_id, value = action.value, user = %action.user.to_string(), "block action");
        let asked = format!("{} {}", action.action_id, action.value);
        let subject = self.resolved(Subject::of_action(action)).await;
        let told = match self.authorise(&action.user, &subject, &asked).await {
            Ok(Authorised::No(refusal)) => Some(refusal),
            Ok(Authorised::Yes(reach)) => {
                let acted = in_time(&subject, Box::pin(self.act(action, reach.as_ref()))).await;
                acted.unwrap_or_else(|error| Some(sorry(&error)))
            }
            Err(error) => Some(sorry(&error)),
        };
        if action.in_home {
            let from = match action.action_id.as_str() {
                action::PREVIOUS_IN_HOME | action::NEXT_IN_HOME => action.value.parse(),
                _ => Ok(0),
            };
            self.show_home(&action.user, from.unwrap_or_default(), told)
                .await;
        } else if let Some(content) = told {
            self.tell(action.channel.as_ref(), &action.user, &content)
                .await;
        }
    }

    pub(super) async fn act(
        &self,
        action: &BlockAction,
        reach: Option<&Reach>,
    ) -> Result<Option<Content>, CommandError> {
        let user = &action.user;
        match action.action_id.as_str() {
            action::PREVIOUS_FINDINGS | action::NEXT_FINDINGS => {
                findings::turned(&self.findings, action).await
            }
            action::PREVIOUS_IN_HISTORY | action::NEXT_IN_HISTORY => {
                history::turned(&self.findings.table, &self.slack, action).await
            }
            action::PREVIOUS_IN_QUEUE | action::NEXT_IN_QUEUE => {
                queue::turned(&self.overview, &self.slack, action).await
            }
            action::REFRESH_HOME | action::PREVIOUS_IN_HOME | action::NEXT_IN_HOME => Ok(None),
            action::SHOW_ALL => digest::show_all(&self.digests, action).await,
            action::PREVIOUS_IN_DIGEST | action::NEXT_IN_DIGEST => {
                digest::turned(&self.digests, action).await
            }
            action::FIX_ALL => digest::ask_fix_all(&self.digests, action, reach).await,
            action::DISCARD => match action.value.parse() {
                Ok(id) => discard::run(&self.overview.backlog, &id, user)
                    .await
                    .map(Some),
                Err(_) => Ok(Some(note(
                    "This button carries no dead letter. Nothing was done.",
                ))),
            },
            action::RETRY => retry::clicked(&self.overview.backlog, action).await,
            action::AUTORESPONSE_ON => autoresponse::on_clicked(&self.auto_response, action).await,
            action::AUTORESPONSE_OFF => {
                let answer = autoresponse::switch(&self.auto_response, Switch::Off, user).await?;
                settle::settle(&self.slack, action, answer).await
            }
            about_a_finding => {
                let Some((id, plan)) = action::read_value(&action.value) else {
                    tracing::warn!(action_id = about_a_finding, "a button without a finding");
                    return Ok(Some(note(
                        "This button carries no finding that I know. Nothing was done.",
                    )));
                };
                let id = self.findings.resolve(&id).await?;
                let plan = plan.as_ref();
                if !matches!(
                    about_a_finding,
                    action::FIX | action::FIX_IGNORED | action::LOOK_AGAIN
                ) {
                    // The plan that is shown may be old, so the resource is looked at again. A fix looks for
                    // itself.
                    fix::look_again(&self.findings, &id).await?;
                }
                match about_a_finding {
                    action::FIX => fix::clicked(&self.findings, &id, plan, user, false).await,
                    action::FIX_IGNORED => {
                        fix::clicked(&self.findings, &id, plan, user, true).await
                    }
                    action::REVIEW_FIX => {
                        fix::review(&self.findings, &id, &action.trigger_id).await
                    }
                    action::LOOK_AGAIN => fix::look_again(&self.findings, &id).await,
                    action::IGNORE => ignore::open(&self.findings, &id, &action.trigger_id).await,
                    action::UNIGNORE => Box::pin(ignore::unignore(&self.findings, &id, user)).await,
                    action::UNDO => undo::open(&self.findings, &id, &action.trigger_id).await,
                    action::APPROVE => {
                        approve::clicked(&self.findings, &id, plan, user, &action.trigger_id).await
                    }
                    action::DECLINE => decline::answer(&self.findings, &id, user).await,
                    _ => Ok(Some(note(
                        "This button is not one of mine. Nothing was done.",
                    ))),
                }
            }
        }
    }
}
