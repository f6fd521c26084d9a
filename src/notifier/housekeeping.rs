//! Housekeeping: what the notifier does every minute.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::round::Course;
use super::{Notifier, NotifierError};
use crate::aws::AwsErrorKind;
use crate::contracts::job::Job;
use crate::finding::{Actor, CONFIRMATION, Finding, Plan, State, StateName};
use crate::ids::FindingId;
use crate::metrics::{FixFailure, count_fix_failure};
use crate::queue::QueueMessage;
use crate::store::{Changed, Table};

/// The delay of a request of a finding whose ignore ends: a request that arrives before the change of state
/// would be deleted. Seconds.
const LATER: u32 = 5;

/// The rounds of housekeeping, each through the findings of one state.
const ENDS: Course = course("ends of ", StateName::Ignored, 1000);
const TAGS: Course = course("tags of ", StateName::Ignored, 200);
const FIXES: Course = course("waiting ", StateName::Fixing, 1000);
const UNDOS: Course = course("waiting ", StateName::Undoing, 1000);
const OPEN: Course = course("", StateName::Open, 200);
const IGNORED: Course = course("", StateName::Ignored, 200);
const FIXED: Course = course("after fixes ", StateName::Fixed, LOOKS_AT_ONCE);

const fn course(name: &'static str, state: StateName, at_most: usize) -> Course {
    Course {
        name,
        state,
        since: None,
        at_most,
    }
}

/// The number of findings at which one run of a round looks.
const LOOKS_AT_ONCE: usize = 40;

/// The number of resources that are looked at side by side.
const SIDE_BY_SIDE: usize = 8;

/// The time after which the request of a fix or an undo is sent again, once a minute.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_mins(1);

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
        let done = [
            self.end_ignores(now).await,
            self.chase(FIXES, now).await,
            self.chase(UNDOS, now).await,
            self.compare_switch().await,
            self.draw_what_is_overdue(now).await,
            self.weekly_report(now).await,
            // What looks at resources comes last: it takes seconds where a service cannot be reached.
            self.look_after_fixes(now).await,
            self.look_for_tags(now).await,
            Box::pin(self.look_after(OPEN, now)).await,
            Box::pin(self.look_after(IGNORED, now)).await,
            self.judge_again(now).await,
        ];
        // What fails does not keep the rest from being done.
        done.into_iter().collect::<Result<(), _>>()?;
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
        let is_over = |finding: &Finding| finding.ignore_expired(now).is_some();
        let mut round = self.begin_round(ENDS, is_over).await?;
        while let Some(record) = round.next() {
            let ended = self.end_ignore(&record.finding, now).await;
            round.take(ended);
        }
        self.end_round(round).await
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
    async fn look_after(&self, course: Course, now: Timestamp) -> Result<(), NotifierError> {
        let mut round = self.begin_round(course, |_| true).await?;
        let (mut due, mut looks) = (Vec::new(), 0);
        while let Some(record) = round.next() {
            let finding = &record.finding;
            let done = if Table::is_of_older_version(&record, &self.remediations.rules) {
                self.move_under_new_id(&finding.id).await
            } else if finding.episode.left.is_some() && finding.ignore_expired(now).is_some() {
                self.end_ignore(finding, now).await
            } else {
                due.extend(is_due(finding, now).then(|| finding.clone()));
                Ok(())
            };
            round.take(done);
            if due.len() == SIDE_BY_SIDE {
                looks += due.len();
                round.take_all(self.see_some(&due).await);
                due.clear();
            }
            if looks >= LOOKS_AT_ONCE {
                round.stop();
            }
        }
        round.take_all(self.see_some(&due).await);
        self.end_round(round).await
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
    async fn chase(&self, course: Course, now: Timestamp) -> Result<(), NotifierError> {
        let waits = |finding: &Finding| {
            let since = finding.waits_since();
            since.is_some_and(|since| now.duration_since(since) >= ASKED_AGAIN)
        };
        let mut round = self.begin_round(course, waits).await?;
        while let Some(record) = round.next() {
            let chased = self.chase_one(&record.finding, now).await;
            round.take(chased);
        }
        self.end_round(round).await
    }

    async fn chase_one(&self, finding: &Finding, now: Timestamp) -> Result<(), NotifierError> {
        if finding.undo_timed_out(now).is_some() {
            count_fix_failure(FixFailure::NoReport);
            return self.give_up_undo(&finding.id, now).await;
        }
        if finding.fix_timed_out(now).is_some() {
            count_fix_failure(FixFailure::NoReport);
            let given_up = |finding: &Finding| finding.fix_timed_out(now);
            return self.settle(&finding.id, given_up).await;
        }
        self.ask_again(finding, now).await
    }

    /// They are sent once a minute. A request that comes twice finds nothing left to do.
    async fn ask_again(&self, finding: &Finding, now: Timestamp) -> Result<(), NotifierError> {
        let Some(since) = finding.waits_since() else {
            return Ok(());
        };
        let minutes = now.duration_since(since).as_mins();
        let key = format!("asked again {} {since} {minutes}", finding.id);
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
        let course = Course {
            since: Some(now - CONFIRMATION),
            ..FIXED
        };
        let is_unconfirmed = |finding: &Finding| finding.is_unconfirmed(now);
        let mut round = self.begin_round(course, is_unconfirmed).await?;
        loop {
            let some = round.some(SIDE_BY_SIDE);
            if some.is_empty() {
                break;
            }
            round.take_all(self.see_some(&some).await);
        }
        self.end_round(round).await
    }

    /// Ends the ignores whose tag is gone: AWS Config sends nothing about it.
    async fn look_for_tags(&self, now: Timestamp) -> Result<(), NotifierError> {
        let by_tag = |finding: &Finding| {
            let state = &finding.state;
            matches!(state, State::Ignored { by: Actor::Tag, .. })
        };
        let mut round = self.begin_round(TAGS, by_tag).await?;
        loop {
            let some = round.some(SIDE_BY_SIDE);
            if some.is_empty() {
                break;
            }
            let looks = some.iter().map(|finding| self.look_for_tag(finding, now));
            round.take_all(join_all(looks).await);
        }
        self.end_round(round).await
    }

    /// A resource that cannot be read stays ignored.
    async fn look_for_tag(&self, finding: &Finding, now: Timestamp) -> Result<(), NotifierError> {
        let about = match self.remediations.about(&finding.resource).await {
            Ok(about) => about,
            Err(error) if error.kind == AwsErrorKind::NotFound => {
                let deleted = |finding: &Finding| finding.deleted(now);
                return self.settle(&finding.id, deleted).await;
            }
            Err(_) => return Ok(()),
        };
        if about.ignored_because().is_some() {
            return Ok(());
        }
        let Some(ended) = finding.untagged(now) else {
            return Ok(());
        };
        self.wait_for_auto_response(&ended, LATER).await?;
        self.settle(&finding.id, |finding| finding.untagged(now))
            .await
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
