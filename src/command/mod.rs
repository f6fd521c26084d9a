//! The Slack function: a file for each command. A button is handled in the file of the command that does the
//! same.

mod approve;
mod authorise;
mod autoresponse;
mod block_action;
mod compliance;
mod context;
mod decline;
mod definition;
mod digest;
mod discard;
pub mod endpoint;
mod findings;
mod fix;
mod forecast;
mod help;
mod history;
mod home;
mod ignore;
mod ignored;
pub mod parse;
mod queue;
mod registry;
mod report;
mod retry;
mod settle;
mod show;
mod status;
mod undo;
mod unignore;
mod view_submission;

use std::time::Instant;

use authorise::{Authorised, Subject};
use slack_morphism::prelude::*;

pub use context::{AutoResponseActions, Backlog, DigestActions, FindingActions, History, Overview};
pub use findings::FindingsFilter;
pub use parse::Command;

use crate::contracts::Switch;
use crate::controls::{Change, IGNORE_TAG};
use crate::finding::Refusal;
use crate::ids::FindingId;
use crate::slack::Content;
use crate::slack::authorisation::Authoriser;
use crate::slack::blocks::note;
use crate::slack::client::{AT_ONCE, Slack};
use crate::slack::finding_words::changes_list;
use crate::slack::request::SlackRequest;
use crate::slack::text::{actor, code, when};
use crate::store::TableError;

/// The IAM actions of the Slack function, beside those of table and secrets.
pub const ACTIONS: &[&str] = &[
    "config:DescribeComplianceByConfigRule",
    "events:DescribeRule",
    "events:DisableRule",
    "events:EnableRule",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
];

/// The Slack function: carries out commands, block actions and view submissions of people who may give them.
#[derive(Debug, Clone)]
pub struct SlackFunction {
    /// Decides who may act.
    pub authoriser: Authoriser,
    /// The client for messages and views.
    pub slack: Slack,
    /// Fixes, ignores, undos.
    pub findings: FindingActions,
    /// Digests.
    pub digests: DigestActions,
    /// Auto-response's switch.
    pub auto_response: AutoResponseActions,
    /// Status, queue and Home tab.
    pub overview: Overview,
    /// The history.
    pub history: History,
}

/// The reason why a request could not be carried out. People are told in plain words.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Aws(#[from] crate::aws::AwsError),
    #[error(transparent)]
    Slack(#[from] crate::slack::error::SlackError),
    #[error("given up: it took longer than Slack waits")]
    Slow,
}

type Answer = Result<Content, CommandError>;

impl SlackFunction {
    /// Carries out a slash command. Only the person who typed it sees the answer.
    pub async fn command(&self, event: &SlackCommandEvent) -> SlackCommandEventResponse {
        let command = Command::parse(event.text.as_deref().unwrap_or_default());
        tracing::info!(?command, user = %event.user_id.to_string(), "slash command");
        let subject = command.subject();
        let running = async {
            let command = command.resolved(&self.findings).await?;
            let subject = command.subject();
            self.run(command, &subject, event).await
        };
        let content = match in_time(&subject, Box::pin(running)).await {
            Ok(content) => content,
            Err(error) => sorry(&error),
        };
        SlackCommandEventResponse::new(self.slack.fit(&content))
            .with_response_type(SlackMessageResponseType::Ephemeral)
    }

