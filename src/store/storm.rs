//! What a channel has had lately, by which a new finding is shown singly or in a digest.

use jiff::Timestamp;
use serde::Deserialize;

use super::table::{ATTEMPTS, Table, TableError};
use crate::finding::Finding;
use crate::finding::storm::{Place, Storm};

#[derive(Deserialize)]
struct StormItem {
    storm: Storm,
    version: u64,
}

fn key(channel: &str) -> String {
    format!("STORM#{channel}")
}

impl Table {
    /// What a channel has had lately.
    pub async fn storm(&self, channel: &str) -> Result<Storm, TableError> {
        Ok(self.storm_item(channel).await?.0)
    }

    /// Where a finding goes that no message shows yet.
    pub async fn place(
        &self,
        channel: &str,
        finding: &Finding,
        now: Timestamp,
    ) -> Result<Place, TableError> {
        for _ in 0..ATTEMPTS {
            let (storm, version) = self.storm_item(channel).await?;
            let (place, next) = storm.place(channel, &finding.rule, &finding.id, now);
            match next {
                Some(next) if !self.write_storm(channel, &next, version).await? => {}
                _ => return Ok(place),
            }
        }
        Err(TableError::Contended)
    }

    /// With how often it has been written.
    async fn storm_item(&self, channel: &str) -> Result<(Storm, u64), TableError> {
        let item: Option<StormItem> = self.get_item(key(channel), "STORM").await?;
        Ok(item.map_or_else(Default::default, |item| (item.storm, item.version)))
    }

    async fn write_storm(
        &self,
        channel: &str,
        storm: &Storm,
        version: u64,
    ) -> Result<bool, TableError> {
        let update = self
            .update(key(channel), "STORM")
            .does("SET storm = :storm, #version = :next")
            .only_over(version)
            .value("storm", storm);
        update.make().await
    }
}
