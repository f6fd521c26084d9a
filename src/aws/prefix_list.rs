//! What EC2 tells of a prefix list.

use std::collections::BTreeSet;

use aws_sdk_ec2::Client;
use ipnet::IpNet;

use super::AwsError;

/// The ranges in a prefix list: one of the account, of AWS, or shared by another account.
/// ([GetManagedPrefixListEntries](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html))
pub async fn entries(ec2: &Client, id: &str) -> Result<BTreeSet<IpNet>, AwsError> {
    let entries = ec2
        .get_managed_prefix_list_entries()
        .prefix_list_id(id)
        .into_paginator()
        .items()
        .send();
    let entries: Vec<_> = entries
        .collect::<Result<_, _>>()
        .await
        .map_err(|error| AwsError::from_sdk("ec2:GetManagedPrefixListEntries", error))?;
    Ok(entries
        .iter()
        .filter_map(|entry| entry.cidr()?.parse().ok())
        .collect())
}
