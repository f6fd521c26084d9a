//! Housekeeping: what the notifier does every minute.

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

/// The number of findings of a state at which one housekeeping looks.
const LIMIT: usize = 500;

/// The delay of a request of a finding whose ignore ends: a request that arrives before the change of state
/// would be deleted. Seconds.
const LATER: u32 = 5;

/// The number of findings of a state that one housekeeping goes through, and the number of them at which it
/// looks.
const AT_ONCE: usize = 200;
const LOOKS_AT_ONCE: usize = 40;

/// The age of a look after which it is repeated.
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
    /// Each change is shown by a job of its own, so that a message that Slack does not take holds up nothing
    /// else.
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
        // This comes last, because it takes seconds where S3 Control cannot be reached.
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

    /// Ends the ignores whose time is over. A finding that is open again goes back into the remediation
    /// queue.
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

    /// Goes through the findings of a state, some at a time. A finding whose plan is not known, or is an hour
    /// old, is looked at again, since AWS Config sends nothing while a resource stays non-compliant. An
    /// ignore of a part ends, and a record of version 0.1 moves to its new id.
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

    /// Its message is edited, so that its buttons name the new id.
    async fn move_under_new_id(&self, id: &FindingId) -> Result<(), NotifierError> {
        let finding = self.table.resolve(id, &self.remediations.rules).await?;
        Ok(self
            .queues
            .send(&self.queues.events, &Job::Show { finding })
            .await?)
    }

    /// Sends the requests again of fixes and undos that have not reported back in a minute, since the process
    /// that recorded them may have died before it sent them. Gives up those that have not reported back in
    /// time.
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

    /// They are sent once a minute. A request that comes twice finds nothing left to do.
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

    /// Looks at resources that were fixed and that AWS Config has not found compliant yet: where one breaks
    /// again before that, AWS Config sends nothing.
    async fn look_after_fixes(&self, now: Timestamp) -> Result<(), NotifierError> {
        let fixed = self.findings(StateName::Fixed, Order::NewestFirst).await?;
        let unconfirmed: Vec<_> = fixed
            .into_iter()
            .filter(|finding| finding.is_unconfirmed(now))
            .collect();
        self.see_all(&unconfirmed).await
    }

    /// Ends the ignores whose tag is gone: AWS Config sends nothing about it.
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
                    // A resource that cannot be read stays ignored.
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

    /// Draws the digests whose job to draw them was lost.
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

    /// Sends the requests of a finding that opens again to the remediation queue, `delay` seconds later. It
    /// is called before the finding is changed, so that a crash in between loses nothing.
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
