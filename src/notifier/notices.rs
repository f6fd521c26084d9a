//! What people are told that is about no finding: notices and alarms.

use super::fix_all::Turn;
use super::notification::Alarm;
use super::{Notifier, NotifierError, alarm_message, switch};
use crate::contracts::notice::Notice;
use crate::slack::draw::draw_now;
use crate::slack::notice_message;
use crate::slack::publisher::Published;

impl Notifier {
    pub(super) async fn notice(&self, notice: &Notice) -> Result<(), NotifierError> {
        let key = match notice {
            Notice::Parked {
                queue,
                message_id,
                parked_as,
                ..
            } => {
                format!(
                    "parked {queue} {}",
                    parked_as.as_ref().unwrap_or(message_id)
                )
            }
            Notice::Held { at, .. } => Notice::held_key(*at),
            Notice::SwitchedBack { at, .. } => format!("switched back {at}"),
            Notice::Switched { at, .. } => format!("switched {at}"),
            Notice::CarriedOut { at, .. } => format!("carried out {at}"),
            Notice::SwitchedOffElsewhere { at, .. } => switch::switched_off_elsewhere_key(*at),
            Notice::Show { finding } => {
                // The finding of version 0.1 may have moved since.
                let finding = self
                    .table
                    .resolve(finding, &self.remediations.rules)
                    .await?;
                return match self.table.get(&finding).await? {
                    Some(record) => self.show_record(&record).await,
                    None => Ok(()),
                };
            }
            Notice::Draw { digest } => {
                return match draw_now(&self.publisher, digest).await? {
                    Published::Shown => Ok(()),
                    Published::Busy => Err(NotifierError::Busy),
                };
            }
            Notice::FixAll {
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
                return self.fix_slice(digest, *slice, turn).await;
            }
            Notice::Look { finding, at } => return self.look(finding, *at).await,
            Notice::UndoGivenUp { finding } => return self.undo_given_up(finding).await,
            Notice::WhoOpened {
                finding,
                episode,
                looks,
            } => {
                return self.who_opened(finding, *episode, *looks).await;
            }
            Notice::Report { at, by, channel } => return self.asked_report(*at, by, channel).await,
            Notice::Housekeeping {} => return self.keep_house().await,
        };
        if let Notice::Held {
            at,
            dispatched,
            waiting,
            list,
        } = notice
        {
            let content = self.held(*at, *dispatched, *waiting, list.as_ref()).await?;
            return self.post_once(&key, &content).await;
        }
        match notice_message::notice(notice) {
            Some(content) => self.post_once(&key, &content).await,
            None => Ok(()),
        }
    }

    pub(super) async fn alarm(&self, alarm: &Alarm) -> Result<(), NotifierError> {
        if alarm.new_state_value != "ALARM" {
            return Ok(());
        }
        let account = alarm.aws_account_id.as_deref().unwrap_or_default();
        let key = format!(
            "alarm {account} {} {}",
            alarm.alarm_name, alarm.state_change_time
        );
        self.post_once(&key, &alarm_message::alarm(alarm)).await
    }
}
