//! Creates the table for the sandbox. Terraform's is `aws_dynamodb_table.findings`.

use aws_sdk_dynamodb::Error;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use futures::FutureExt;

use super::table::{STATE_INDEX, Table};

impl Table {
    /// Creates the table, unless it is there.
    pub async fn create(&self) -> Result<(), Box<Error>> {
        let table = self.creation().map_err(|error| Box::new(error.into()))?;
        match table.send().boxed().await.map_err(Error::from) {
            Err(Error::ResourceInUseException(_)) => Ok(()),
            created => created.map(drop).map_err(Box::new),
        }
    }

    fn creation(&self) -> Result<CreateTableFluentBuilder, BuildError> {
        let mut table = self
            .dynamodb
            .create_table()
            .table_name(&self.name)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key("pk", KeyType::Hash)?)
            .key_schema(key("sk", KeyType::Range)?)
            .global_secondary_indexes(by_state()?);
        for name in ["pk", "sk", "state", "stateSince"] {
            table = table.attribute_definitions(attribute(name)?);
        }
        Ok(table)
    }
}

fn by_state() -> Result<GlobalSecondaryIndex, BuildError> {
    let all = Projection::builder().projection_type(ProjectionType::All);
    let index = GlobalSecondaryIndex::builder()
        .index_name(STATE_INDEX)
        .key_schema(key("state", KeyType::Hash)?)
        .key_schema(key("stateSince", KeyType::Range)?)
        .projection(all.build());
    index.build()
}

fn attribute(name: &str) -> Result<AttributeDefinition, BuildError> {
    let attribute = AttributeDefinition::builder().attribute_name(name);
    attribute.attribute_type(ScalarAttributeType::S).build()
}

fn key(name: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    let key = KeySchemaElement::builder().attribute_name(name);
    key.key_type(kind).build()
}
