//! What a control says of itself: the resources that it is about, and the words for them.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::about::About;
use super::kind::ViolationType;
use crate::aws::{Aws, AwsError};
use crate::ids::{Region, Resource};

/// The definition of a control.
#[async_trait]
pub trait Definition: Sync {
    /// The one type of resource that it is about: `AWS::S3::Bucket`.
    fn resource_type(&self) -> &'static str;

    /// What people call such a resource, as the first word of a headline: `Bucket`.
    fn noun(&self) -> &'static str;

    /// What is said of a resource with these violations, none of which may be known: `is public by its ACL`.
    fn violated(&self, violations: &BTreeSet<ViolationType>) -> &'static str;

    /// What is said of a resource that had such violations: `is no longer public`.
    fn kept_again(&self) -> &'static str;

    /// The types of other resources whose settings excuse violations: where such a setting is lowered, the
    /// control's resources are judged again. `AWS::S3::AccountPublicAccessBlock`
    fn excused_by(&self) -> &'static [&'static str] {
        &[]
    }

    /// The page of a resource below the region's console, `ec2/home?region=…`; the id can stand in an address.
    fn console_page(&self, region: &Region, id: &str) -> String;

    /// Reads the name and the tags of a live resource.
    async fn about(&self, aws: &Aws, resource: &Resource) -> Result<About, AwsError>;
}
