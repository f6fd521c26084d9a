//! What people wrote on a resource: its name and its tags.

use std::collections::BTreeMap;

use futures::FutureExt;

use crate::aws::{Aws, AwsError};
use crate::ids::Resource;

/// A resource's tags.
pub type Tags = BTreeMap<String, String>;

/// The tag by which a resource is left as it is; its value says why:
/// `defendable:ignore = "public website, ticket 42"`.
pub const IGNORE_TAG: &str = "defendable:ignore";

/// What people wrote on a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Its name, where that is not its id.
    pub name: Option<String>,
    /// The resource's tags.
    pub tags: Tags,
}

impl About {
    /// Why the resource is to be left as it is, if its tag says so.
    pub fn ignored_because(&self) -> Option<&str> {
        ignored_because(&self.tags)
    }
}

/// Why a resource with these tags is to be left as it is. An empty reason is one too.
pub fn ignored_because(tags: &Tags) -> Option<&str> {
    let reason = tags.get(IGNORE_TAG)?.trim();
    Some(if reason.is_empty() {
        "no reason given"
    } else {
        reason
    })
}

/// Reads name and tags of a security group.
pub(super) async fn security_group(aws: &Aws, resource: &Resource) -> Result<About, AwsError> {
    let ec2 = aws.ec2(&resource.account, &resource.region)?;
    let described = ec2
        .describe_security_groups()
        .group_ids(resource.id.as_str())
        .send()
        .boxed()
        .await;
    let groups =
        described.map_err(|error| AwsError::from_sdk("ec2:DescribeSecurityGroups", error))?;
    let group = groups.security_groups().first();
    let tags = group.map(|group| group.tags()).unwrap_or_default().iter();
    let tags = tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    let name = group
        .and_then(|group| group.group_name())
        .map(str::to_owned);
    Ok(About {
        name,
        tags: tags.collect(),
    })
}

/// Reads the tags of a bucket, whose id is its name.
pub(super) async fn bucket(aws: &Aws, resource: &Resource) -> Result<About, AwsError> {
    let s3 = aws.s3(&resource.account, &resource.region)?;
    let tagging = s3
        .get_bucket_tagging()
        .bucket(resource.id.as_str())
        .send()
        .boxed()
        .await;
    match tagging.map_err(|error| AwsError::from_sdk("s3:GetBucketTagging", error)) {
        Ok(tagging) => {
            let tags = tagging.tag_set().iter();
            let tags = tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
            Ok(About {
                name: None,
                tags: tags.collect(),
            })
        }
        Err(error) if error.code == "NoSuchTagSet" => Ok(About::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::test_client::TestClient;
    use crate::controls::Control;

    async fn about(control: Control, status: u16, body: &str) -> Result<About, AwsError> {
        let body = body.to_owned();
        let client = TestClient::new(move |_| (status, body.clone()));
        let resource = Resource {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            resource_type: control.resource_type().parse().unwrap(),
            id: "resource-1".parse().unwrap(),
        };
        let aws = client.aws(&resource.account);
        control.definition().about(&aws, &resource).await
    }

    #[tokio::test]
    async fn name_and_tags_are_read_from_the_live_resource() {
        let group = r#"<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
            <securityGroupInfo><item><groupId>sg-1</groupId><groupName>web</groupName><tagSet><item>
            <key>team</key><value>shop</value></item></tagSet></item></securityGroupInfo>
            </DescribeSecurityGroupsResponse>"#;
        let tags = Tags::from([("team".to_owned(), "shop".to_owned())]);
        let of_group = about(Control::IngressProhibitedPorts, 200, group).await;
        assert_eq!(
            of_group.unwrap(),
            About {
                name: Some("web".to_owned()),
                tags: tags.clone()
            }
        );
        let bucket =
            "<Tagging><TagSet><Tag><Key>team</Key><Value>shop</Value></Tag></TagSet></Tagging>";
        let of_bucket = about(Control::BucketPublic, 200, bucket).await;
        assert_eq!(of_bucket.unwrap(), About { name: None, tags });
    }

    #[tokio::test]
    async fn a_bucket_without_tags_has_none_and_another_error_is_one() {
        let error = |code: &str| format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        let untagged = about(Control::BucketPublic, 404, &error("NoSuchTagSet")).await;
        assert_eq!(untagged.unwrap(), About::default());
        let denied = about(Control::BucketPublic, 403, &error("AccessDenied")).await;
        assert_eq!(denied.unwrap_err().code, "AccessDenied");
    }

    #[test]
    fn the_tag_s_value_is_the_reason() {
        let tagged = |value: &str| Tags::from([(IGNORE_TAG.to_owned(), value.to_owned())]);
        assert_eq!(ignored_because(&tagged("ticket 42")), Some("ticket 42"));
        assert_eq!(ignored_because(&tagged(" ")), Some("no reason given"));
        assert_eq!(ignored_because(&Tags::new()), None);
        let about = |tags| About { name: None, tags };
        assert_eq!(about(tagged("why")).ignored_because(), Some("why"));
        assert_eq!(about(Tags::new()).ignored_because(), None);
    }
}
