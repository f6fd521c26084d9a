//! Leases of findings: who may edit a finding's Slack message, for a while.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;
use uuid::Uuid;

use crate::aws::AwsError;
use crate::ids::FindingId;

use super::table::{Record, Shown, Table, TableError, applied, conditional, key, number, text};

/// A writer that dies while it edits a Slack message blocks others for this long. Longer than
/// the three Slack calls that one step may take (a link, a look for what may be there, a post), so
/// that nobody posts beside a slow one.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(80);

/// The condition under which a lease is somebody's.
pub(super) const HELD: &str = "leaseHolder = :holder";

/// Who holds a lease: whatever somebody does under one takes effect only while it is theirs. One that
/// Lambda has frozen, and that wakes up when its lease has passed to another, writes nothing over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    /// Unlike any other.
    pub fn new() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    pub(super) fn value(&self) -> AttributeValue {
        text(self.0.clone())
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

/// A finding whose message is ours to edit for a while.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leased {
    /// The finding.
    #[serde(flatten)]
    pub record: Record,
    /// The end of an earlier lease that was never given back.
    #[serde(default)]
    lease_until: Option<i64>,
    /// When the first of those began, one after the other.
    #[serde(default)]
    unsure_since: Option<i64>,
}

impl Leased {
    /// Since when earlier holders may have posted what they never noted.
    pub fn unsure_since(&self) -> Option<Timestamp> {
        unsure_since(self.lease_until, self.unsure_since)
    }
}

/// A record with the holder of its lease.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    #[serde(flatten)]
    record: Record,
    #[serde(default)]
    lease_holder: Option<String>,
}

/// Since when something may have been posted that was never noted: since the first of those began who
/// never gave back what they held. Version 0.1 did not note when.
pub(super) fn unsure_since(ran_out: Option<i64>, first: Option<i64>) -> Option<Timestamp> {
    let ran_out = Timestamp::from_millisecond(ran_out?).ok()?;
    let first = first.and_then(|first| Timestamp::from_millisecond(first).ok());
    Some(first.unwrap_or(ran_out - LEASE))
}

impl Table {
    /// Makes `holder` the only one who may edit the finding's Slack message, for a while; `None` while
    /// somebody else is.
    pub async fn lease(
        &self,
        id: &FindingId,
        holder: &Holder,
        now: Timestamp,
    ) -> Result<Option<Leased>, TableError> {
        let lease = self
            .display_update(id)
            .update_expression(
                "SET leaseUntil = :until, leaseHolder = :holder, unsureSince = if_not_exists(unsureSince, :now)",
            )
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(leaseUntil) OR leaseUntil < :now OR leaseHolder = :holder)",
            )
            .expression_attribute_values(":holder", holder.value())
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":until", number((now + LEASE).as_millisecond()))
            // What was there before: only the lease differs, and one that ran out tells.
            .return_values(ReturnValue::AllOld);
        conditional(lease.send().boxed().await.map(|updated| updated.attributes))
    }

    /// Gives the lease back without a trace of what Slack shows: as one that ran out, so that
    /// the next publisher looks for a message.
    pub async fn abandon(
        &self,
        id: &FindingId,
        holder: &Holder,
        now: Timestamp,
    ) -> Result<(), TableError> {
        let update = self
            .held_update(id, holder)
            .update_expression("SET leaseUntil = :now")
            .expression_attribute_values(":now", number(now.as_millisecond()));
        applied(update).await.map(drop)
    }

    /// Notes what Slack shows now, and holds the lease for longer; returns the record as it is, which
    /// may have changed meanwhile. `None` where the lease is somebody else's by now: they have shown it,
    /// or will.
    pub async fn set_shown(
        &self,
        id: &FindingId,
        holder: &Holder,
        shown: &Shown,
    ) -> Result<Option<Record>, TableError> {
        let update = self
            .held_update(id, holder)
            .update_expression("SET shown = :shown, leaseUntil = :until")
            .expression_attribute_values(":shown", to_attribute_value(shown)?)
            .expression_attribute_values(
                ":until",
                number((Timestamp::now() + LEASE).as_millisecond()),
            )
            .return_values(ReturnValue::AllNew);
        conditional(
            update
                .send()
                .boxed()
                .await
                .map(|updated| updated.attributes),
        )
    }

    /// Gives the lease back, provided that `version` is the newest; otherwise returns the newer record,
    /// which is still ours to show. Without it gives the lease back in any case. A lease that is
    /// somebody else's by now is left to them.
    pub async fn release(
        &self,
        id: &FindingId,
        holder: &Holder,
        version: Option<u64>,
    ) -> Result<Option<Record>, TableError> {
        let update = self
            .display_update(id)
            .update_expression("REMOVE leaseUntil, leaseHolder, unsureSince");
        let update = update.expression_attribute_values(":holder", holder.value());
        let update = match version {
            None => update.condition_expression(HELD),
            Some(version) => update
                .condition_expression(format!("{HELD} AND #version = :version"))
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
        };
        match update.send().boxed().await {
            Ok(_) => Ok(None),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                let leased: Option<Held> = {
                    let (pk, sk) = key(id);
                    self.get_item(pk, sk).await?
                };
                let ours = |held: &Held| held.lease_holder.as_deref() == Some(&holder.0);
                Ok(leased
                    .filter(ours)
                    .filter(|_| version.is_some())
                    .map(|held| held.record))
            }
            Err(error) => Err(AwsError::from_sdk("dynamodb:UpdateItem", error).into()),
        }
    }

    /// An update that takes effect only while the lease is `holder`'s.
    fn held_update(&self, id: &FindingId, holder: &Holder) -> UpdateItemFluentBuilder {
        let update = self.display_update(id).condition_expression(HELD);
        update.expression_attribute_values(":holder", holder.value())
    }
}
