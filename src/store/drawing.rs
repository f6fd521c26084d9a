//! The lease for drawing a digest's message, and the time at which a drawing is due.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::lease::{FREE, Holder};
use super::table::{Table, TableError};
use crate::finding::digest::{Digest, Drawn};
use crate::ids::DigestId;

/// The least time between two drawings of a digest. One that takes long to count is drawn less often.
const DRAWN_EVERY: SignedDuration = SignedDuration::from_secs(3);

/// The part of the time that may go into counting, at most.
const COUNTING_SHARE: i32 = 20;

/// The longest time between two drawings, however long the counting takes.
const DRAWN_AT_LEAST_EVERY: SignedDuration = SignedDuration::from_secs(120);

/// The time after which a drawing that was asked for and did not come is asked for again.
const OVERDUE: SignedDuration = SignedDuration::from_secs(180);

/// The time at which a digest may be drawn again, and the time at which a drawing was asked for that has not
/// come.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Due {
    #[serde(default)]
    next_drawing: Option<i64>,
    #[serde(default)]
    asked_at: Option<i64>,
}

impl Table {
    /// Takes the lease for drawing a digest, if nobody else has it and, unless `at_once`, the digest has not
    /// just been drawn. Every change after this asks for another drawing.
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

    /// Ends a drawing that was made, or failed, and gives the lease back. A holder whose lease has passed to
    /// another stores nothing.
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

    /// Asks for a drawing. Returns the time from which the digest may be drawn; `None` where a drawing has
    /// been asked for already.
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
