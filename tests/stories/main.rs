//! The stories that Defendable promises, told to the real binary: moto is AWS, local-slack is
//! Slack, and everything enters where the world does. `scripts/test` installs the two.

mod alarms_and_reports;
mod auto_response;
mod bootstrap;
mod command_line;
mod findings;
mod fixing;
mod forgery;
mod ignoring;
mod stopping;
mod support;
mod undoing;
