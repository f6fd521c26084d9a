//! Findings by the state that they are in, and since when.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;

use super::query::Query;
use super::record::Record;
use super::table::{Table, TableError};
use crate::finding::{Finding, StateName};

/// How many findings are read at a time.
const PAGE: usize = 100;

/// The number of findings that one list reads, at most.
const LISTED: usize = 5000;

/// How many findings a list reads at a time. A page that is late loses no more than these.
const READ_AT_ONCE: usize = 250;

/// How long a list reads. What a person waits for must be answered within three seconds.
pub(super) const PATIENCE: Duration = Duration::from_millis(1300);

/// The findings of a state, as far as they could be read in the time that there is.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The findings.
    pub findings: Vec<Finding>,
    /// Whether these are all.
    pub is_whole: bool,
}

/// An order by the time at which findings entered their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

impl Table {
    /// The findings in a state, at most `limit`.
    pub async fn by_state(
        &self,
        state: StateName,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Record>, TableError> {
        let mut records = Vec::new();
        if limit == 0 {
            return Ok(records);
        }
        let take = |record: Record| {
            records.push(record);
            match records.len() < limit {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let query = self.in_state(state, order);
        query.each(limit.min(PAGE), None, take).await?;
        Ok(records)
    }

    /// The findings in a state, those first that have been in it the longest: as many as can be read while a
    /// person waits. It is an error where none could be read in time.
    pub async fn read_state(&self, state: StateName) -> Result<Reading, TableError> {
        let mut findings = Vec::new();
        let take = |record: Record| {
            findings.push(record.finding);
            match findings.len() < LISTED {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let query = self.in_state(state, Order::OldestFirst);
        let reading = Box::pin(query.each(READ_AT_ONCE, None, take));
        let is_in_time = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read.map(|()| true)?,
            Err(_) if findings.is_empty() => return Err(TableError::Late),
            Err(_) => false,
        };
        let is_whole = is_in_time && findings.len() < LISTED;
        Ok(Reading { findings, is_whole })
    }

    /// The finding that has been in a state's index the longest.
    pub async fn oldest(&self, state: StateName) -> Result<Option<Record>, TableError> {
        Ok(self.by_state(state, Order::OldestFirst, 1).await?.pop())
    }

    /// How many findings are in a state.
    pub async fn count(&self, state: StateName) -> Result<u64, TableError> {
        self.in_state(state, Order::OldestFirst).count().await
    }

    /// The number of findings that entered their state between two times.
    pub async fn count_between(
        &self,
        state: StateName,
        begin: Option<Timestamp>,
        end: Option<Timestamp>,
    ) -> Result<u64, TableError> {
        let moment = |time: Option<Timestamp>, none: &str| {
            time.map_or_else(|| none.to_owned(), |time| format!("{time:.3}"))
        };
        let (begin, end) = (moment(begin, "0"), moment(end, "9999"));
        let query = self.query_state_between(state.as_str(), &begin, &end);
        query.count().await
    }

    /// The findings in a state, in an order.
    pub(super) fn in_state(&self, state: StateName, order: Order) -> Query {
        let query = self.query_state(state.as_str());
        match order {
            Order::NewestFirst => query.backward(),
            Order::OldestFirst => query,
        }
    }
}
