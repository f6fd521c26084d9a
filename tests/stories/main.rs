//! Stories against the real binary. Moto stands in for AWS and local-slack for Slack; each story begins with a
//! signed request, a queue message or an AWS Config event. `scripts/test` installs both.

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
mod time;
mod undoing;
