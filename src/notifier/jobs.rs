//! What other functions ask the notifier to do.

use super::fix_all::Turn;
use super::{Notifier, NotifierError};
use crate::contracts::job::Job;
use crate::slack::draw::draw_now;
use crate::slack::publisher::Published;

impl Notifier {
    pub(super) async fn job(&self, job: &Job) -> Result<(), NotifierError> {
        match job {
            Job::Show { finding } => {
                // The finding of version 0.1 may have moved since.
                let finding = self
                    .table
                    .resolve(finding, &self.remediations.rules)
                    .await?;
                match self.table.get(&finding).await? {
                    Some(record) => self.show_record(&record).await,
                    None => Ok(()),
                }
            }
            Job::Draw { digest } => match draw_now(&self.publisher, digest).await? {
                Published::Shown => Ok(()),
                Published::Busy => Err(NotifierError::Busy),
            },
            Job::FixAll {
                digest,
                slice,
                done,
                under_way,
                failures,
            } => {
                let turn = Turn {
                    under_way: under_way.clone(),
                    done: *done,
                    more: true,
                    failures: *failures,
                };
                self.fix_slice(digest, *slice, turn).await
            }
            Job::Look { finding, at } => self.look(finding, *at).await,
            Job::UndoGivenUp { finding } => self.undo_given_up(finding).await,
            Job::WhoOpened {
                finding,
                episode,
                looks,
            } => self.who_opened(finding, *episode, *looks).await,
            Job::Report { at, by, channel } => self.asked_report(*at, by, channel).await,
            Job::JudgeAgain {} => self.judge_again(self.clock.now()).await,
            Job::Housekeeping {} => self.keep_house().await,
        }
    }
}
