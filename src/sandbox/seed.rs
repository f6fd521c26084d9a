//! An account with a few things wrong, and more that are right.

use anyhow::{Context, Result};
use aws_sdk_ec2::types::{Filter, IpPermission, IpRange, Ipv6Range, UserIdGroupPair};
use aws_sdk_s3::types::BucketCannedAcl;
use futures::FutureExt;
use serde_json::json;

use crate::controls::Control;
use crate::wiring::Wiring;

/// Open to everybody, with legitimate sources beside: a wide range.
const WORKERS: &str = "batch-workers";
/// Open to everybody over IPv6.
const DESKTOPS: &str = "remote-desktops";
/// The name of a group that no rule complains of.
const WEB: &str = "web";

const PUBLIC_BY_ACL: &str = "defendable-demo-downloads";
const PUBLIC_BY_POLICY: &str = "defendable-demo-website";
const PRIVATE: &str = "defendable-demo-payroll";

/// Seeds the account, unless it has been seeded.
pub(super) async fn seed(wiring: &Wiring) -> Result<()> {
    let region = wiring
        .aws
        .config()
        .region()
        .context("no AWS region is set: set AWS_REGION")?;
    let region = region.as_ref().parse()?;
    let account = &wiring.settings.account;
    let ec2 = wiring.aws.ec2(account, &region)?;
    let filter = Filter::builder().name("group-name").values(WORKERS).build();
    let seeded = ec2
        .describe_security_groups()
        .filters(filter)
        .send()
        .boxed()
        .await?;
    if seeded.security_groups().is_empty() {
        for control in Control::ALL {
            match control {
                Control::IngressProhibitedPorts => groups(&ec2).await?,
                Control::BucketPublic => buckets(&wiring.aws.s3(account, &region)?).await?,
            }
        }
    }
    Ok(())
}

async fn groups(ec2: &aws_sdk_ec2::Client) -> Result<()> {
    let vpc = ec2
        .create_vpc()
        .cidr_block("10.20.0.0/16")
        .send()
        .boxed()
        .await?;
    let vpc = vpc
        .vpc()
        .and_then(|vpc| vpc.vpc_id())
        .context("no VPC")?
        .to_owned();
    let group = async |name: &str, description: &str| -> Result<String> {
        let created = ec2
            .create_security_group()
            .group_name(name)
            .description(description)
            .vpc_id(&vpc)
            .send()
            .boxed()
            .await?;
        created.group_id.context("no group id")
    };
    let web = group(WEB, "HTTPS for everybody").await?;
    let workers = group(WORKERS, "Batch workers").await?;
    let desktops = group(DESKTOPS, "Remote desktops of the support team").await?;

    let https = tcp(443, 443)
        .ip_ranges(ipv4("0.0.0.0/0", "HTTPS is for everybody"))
        .build();
    allow(ec2, &web, https).await?;
    let wide = tcp(1024, 65535)
        .ip_ranges(ipv4("0.0.0.0/0", "temporary, while we debug"))
        .ip_ranges(ipv4("10.20.0.0/16", "our own VPC"))
        .user_id_group_pairs(UserIdGroupPair::builder().group_id(&web).build());
    allow(ec2, &workers, wide.build()).await?;
    let desktop = tcp(3389, 3389)
        .ipv6_ranges(
            Ipv6Range::builder()
                .cidr_ipv6("::/0")
                .description("home offices")
                .build(),
        )
        .ip_ranges(ipv4("203.0.113.0/24", "head office"));
    allow(ec2, &desktops, desktop.build()).await
}

fn tcp(from: i32, to: i32) -> aws_sdk_ec2::types::builders::IpPermissionBuilder {
    IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(from)
        .to_port(to)
}

fn ipv4(cidr: &str, description: &str) -> IpRange {
    IpRange::builder()
        .cidr_ip(cidr)
        .description(description)
        .build()
}

async fn allow(ec2: &aws_sdk_ec2::Client, group: &str, permission: IpPermission) -> Result<()> {
    ec2.authorize_security_group_ingress()
        .group_id(group)
        .ip_permissions(permission)
        .send()
        .boxed()
        .await?;
    Ok(())
}

async fn buckets(s3: &aws_sdk_s3::Client) -> Result<()> {
    for bucket in [PUBLIC_BY_ACL, PUBLIC_BY_POLICY, PRIVATE] {
        s3.create_bucket().bucket(bucket).send().boxed().await?;
    }
    s3.put_bucket_acl()
        .bucket(PUBLIC_BY_ACL)
        .acl(BucketCannedAcl::PublicRead)
        .send()
        .boxed()
        .await?;
    let resource = format!("arn:aws:s3:::{PUBLIC_BY_POLICY}/*");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource},
            {"Sid": "Deployments", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:role/deploy"},
             "Action": ["s3:GetObject", "s3:PutObject"], "Resource": resource},
        ],
    });
    s3.put_bucket_policy()
        .bucket(PUBLIC_BY_POLICY)
        .policy(policy.to_string())
        .send()
        .boxed()
        .await?;
    Ok(())
}
