//! Brings a finding's Slack message up to date: posts it, edits it, and replies in its thread. Where there
//! are many findings at once, it enters the finding in a digest instead.
//!
//! A publisher holds a lease on the finding, so that two never post it twice, and shows
//! the newest version before giving the lease back. A publisher that dies leaves `shown` behind
//! the finding; the next delivery of the same queue message, or a notice to show it, catches up,
//! and looks first for what the dead one may have posted but not noted ([`super::mark`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use slack_morphism::prelude::{SlackChannelId, SlackTs};

use super::blocks::note;
use super::error::SlackError;
use super::finding_message::{finding_message, moved_message};
use super::mark::Mark;
use super::publisher::{PublishError, Published, Publisher};
use super::text::{actor, group_mention, prose};
use crate::aws::AwsError;
use crate::contracts::job::Job;
use crate::finding::attribution::{LOOKS, can_be_known};
use crate::finding::storm::Place;
use crate::finding::{Finding, Plan, Recipient, Reply};
use crate::ids::FindingId;
use crate::metrics;
use crate::store::Holder;
use crate::store::{Listed, Posted, Record, Shown};

/// The time within which a message that Slack did not take is tried again.
const LATELY: Duration = Duration::from_secs(300);

/// The time after which a change that is about to be written has been written. Seconds.
const WRITTEN: u32 = 30;

impl Publisher {
    /// Brings the message of the finding `id` up to date.
    pub async fn publish(&self, id: &FindingId) -> Result<Published, PublishError> {
        Box::pin(self.publish_as(id, &Holder::new())).await
    }

    /// As [`Publisher::publish`], within `patience`: what is not done by then is left to the next publisher.
    pub async fn publish_within(
        &self,
        id: &FindingId,
        patience: Duration,
    ) -> Result<Published, PublishError> {
        let holder = Holder::new();
        match tokio::time::timeout(patience, Box::pin(self.publish_as(id, &holder))).await {
            Ok(published) => published,
            Err(_) => {
                self.table.abandon(id, &holder, self.clock.now()).await?;
                Ok(Published::Busy)
            }
        }
    }

    async fn publish_as(&self, id: &FindingId, holder: &Holder) -> Result<Published, PublishError> {
        let Some(leased) = self.table.lease(id, holder, self.clock.now()).await? else {
            return Ok(Published::Busy);
        };
        let unsure = leased.unsure_since();
        let shown = Box::pin(self.show_newest(leased.record, holder, unsure)).await;
        match &shown {
            Ok(_) => {}
            Err(PublishError::Slack(error)) if error.is_uncertain() => {
                *self
                    .failed_at
                    .lock()
                    .expect("nothing panics while it holds it") = Some(Instant::now());
                self.table.abandon(id, holder, self.clock.now()).await?;
            }
            Err(PublishError::Slack(_)) if unsure.is_none() => {
                self.table.release(id, holder, None).await?;
            }
            Err(_) => self.table.abandon(id, holder, self.clock.now()).await?,
        }
        shown
    }

    /// Has the notifier show the finding a little later. It is called before a change, because the process
    /// may die between the change and its message.
    pub async fn show_later(&self, id: &FindingId) -> Result<(), AwsError> {
        let job = Job::Show {
            finding: id.clone(),
        };
        self.queues
            .send_later(&self.queues.events, &job, WRITTEN)
            .await
    }

    /// Whether Slack lately failed to take a message, so that some may be waiting to be tried again.
    pub fn has_failed_lately(&self) -> bool {
        let failed_at = *self
            .failed_at
            .lock()
            .expect("nothing panics while it holds it");
        failed_at.is_some_and(|at| at.elapsed() < LATELY)
    }

    async fn show_newest(
        &self,
        mut record: Record,
        holder: &Holder,
        unsure: Option<Timestamp>,
    ) -> Result<Published, PublishError> {
        loop {
            while !record.is_shown() {
                let shown = Box::pin(self.show_step(&record, unsure)).await?;
                let Some(newer) = self
                    .table
                    .set_shown(&record.finding.id, holder, &shown)
                    .await?
                else {
                    // Another publisher has the lease by now, and shows the newest version.
                    return Ok(Published::Busy);
                };
                record = newer;
            }
            match self
                .table
                .release(&record.finding.id, holder, Some(record.version))
                .await?
            {
                None => return Ok(Published::Shown),
                Some(newer) => record = newer,
            }
        }
    }

