//! The emulated account's resources as configuration items, in AWS Config's own shapes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use aws_sdk_ec2::types::{IpPermission, SecurityGroup};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{Grant, Owner};
use futures::FutureExt;
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::aws::bucket;
use crate::ids::{AccountId, ResourceType};

/// A resource's state: what of its item does not depend on when it was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    /// `AWS::EC2::SecurityGroup`
    pub(super) resource_type: &'static str,
    /// `sg-…`, or a bucket's name.
    pub(super) resource_id: String,
    /// The name beside the id.
    pub(super) resource_name: Option<String>,
    /// The resource's tags.
    pub(super) tags: BTreeMap<String, String>,
    /// The resource's own description.
    pub(super) configuration: Value,
    /// The resource's `supplementaryConfiguration`.
    pub(super) supplementary_configuration: Value,
}

/// Every resource of a type.
pub(super) async fn of(
    resource_type: &str,
    ec2: &aws_sdk_ec2::Client,
    s3: &aws_sdk_s3::Client,
) -> Result<Vec<Snapshot>> {
    match resource_type {
        ResourceType::SECURITY_GROUP => security_groups(ec2).await,
        ResourceType::BUCKET => buckets(s3).await,
        other => bail!("the sandbox cannot read resources of type {other}"),
    }
}

/// The account's Public Access Block.
pub(super) async fn account_block(
    s3_control: &aws_sdk_s3control::Client,
    account: &AccountId,
) -> Result<Snapshot> {
    let block = bucket::account_block(s3_control, account).await?;
    Ok(Snapshot {
        resource_type: ResourceType::ACCOUNT_BLOCK,
        resource_id: account.to_string(),
        resource_name: None,
        tags: BTreeMap::new(),
        configuration: json!({
            "ignorePublicAcls": block.ignore_public_acls, "restrictPublicBuckets": block.restrict_public_buckets,
        }),
        supplementary_configuration: json!({}),
    })
}

/// Every security group.
async fn security_groups(ec2: &aws_sdk_ec2::Client) -> Result<Vec<Snapshot>> {
    let groups = ec2
        .describe_security_groups()
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await?;
    groups.into_iter().map(security_group).collect()
}

fn security_group(group: SecurityGroup) -> Result<Snapshot> {
    Ok(Snapshot {
        resource_type: ResourceType::SECURITY_GROUP,
        resource_id: group
            .group_id()
            .context("a group without an id")?
            .to_owned(),
        resource_name: group.group_name().map(str::to_owned),
        tags: group
            .tags()
            .iter()
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
            .collect(),
        configuration: json!({
            "description": group.description(), "groupName": group.group_name(), "groupId": group.group_id(),
            "ownerId": group.owner_id(), "vpcId": group.vpc_id(), "tags": [],
            "ipPermissions": group.ip_permissions().iter().map(permission).collect::<Vec<_>>(),
            "ipPermissionsEgress": group.ip_permissions_egress().iter().map(permission).collect::<Vec<_>>(),
        }),
        supplementary_configuration: json!({}),
    })
}

/// AWS Config leaves absent ports out, and repeats IPv4 ranges as `ipRanges`.
fn permission(permission: &IpPermission) -> Value {
    let ipv4 = permission.ip_ranges();
    let mut item = json!({
        "ipProtocol": permission.ip_protocol(),
        "ipv6Ranges": permission.ipv6_ranges().iter().map(|range| json!({"cidrIpv6": range.cidr_ipv6()})).collect::<Vec<_>>(),
        "prefixListIds": permission.prefix_list_ids().iter().map(|list| json!({"prefixListId": list.prefix_list_id()})).collect::<Vec<_>>(),
        "userIdGroupPairs": permission.user_id_group_pairs().iter()
            .map(|pair| json!({"groupId": pair.group_id(), "userId": pair.user_id()})).collect::<Vec<_>>(),
        "ipv4Ranges": ipv4.iter().map(|range| json!({"cidrIp": range.cidr_ip()})).collect::<Vec<_>>(),
        "ipRanges": ipv4.iter().map(|range| range.cidr_ip()).collect::<Vec<_>>(),
    });
    for (name, port) in [
        ("fromPort", permission.from_port()),
        ("toPort", permission.to_port()),
    ] {
        if let Some(port) = port.filter(|_| permission.ip_protocol() != Some("-1")) {
            item[name] = json!(port);
        }
    }
    item
}

/// Every bucket.
async fn buckets(s3: &aws_sdk_s3::Client) -> Result<Vec<Snapshot>> {
    let buckets = s3.list_buckets().send().boxed().await?;
    try_join_all(
        buckets
            .buckets()
            .iter()
            .filter_map(|bucket| bucket.name())
            .map(|name| one_bucket(s3, name)),
    )
    .await
}