    async fn run(&self, command: Command, subject: &Subject, event: &SlackCommandEvent) -> Answer {
        let user = &event.user_id;
        let asked = format!("/dd {}", event.text.as_deref().unwrap_or_default());
        if let Authorised::No(refusal) = self.authorise(user, subject, &asked).await? {
            return Ok(refusal);
        }
        match command {
            Command::Status => Ok(Box::pin(status::run(&self.overview)).await),
            Command::AutoResponse(None) => autoresponse::show(&self.auto_response).await,
            Command::AutoResponse(Some(Switch::On)) => autoresponse::ask(&self.auto_response).await,
            Command::AutoResponse(Some(Switch::Off)) => {
                autoresponse::switch(&self.auto_response, Switch::Off, user).await
            }
            Command::Findings(filter) => findings::run(&self.findings.table, &filter).await,
            Command::Fix(id) => fix::run(&self.findings, &id).await,
            Command::Ignore(id) => ignore::ask(&self.findings, &id, &event.trigger_id).await,
            Command::Unignore(id) => unignore::run(&self.findings, &id, user).await,
            Command::Queue => Box::pin(queue::run(&self.overview)).await,
            Command::Retry => retry::run(&self.overview.backlog, user).await,
            Command::Discard(id) => discard::run(&self.overview.backlog, &id, user).await,
            Command::History(id) => history::run(&self.findings.table, id.as_ref()).await,
            Command::Show(id) => show::run(&self.findings.table, &id).await,
            Command::Undo(id) => undo::ask(&self.findings, &id, &event.trigger_id).await,
            Command::Approve(id) => {
                approve::run(&self.findings, &id, user, &event.trigger_id).await
            }
            Command::Decline(id) => decline::run(&self.findings, &id, user).await,
            Command::Report => report::run(&self.auto_response, user, &event.channel_id).await,
            Command::WeeklyReport(switch) => {
                report::weekly(&self.auto_response, switch, user).await
            }
            Command::Help => Ok(help::run(&registry::COMMANDS)),
            Command::Invalid { problem } => Ok(note(&problem)),
        }
    }

    /// Shows the Home tab to a person who opened it. Everybody may look.
    pub async fn home_opened(&self, user: &SlackUserId) {
        self.show_home(user, 0, None).await;
    }

    async fn show_home(&self, user: &SlackUserId, from: usize, told: Option<Content>) {
        let begun = Instant::now();
        let what_came_of_it = told.as_ref().and_then(|content| content.blocks.clone());
        // The future is on the heap, because together with those of all commands it would not fit on a
        // thread's stack.
        let view = Box::pin(home::run(&self.overview, from, what_came_of_it)).await;
        let left = AT_ONCE.saturating_sub(begun.elapsed());
        let Err(error) = self.slack.publish_home(user, view, left).await else {
            return;
        };
        tracing::error!(%error, user = %user.to_string(), "cannot show the Home tab");
        if let Some(content) = told {
            self.tell(None, user, &content).await;
        }
    }

    async fn tell(&self, channel: Option<&SlackChannelId>, user: &SlackUserId, content: &Content) {
        let home = self.slack.channel();
        // The person may be a member of only one of the channels.
        let places = channel
            .filter(|channel| *channel != home)
            .into_iter()
            .chain([home]);
        let telling = async {
            for place in places {
                match self.slack.tell(place, user, content).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::error!(%error, "cannot tell somebody what came of a click")
                    }
                }
            }
        };
        if tokio::time::timeout(AT_ONCE, telling).await.is_err() {
            tracing::error!(user = %user.to_string(), "Slack takes long: somebody is not told what came of a click");
        }
    }

    /// A subject with the id under which its finding is stored; unchanged where that cannot be found out.
    async fn resolved(&self, subject: Subject) -> Subject {
        match &subject {
            Subject::Finding(id) => {
                let resolved = self.findings.resolve(id).await;
                resolved.map_or(subject, Subject::Finding)
            }
            _ => subject,
        }
    }
}

/// Gives up what only looks after the three seconds for which Slack waits. What changes something is not
/// given up halfway, though Slack then tells the person that it took too long.
async fn in_time<T>(
    subject: &Subject,
    doing: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    match subject {
        Subject::Nothing => tokio::time::timeout(AT_ONCE, doing)
            .await
            .unwrap_or(Err(CommandError::Slow)),
        _ => doing.await,
    }
}

/// Whether a request changes something, so that it must not be carried out twice.
pub fn is_to_change(request: &SlackRequest) -> bool {
    match request {
        SlackRequest::Command(event) => {
            Command::parse(event.text.as_deref().unwrap_or_default()).subject() != Subject::Nothing
        }
        SlackRequest::BlockAction(action) => Subject::of_action(action) != Subject::Nothing,
        SlackRequest::ViewSubmission(_) => true,
        SlackRequest::UrlVerification(_)
        | SlackRequest::SslCheck
        | SlackRequest::HomeOpened(_)
        | SlackRequest::Ignored(_) => false,
    }
}

