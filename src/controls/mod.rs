//! Controls: what can be wrong with a resource, and how that is found, planned, fixed and undone.
//!
//! Each control has a folder with everything about it, and an entry in `catalogue.rs`; `change.rs` has the changes of
//! all. What is common to them is in files of its own, which know no control.

mod about;
mod actions;
pub mod bucket_public;
mod catalogue;
pub mod cause;
mod change;
mod console;
mod definition;
pub mod evaluation;
mod exposure;
pub mod ingress_prohibited_ports;
mod kind;
mod plan;
mod registry;
mod remediation;
mod remediations;
mod severity;
mod undo_error;

pub use about::{About, IGNORE_TAG, Tags, ignored_because};
pub use actions::{ControlActions, actions, actions_file};
pub use bucket_public::{Grant, Grantee, PolicyStatement, WholePolicy};
pub use change::Change;
pub use console::console_link;
pub use definition::Definition;
pub use exposure::Exposure;
pub use ingress_prohibited_ports::{IngressRule, IngressSource, PrefixList};
pub use kind::{Control, Service, ViolationType};
pub use plan::{AgreedPlan, Direction, exposures};
pub use remediation::{Live, Prepared, PutBack, Remediation};
pub use remediations::Remediations;
pub use severity::Severity;
pub use undo_error::UndoError;
