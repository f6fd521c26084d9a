//! What must not be done twice. Messages that belong to no finding (alarms, notices): each is claimed
//! before it is posted, so that a duplicate posts nothing. Requests of Slack's that are to change
//! something: a replay changes nothing.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::lease::{HELD, Holder, LEASE, unsure_since};
use super::table::{Table, TableError, applied, conditional, number, text};

/// How long a request is remembered: a signature is good from five minutes before its time until five
/// minutes after.
const REQUEST_RETENTION: SignedDuration = SignedDuration::from_mins(15);

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Whose it is: only they confirm it or give it back.
    #[serde(skip)]
    holder: Holder,
    /// The end of an earlier claim that was neither confirmed nor given back.
    #[serde(default)]
    claimed_until: Option<i64>,
    /// When the first of those began, one after the other.
    #[serde(default)]
    unsure_since: Option<i64>,
}

impl Claim {
    /// Since when earlier claimants may have posted what they never confirmed.
    pub fn unsure_since(&self) -> Option<Timestamp> {
        unsure_since(self.claimed_until, self.unsure_since)
    }
}

impl Table {
    /// Claims a message that belongs to no finding, so that a duplicate posts nothing. `None`
    /// when it has been posted, or somebody is at it; a claim that was never confirmed lapses.
    pub async fn claim(&self, key: &str, now: Timestamp) -> Result<Option<Claim>, TableError> {
        let holder = Holder::new();
        let claim = self
            .posted_update(key)
            .update_expression("SET claimedUntil = :until, leaseHolder = :holder, unsureSince = if_not_exists(unsureSince, :now), expiresAt = :expires")
            .condition_expression("attribute_not_exists(posted) AND (attribute_not_exists(claimedUntil) OR claimedUntil < :now OR leaseHolder = :holder)")
            .expression_attribute_values(":holder", holder.value())
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":until", number((now + LEASE).as_millisecond()))
            .expression_attribute_values(":expires", number((now + SignedDuration::from_hours(24 * 14)).as_second()))
            .return_values(ReturnValue::AllOld);
        // Before the first claim there is nothing.
        let claimed = claim
            .send()
            .boxed()
            .await
            .map(|updated| Some(updated.attributes.unwrap_or_default()));
        Ok(conditional::<Claim, _>(claimed)?.map(|claim| Claim { holder, ..claim }))
    }

    /// Whether a claimed message has been posted.
    pub async fn is_posted(&self, key: &str) -> Result<bool, TableError> {
        #[derive(Deserialize)]
        struct Posted {
            #[serde(default)]
            posted: bool,
        }
        let item = self
            .get_item::<Posted>(format!("POSTED#{key}"), "POSTED".to_owned())
            .await?;
        Ok(item.is_some_and(|item| item.posted))
    }

    /// Gives a claim back: the message is not in Slack. One that is somebody else's by now is left to them.
    pub async fn unclaim(&self, key: &str, claim: &Claim) -> Result<(), TableError> {
        self.end_claim(key, claim, "REMOVE claimedUntil, leaseHolder, unsureSince")
            .await
    }

    /// Confirms a claim: the message is in Slack. Where the claim is somebody else's by now, they find the
    /// message by its mark, and confirm it.
    pub async fn confirm(&self, key: &str, claim: &Claim) -> Result<(), TableError> {
        self.end_claim(key, claim, "SET posted = :true").await
    }

    async fn end_claim(
        &self,
        key: &str,
        claim: &Claim,
        expression: &str,
    ) -> Result<(), TableError> {
        let mut update = self
            .posted_update(key)
            .update_expression(expression)
            .condition_expression(HELD)
            .expression_attribute_values(":holder", claim.holder.value());
        if expression.contains(":true") {
            update = update.expression_attribute_values(":true", AttributeValue::Bool(true));
        }
        applied(update).await.map(drop)
    }

    /// Whether a request comes for the first time, which is noted. `digest` is that of its time and
    /// body; `by` is the function that handles it, for the SDK may ask again after an answer that got lost.
    pub async fn is_new_request(
        &self,
        digest: &str,
        by: Uuid,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let noted = self
            .update(format!("REQUEST#{digest}"), "REQUEST")
            .update_expression("SET handledBy = :by, expiresAt = :expires")
            .condition_expression("attribute_not_exists(pk) OR handledBy = :by")
            .expression_attribute_values(":by", text(by.to_string()))
            .expression_attribute_values(":expires", number((now + REQUEST_RETENTION).as_second()));
        applied(noted).await
    }

    fn posted_update(
        &self,
        key: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.update(format!("POSTED#{key}"), "POSTED")
    }
}
