//! What the Lambda functions do, each with what it takes from its queue or is invoked with.

pub mod remediator;
pub mod rule;