    /// Makes one call that brings Slack closer to the finding's newest version.
    async fn show_step(
        &self,
        record: &Record,
        unsure: Option<Timestamp>,
    ) -> Result<Shown, PublishError> {
        let (finding, news) = (&record.finding, record.news());
        match &record.shown {
            Some(Shown::Posted(posted))
                if posted.episode == finding.episode.number && self.has_moved(finding, posted) =>
            {
                Ok(Shown::Posted(
                    self.move_to_channel(record, posted, unsure).await?,
                ))
            }
            Some(Shown::Posted(posted)) if posted.episode == finding.episode.number => {
                if let Some(digest) = posted.digest.as_ref().filter(|_| posted.version != news) {
                    self.enter(record, digest).await?;
                }
                Ok(Shown::Posted(
                    self.edit(finding, news, posted, unsure).await?,
                ))
            }
            Some(Shown::Listed(listed)) if listed.episode == finding.episode.number => {
                self.enter(record, &listed.digest).await?;
                self.keep_listed(record, listed, unsure).await
            }
            Some(Shown::Posted(previous)) => self.show_first(record, Some(previous), unsure).await,
            Some(Shown::Listed(_)) | None => self.show_first(record, None, unsure).await,
        }
    }

    /// Chooses the place of a finding that Slack does not show yet: a message, or a digest where there are
    /// many.
    async fn show_first(
        &self,
        record: &Record,
        previous: Option<&Posted>,
        unsure: Option<Timestamp>,
    ) -> Result<Shown, PublishError> {
        let channel = self.channel_of(&record.finding);
        let place = {
            let turns = self.turns_of(&channel);
            let _mine = turns.lock().await;
            self.table
                .place(&channel.0, &record.finding, self.clock.now())
                .await?
        };
        match place {
            // The place is stored first, so that the finding has one place whatever fails next.
            Place::Digest(digest) => Ok(Shown::Listed(Listed {
                digest,
                episode: record.finding.episode.number,
                version: 0,
            })),
            Place::Single => {
                let posted = self.post(record, &channel, previous, unsure).await?;
                metrics::measure(
                    metrics::CHANGE_TO_MESSAGE,
                    record.finding.recorded_at,
                    self.clock.now(),
                );
                self.ask_who_opened(&record.finding).await;
                Ok(Shown::Posted(posted))
            }
        }
    }

    /// Whether the finding's route leads to another channel now. A finding that is over stays where it is.
    fn has_moved(&self, finding: &Finding, posted: &Posted) -> bool {
        let is_over = finding.state_name(Timestamp::MIN).is_over();
        !is_over
            && posted
                .home
                .as_ref()
                .is_some_and(|home| *home != self.channel_of(finding).0)
    }

    /// Posts the finding in the channel of its route; its old message links to the new one.
    async fn move_to_channel(
        &self,
        record: &Record,
        posted: &Posted,
        unsure: Option<Timestamp>,
    ) -> Result<Posted, SlackError> {
        let channel = self.channel_of(&record.finding);
        let moved = self.post(record, &channel, None, unsure).await?;
        let (old, ts) = (
            SlackChannelId::from(posted.channel.clone()),
            SlackTs::from(posted.ts.clone()),
        );
        let link = self
            .slack
            .permalink(&moved.channel.clone().into(), &moved.ts.clone().into())
            .await;
        let content = moved_message(&record.finding, &moved.channel, link.ok().as_deref());
        if let Err(error) = self.slack.update(&old, &ts, &content).await {
            // The new message is there; the old one may stay as it is.
            tracing::warn!(%error, finding_id = %record.finding.id, "the old message does not say where the new one is");
        }
        Ok(Posted {
            digest: posted.digest.clone(),
            previous: posted.previous.clone(),
            ..moved
        })
    }

    fn turns_of(&self, channel: &SlackChannelId) -> Arc<tokio::sync::Mutex<()>> {
        let mut placing = self
            .placing
            .lock()
            .expect("nothing panics while it holds them");
        placing.entry(channel.clone()).or_default().clone()
    }

    pub(super) fn channel_of(&self, finding: &Finding) -> SlackChannelId {
        finding
            .channel
            .as_ref()
            .map_or_else(|| self.slack.channel().clone(), |id| id.clone().into())
    }

