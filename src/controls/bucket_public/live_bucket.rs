//! A bucket as it is now, in the shape of a configuration item: for items that lack its ACL or policy, which
//! AWS Config could not read.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::Grant;
use serde_json::{Value, json};

use crate::aws::bucket::{self, PublicAccessBlock};
use crate::aws::{Aws, AwsError, AwsErrorKind};
use crate::controls::evaluation::ConfigurationItem;
use crate::ids::{AccountId, Region};

/// The IAM actions of reading a bucket.
pub(super) const ACTIONS: &[&str] = &[
    "s3:GetBucketAcl",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
];

/// A bucket's own Public Access Block, and why it could not be read, where it may not be: then it counts as off.
pub(super) async fn block(
    s3: &Client,
    id: &str,
) -> Result<(PublicAccessBlock, Option<String>), AwsError> {
    match bucket::public_access_block(s3, id).await {
        Ok(block) => Ok((block, None)),
        Err(error) if error.kind == AwsErrorKind::AccessDenied => {
            tracing::warn!(%error, bucket = id, "a bucket's Public Access Block cannot be read");
            Ok((PublicAccessBlock::default(), Some(error.to_string())))
        }
        Err(error) => Err(error),
    }
}

/// The item of a bucket with what was read now in place of what AWS Config had read, as JSON.
pub(super) async fn completed(
    aws: &Aws,
    account: &AccountId,
    region: &Region,
    item: &ConfigurationItem<'_>,
) -> Result<String, AwsError> {
    let (s3, id) = (aws.s3(account, region)?, item.resource_id.as_ref());
    let read = tokio::try_join!(
        bucket::acl(&s3, id),
        bucket::policy(&s3, id),
        block(&s3, id)
    );
    let (status, supplement) = match read {
        Ok((acl, policy, (block, unread))) => {
            let grants: Vec<Value> = acl.grants().iter().map(grant).collect();
            let block = match unread {
                None => json!({"ignorePublicAcls": block.ignore_public_acls,
                    "restrictPublicBuckets": block.restrict_public_buckets}),
                // What AWS Config has read of it is better than nothing.
                Some(_) => recorded_block(item),
            };
            let supplement = json!({"AccessControlList": {"grantList": grants},
                "BucketPolicy": {"policyText": policy}, "PublicAccessBlockConfiguration": block});
            (item.configuration_item_status.as_ref(), supplement)
        }
        Err(error) if error.kind == AwsErrorKind::NotFound => ("ResourceDeleted", Value::Null),
        Err(error) => return Err(error),
    };
    Ok(json!({
        "resourceType": item.resource_type,
        "resourceId": item.resource_id,
        "accountId": account,
        "awsRegion": region,
        "configurationItemStatus": status,
        "configurationItemCaptureTime": item.configuration_item_capture_time,
        "tags": item.tags(),
        "supplementaryConfiguration": supplement,
    })
    .to_string())
}

/// The Public Access Block that an item has; none where it has none.
fn recorded_block(item: &ConfigurationItem<'_>) -> Value {
    let supplement = item.supplementary_configuration::<Value>();
    supplement
        .ok()
        .and_then(|mut supplement| {
            let block = supplement.get_mut("PublicAccessBlockConfiguration")?;
            Some(block.take())
        })
        .unwrap_or_default()
}

fn grant(grant: &Grant) -> Value {
    let grantee = grant
        .grantee()
        .and_then(|grantee| grantee.uri().or(grantee.id()));
    let permission = grant
        .permission()
        .map_or("UNKNOWN", |permission| permission.as_str());
    json!({"grantee": grantee, "permission": permission})
}
