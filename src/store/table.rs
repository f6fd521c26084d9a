//! The table, and how one item of it is read.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::FutureExt;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::aws::AwsError;
use crate::clock::Clock;

/// The AWS actions of reading and writing findings.
pub const ACTIONS: &[&str] = &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"];

/// The index of findings by state.
pub(super) const STATE_INDEX: &str = "by-state";

/// How often a lost race is run again.
pub(super) const ATTEMPTS: usize = 10;

/// An item: its attributes by name.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The findings table.
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) dynamodb: Client,
    pub(super) name: String,
    pub(super) clock: Clock,
}

/// Why the table did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// AWS refused a call, or did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An item is not of the shape that we write.
    #[error("an item of the findings table cannot be read: {0}")]
    Shape(#[from] serde_dynamo::Error),
    /// Nothing could be read while a person waits.
    #[error("the findings table takes long")]
    Late,
    /// Others kept winning.
    #[error("the finding keeps changing; try again")]
    Contended,
}

/// A text, as DynamoDB has it.
pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

impl Table {
    /// The table `name` of an account and region.
    pub fn new(config: &SdkConfig, name: String, clock: Clock) -> Self {
        Self {
            dynamodb: Client::new(config),
            name,
            clock,
        }
    }

    /// One item, read consistently.
    pub(super) async fn get_item<T: DeserializeOwned>(
        &self,
        pk: impl Into<String>,
        sk: impl Into<String>,
    ) -> Result<Option<T>, TableError> {
        let get = self
            .dynamodb
            .get_item()
            .table_name(&self.name)
            .consistent_read(true)
            .key("pk", text(pk))
            .key("sk", text(sk));
        let got = get.send().boxed().await;
        let got = got.map_err(|error| AwsError::from_sdk("dynamodb:GetItem", error))?;
        Ok(got.item.map(from_item).transpose()?)
    }
}
