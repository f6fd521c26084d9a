//! A plan that was shown, as people agree to it: a set of changes of one resource, under its digest.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::change::Change;
use super::exposure::Exposure;
use super::kind::Control;
use crate::ids::{PlanDigest, Resource};

/// The version of what a digest covers. Another one makes all digests new.
const VERSION: u32 = 1;

/// Whether a plan takes away or puts back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Takes away what violates the control.
    Fix,
    /// Puts back what fixes took away.
    Undo,
}

/// A plan that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgreedPlan {
    /// The resource that it changes.
    pub resource: Resource,
    /// The control that it is about.
    pub control: Control,
    /// Whether it takes away or puts back.
    pub direction: Direction,
    /// The changes, as they were shown.
    pub changes: Vec<Change>,
}

impl AgreedPlan {
    /// The digest: of version, account, region, resource type and id, control, direction and the
    /// sorted set of what the changes expose. Rule ids, descriptions and places are not in it.
    pub fn digest(&self) -> PlanDigest {
        let Resource {
            account,
            region,
            resource_type,
            id,
        } = &self.resource;
        let address = [
            account.as_str(),
            region.as_str(),
            resource_type.as_str(),
            id.as_str(),
        ];
        let covered = json!([
            VERSION,
            address,
            self.control,
            self.direction,
            self.exposures()
        ]);
        PlanDigest::of(&covered.to_string())
    }

    /// The exposures that the changes close.
    pub fn exposures(&self) -> BTreeSet<Exposure> {
        exposures(&self.changes)
    }

    /// Whether it is a plan of this resource. A yes to the plan of another one does not count.
    pub fn is_for(&self, resource: &Resource, control: Control, direction: Direction) -> bool {
        self.resource == *resource && self.control == control && self.direction == direction
    }

    /// The changes that nobody agreed to: those whose exposure is not in the set.
    pub fn beyond<'a>(&self, live: impl IntoIterator<Item = &'a Change>) -> Vec<Change> {
        let agreed = self.exposures();
        let is_new = |change: &&Change| {
            change
                .exposure()
                .is_some_and(|exposure| !agreed.contains(&exposure))
        };
        live.into_iter().filter(is_new).cloned().collect()
    }
}

/// The exposures that changes close.
pub fn exposures<'a>(changes: impl IntoIterator<Item = &'a Change>) -> BTreeSet<Exposure> {
    changes.into_iter().filter_map(Change::exposure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{IngressRule, IngressSource};
    use crate::ids::ResourceType;

    fn range(rule_id: &str, port: i32) -> Change {
        Change::RevokeIngress(IngressRule {
            rule_id: rule_id.to_owned(),
            protocol: "tcp".to_owned(),
            from_port: Some(port),
            to_port: Some(port),
            source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
            description: None,
            is_left_to_people: false,
        })
    }

    fn plan(changes: Vec<Change>) -> AgreedPlan {
        let resource = Resource {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            resource_type: ResourceType::SECURITY_GROUP.parse().unwrap(),
            id: "sg-1".parse().unwrap(),
        };
        AgreedPlan {
            resource,
            control: Control::IngressProhibitedPorts,
            direction: Direction::Fix,
            changes,
        }
    }

    #[test]
    fn the_digest_of_a_plan_covers_exposures_direction_and_resource() {
        let first = plan(vec![range("sgr-1", 22), range("sgr-2", 3389)]);
        let second = plan(vec![
            range("sgr-9", 3389),
            range("sgr-8", 22),
            range("sgr-7", 22),
        ]);
        assert_eq!(first.digest(), second.digest());
        let undo = AgreedPlan {
            direction: Direction::Undo,
            ..first.clone()
        };
        let mut elsewhere = first.clone();
        elsewhere.resource.id = "sg-2".parse().unwrap();
        for other in [undo, elsewhere, plan(vec![range("sgr-1", 22)])] {
            assert_ne!(other.digest(), first.digest());
        }
    }

    #[test]
    fn changes_beyond_a_plan_are_those_it_lacks() {
        let agreed = plan(vec![range("sgr-1", 22)]);
        assert_eq!(agreed.beyond(&[range("sgr-5", 22)]), []);
        assert_eq!(agreed.beyond(&[]), []);
        assert_eq!(
            agreed.beyond(&[range("sgr-1", 22), range("sgr-2", 3306)]),
            [range("sgr-2", 3306)]
        );
    }

    /// Plans of version 0.1 are in the table, and in buttons.
    #[test]
    fn digests_do_not_change_by_themselves() {
        let digest = plan(vec![range("sgr-1", 22)]).digest();
        assert_eq!(
            digest.as_str(),
            "p-8449d69f6b730eb223722cbbfb9ad80abc8ffe38051a562db92c51fb8595ad99"
        );
    }
}
