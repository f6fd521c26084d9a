//! An update of one item: the only way in which the table is written.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use futures::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use super::table::{Item, Table, TableError, text};
use crate::aws::AwsError;

/// An update, which takes effect where its condition holds.
/// ([UpdateItem](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html))
#[derive(Debug)]
pub(super) struct Update(Result<UpdateItemFluentBuilder, serde_dynamo::Error>);

impl Table {
    /// An update of one item.
    pub(super) fn update(&self, pk: impl Into<String>, sk: impl Into<String>) -> Update {
        Update(Ok(self
            .dynamodb
            .update_item()
            .table_name(&self.name)
            .key("pk", text(pk))
            .key("sk", text(sk))))
    }
}

impl Update {
    /// What it does: `SET a = :a REMOVE b`.
    pub(super) fn does(self, expression: impl Into<String>) -> Self {
        self.with(|call| call.update_expression(expression))
    }

    /// The condition under which it takes effect.
    pub(super) fn only_if(self, condition: impl Into<String>) -> Self {
        self.with(|call| call.condition_expression(condition))
    }

    /// Makes `#name` stand for the attribute of this name, which is a
    /// [reserved word](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html).
    pub(super) fn name(self, name: &str) -> Self {
        self.with(|call| call.expression_attribute_names(format!("#{name}"), name))
    }

    /// Makes `:name` stand for a value.
    pub(super) fn value(self, name: &str, value: impl Serialize) -> Self {
        Self(self.0.and_then(|call| {
            let value = to_attribute_value(value)?;
            Ok(call.expression_attribute_values(format!(":{name}"), value))
        }))
    }

    /// Makes `:expires` stand for a time, as DynamoDB's time to live has it: in seconds.
    pub(super) fn expires(self, at: Timestamp) -> Self {
        self.value("expires", at.as_second())
    }

    /// Takes effect where the item has been written `version` times, 0 where it is not there; `:next` stands
    /// for the version after that, and `#version` for the attribute.
    pub(super) fn only_over(self, version: u64) -> Self {
        self.only_if("#version = :version OR (attribute_not_exists(#version) AND :version = :zero)")
            .name("version")
            .value("version", version)
            .value("next", version + 1)
            .value("zero", 0)
    }

    /// Makes it; whether its condition held.
    pub(super) async fn make(self) -> Result<bool, TableError> {
        Ok(self.send(ReturnValue::None).await?.is_some())
    }

    /// Makes it, and returns the item as it is then; `None` where the condition did not hold.
    pub(super) async fn new_item<T: DeserializeOwned>(self) -> Result<Option<T>, TableError> {
        let item = self.send(ReturnValue::AllNew).await?;
        Ok(item.map(from_item).transpose()?)
    }

    /// Makes it, and returns the item as it was before, without attributes where there was none; `None` where
    /// the condition did not hold.
    pub(super) async fn old_item<T: DeserializeOwned>(self) -> Result<Option<T>, TableError> {
        let item = self.send(ReturnValue::AllOld).await?;
        Ok(item.map(from_item).transpose()?)
    }

    async fn send(self, returned: ReturnValue) -> Result<Option<Item>, TableError> {
        match self.0?.return_values(returned).send().boxed().await {
            Ok(updated) => Ok(Some(updated.attributes.unwrap_or_default())),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
            Err(error) => Err(AwsError::from_sdk("dynamodb:UpdateItem", error).into()),
        }
    }

    fn with(self, change: impl FnOnce(UpdateItemFluentBuilder) -> UpdateItemFluentBuilder) -> Self {
        Self(self.0.map(change))
    }
}
