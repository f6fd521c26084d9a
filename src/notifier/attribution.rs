//! Attribution: who opened a finding, which is found out after it was shown.

use super::{Notifier, NotifierError};
use crate::aws::AwsErrorKind;
use crate::contracts::job::Job;
use crate::finding::attribution::LOOKS;
use crate::finding::{Finding, State};
use crate::ids::FindingId;

impl Notifier {
    /// Asks CloudTrail, and sends a job to ask again while CloudTrail does not tell.
    pub(super) async fn who_opened(
        &self,
        id: &FindingId,
        episode: u32,
        looks: usize,
    ) -> Result<(), NotifierError> {
        let id = &self.table.resolve(id, &self.remediations.rules).await?;
        let Some(record) = self.table.get(id).await? else {
            return Ok(());
        };
        let finding = record.finding;
        if finding.episode.number != episode || finding.episode.attribution.is_some() {
            return Ok(());
        }
        // The finding may have been fixed meanwhile.
        let mut changes = finding.episode.removed.clone();
        changes.extend(finding.to_close().into_iter().map(|(_, change)| change));
        if changes.is_empty() {
            // Without changes it cannot be told which call it was.
            return Ok(());
        }
        let is_last = looks + 1 >= LOOKS.len();
        match self
            .attributions
            .look(
                &finding.resource,
                &changes,
                finding.episode.opened_at,
                is_last,
            )
            .await
        {
            Ok(Some(attribution)) => {
                let told = |finding: &Finding| {
                    let of_this =
                        finding.episode.number == episode && finding.episode.attribution.is_none();
                    of_this.then(|| {
                        let mut finding = finding.clone();
                        finding.episode.attribution = Some(attribution.clone());
                        finding
                    })
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
        // A finding that is fixed is not looked up again.
        let Some(pause) = LOOKS
            .get(looks + 1)
            .filter(|_| !matches!(finding.state, State::Fixed { .. }))
        else {
            return Ok(());
        };
        let job = Job::WhoOpened {
            finding: id.clone(),
            episode,
            looks: looks + 1,
        };
        Ok(self
            .queues
            .send_later(&self.queues.events, &job, *pause)
            .await?)
    }
}
