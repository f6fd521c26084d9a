//! Lists of findings, page by page.

use std::fmt;
use std::str::FromStr;

use futures::FutureExt;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::table::{Item, Order, Record, Table, TableError, key, since, text};
use super::{Finding, StateName};
use crate::aws::AwsError;
use crate::ids::FindingId;
use jiff::Timestamp;

/// The most findings that one page looks through for those that are wanted.
const LOOKED_THROUGH: usize = 1000;

/// Where a list goes on: behind a finding. Printed as `2026-01-01T00:00:00.000Z f-3fa9c01b22de`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    since: String,
    finding: FindingId,
}

impl Cursor {
    fn behind(record: &Record) -> Self {
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

/// Why a text is no cursor.
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

fn place_key(state: StateName) -> String {
    format!("HOUSEKEEPING#{}", state.as_str())
}

#[derive(Deserialize)]
struct PlaceItem {
    #[serde(default)]
    place: Option<String>,
}

impl Table {
    /// Where the housekeeping goes on through the findings of a state; at the newest where nothing is noted.
    pub async fn housekeeping_place(&self, state: StateName) -> Result<Option<Cursor>, TableError> {
        let item: Option<PlaceItem> = self.get_item(place_key(state), "PLACE".to_owned()).await?;
        Ok(item.and_then(|item| item.place?.parse().ok()))
    }

    /// Notes that.
    pub async fn note_housekeeping_place(
        &self,
        state: StateName,
        place: Option<&Cursor>,
    ) -> Result<(), TableError> {
        let update = self.update(place_key(state), "PLACE");
        let update = match place {
            Some(place) => update
                .update_expression("SET place = :place")
                .expression_attribute_values(":place", text(place.to_string())),
            None => update.update_expression("REMOVE place"),
        };
        update
            .send()
            .boxed()
            .await
            .map(drop)
            .map_err(|error| AwsError::from_sdk("dynamodb:UpdateItem", error).into())
    }

    /// The newest findings of a state that are wanted, from a place on, at most `limit`; and where
    /// the next page begins, if there may be one.
    pub async fn page(
        &self,
        state: StateName,
        from: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&Finding) -> bool,
    ) -> Result<(Vec<Record>, Option<Cursor>), TableError> {
        let mut start = from.map(|cursor| start_key(state, cursor));
        let (mut records, mut last, mut looked) = (Vec::new(), None, 0);
        loop {
            let query = self
                .state_query(state)
                .scan_index_forward(Order::NewestFirst.forward())
                .limit(100);
            let page = query.set_exclusive_start_key(start).send().boxed().await;
            let page = page.map_err(|error| AwsError::from_sdk("dynamodb:Query", error))?;
            for item in page.items.unwrap_or_default() {
                if records.len() == limit || looked == LOOKED_THROUGH {
                    return Ok((records, last));
                }
                let record: Record = from_item(item)?;
                looked += 1;
                last = Some(Cursor::behind(&record));
                if wanted(&record.finding) {
                    records.push(record);
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok((records, None));
            }
        }
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
