//! Plans that were shown, each stored once under its digest: a button, a request or an approval carries
//! the digest only.

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::table::{Table, TableError, applied, number};
use crate::ids::PlanDigest;
use crate::remediation::AgreedPlan;

/// How long a plan is kept after a finding that shows it was last written. One that is missing asks again.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

#[derive(Deserialize)]
struct Item {
    plan: AgreedPlan,
}

impl Table {
    /// A plan that was shown, if it is there still. What is stored under a digest that is not its own
    /// counts as missing.
    pub async fn plan(&self, digest: &PlanDigest) -> Result<Option<AgreedPlan>, TableError> {
        let item: Option<Item> = self.get_item(format!("PLAN#{digest}"), "PLAN".to_owned()).await?;
        Ok(item.map(|item| item.plan).filter(|plan| plan.digest() == *digest))
    }

    /// Stores the plans whose digests are not among those that are `known` to be stored; the digests of
    /// all of them. A stored plan is never written over, only kept for longer.
    pub(super) async fn keep_plans(
        &self,
        plans: &[AgreedPlan],
        known: &[PlanDigest],
    ) -> Result<Vec<PlanDigest>, TableError> {
        let keep = plans.iter().map(async |plan| {
            let digest = plan.digest();
            if !known.contains(&digest) {
                self.keep_plan(&digest, plan).await?;
            }
            Ok::<_, TableError>(digest)
        });
        try_join_all(keep).await
    }

    async fn keep_plan(&self, digest: &PlanDigest, plan: &AgreedPlan) -> Result<(), TableError> {
        let update = self
            .update(format!("PLAN#{digest}"), "PLAN")
            .update_expression("SET #plan = if_not_exists(#plan, :plan), expiresAt = :expires")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":plan", to_attribute_value(plan)?)
            .expression_attribute_values(":expires", number((Timestamp::now() + KEPT).as_second()));
        applied(update).await.map(drop)
    }
}
