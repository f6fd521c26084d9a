//! What the notifier does every minute, whatever happens.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Notifier, NotifierError};
use crate::aws::AwsErrorKind;
use crate::contracts::job::Job;
use crate::finding::{Actor, Finding, Plan, State, StateName};
use crate::ids::FindingId;
use crate::metrics::{FixFailure, count_fix_failure};
use crate::queue::QueueMessage;
use crate::store::{Changed, Order, Table};

/// How many findings of a state one housekeeping looks at.
const LIMIT: usize = 500;

/// Until the finding says that it is not ignored any more, its requests would be let go. Seconds.
const LATER: u32 = 5;

/// How many findings of a state one housekeeping goes through, and how many of them it looks at.
const AT_ONCE: usize = 200;
const LOOKS_AT_ONCE: usize = 40;

/// How old a look may be.
const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(1);

fn is_due(finding: &Finding, now: Timestamp) -> bool {
    let is_old = finding
        .checked_at
        .is_none_or(|at| now.duration_since(at) >= LOOK_EVERY);
    match &finding.plan {
        Plan::Unsupported => false,
        Plan::Unknown { looking: true, .. } => true,
        Plan::Unknown { looking: false, .. } | Plan::Known { .. } => is_old,
    }
}

impl Notifier {
    /// Each change is shown by a notice of its own, so that one that Slack will not take keeps
    /// nothing else from being done.
    pub(super) async fn keep_house(&self) -> Result<(), NotifierError> {
        let now = self.clock.now();
        self.end_ignores(now).await?;
        self.chase(now).await?;
        self.look_after_fixes(now).await?;
        self.look_for_tags(now).await?;
        for state in [StateName::Open, StateName::Ignored] {
            Box::pin(self.look_after(state, now)).await?;
        }
        self.compare_switch().await?;
        self.draw_what_is_overdue(now).await?;
        self.weekly_report(now).await?;
        // Last: where S3 Control cannot be reached it takes seconds.
        self.judge_again(now).await?;
        *self
            .kept_house_at
            .lock()
            .expect("nothing panics while it holds it") = Some(now);
        Ok(())
    }

    /// Whether what a message asks for has been done since it was sent.
    pub(super) fn has_kept_house_since(&self, message: &QueueMessage) -> bool {
        let kept_at = *self
            .kept_house_at
            .lock()
            .expect("nothing panics while it holds it");
        kept_at
            .zip(message.sent_at)
            .is_some_and(|(kept_at, sent_at)| kept_at > sent_at)
    }

    /// Ends the ignores whose time is over; a finding that is open again goes back to where
    /// auto-response looks.
    async fn end_ignores(&self, now: Timestamp) -> Result<(), NotifierError> {
        for finding in self
            .findings(StateName::Ignored, Order::OldestFirst)
            .await?
        {
            self.end_ignore(&finding, now).await?;
        }
        Ok(())
    }

    async fn end_ignore(&self, finding: &Finding, now: Timestamp) -> Result<(), NotifierError> {
        let Some(expired) = finding.ignore_expired(now) else {
            return Ok(());
        };
        self.wait_for_auto_response(&expired, 0).await?;
        self.settle(&finding.id, |finding| finding.ignore_expired(now))
            .await
    }

    /// Goes through the findings of a state, some at a time: those whose plan is not known, or has not been
    /// looked at for an hour, are looked at again, for AWS Config is silent while a resource stays
    /// non-compliant; the ignore of a part ends; what version 0.1 kept moves under its id.
    async fn look_after(&self, state: StateName, now: Timestamp) -> Result<(), NotifierError> {
        let place = self.table.housekeeping_place(state).await?;
        let (records, next) = self
            .table
            .page(state, place.as_ref(), AT_ONCE, |_| true)
            .await?;
        let mut due = Vec::new();
        for record in records {
            let finding = record.finding.clone();
            if Table::is_of_older_version(&record, &self.remediations.rules) {
                self.move_under_new_id(&finding.id).await?;
            } else if finding.episode.left.is_some() && finding.ignore_expired(now).is_some() {
                self.end_ignore(&finding, now).await?;
            } else if is_due(&finding, now) && due.len() < LOOKS_AT_ONCE {
                due.push(finding);
            }
        }
        self.see_all(&due).await?;
        Ok(self
            .table
            .note_housekeeping_place(state, next.as_ref())
            .await?)
    }

    /// Its message is edited, so that its buttons say what they are about.
    async fn move_under_new_id(&self, id: &FindingId) -> Result<(), NotifierError> {
        let finding = self.table.resolve(id, &self.remediations.rules).await?;
        Ok(self
            .queues
            .send(&self.queues.events, &Job::Show { finding })
            .await?)
    }

    /// Asks again for fixes and undos that have not reported back in a minute: the process that recorded
    /// the request may have died before it was queued. Gives up those that never do.
    async fn chase(&self, now: Timestamp) -> Result<(), NotifierError> {
        for state in [StateName::Fixing, StateName::Undoing] {
            for finding in self.findings(state, Order::OldestFirst).await? {
                if finding.undo_timed_out(now).is_some() {
                    count_fix_failure(FixFailure::NoReport);
                    self.give_up_undo(&finding.id, now).await?;
                } else if finding.fix_timed_out(now).is_some() {
                    count_fix_failure(FixFailure::NoReport);
                    self.settle(&finding.id, |finding| finding.fix_timed_out(now))
                        .await?;
                } else {
                    self.ask_again(&finding, now).await?;
                }
            }
        }
        Ok(())
    }

