//! Putting back what a remediation took away.

use super::change::Change;
use super::{Effect, Remediations, ViolationType, bucket_acl, bucket_policy, security_group};
use crate::aws::AwsError;
use crate::ids::Resource;

/// Why something was not put back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The resource is not as it was left: how it differs, as the end of a sentence.
    #[error("{0}")]
    Differs(String),
    /// AWS.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Remediations {
    /// Puts back what was taken away from a resource, in the order in which that was done.
    /// Returns what is in place afterwards. All of it is planned before any of it is changed, so
    /// that a resource that has changed meanwhile stays as it is.
    pub async fn put_back(
        &self,
        resource: &Resource,
        removed: &[Change],
    ) -> (Vec<Change>, Result<(), UndoError>) {
        let mut prepared = Vec::new();
        for kind in ViolationType::ALL {
            let changes: Vec<Change> =
                removed.iter().filter(|change| change.kind() == kind).cloned().collect();
            if changes.is_empty() {
                continue;
            }
            match self.prepare_undo(kind, resource, &changes).await {
                Ok(effect) => prepared.push((changes, effect)),
                Err(error) => return (Vec::new(), Err(error)),
            }
        }
        let mut in_place = Vec::new();
        for (changes, effect) in prepared {
            if let Some(effect) = effect
                && let Err(error) = effect.apply().await
            {
                return (in_place, Err(error.into()));
            }
            in_place.extend(changes);
        }
        (in_place, Ok(()))
    }

    /// Reads the live resource; `None` where everything is in place.
    async fn prepare_undo(
        &self,
        kind: ViolationType,
        resource: &Resource,
        removed: &[Change],
    ) -> Result<Option<Effect>, UndoError> {
        let Resource { account, region, id, .. } = resource;
        Ok(match kind {
            ViolationType::Ec2SgProhibitedPort => {
                let put_back = security_group::prepare_undo(self.aws.ec2(account, region)?, id, removed);
                put_back.await?.map(Effect::PutBackIngress)
            }
            ViolationType::S3BucketPublicAcl => {
                let put_back = bucket_acl::prepare_undo(self.aws.s3(account, region)?, id, removed);
                put_back.await?.map(|effect| Effect::BucketAcl(Box::new(effect)))
            }
            ViolationType::S3BucketPublicPolicy => {
                let put_back = bucket_policy::prepare_undo(self.aws.s3(account, region)?, id, removed);
                put_back.await?.map(Effect::BucketPolicy)
            }
        })
    }
}
