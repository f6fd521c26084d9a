//! How one kind of violation is fixed: planned from the live resource, applied as planned, and undone.

use std::any::Any;
use std::fmt::Debug;

use async_trait::async_trait;

use super::change::Change;
use super::evaluation::RuleDefaults;
use super::kind::Service;
use super::undo_error::UndoError;
use crate::aws::{Aws, AwsError};
use crate::ids::Resource;

/// The remediation of one kind of violation.
#[async_trait]
pub trait Remediation: Sync {
    /// The service whose resources it changes, and so the remediator that calls it.
    fn service(&self) -> Service;

    /// The IAM actions for planning, and for reading names and tags.
    fn plan_actions(&self) -> &'static [&'static str];

    /// The IAM actions for applying and undoing, beside those for planning.
    fn apply_actions(&self) -> &'static [&'static str];

    /// The call that makes these changes, as reports name it: `PutBucketAcl`.
    fn call(&self, changes: &[Change]) -> &'static str;

    /// The call that undoes them.
    fn undo_call(&self) -> &'static str;

    /// Reads the live resource and plans.
    async fn prepare(
        &self,
        aws: &Aws,
        rules: &RuleDefaults,
        resource: &Resource,
    ) -> Result<Prepared, AwsError>;

    /// Reads the live resource and plans how to put back what was removed, in the order in which that was
    /// done; `None` where everything is in place.
    async fn prepare_undo(
        &self,
        aws: &Aws,
        resource: &Resource,
        removed: &[Change],
    ) -> Result<Option<Box<dyn PutBack>>, UndoError>;
}

/// A resource as it was read, to be changed from.
#[async_trait]
pub trait Live: Any + Debug + Send + Sync {
    /// The part of a plan that is wanted.
    fn only(&self, changes: Vec<Change>, is_wanted: &dyn Fn(&Change) -> bool) -> Vec<Change> {
        changes.into_iter().filter(is_wanted).collect()
    }

    /// Whether both have been read the same.
    fn is_same(&self, other: &dyn Live) -> bool;

    /// Makes the changes, and no other.
    async fn apply(
        self: Box<Self>,
        aws: &Aws,
        resource: &Resource,
        changes: &[Change],
    ) -> Result<(), AwsError>;
}

/// Whether another live resource is of the same type, and equal.
pub(super) fn equals<L: Live + PartialEq>(live: &L, other: &dyn Live) -> bool {
    let other: &dyn Any = other;
    other.downcast_ref::<L>().is_some_and(|other| live == other)
}

/// An undo that is ready to be carried out.
#[async_trait]
pub trait PutBack: Send {
    /// Puts it back.
    async fn put(self: Box<Self>, aws: &Aws, resource: &Resource) -> Result<(), AwsError>;
}

/// What a fix would change now, ready to be applied.
#[derive(Debug)]
pub struct Prepared {
    pub(super) changes: Vec<Change>,
    pub(super) live: Box<dyn Live>,
    /// Why AWS could not be asked whether these are violations.
    pub(super) doubt: Option<String>,
}

impl Prepared {
    /// What applying it takes away; nothing when the resource is clean.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The part of it whose changes are wanted.
    pub fn only(self, is_wanted: impl Fn(&Change) -> bool) -> Self {
        Self {
            changes: self.live.only(self.changes, &is_wanted),
            ..self
        }
    }

    /// Whether both change the same of the resource as it was read, whatever AWS could be asked.
    pub fn changes_the_same(&self, other: &Self) -> bool {
        let confirmed =
            |changes: &[Change]| -> Vec<Change> { changes.iter().map(Change::confirmed).collect() };
        confirmed(&self.changes) == confirmed(&other.changes)
            && self.live.is_same(other.live.as_ref())
    }

    /// Why AWS could not be asked whether what it changes is public: people may go on, auto-response waits.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Grant, Grantee};

    fn grant(permission: &str, is_unconfirmed: bool) -> Change {
        Change::RemoveGrant(Grant {
            grantee: Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned()),
            permission: permission.to_owned(),
            is_unconfirmed,
        })
    }

    /// A resource of which one value is all that is read; another type of value is another type of resource.
    #[derive(Debug, PartialEq)]
    struct Read<T>(T);

    #[async_trait]
    impl<T: Debug + PartialEq + Send + Sync + 'static> Live for Read<T> {
        fn is_same(&self, other: &dyn Live) -> bool {
            equals(self, other)
        }

        async fn apply(
            self: Box<Self>,
            _: &Aws,
            _: &Resource,
            _: &[Change],
        ) -> Result<(), AwsError> {
            Ok(())
        }
    }

    fn prepared(changes: &[Change], number: u32) -> Prepared {
        Prepared {
            changes: changes.to_vec(),
            live: Box::new(Read(number)),
            doubt: Some("denied".to_owned()),
        }
    }

    #[test]
    fn only_the_wanted_part_of_a_plan_is_left() {
        let both = [grant("READ", false), grant("WRITE", false)];
        let part = prepared(&both, 1).only(|change| *change == both[1]);
        assert_eq!(part.changes(), &both[1..]);
        assert_eq!(part.doubt(), Some("denied"));
    }

    #[test]
    fn two_looks_change_the_same_where_plan_and_resource_are_the_same() {
        let look = || prepared(&[grant("READ", false)], 1);
        assert!(look().changes_the_same(&look()));
        let unconfirmed = prepared(&[grant("READ", true)], 1);
        assert!(
            look().changes_the_same(&unconfirmed),
            "whatever AWS could be asked"
        );
        assert!(!look().changes_the_same(&prepared(&[grant("WRITE", false)], 1)));
        assert!(!look().changes_the_same(&prepared(&[grant("READ", false)], 2)));
        assert!(
            !Read(1_u32).is_same(&Read(1_i32)),
            "another type of resource"
        );
    }
}