    /// Once a minute; a request that comes twice finds nothing left to do.
    async fn ask_again(&self, finding: &Finding, now: Timestamp) -> Result<(), NotifierError> {
        let Some(since) = finding.waits_since() else {
            return Ok(());
        };
        let minutes = now.duration_since(since).as_mins();
        let key = format!("asked again {} {since} {minutes}", finding.id);
        if minutes < 1 {
            return Ok(());
        }
        let Some(claim) = self.table.claim(&key, now).await? else {
            return Ok(());
        };
        tracing::warn!(finding_id = %finding.id, minutes, "a fix or an undo has not reported back: asking again");
        self.fix_requests.send(finding).await?;
        Ok(self.table.confirm(&key, &claim).await?)
    }

    /// Looks at what was fixed but not yet seen compliant by AWS Config: were it broken again
    /// before that, AWS Config would have no change to tell of.
    async fn look_after_fixes(&self, now: Timestamp) -> Result<(), NotifierError> {
        let fixed = self.findings(StateName::Fixed, Order::NewestFirst).await?;
        let unconfirmed: Vec<_> = fixed
            .into_iter()
            .filter(|finding| finding.is_unconfirmed(now))
            .collect();
        self.see_all(&unconfirmed).await
    }

    /// Ends the ignores whose tag is gone. While it is there AWS Config has no change to tell of.
    async fn look_for_tags(&self, now: Timestamp) -> Result<(), NotifierError> {
        let ignored = self
            .findings(StateName::Ignored, Order::OldestFirst)
            .await?;
        let tagged: Vec<_> = ignored
            .into_iter()
            .filter(|finding| matches!(finding.state, State::Ignored { by: Actor::Tag, .. }))
            .collect();
        for some in tagged.chunks(8) {
            let abouts = join_all(
                some.iter()
                    .map(|finding| self.remediations.about(&finding.resource)),
            )
            .await;
            for (finding, about) in some.iter().zip(abouts) {
                let is_gone = match about {
                    Ok(about) => about.ignored_because().is_none(),
                    Err(error) if error.kind == AwsErrorKind::NotFound => {
                        self.settle(&finding.id, |finding| finding.deleted(now))
                            .await?;
                        continue;
                    }
                    // Where it cannot be read, it stays ignored.
                    Err(_) => false,
                };
                if is_gone && let Some(ended) = finding.untagged(now) {
                    self.wait_for_auto_response(&ended, LATER).await?;
                    self.settle(&finding.id, |finding| finding.untagged(now))
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Digests whose drawing was asked for but got lost.
    async fn draw_what_is_overdue(&self, now: Timestamp) -> Result<(), NotifierError> {
        let channels: BTreeSet<&str> = self
            .routing
            .channels()
            .chain([self.slack.channel()])
            .map(|channel| channel.0.as_str())
            .collect();
        for channel in channels {
            if let Some(digest) = self.table.storm(channel).await?.digest
                && self.table.is_drawing_overdue(&digest, now).await?
            {
                self.queues
                    .send(&self.queues.events, &Job::Draw { digest })
                    .await?;
            }
        }
        Ok(())
    }

    /// An open finding goes back to where auto-response looks, so many seconds later. Before the
    /// finding is changed, so that a crash in between loses nothing.
    pub(super) async fn wait_for_auto_response(
        &self,
        finding: &Finding,
        seconds: u32,
    ) -> Result<(), NotifierError> {
        for request in finding.auto_requests() {
            self.queues
                .send_later(&self.remediation_queue, &request, seconds)
                .await?;
        }
        Ok(())
    }

    async fn findings(
        &self,
        state: StateName,
        order: Order,
    ) -> Result<Vec<Finding>, NotifierError> {
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
        let changed = Box::pin(
            self.table
                .change(id, |finding| finding.and_then(&change).ok_or(())),
        )
        .await?;
        if matches!(changed, Changed::Yes(_)) {
            self.queues
                .send(
                    &self.queues.events,
                    &Job::Show {
                        finding: id.clone(),
                    },
                )
                .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::{at, open};

    #[test]
    fn a_look_is_due_after_an_hour_or_where_the_plan_is_not_known_yet() {
        let due = |plan: Plan, minutes: i64| {
            is_due(
                &Finding {
                    plan,
                    checked_at: Some(at(0)),
                    ..open()
                },
                at(minutes * 60),
            )
        };
        let known = || Plan::Known {
            changes: Vec::new(),
        };
        let unknown = |looking| Plan::Unknown {
            reason: "throttled".to_owned(),
            looking,
        };
        assert_eq!([59, 60].map(|minutes| due(known(), minutes)), [false, true]);
        assert_eq!(
            [59, 60].map(|minutes| due(unknown(false), minutes)),
            [false, true]
        );
        assert!(due(unknown(true), 0) && !due(Plan::Unsupported, 600));
        assert!(
            is_due(
                &Finding {
                    plan: known(),
                    checked_at: None,
                    ..open()
                },
                at(0)
            ),
            "of an older version"
        );
    }
}
