//! Engines that controls share, and that know no control: what an ingress rule opens, and whom a resource's
//! policy lets in. Pure: nothing here asks AWS.

pub mod address_block;
pub mod bucket_policy;
mod condition;
mod deny;
pub mod ingress;
pub mod openings;
pub mod ports;
mod statement;
