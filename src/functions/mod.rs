//! Lambda functions: rules and remediators.

pub mod remediator;
pub mod rule;