/// The answer after a failure: what failed, and what to do next. The log has the cause.
fn sorry(error: &CommandError) -> Content {
    tracing::error!(%error, "a command failed");
    let what = match error {
        CommandError::Table(TableError::Late) => return sorry(&CommandError::Slow),
        CommandError::Table(_) => "the findings table did not answer",
        CommandError::Aws(_) => "AWS did not do as it was asked",
        CommandError::Slack(_) => "Slack did not do as it was asked",
        CommandError::Slow => {
            return note(
                ":warning: That took longer than Slack waits for an answer, and was given up. Try again in a minute.",
            );
        }
    };
    note(&format!(
        ":warning: That did not work, and nothing more was done: {what}. Try again in a minute; `/dd status` shows where things stand."
    ))
}

/// The answer to a request that changes nothing about a finding.
fn refused(id: &FindingId, refusal: Option<&Refusal>) -> Content {
    let id = code(id.as_str());
    note(&match refusal {
        None => format!("There is no finding {id}. `/dd findings` lists them."),
        Some(Refusal::Fixing { asked_by, since }) => {
            format!(
                "A fix of {id} is on its way already, asked for by {} {}.",
                actor(asked_by),
                when(*since)
            )
        }
        Some(Refusal::Fixed) => format!("{id} is fixed already."),
        Some(Refusal::Ignored { by, .. }) => format!("{id} is ignored by {}.", actor(by)),
        Some(Refusal::NotIgnored) => format!("{id} is not ignored."),
        Some(Refusal::IgnoredByTag) => format!(
            "{id} is ignored by its tag `{IGNORE_TAG}`. Remove the tag from the resource to stop ignoring it."
        ),
        Some(Refusal::Undoing { asked_by, since }) => {
            format!(
                "The fix of {id} is being undone, asked for by {} {}.",
                actor(asked_by),
                when(*since)
            )
        }
        Some(Refusal::NotFixed) => format!("{id} is not fixed, so there is nothing to undo."),
        Some(Refusal::NothingToUndo) => {
            format!("Defendable has taken nothing away for {id}, so there is nothing to put back.")
        }
        Some(Refusal::FixedAgain) => {
            format!(
                "What an undo of {id} would put back has changed since you looked, so nothing was undone. Press *Undo…* again."
            )
        }
        Some(Refusal::TooLate) => {
            format!("{id} was fixed more than seven days ago: put it back by hand.")
        }
        Some(Refusal::Waiting { asked_by, since }) => format!(
            "{} asked for {id} already, {}; it waits for another operator's yes in its message.",
            actor(asked_by),
            when(*since)
        ),
        Some(Refusal::NotWaiting) => {
            format!("Nothing about {id} waits for an approval (any more).")
        }
        Some(Refusal::OwnRequest) => {
            format!(
                "You asked for it yourself: in this account it takes another operator to approve {id}."
            )
        }
        Some(Refusal::Deleted) => format!("The resource of {id} was deleted."),
        Some(Refusal::Grown { new }) => format!(
            "Nothing was changed: the plan of {id} has grown since you saw it. New is:\n{}\nRead its message again, and press *Fix* there.",
            changes_list(new.iter().map(Change::exposes))
        ),
        Some(Refusal::PlanNotKnown) => format!(
            "Nothing was changed: it is not known which plan of {id} you saw. Its message shows the plan as it is now, and asks."
        ),
        Some(Refusal::NoPlan) => format!(
            "Nothing was changed: what a fix of {id} would change is not known. Press *Look again* in its message."
        ),
        Some(Refusal::NothingToFix) => {
            format!("There is nothing left of {id} that a fix would change.")
        }
        Some(Refusal::ByHand) => {
            format!("What is open of {id} is to be closed by hand: its message says how.")
        }
        Some(Refusal::NotMeant) => format!("{id} cannot be fixed this way."),
        Some(Refusal::NotFixing) => format!("No fix of {id} is on its way."),
        Some(Refusal::Unsupported) => {
            format!("There is no automatic fix for {id}: it needs a person.")
        }
    })
}
