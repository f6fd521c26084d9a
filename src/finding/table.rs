//! The findings table: conditional writes, so that two hands never both win.
//!
//! One DynamoDB table, key `pk`/`sk`, index `by-state` (`state`, `stateSince`). Beside a finding
//! lies what Slack shows of it, which only [`crate::slack::publish`] writes.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Select};
use futures::FutureExt;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use super::{Actor, Finding, Refusal, State, StateName};
use crate::aws::AwsError;
use crate::finding::decision;
use crate::ids::{DigestId, FindingId, PlanDigest};

/// The AWS actions of reading and writing findings.
pub const ACTIONS: &[&str] = &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"];

/// The index of findings by state.
pub const STATE_INDEX: &str = "by-state";

/// How often a lost race is run again.
pub(super) const ATTEMPTS: usize = 10;

/// One attribute map.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The findings table, and all calls to it.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) dynamodb: Client,
    pub(crate) name: String,
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
    /// Others kept winning.
    #[error("the finding keeps changing; try again")]
    Contended,
}

/// Where Slack shows a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shown {
    /// By a message of its own.
    Posted(Posted),
    /// In a digest.
    Listed(Listed),
}

/// What a digest shows of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Which digest.
    pub digest: DigestId,
    /// The episode that it is of.
    pub episode: u32,
    /// The version of the finding that it shows.
    pub version: u64,
}

/// What a finding's own message shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Posted {
    /// The channel of the message.
    pub channel: String,
    /// The message's timestamp, which is its id.
    pub ts: String,
    /// The episode that the message is of.
    pub episode: u32,
    /// The version of the finding that it shows.
    pub version: u64,
    /// How many of the thread's replies have been posted.
    pub replies: usize,
    /// The link to the message of the episode before.
    #[serde(default)]
    pub previous: Option<String>,
    /// The channel to which it was to go: where that cannot be posted in, the message is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Whether it has called people.
    #[serde(default)]
    pub called: bool,
    /// The digest that lists it too, where it has come out of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestId>,
}

/// Which plans have been stored for a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptPlans {
    pub(super) plans: Vec<PlanDigest>,
    /// When the first of them was.
    pub(super) at: Timestamp,
}

/// A finding with what belongs to it in the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The finding.
    pub finding: Finding,
    /// How often it has been written.
    pub version: u64,
    /// The version that last brought something to see.
    #[serde(default)]
    news: Option<u64>,
    /// The version that says so. Version 0.1 did not: each of its records counts as news.
    #[serde(default)]
    news_of: Option<u64>,
    /// The plans that have been stored for it.
    #[serde(default)]
    pub(super) kept_plans: Option<KeptPlans>,
    /// The id under which versions from 0.2 on keep it, where this is the record of an older one.
    #[serde(default)]
    pub(super) moved_to: Option<FindingId>,
    /// What Slack shows.
    #[serde(default)]
    pub shown: Option<Shown>,
}

/// Since when a finding is in its state, as the index spells it.
pub(super) fn since(finding: &Finding) -> String {
    format!("{:.3}", finding.state_since())
}

impl Record {
    /// The version that last brought something to see, which Slack has to show.
    pub fn news(&self) -> u64 {
        self.news
            .filter(|_| self.news_of == Some(self.version))
            .unwrap_or(self.version)
    }

    /// Whether Slack shows the finding as it is.
    pub fn is_shown(&self) -> bool {
        match &self.shown {
            // Violated and fixed before anybody could see it: nothing to show.
            None => matches!(
                self.finding.state,
                State::Fixed {
                    by: Actor::External,
                    ..
                }
            ),
            Some(Shown::Posted(posted)) => {
                posted.version == self.news()
                    && posted.episode == self.finding.episode
                    && posted.replies >= self.finding.thread.len()
            }
            Some(Shown::Listed(listed)) => {
                listed.version == self.news() && listed.episode == self.finding.episode
            }
        }
    }
}

/// By when findings entered their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

impl Order {
    pub(super) fn forward(self) -> bool {
        self == Self::OldestFirst
    }
}

/// The result of a change.
#[derive(Debug)]
pub enum Changed<E> {
    /// Written; the record as it is now.
    Yes(Box<Record>),
    /// Nothing to write; the record as it is, if there is one.
    No(Option<Box<Record>>, E),
}

