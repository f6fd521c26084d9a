//! Who draws a digest's message, and when it is due.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::lease::{FREE, Holder};
use super::table::{Table, TableError};
use crate::finding::digest::{Digest, Drawn};
use crate::ids::DigestId;

/// A digest is drawn at most this often; one that takes long to count less often.
const DRAWN_EVERY: SignedDuration = SignedDuration::from_secs(3);

/// Of the time, at most this part goes into counting.
const COUNTING_SHARE: i32 = 20;

/// However long it takes, a digest is drawn this often.
const DRAWN_AT_LEAST_EVERY: SignedDuration = SignedDuration::from_secs(120);

/// A drawing that was asked for and has not come by then is asked for again.
const OVERDUE: SignedDuration = SignedDuration::from_secs(180);

/// When a digest may be drawn again, and when a drawing was asked for that has not come.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Due {
    #[serde(default)]
    next_drawing: Option<i64>,
    #[serde(default)]
    asked_at: Option<i64>,
}

impl Table {
    /// Becomes the one who draws a digest's message, if nobody else is at it and, unless `at_once`,
    /// it has not just been drawn. Whatever changes from here on is a reason to draw it again.
    pub async fn begin_drawing(
        &self,
        id: &DigestId,
        channel: &str,
        holder: &Holder,
        at_once: bool,
        now: Timestamp,
    ) -> Result<Option<Digest>, TableError> {
        let due = "(attribute_not_exists(nextDrawing) OR nextDrawing <= :now)";
        let condition = match at_once {
            true => FREE.to_owned(),
            false => format!("{FREE} AND {due}"),
        };
        let update = self
            .digest_update(id)
            .does("SET leaseUntil = :until, leaseHolder = :holder, channel = if_not_exists(channel, :channel), begunAt = if_not_exists(begunAt, :begun) REMOVE askedAt")
            .only_if(condition)
            .lease(holder, now)
            .value("channel", channel)
            .value("begun", now);
        update.new_item().await
    }

    /// The digest's message is drawn, or could not be: somebody else may. Whose lease has passed to
    /// another notes nothing.
    pub async fn end_drawing(
        &self,
        id: &DigestId,
        holder: &Holder,
        drawn: Option<&Drawn>,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let counting = drawn.map_or(SignedDuration::ZERO, |drawn| drawn.counting);
        let pause = counting * COUNTING_SHARE;
        let pause = pause.clamp(DRAWN_EVERY, DRAWN_AT_LEAST_EVERY);
        let update = self
            .digest_update(id)
            .only_held_by(holder)
            .value("next", (now + pause).as_millisecond());
        let update = match drawn {
            Some(drawn) => update
                .does_and_expires(
                    "SET channel = :channel, ts = :ts, #called = :called, #counts = :counts, #list = :list, nextDrawing = :next",
                    &["leaseUntil", "leaseHolder"],
                    self.expiry(drawn.all_over),
                )
                .name("called")
                .name("list")
                .name("counts")
                .value("channel", &drawn.channel)
                .value("ts", &drawn.ts)
                .value("called", drawn.called)
                .value("counts", &drawn.counts)
                .value("list", &drawn.list),
            None => update.does("SET nextDrawing = :next REMOVE leaseUntil, leaseHolder"),
        };
        update.make().await.map(drop)
    }

    /// Asks for a drawing: when it may be drawn again, where nobody else has asked.
    pub async fn ask_for_drawing(
        &self,
        id: &DigestId,
        channel: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, TableError> {
        let update = self
            .digest_update(id)
            .does("SET askedAt = :now, channel = if_not_exists(channel, :channel), begunAt = if_not_exists(begunAt, :begun)")
            .only_if("attribute_not_exists(askedAt) OR askedAt < :overdue")
            .value("channel", channel)
            .value("begun", now)
            .value("now", now.as_millisecond())
            .value("overdue", (now - OVERDUE).as_millisecond());
        let due: Option<Due> = update.new_item().await?;
        let next = |due: Due| Timestamp::from_millisecond(due.next_drawing?).ok();
        Ok(due.map(|due| next(due).unwrap_or(now)))
    }

    /// Whether a drawing was asked for and has not come.
    pub async fn is_drawing_overdue(
        &self,
        id: &DigestId,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let due: Option<Due> = self.digest_item(id).await?;
        let overdue = (now - OVERDUE).as_millisecond();
        Ok(due
            .and_then(|due| due.asked_at)
            .is_some_and(|at| at < overdue))
    }
}
