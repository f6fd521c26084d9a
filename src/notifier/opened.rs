//! What is found out about a finding after it was shown: its tags, and whose deed it was.

use jiff::Timestamp;

use super::{Notifier, NotifierError};
use crate::aws::AwsErrorKind;
use crate::finding::{Finding, Plan, State};
use crate::ids::FindingId;
use crate::notice::Notice;
use crate::opener::LOOKS;

impl Notifier {
    /// A rule function has seen the tag that says to leave the resource as it is.
    pub(super) async fn look(&self, id: &FindingId) -> Result<(), NotifierError> {
        let Some(record) = self.table.get(id).await? else { return Ok(()) };
        let about = match self.remediations.about(&record.finding.resource).await {
            // AWS Config will say that it is gone.
            Err(error) if error.kind == AwsErrorKind::NotFound => return Ok(()),
            about => about?,
        };
        let Some(reason) = about.ignored_because() else { return Ok(()) };
        let (reason, now) = (reason.to_owned(), Timestamp::now());
        self.settle(id, |finding| finding.tagged(&reason, now)).await
    }

    /// Asks CloudTrail, and again later while it does not know yet.
    pub(super) async fn who_opened(
        &self,
        id: &FindingId,
        episode: u32,
        looks: usize,
    ) -> Result<(), NotifierError> {
        let Some(record) = self.table.get(id).await? else { return Ok(()) };
        let finding = record.finding;
        if finding.episode != episode || finding.opener.is_some() {
            return Ok(());
        }
        // It may have been fixed meanwhile.
        let mut changes = finding.removed.clone();
        if let Plan::Known { changes: planned } = &finding.plan {
            changes.extend(planned.iter().map(|(_, change)| change.clone()));
        }
        if changes.is_empty() {
            // Nobody can tell which call it was.
            return Ok(());
        }
        match self.openers.look(&finding.resource, &changes, finding.opened_at).await {
            Ok(Some(opener)) => {
                let told = |finding: &Finding| {
                    let of_this = finding.episode == episode && finding.opener.is_none();
                    of_this.then(|| Finding { opener: Some(opener.clone()), ..finding.clone() })
                };
                return self.settle(id, told).await;
            }
            Ok(None) => {}
            Err(error) if error.kind == AwsErrorKind::Transient => {
                tracing::info!(%error, finding_id = %id, "CloudTrail is asked again later");
            }
            Err(error) => {
                tracing::warn!(%error, finding_id = %id, "CloudTrail does not say who opened it");
                return Ok(());
            }
        }
        // What is not open any more is nobody's concern.
        let Some(pause) = LOOKS.get(looks + 1).filter(|_| !matches!(finding.state, State::Fixed { .. }))
        else {
            return Ok(());
        };
        let notice = Notice::WhoOpened { finding: id.clone(), episode, looks: looks + 1 };
        Ok(self.queues.send_later(&self.queues.events, &notice, *pause).await?)
    }
}