impl<E> Changed<E> {
    /// The record as it is now, if there is one.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Yes(record) => Some(record),
            Self::No(record, _) => record.as_deref(),
        }
    }
}

pub(crate) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn key(id: &FindingId) -> (String, String) {
    (format!("FINDING#{id}"), "FINDING".to_owned())
}

impl Table {
    /// The table `name`.
    pub fn new(dynamodb: Client, name: String) -> Self {
        Self { dynamodb, name }
    }

    /// A finding, read consistently.
    pub async fn get(&self, id: &FindingId) -> Result<Option<Record>, TableError> {
        let (pk, sk) = key(id);
        self.get_item(pk, sk).await
    }

    pub(crate) async fn get_item<T: DeserializeOwned>(
        &self,
        pk: String,
        sk: String,
    ) -> Result<Option<T>, TableError> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.name)
            .consistent_read(true);
        let got = got
            .key("pk", text(pk))
            .key("sk", text(sk))
            .send()
            .boxed()
            .await;
        let got = got.map_err(|error| AwsError::from_sdk("dynamodb:GetItem", error))?;
        Ok(got.item.map(from_item).transpose()?)
    }

    /// Changes a finding by a pure function of what it is now. When another writer comes
    /// between, the function is asked again.
    pub async fn change<E>(
        &self,
        id: &FindingId,
        decide: impl Fn(Option<&Finding>) -> Result<Finding, E>,
    ) -> Result<Changed<E>, TableError> {
        for _ in 0..ATTEMPTS {
            let mut record = self.get(id).await?;
            if let Some(record) = &mut record {
                // The process that wrote them may have died before they were in the history.
                self.tell_history(record).await?;
                record.finding.events.clear();
            }
            let finding = match decide(record.as_ref().map(|record| &record.finding)) {
                Ok(finding) => finding,
                Err(reason) => return Ok(Changed::No(record.map(Box::new), reason)),
            };
            let kept = record
                .as_ref()
                .and_then(|record| record.kept_plans.as_ref());
            let kept = self.keep_plans(&finding.plans(), kept).await?;
            if let Some(record) = self.write(&finding, record.as_ref(), &kept).await? {
                record
                    .finding
                    .entries()
                    .for_each(|entry| decision::tell(&entry));
                // The change is done; its events stay with the finding until the next one.
                if let Err(error) = self.tell_history(&record).await {
                    tracing::error!(%error, finding_id = %id, "the history has to wait");
                }
                return Ok(Changed::Yes(Box::new(record)));
            }
        }
        Err(TableError::Contended)
    }

    /// As [`Table::change`], for a finding that must exist.
    pub async fn change_existing(
        &self,
        id: &FindingId,
        decide: impl Fn(&Finding) -> Result<Finding, Refusal>,
    ) -> Result<Changed<Option<Refusal>>, TableError> {
        Box::pin(self.change(id, |finding| decide(finding.ok_or(None)?).map_err(Some))).await
    }

    /// Writes over a record, if there is one; `None` when that is not the current one.
    pub(super) async fn write(
        &self,
        finding: &Finding,
        over: Option<&Record>,
        kept_plans: &KeptPlans,
    ) -> Result<Option<Record>, TableError> {
        let (pk, sk) = key(&finding.id);
        let version = over.map_or(0, |record| record.version);
        let same = over.filter(|record| record.finding.looks_like(finding));
        let news = same.map_or(version + 1, Record::news);
        // The index must not count an expired ignore, so it follows the state as written.
        let state = finding.state_name(Timestamp::MIN);
        let update = self.update(pk, sk)
            .update_expression(
                "SET #finding = :finding, #version = :next, news = :news, newsOf = :next, keptPlans = :kept, #state = :state, #stateSince = :stateSince",
            )
            .condition_expression(
                "#version = :version OR (attribute_not_exists(#version) AND :version = :zero)",
            )
            .expression_attribute_names("#finding", "finding")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#stateSince", "stateSince")
            .expression_attribute_values(":finding", to_attribute_value(finding)?)
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":next", number(version + 1))
            .expression_attribute_values(":news", number(news))
            .expression_attribute_values(":kept", to_attribute_value(kept_plans)?)
            .expression_attribute_values(":state", text(state.as_str()))
            .expression_attribute_values(":stateSince", text(since(finding)))
            .return_values(ReturnValue::AllNew);
        match update.send().boxed().await {
            Ok(written) => Ok(written.attributes.map(from_item).transpose()?),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => {
                // The answer to a first try of the same call may have got lost on its way.
                let ours =
                    |record: &Record| record.version == version + 1 && record.finding == *finding;
                Ok(self.get(&finding.id).await?.filter(ours))
            }
            Err(error) => Err(AwsError::from_sdk("dynamodb:UpdateItem", error).into()),
        }
    }

    /// The findings in a state, at most `limit`.
    pub async fn by_state(
        &self,
        state: StateName,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Record>, TableError> {
        let query = self.state_query(state).scan_index_forward(order.forward());
        let page = i32::try_from(limit.min(100)).unwrap_or(100);
        let mut items = query.into_paginator().page_size(page).items().send();
        let mut records = Vec::new();
        while records.len() < limit {
            let Some(item) = items.next().await else {
                break;
            };
            let item = item.map_err(|error| AwsError::from_sdk("dynamodb:Query", error))?;
            records.push(from_item(item)?);
        }
        Ok(records)
    }

    /// The finding that has been in a state's index the longest.
    pub async fn oldest(&self, state: StateName) -> Result<Option<Record>, TableError> {
        Ok(self.by_state(state, Order::OldestFirst, 1).await?.pop())
    }

    /// How many findings are in a state.
    pub async fn count(&self, state: StateName) -> Result<u64, TableError> {
        self.count_between(state, None, None).await
    }

    /// How many findings are in a state since some time between two.
    pub async fn count_between(
        &self,
        state: StateName,
        begin: Option<Timestamp>,
        end: Option<Timestamp>,
    ) -> Result<u64, TableError> {
        let (mut count, mut from) = (0, None);
        let moment = |time: Option<Timestamp>, none: &str| {
            text(time.map_or_else(|| none.to_owned(), |time| format!("{time:.3}")))
        };
        loop {
            let query = self
                .state_query(state)
                .key_condition_expression("#state = :state AND stateSince BETWEEN :begin AND :end")
                .expression_attribute_values(":begin", moment(begin, "0"))
                .expression_attribute_values(":end", moment(end, "9999"));
            let page = query
                .select(Select::Count)
                .set_exclusive_start_key(from)
                .send()
                .boxed()
                .await;
            let page = page.map_err(|error| AwsError::from_sdk("dynamodb:Query", error))?;
            count += u64::try_from(page.count).unwrap_or_default();
            match page.last_evaluated_key {
                Some(key) => from = Some(key),
                None => return Ok(count),
            }
        }
    }

    pub(super) fn state_query(
        &self,
        state: StateName,
    ) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        self.dynamodb
            .query()
            .table_name(&self.name)
            .index_name(STATE_INDEX)
            .key_condition_expression("#state = :state")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", text(state.as_str()))
    }

    /// An update of one item of the table.
    pub(crate) fn update(
        &self,
        pk: impl Into<String>,
        sk: impl Into<String>,
    ) -> UpdateItemFluentBuilder {
        self.dynamodb
            .update_item()
            .table_name(&self.name)
            .key("pk", text(pk))
            .key("sk", text(sk))
    }

    pub(super) fn display_update(&self, id: &FindingId) -> UpdateItemFluentBuilder {
        let (pk, sk) = key(id);
        self.update(pk, sk)
    }
}

/// Sends an update; whether its condition held.
pub(super) async fn applied(update: UpdateItemFluentBuilder) -> Result<bool, TableError> {
    match update.send().boxed().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(AwsError::from_sdk("dynamodb:UpdateItem", error).into()),
    }
}

/// An update's new item; `None` when its condition did not hold.
pub(super) fn conditional<T, E>(
    updated: Result<
        Option<Item>,
        aws_sdk_dynamodb::error::SdkError<E, aws_sdk_dynamodb::config::http::HttpResponse>,
    >,
) -> Result<Option<T>, TableError>
where
    T: DeserializeOwned,
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match updated {
        Ok(item) => Ok(item.map(from_item).transpose()?),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(AwsError::from_sdk("dynamodb:UpdateItem", error).into()),
    }
}
