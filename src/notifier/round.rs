//! A round: housekeeping goes through the findings of a state a part at a time, those first that have been in it
//! the longest. Each run goes on where the one before has stopped, so that every finding is reached, and a run ends
//! in time.

use std::time::{Duration, Instant};
use std::vec::IntoIter;

use jiff::Timestamp;

use super::{Notifier, NotifierError};
use crate::finding::{Finding, StateName};
use crate::store::{Cursor, Record};

/// How long one run begins work at one round. A run has seven rounds, and the function has 60 seconds.
const TURN: Duration = Duration::from_secs(5);

/// What a round goes through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// Its name, under which its place is stored.
    pub(super) name: &'static str,
    /// The state of its findings.
    pub(super) state: StateName,
    /// The time since which they are in it; `None` for any.
    pub(super) since: Option<Timestamp>,
    /// The most findings of one run.
    pub(super) at_most: usize,
}

/// One run's part of a round.
#[derive(Debug)]
pub(super) struct Round {
    name: String,
    records: IntoIter<Record>,
    until: Instant,
    is_stopped: bool,
    /// The place behind the last finding that was handed out.
    place: Option<Cursor>,
    /// The place behind all that were read.
    next: Option<Cursor>,
    failure: Option<NotifierError>,
}

impl Round {
    /// The next finding, while there is time.
    pub(super) fn next(&mut self) -> Option<Record> {
        if self.is_stopped || Instant::now() >= self.until {
            return None;
        }
        let record = self.records.next()?;
        self.place = Some(Cursor::behind(&record));
        Some(record)
    }

    /// The next findings, at most `number`, while there is time.
    pub(super) fn some(&mut self, number: usize) -> Vec<Finding> {
        let next = std::iter::from_fn(|| self.next());
        next.take(number).map(|record| record.finding).collect()
    }

    /// Leaves what is left to the next run.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Takes the result of what was done about a finding: one that fails does not hold up the others.
    pub(super) fn take(&mut self, done: Result<(), NotifierError>) {
        if let Err(error) = done {
            tracing::warn!(%error, round = self.name, "housekeeping fails at a finding");
            self.failure.get_or_insert(error);
        }
    }

    /// The same of several findings.
    pub(super) fn take_all(&mut self, done: Vec<Result<(), NotifierError>>) {
        done.into_iter().for_each(|done| self.take(done));
    }

    fn place(&self) -> Option<&Cursor> {
        match self.records.len() {
            0 => self.next.as_ref(),
            _ => self.place.as_ref(),
        }
    }
}

impl Notifier {
    /// The part of a round whose turn it is: of the findings that `wanted` accepts.
    pub(super) async fn begin_round(
        &self,
        course: Course,
        wanted: impl Fn(&Finding) -> bool,
    ) -> Result<Round, NotifierError> {
        let Course {
            name,
            state,
            since,
            at_most,
        } = course;
        let name = format!("{name}{}", state.as_str());
        let until = Instant::now() + TURN;
        let place = self.table.housekeeping_place(&name).await?;
        let page = self
            .table
            .page(state, since, place.as_ref(), at_most, wanted);
        let (records, next) = page.await?;
        Ok(Round {
            name,
            records: records.into_iter(),
            until,
            is_stopped: false,
            place,
            next,
            failure: None,
        })
    }

    /// Stores the place where the next run goes on. Fails where something about a finding has failed.
    pub(super) async fn end_round(&self, round: Round) -> Result<(), NotifierError> {
        self.table
            .note_housekeeping_place(&round.name, round.place())
            .await?;
        match round.failure {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
