//! `ingress-prohibited-ports`: a security group opens a prohibited port to the internet.

mod cause;
mod facts;
mod ingress_rule;
mod item;
mod judge;
mod opened;
pub mod prefix_lists;
mod ranges;
mod remediation;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use async_trait::async_trait;

pub use ingress_rule::{IngressRule, IngressSource, PrefixList};
pub(super) use opened::Opened;
pub(super) use remediation::ProhibitedPort;
pub use rule::RestrictedPorts;

use super::about::{About, security_group};
use super::definition::Definition;
use super::kind::ViolationType;
use crate::aws::{Aws, AwsError};
use crate::ids::{Region, Resource, ResourceType};

/// The control.
pub(super) struct IngressProhibitedPorts;

#[async_trait]
impl Definition for IngressProhibitedPorts {
    fn resource_type(&self) -> &'static str {
        ResourceType::SECURITY_GROUP
    }

    fn noun(&self) -> &'static str {
        "Security group"
    }

    fn violated(&self, _: &BTreeSet<ViolationType>) -> &'static str {
        "is open to the internet"
    }

    fn kept_again(&self) -> &'static str {
        "is no longer open to the internet"
    }

    fn console_page(&self, region: &Region, id: &str) -> String {
        format!("ec2/home?region={region}#SecurityGroup:groupId={id}")
    }

    async fn about(&self, aws: &Aws, resource: &Resource) -> Result<About, AwsError> {
        security_group(aws, resource).await
    }
}
