//! The findings table: every call to DynamoDB is made here.
//!
//! One table with the key `pk`/`sk` and the index `by-state` (`state`, `stateSince`). An item has a finding
//! and, beside it, what Slack shows of it, which only [`crate::slack::publish`] writes. `update.rs` writes
//! items, under a condition where two functions could write at once; `query.rs` reads several items, page by
//! page; `lease.rs` decides which process may work on a Slack message.

mod alias;
mod approval;
mod auto_response;
mod by_state;
mod claim;
#[cfg(feature = "sandbox")]
mod create;
mod digest;
mod drawing;
mod finding;
mod history;
mod judged_again;
mod lease;
mod page;
mod plan;
mod plan_list;
mod query;
mod record;
mod storm;
mod table;
mod update;
mod weekly_report;

pub use by_state::{Order, Reading};
pub use claim::Claim;
pub use judged_again::JudgedAgain;
pub use lease::{Holder, Leased};
pub use page::{Cursor, InvalidCursor};
pub use record::{Changed, Listed, Posted, Record, Shown};
pub use table::{ACTIONS, Table, TableError};
