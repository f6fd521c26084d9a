//! The stories that Defendable promises, told to the real binary: moto is AWS, local-slack is
//! Slack, and everything enters where the world does. `scripts/test` installs the two.

mod abuse;
mod alarms_and_reports;
mod approving;
mod auto_response;
mod bootstrap;
mod command_line;
mod consent;
mod doctor;
mod faults;
mod findings;
mod fixing;
mod hostile_requests;
mod ignoring;
mod leases;
mod live_cases;
mod prefix_lists;
mod public_buckets;
mod routing;
mod seeing;
mod soak;
mod stopping;
mod storms;
mod support;
mod switch;
mod telling;
mod undoing;
