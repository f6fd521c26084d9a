//! Plans that were shown, each stored once under its digest. Buttons, requests and approvals carry the
//! digest.

use futures::future::try_join_all;
use jiff::SignedDuration;
use serde::Deserialize;

use super::record::KeptPlans;
use super::table::{Table, TableError};
use crate::controls::AgreedPlan;
use crate::finding::Finding;
use crate::ids::PlanDigest;

/// How long a plan is kept after a finding that shows it was last written. Where a plan is missing, people
/// are asked again.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The time after which plans that are still shown are stored again, to be kept for another 400 days.
const RENEWED: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Deserialize)]
struct PlanItem {
    plan: AgreedPlan,
}

impl Table {
    /// The plan with a digest, if it is stored. A plan that is stored under a digest that is not its own
    /// counts as missing.
    pub async fn plan(&self, digest: &PlanDigest) -> Result<Option<AgreedPlan>, TableError> {
        let item: Option<PlanItem> = self.get_item(format!("PLAN#{digest}"), "PLAN").await?;
        Ok(item
            .map(|item| item.plan)
            .filter(|plan| plan.digest() == *digest))
    }

    /// Stores the plans that are not among those `kept` lately. A stored plan is never changed, only kept
    /// longer.
    pub(super) async fn keep_plans(
        &self,
        plans: &[AgreedPlan],
        kept: Option<&KeptPlans>,
    ) -> Result<KeptPlans, TableError> {
        let now = self.clock.now();
        let lately = kept.filter(|kept| now.duration_since(kept.at) < RENEWED);
        let keep = plans.iter().map(async |plan| {
            let digest = plan.digest();
            if !lately.is_some_and(|kept| kept.plans.contains(&digest)) {
                self.keep_plan(&digest, plan).await?;
            }
            Ok::<_, TableError>(digest)
        });
        Ok(KeptPlans {
            plans: try_join_all(keep).await?,
            at: lately.map_or(now, |kept| kept.at),
        })
    }

    /// Stores the plans that a finding shows, also where they were stored before.
    pub async fn keep_shown(&self, finding: &Finding) -> Result<(), TableError> {
        self.keep_plans(&finding.plans(), None).await.map(drop)
    }

    async fn keep_plan(&self, digest: &PlanDigest, plan: &AgreedPlan) -> Result<(), TableError> {
        let update = self
            .update(format!("PLAN#{digest}"), "PLAN")
            .does("SET #plan = if_not_exists(#plan, :plan), expiresAt = :expires")
            .name("plan")
            .value("plan", plan)
            .expires(self.clock.now() + KEPT);
        update.make().await.map(drop)
    }
}
