//! Putting back what a remediation took away.

use aws_sdk_s3::types::AccessControlPolicy;

use super::change::{Change, IngressRule};
use super::undo_error::UndoError;
use super::{Remediations, ViolationType, bucket_acl, bucket_policy, security_group};
use crate::ids::Resource;

/// What puts something back.
enum PutBack {
    Ingress(Vec<IngressRule>),
    Acl(AccessControlPolicy),
    Policy(String),
}

impl Remediations {
    /// Puts back what was taken away from a resource, in the order in which that was done.
    /// Returns what is in place afterwards. All of it is planned before any of it is changed, so
    /// that a resource that has changed meanwhile stays as it is; and each part is planned again right
    /// before its change, so that what others have written meanwhile is not written over.
    pub async fn put_back(
        &self,
        resource: &Resource,
        removed: &[Change],
    ) -> (Vec<Change>, Result<(), UndoError>) {
        let parts: Vec<(ViolationType, Vec<Change>)> = ViolationType::ALL
            .into_iter()
            .map(|kind| {
                (
                    kind,
                    removed
                        .iter()
                        .filter(|change| change.kind() == kind)
                        .cloned()
                        .collect(),
                )
            })
            .filter(|(_, changes): &(ViolationType, Vec<Change>)| !changes.is_empty())
            .collect();
        for (kind, changes) in &parts {
            if let Err(error) = self.prepare_undo(*kind, resource, changes).await {
                return (Vec::new(), Err(error));
            }
        }
        let mut in_place = Vec::new();
        for (kind, changes) in parts {
            if let Err(error) = self.put_back_part(kind, resource, &changes).await {
                return (in_place, Err(error));
            }
            in_place.extend(changes);
        }
        (in_place, Ok(()))
    }

    async fn put_back_part(
        &self,
        kind: ViolationType,
        resource: &Resource,
        removed: &[Change],
    ) -> Result<(), UndoError> {
        let Resource {
            account,
            region,
            id,
            ..
        } = resource;
        match self.prepare_undo(kind, resource, removed).await? {
            None => {}
            Some(PutBack::Ingress(missing)) => {
                security_group::authorize(&self.aws.ec2(account, region)?, id, missing).await?;
            }
            Some(PutBack::Acl(acl)) => {
                bucket_acl::put(&self.aws.s3(account, region)?, id, acl).await?
            }
            Some(PutBack::Policy(policy)) => {
                bucket_policy::put(&self.aws.s3(account, region)?, id, Some(policy)).await?;
            }
        }
        Ok(())
    }

    /// Reads the live resource; `None` where everything is in place.
    async fn prepare_undo(
        &self,
        kind: ViolationType,
        resource: &Resource,
        removed: &[Change],
    ) -> Result<Option<PutBack>, UndoError> {
        let Resource {
            account,
            region,
            id,
            ..
        } = resource;
        Ok(match kind {
            ViolationType::Ec2SgProhibitedPort => {
                let ec2 = self.aws.ec2(account, region)?;
                security_group::prepare_undo(&ec2, id, removed)
                    .await?
                    .map(PutBack::Ingress)
            }
            ViolationType::S3BucketPublicAcl => {
                let s3 = self.aws.s3(account, region)?;
                bucket_acl::prepare_undo(&s3, id, removed)
                    .await?
                    .map(PutBack::Acl)
            }
            ViolationType::S3BucketPublicPolicy => {
                let s3 = self.aws.s3(account, region)?;
                bucket_policy::prepare_undo(&s3, id, removed)
                    .await?
                    .map(PutBack::Policy)
            }
        })
    }
}
