//! Lists of findings, page by page.

use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Deserialize;

use super::finding::{key, since};
use super::record::Record;
use super::table::{Item, Table, TableError, text};
use crate::finding::{Finding, StateName};
use crate::ids::FindingId;

/// The number of findings that one page looks through, at most, for those that are wanted.
const LOOKED_THROUGH: usize = 1000;

/// The place where a list goes on: behind a finding. Printed as `2026-01-01T00:00:00.000Z f-3fa9c01b22de`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    since: String,
    finding: FindingId,
}

impl Cursor {
    /// The place behind a finding.
    pub fn behind(record: &Record) -> Self {
        Self {
            since: since(&record.finding),
            finding: record.finding.id.clone(),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.since, self.finding)
    }
}

/// The mistake in a text that is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("not a place in a list of findings")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (since, finding) = text.split_once(' ').ok_or(InvalidCursor)?;
        since.parse::<Timestamp>().map_err(|_| InvalidCursor)?;
        Ok(Self {
            since: since.to_owned(),
            finding: finding.parse().map_err(|_| InvalidCursor)?,
        })
    }
}

fn place_key(round: &str) -> String {
    format!("HOUSEKEEPING#{round}")
}

#[derive(Deserialize)]
struct PlaceItem {
    #[serde(default)]
    place: Option<String>,
}

impl Table {
    /// The place where housekeeping goes on with a round; `None` for the beginning.
    pub async fn housekeeping_place(&self, round: &str) -> Result<Option<Cursor>, TableError> {
        let item: Option<PlaceItem> = self.get_item(place_key(round), "PLACE").await?;
        Ok(item.and_then(|item| item.place?.parse().ok()))
    }

    /// Stores the place where housekeeping goes on with a round; `None` for the beginning.
    pub async fn note_housekeeping_place(
        &self,
        round: &str,
        place: Option<&Cursor>,
    ) -> Result<(), TableError> {
        let update = self.update(place_key(round), "PLACE");
        let update = match place {
            Some(place) => update
                .does("SET place = :place")
                .value("place", place.to_string()),
            None => update.does("REMOVE place"),
        };
        update.make().await.map(drop)
    }

    /// The findings of a state that `wanted` accepts, from a place on, at most `limit`: those first that have been
    /// in it the longest, or of those that are in it `since` a time. And the place of the next page, if there may
    /// be one.
    pub async fn page(
        &self,
        state: StateName,
        since: Option<Timestamp>,
        from: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&Finding) -> bool,
    ) -> Result<(Vec<Record>, Option<Cursor>), TableError> {
        let (mut records, mut last, mut looked, mut is_cut) = (Vec::new(), None, 0, false);
        let look = |record: Record| {
            if records.len() == limit || looked == LOOKED_THROUGH {
                is_cut = true;
                return ControlFlow::Break(());
            }
            looked += 1;
            last = Some(Cursor::behind(&record));
            if wanted(&record.finding) {
                records.push(record);
            }
            ControlFlow::Continue(())
        };
        let earliest = since.map_or_else(|| "0".to_owned(), |since| format!("{since:.3}"));
        // DynamoDB takes no place outside of what is asked for.
        let from = from.filter(|cursor| cursor.since >= earliest);
        let from = from.map(|cursor| start_key(state, cursor));
        let query = self.query_state_between(state.as_str(), &earliest, "9999");
        query.each(limit + 1, from, look).await?;
        Ok((records, last.filter(|_| is_cut)))
    }
}

fn start_key(state: StateName, cursor: &Cursor) -> Item {
    let (pk, sk) = key(&cursor.finding);
    let fields = [
        ("pk", pk),
        ("sk", sk),
        ("state", state.as_str().to_owned()),
        ("stateSince", cursor.since.clone()),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), text(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_way_through_a_button() {
        let cursor: Cursor = "2026-01-01T00:00:00.000Z f-3fa9c01b22de".parse().unwrap();
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for text in [
            "",
            "2026-01-01T00:00:00.000Z",
            "yesterday f-3fa9c01b22de",
            "2026-01-01T00:00:00Z <!channel>",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text:?}");
        }
    }
}