    async fn edit(
        &self,
        finding: &Finding,
        version: u64,
        posted: &Posted,
        unsure: Option<Timestamp>,
    ) -> Result<Posted, SlackError> {
        let (channel, ts) = (
            SlackChannelId::from(posted.channel.clone()),
            SlackTs::from(posted.ts.clone()),
        );
        if posted.version != version {
            let mark = Mark::finding(&finding.id, finding.episode.number);
            let content = mark.put_on(&finding_message(finding, posted.previous.as_deref()));
            return match self.slack.update(&channel, &ts, &content).await {
                // Somebody deleted the message: it is posted again.
                Err(error) if error.is_message_gone() => {
                    tracing::warn!(%error, finding_id = %finding.id, "the message is gone, posting another");
                    let home = self.channel_of(finding);
                    let (ts, channel) =
                        self.post_where_it_can(&home, &content, &mark, None).await?;
                    let (channel, ts) = (channel.to_string(), ts.to_string());
                    Ok(Posted {
                        channel,
                        ts,
                        version,
                        replies: 0,
                        ..posted.clone()
                    })
                }
                Err(error) => Err(error),
                Ok(()) => {
                    // Version 0.1 did not store whether it had mentioned the user group.
                    let is_noted = posted.home.is_some();
                    let called = posted.called
                        || is_noted && self.call_in_thread(finding, posted, unsure).await?;
                    Ok(Posted {
                        version,
                        called,
                        ..posted.clone()
                    })
                }
            };
        }
        if let Some(reply) = finding.episode.thread.get(posted.replies) {
            let reply = note(&self.reply_text(finding, reply));
            let mark = Mark::reply(&finding.id, finding.episode.number, posted.replies);
            self.slack
                .post_marked(&channel, &reply, Some(&ts), &mark, unsure)
                .await?;
        }
        Ok(Posted {
            replies: posted.replies + 1,
            ..posted.clone()
        })
    }

    /// `<@U0ALICE>: <@U0CAROL> declined the fix.`
    fn reply_text(&self, finding: &Finding, Reply { by, text, to }: &Reply) -> String {
        let account = &finding.resource.account;
        let to: Vec<String> = match to {
            Some(Recipient::Asker(asker)) => vec![actor(asker)],
            Some(Recipient::Operators) => {
                let groups = self.operators.iter();
                let groups = groups.filter_map(|operator| operator.group_for(account));
                groups.map(group_mention).collect()
            }
            None => Vec::new(),
        };
        let to = match to.is_empty() {
            true => String::new(),
            false => format!("{}: ", to.join(" ")),
        };
        let by = by.as_ref();
        let by = by.map_or_else(String::new, |by| format!("{} ", actor(by)));
        format!("{to}{by}{}", prose(text, 2500))
    }

    pub(super) async fn post(
        &self,
        record: &Record,
        channel: &SlackChannelId,
        previous: Option<&Posted>,
        unsure: Option<Timestamp>,
    ) -> Result<Posted, SlackError> {
        let finding = &record.finding;
        let previous = match previous {
            // Without the link the message is posted all the same.
            Some(posted) => self
                .slack
                .permalink(&posted.channel.clone().into(), &posted.ts.clone().into())
                .await
                .ok(),
            None => None,
        };
        let content = self.calling(finding, finding_message(finding, previous.as_deref()));
        let mark = Mark::finding(&finding.id, finding.episode.number);
        let home = channel;
        let (ts, channel) = self
            .post_where_it_can(home, &content, &mark, unsure)
            .await?;
        Ok(Posted {
            channel: channel.to_string(),
            ts: ts.to_string(),
            episode: finding.episode.number,
            version: record.news(),
            replies: 0,
            previous,
            home: Some(home.to_string()),
            called: self.whom_to_call(finding).is_some(),
            digest: None,
        })
    }

    /// Where this fails, the message stands without the name.
    async fn ask_who_opened(&self, finding: &Finding) {
        let known = matches!(&finding.plan, Plan::Known { changes } if !changes.is_empty());
        if !known || !can_be_known(&finding.resource) {
            return;
        }
        let (finding, episode) = (finding.id.clone(), finding.episode.number);
        let job = Job::WhoOpened {
            finding,
            episode,
            looks: 0,
        };
        if let Err(error) = self
            .queues
            .send_later(&self.queues.events, &job, LOOKS[0])
            .await
        {
            tracing::warn!(%error, "cannot ask who opened it");
        }
    }
}
