//! Messages about no finding: notices and alarms.

use super::notification::Alarm;
use super::{Notifier, NotifierError, alarm_message, switch};
use crate::contracts::notice::Notice;
use crate::slack::notice_message;

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
        self.post_once(&key, &notice_message::notice(notice)).await
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
