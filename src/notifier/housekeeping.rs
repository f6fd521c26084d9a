//! What the notifier does every minute, whatever happens.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::Timestamp;

use super::{Notifier, NotifierError};
use crate::aws::AwsErrorKind;
use crate::finding::table::{Changed, Order};
use crate::finding::{Actor, Finding, State, StateName};
use crate::fix::send_requests;
use crate::ids::FindingId;
use crate::metrics::{FixFailure, count_fix_failure};
use crate::notice::Notice;
use crate::queue::QueueMessage;

/// How many findings of a state one housekeeping looks at.
const LIMIT: usize = 500;

/// Until the finding says that it is not ignored any more, its requests would be let go. Seconds.
const LATER: u32 = 5;

impl Notifier {
    /// Each change is shown by a notice of its own, so that one that Slack will not take keeps
    /// nothing else from being done.
    pub(super) async fn keep_house(&self) -> Result<(), NotifierError> {
        let now = Timestamp::now();
        self.end_ignores(now).await?;
        self.chase(now).await?;
        self.look_after_fixes(now).await?;
        self.look_for_tags(now).await?;
        self.draw_what_is_overdue(now).await?;
        self.weekly_report(now).await?;
        *self.kept_house_at.lock().expect("nothing panics while it holds it") = Some(now);
        Ok(())
    }

    /// Whether what a message asks for has been done since it was sent.
    pub(super) fn has_kept_house_since(&self, message: &QueueMessage) -> bool {
        let kept_at = *self.kept_house_at.lock().expect("nothing panics while it holds it");
        kept_at.zip(message.sent_at).is_some_and(|(kept_at, sent_at)| kept_at > sent_at)
    }

    /// Ends the ignores whose time is over; a finding that is open again goes back to where
    /// auto-response looks.
    async fn end_ignores(&self, now: Timestamp) -> Result<(), NotifierError> {
        for finding in self.findings(StateName::Ignored, Order::OldestFirst).await? {
            let Some(expired) = finding.ignore_expired(now) else { continue };
            self.wait_for_auto_response(&expired, 0).await?;
            self.settle(&finding.id, |finding| finding.ignore_expired(now)).await?;
        }
        Ok(())
    }

    /// Asks again for fixes and undos that have not reported back in a minute: whoever recorded
    /// the wish may have died before it was queued. Gives up those that never do.
    async fn chase(&self, now: Timestamp) -> Result<(), NotifierError> {
        let late = |finding: &Finding| finding.fix_timed_out(now).or_else(|| finding.undo_timed_out(now));
        for state in [StateName::Fixing, StateName::Undoing] {
            for finding in self.findings(state, Order::OldestFirst).await? {
                if late(&finding).is_some() {
                    count_fix_failure(FixFailure::NoReport);
                    self.settle(&finding.id, late).await?;
                } else {
                    self.ask_again(&finding, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Once a minute; a request that comes twice finds nothing left to do.
    async fn ask_again(&self, finding: &Finding, now: Timestamp) -> Result<(), NotifierError> {
        let Some(since) = finding.waits_since() else { return Ok(()) };
        let minutes = now.duration_since(since).as_mins();
        let key = format!("asked again {} {since} {minutes}", finding.id);
        if minutes < 1 || self.table.claim(&key, now).await?.is_none() {
            return Ok(());
        }
        tracing::warn!(finding_id = %finding.id, minutes, "a fix or an undo has not reported back: asking again");
        send_requests(&self.queues, &self.fix_queue, finding).await?;
        Ok(self.table.confirm(&key).await?)
    }

    /// Looks at what was fixed but not yet seen compliant by AWS Config: were it broken again
    /// before that, AWS Config would have no change to tell of.
    async fn look_after_fixes(&self, now: Timestamp) -> Result<(), NotifierError> {
        let fixed = self.findings(StateName::Fixed, Order::NewestFirst).await?;
        let unconfirmed: Vec<_> = fixed.into_iter().filter(|finding| finding.is_unconfirmed(now)).collect();
        for some in unconfirmed.chunks(8) {
            let plans =
                join_all(some.iter().map(|finding| self.plan(&finding.rule, &finding.resource))).await;
            for (finding, plan) in some.iter().zip(plans) {
                if finding.relapsed(&plan, now).is_some() {
                    self.settle(&finding.id, |finding| finding.relapsed(&plan, now)).await?;
                }
            }
        }
        Ok(())
    }

    /// Ends the ignores whose tag is gone. While it is there AWS Config has no change to tell of.
    async fn look_for_tags(&self, now: Timestamp) -> Result<(), NotifierError> {
        let ignored = self.findings(StateName::Ignored, Order::OldestFirst).await?;
        let tagged: Vec<_> = ignored
            .into_iter()
            .filter(|finding| matches!(finding.state, State::Ignored { by: Actor::Tag, .. }))
            .collect();
        for some in tagged.chunks(8) {
            let abouts =
                join_all(some.iter().map(|finding| self.remediations.about(&finding.resource))).await;
            for (finding, about) in some.iter().zip(abouts) {
                let is_gone = match about {
                    Ok(about) => about.ignored_because().is_none(),
                    // Otherwise, where it cannot be read, it stays ignored.
                    Err(error) => error.kind == AwsErrorKind::NotFound,
                };
                if is_gone && let Some(ended) = finding.untagged(now) {
                    self.wait_for_auto_response(&ended, LATER).await?;
                    self.settle(&finding.id, |finding| finding.untagged(now)).await?;
                }
            }
        }
        Ok(())
    }

    /// Digests whose drawing was asked for but got lost.
    async fn draw_what_is_overdue(&self, now: Timestamp) -> Result<(), NotifierError> {
        let channels: BTreeSet<&str> =
            self.routing.channels().chain([self.slack.channel()]).map(|channel| channel.0.as_str()).collect();
        for channel in channels {
            if let Some(digest) = self.table.storm(channel).await?.digest
                && self.table.is_drawing_overdue(&digest, now).await?
            {
                self.queues.send(&self.queues.events, &Notice::Draw { digest }).await?;
            }
        }
        Ok(())
    }

    /// An open finding goes back to where auto-response looks, so many seconds later. Before the
    /// finding is changed, so that a crash in between loses nothing.
    async fn wait_for_auto_response(&self, finding: &Finding, seconds: u32) -> Result<(), NotifierError> {
        for request in finding.auto_requests() {
            self.queues.send_later(&self.remediation_queue, &request, seconds).await?;
        }
        Ok(())
    }

    async fn findings(&self, state: StateName, order: Order) -> Result<Vec<Finding>, NotifierError> {
        let records = self.table.by_state(state, order, LIMIT).await?;
        Ok(records.into_iter().map(|record| record.finding).collect())
    }

    /// Changes a finding and asks for it to be shown.
    pub(super) async fn settle(
        &self,
        id: &FindingId,
        change: impl Fn(&Finding) -> Option<Finding>,
    ) -> Result<(), NotifierError> {
        self.publisher.show_later(id).await?;
        let changed = self.table.change(id, |finding| finding.and_then(&change).ok_or(())).await?;
        if matches!(changed, Changed::Yes(_)) {
            self.queues.send(&self.queues.events, &Notice::Show { finding: id.clone() }).await?;
        }
        Ok(())
    }
}
