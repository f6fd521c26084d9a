//! Prepares and applies remediations, and puts back what they took away.

use std::sync::Arc;

use super::about::About;
use super::change::Change;
use super::evaluation::RuleDefaults;
use super::kind::{Control, ViolationType};
use super::remediation::Prepared;
use super::undo_error::UndoError;
use crate::aws::{Aws, AwsError};
use crate::ids::Resource;

/// Prepares remediations.
#[derive(Debug, Clone)]
pub struct Remediations {
    /// AWS clients by account and region.
    pub aws: Arc<Aws>,
    /// What counts as a violation, as the rules have it.
    pub rules: RuleDefaults,
}

impl Remediations {
    /// Reads the live resource's name and tags; nothing is known of types that no control is about.
    pub async fn about(&self, resource: &Resource) -> Result<About, AwsError> {
        match Control::of_resource(&resource.resource_type).next() {
            Some(control) => control.definition().about(&self.aws, resource).await,
            None => Ok(About::default()),
        }
    }

    /// Reads the live resource and plans.
    pub async fn prepare(
        &self,
        kind: ViolationType,
        resource: &Resource,
    ) -> Result<Prepared, AwsError> {
        let remediation = kind.remediation();
        remediation.prepare(&self.aws, &self.rules, resource).await
    }

    /// Reads the live resource and plans all that violates a control, kind by kind.
    pub async fn prepare_all(
        &self,
        control: Control,
        resource: &Resource,
    ) -> Result<Vec<(ViolationType, Prepared)>, AwsError> {
        let mut all = Vec::new();
        for kind in control.kinds() {
            all.push((kind, self.prepare(kind, resource).await?));
        }
        Ok(all)
    }

    /// Changes exactly what was prepared; returns it. A conflict means that somebody changed the
    /// resource meanwhile: prepare again.
    pub async fn apply(
        &self,
        resource: &Resource,
        prepared: Prepared,
    ) -> Result<Vec<Change>, AwsError> {
        let Prepared {
            changes,
            live,
            doubt: _,
        } = prepared;
        if !changes.is_empty() {
            live.apply(&self.aws, resource, &changes).await?;
        }
        Ok(changes)
    }

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
            let remediation = kind.remediation();
            let prepared = remediation.prepare_undo(&self.aws, resource, changes).await;
            if let Err(error) = prepared {
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
        let remediation = kind.remediation();
        let prepared = remediation
            .prepare_undo(&self.aws, resource, removed)
            .await?;
        match prepared {
            None => Ok(()),
            Some(put_back) => Ok(put_back.put(&self.aws, resource).await?),
        }
    }
}
