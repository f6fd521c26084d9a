//! A query: the only way in which several items are read, a page at a time.

use std::ops::ControlFlow;

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::Select;
use futures::FutureExt;
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::table::{Item, STATE_INDEX, Table, TableError, text};
use crate::aws::AwsError;

/// A query of the table, or of its index.
/// ([Query](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html))
#[derive(Debug, Clone)]
pub(super) struct Query(QueryFluentBuilder);

/// Some of a query's items.
#[derive(Debug)]
struct Page {
    /// The items, in order, as DynamoDB has them. The caller parses them.
    items: Vec<Item>,
    /// The place of the next page, if there may be one.
    next: Option<Item>,
}

impl Table {
    /// The items of one partition whose sort keys are between two, both included, read consistently.
    pub(super) fn query(&self, pk: &str, from: &str, to: &str) -> Query {
        let query = self
            .dynamodb
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", text(pk));
        Query(query).between(from, to)
    }

    /// The items that the index has under a state.
    pub(super) fn query_state(&self, state: &str) -> Query {
        let query = self.query_index(state);
        Query(query.key_condition_expression("#state = :state"))
    }

    /// The items that the index has under a state since a time between two, both included, as it spells them.
    pub(super) fn query_state_between(&self, state: &str, from: &str, to: &str) -> Query {
        let query = self.query_index(state);
        let condition = "#state = :state AND stateSince BETWEEN :from AND :to";
        Query(query.key_condition_expression(condition)).between(from, to)
    }

    fn query_index(&self, state: &str) -> QueryFluentBuilder {
        self.dynamodb
            .query()
            .table_name(&self.name)
            .index_name(STATE_INDEX)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", text(state))
    }
}

impl Query {
    fn between(self, from: &str, to: &str) -> Self {
        let query = self.0.expression_attribute_values(":from", text(from));
        Self(query.expression_attribute_values(":to", text(to)))
    }

    /// Reverses the order.
    pub(super) fn backward(self) -> Self {
        Self(self.0.scan_index_forward(false))
    }

    /// Reads at most `size` items.
    async fn page(&self, size: usize, from: Option<Item>) -> Result<Page, TableError> {
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        let page = send(self.0.clone().limit(size), from).boxed().await?;
        Ok(Page {
            items: page.items.unwrap_or_default(),
            next: page.last_evaluated_key,
        })
    }

    /// Calls `each` with item after item, read in pages of `size`, until `each` breaks off.
    pub(super) async fn each<T: DeserializeOwned>(
        &self,
        size: usize,
        from: Option<Item>,
        mut each: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), TableError> {
        let mut from = from;
        loop {
            let page = self.page(size, from).boxed().await?;
            for item in page.items {
                if each(from_item(item)?).is_break() {
                    return Ok(());
                }
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// The number of items.
    pub(super) async fn count(&self) -> Result<u64, TableError> {
        let (mut count, mut from) = (0, None);
        loop {
            let page = send(self.0.clone().select(Select::Count), from)
                .boxed()
                .await?;
            count += u64::try_from(page.count).unwrap_or_default();
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(count);
            }
        }
    }
}

async fn send(query: QueryFluentBuilder, from: Option<Item>) -> Result<QueryOutput, TableError> {
    let page = query.set_exclusive_start_key(from).send().await;
    page.map_err(|error| AwsError::from_sdk("dynamodb:Query", error).into())
}