async fn one_bucket(s3: &aws_sdk_s3::Client, name: &str) -> Result<Snapshot> {
    let (acl, policy, block, tagging) = tokio::join!(
        s3.get_bucket_acl().bucket(name).send().boxed(),
        s3.get_bucket_policy().bucket(name).send().boxed(),
        s3.get_public_access_block().bucket(name).send().boxed(),
        s3.get_bucket_tagging().bucket(name).send().boxed(),
    );
    let acl = acl?;
    let tags = unless_none(tagging, "NoSuchTagSet")?
        .map(|tagging| tagging.tag_set)
        .unwrap_or_default();
    let policy = unless_none(policy, "NoSuchBucketPolicy")?.and_then(|policy| policy.policy);
    let block = unless_none(block, "NoSuchPublicAccessBlockConfiguration")?
        .and_then(|block| block.public_access_block_configuration);
    let owner = acl
        .owner()
        .map(|owner: &Owner| json!({"id": owner.id(), "displayName": owner.display_name()}));
    let list = json!({
        "grantSet": null, "grantList": acl.grants().iter().map(grant).collect::<Vec<_>>(),
        "owner": owner, "isRequesterCharged": false,
    });
    let mut supplement = json!({
        // AWS Config has the ACL as a string, and the policy's text in an object.
        "AccessControlList": list.to_string(),
        "BucketPolicy": {"policyText": policy},
    });
    if let Some(block) = block {
        supplement["PublicAccessBlockConfiguration"] = json!({
            "blockPublicAcls": block.block_public_acls(), "ignorePublicAcls": block.ignore_public_acls(),
            "blockPublicPolicy": block.block_public_policy(), "restrictPublicBuckets": block.restrict_public_buckets(),
        });
    }
    Ok(Snapshot {
        resource_type: ResourceType::BUCKET,
        resource_id: name.to_owned(),
        resource_name: Some(name.to_owned()),
        tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        configuration: json!({"name": name, "owner": owner}),
        supplementary_configuration: supplement,
    })
}

/// A bucket without a policy, block or tags answers with an error that says so; any other is one, and
/// nothing is known then.
fn unless_none<T, E>(answer: Result<T, SdkError<E>>, none: &str) -> Result<Option<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some(none) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn grant(grant: &Grant) -> Value {
    let grantee = grant.grantee();
    let group = grantee
        .and_then(|grantee| grantee.uri())
        .and_then(|uri| uri.rsplit('/').next());
    let permission = match grant.permission().map(|permission| permission.as_str()) {
        Some("FULL_CONTROL") => "FullControl",
        Some("READ") => "Read",
        Some("WRITE") => "Write",
        Some("READ_ACP") => "ReadAcp",
        Some("WRITE_ACP") => "WriteAcp",
        other => other.unwrap_or_default(),
    };
    let grantee = match group {
        Some(group) => json!(group),
        None => json!({"id": grantee.and_then(|grantee| grantee.id()),
                       "displayName": grantee.and_then(|grantee| grantee.display_name())}),
    };
    json!({"grantee": grantee, "permission": permission})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::test_client::TestClient;
    use crate::controls::Control;

    /// What is read of a bucket whose policy is asked for with this answer.
    async fn bucket_where(policy: (u16, &'static str)) -> Result<Snapshot> {
        const ACL: &str = "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList/></AccessControlPolicy>";
        let none = |code: &str| (404, format!("<Error><Code>{code}</Code></Error>"));
        let client = TestClient::new(move |asked| match asked.path.as_str() {
            path if path.contains("acl") => (200, ACL.to_owned()),
            path if path.contains("policy") => (policy.0, policy.1.to_owned()),
            path if path.contains("tagging") => none("NoSuchTagSet"),
            _ => none("NoSuchPublicAccessBlockConfiguration"),
        });
        let account = "123456789012".parse()?;
        let s3 = client.aws(&account).s3(&account, &"us-east-1".parse()?)?;
        one_bucket(&s3, "logs").await
    }

    #[tokio::test]
    async fn resources_of_every_control_can_be_read() {
        const BUCKETS: &str = "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>";
        const GROUPS: &str =
            "<DescribeSecurityGroupsResponse><securityGroupInfo/></DescribeSecurityGroupsResponse>";
        let client = TestClient::new(|asked| match asked.host.starts_with("ec2") {
            true => (200, GROUPS.to_owned()),
            false => (200, BUCKETS.to_owned()),
        });
        let (account, region) = (
            "123456789012".parse().unwrap(),
            "us-east-1".parse().unwrap(),
        );
        let aws = client.aws(&account);
        let ec2 = aws.ec2(&account, &region).unwrap();
        let s3 = aws.s3(&account, &region).unwrap();
        for resource_type in Control::resource_types() {
            assert_eq!(of(resource_type, &ec2, &s3).await.unwrap(), []);
        }
    }

    #[tokio::test]
    async fn only_a_missing_policy_makes_an_item_without_one() {
        const NONE: &str = "<Error><Code>NoSuchBucketPolicy</Code></Error>";
        const DENIED: &str = "<Error><Code>AccessDenied</Code></Error>";
        let without = bucket_where((404, NONE)).await.unwrap();
        let policy = &without.supplementary_configuration["BucketPolicy"]["policyText"];
        assert_eq!(*policy, Value::Null);
        for unknown in [(403, DENIED), (500, ""), (404, "")] {
            assert!(bucket_where(unknown).await.is_err(), "{unknown:?}");
        }
    }
}
