//! What a fresh account lacks: queues, topic, table, scheduled rule, parameters. Running it
//! again changes nothing.

use std::collections::HashMap;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_ssm::types::ParameterType;
use futures::FutureExt;
use serde_json::json;

use crate::clock::Clock;
use crate::controls::Service;
use crate::ids::AccountId;
use crate::queue::{LOOKED_AT_RECEIVES, MAX_RECEIVES, QueueUrl};
use crate::store::Table;

const TABLE: &str = "defendable-findings";
const RULE: &str = "defendable-auto-response";
const TOPIC: &str = "defendable-config";

/// The queues beside the remediators'. The first is the one that AWS Config's topic sends to.
const QUEUES: [&str; 3] = ["events", "remediation", "fix"];

/// Secrets that move from the environment into the Parameter Store.
const SECRETS: [(&str, &str); 3] = [
    ("DEFENDABLE_SLACK_BOT_TOKEN", "/defendable/slack/bot-token"),
    (
        "DEFENDABLE_SLACK_SIGNING_SECRET",
        "/defendable/slack/signing-secret",
    ),
    ("DEFENDABLE_SLACK_APP_TOKEN", "/defendable/slack/app-token"),
];

/// The resources of the emulated account, by which settings are made.
pub(super) struct Provisioned {
    /// Where AWS Config publishes.
    pub(super) topic_arn: String,
    variables: HashMap<String, Option<String>>,
}

impl Provisioned {
    /// A setting: ours, or the environment's.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables
            .get(name)
            .cloned()
            .unwrap_or_else(|| std::env::var(name).ok())
    }
}

/// Prepares the account.
pub(super) async fn provision(config: &SdkConfig, account: &AccountId) -> Result<Provisioned> {
    let mut variables = HashMap::from([
        (
            "DEFENDABLE_AWS_ACCOUNT_ID".to_owned(),
            Some(account.to_string()),
        ),
        (
            "DEFENDABLE_FINDINGS_TABLE".to_owned(),
            Some(TABLE.to_owned()),
        ),
        ("DEFENDABLE_SCHEDULE_RULE".to_owned(), Some(RULE.to_owned())),
    ]);
    let sqs = aws_sdk_sqs::Client::new(config);
    let mut events = None;
    for queue_name in QUEUES.into_iter().chain(Service::ALL.map(Service::name)) {
        let name = format!("defendable-{queue_name}");
        let receives = if queue_name == "remediation" {
            LOOKED_AT_RECEIVES
        } else {
            MAX_RECEIVES
        };
        let url = queue(&sqs, &name, receives)
            .await
            .with_context(|| format!("queue {name}"))?;
        events.get_or_insert(url.clone());
        variables.insert(
            format!("DEFENDABLE_{}_QUEUE_URL", queue_name.to_uppercase()),
            Some(url.to_string()),
        );
    }
    let events = events.context("there is an events queue")?;
    let topic_arn = topic(config, &queue_arn(&sqs, events.as_str()).await?)
        .await
        .context("topic")?;
    table(config).await.context("table")?;
    rule(config).await.context("scheduled rule")?;
    for (variable, parameter) in SECRETS {
        if let Ok(value) = std::env::var(variable) {
            secret(config, parameter, &value)
                .await
                .with_context(|| format!("parameter {parameter}"))?;
            variables.insert(variable.to_owned(), None);
            variables.insert(format!("{variable}_PARAMETER"), Some(parameter.to_owned()));
        }
    }
    Ok(Provisioned {
        topic_arn,
        variables,
    })
}

/// A queue and its dead-letter queue, which keeps its messages as long as SQS can.
async fn queue(sqs: &aws_sdk_sqs::Client, name: &str, receives: u32) -> Result<QueueUrl> {
    let retention = || {
        (
            QueueAttributeName::MessageRetentionPeriod,
            "1209600".to_owned(),
        )
    };
    let dead = sqs
        .create_queue()
        .queue_name(format!("{name}-dead-letters"));
    let dead = dead
        .set_attributes(Some(HashMap::from([retention()])))
        .send()
        .boxed()
        .await?;
    let dead_arn = queue_arn(sqs, dead.queue_url().context("no queue URL")?).await?;
    let redrive =
        json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": (receives + 1).to_string()})
            .to_string();
    let attributes = HashMap::from([
        retention(),
        (QueueAttributeName::VisibilityTimeout, "90".to_owned()),
        (QueueAttributeName::RedrivePolicy, redrive),
    ]);
    let created = sqs
        .create_queue()
        .queue_name(name)
        .set_attributes(Some(attributes))
        .send()
        .boxed()
        .await?;
    Ok(created.queue_url().context("no queue URL")?.parse()?)
}

async fn queue_arn(sqs: &aws_sdk_sqs::Client, url: &str) -> Result<String> {
    let attribute = QueueAttributeName::QueueArn;
    let answer = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(attribute.clone())
        .send()
        .boxed()
        .await?;
    answer
        .attributes
        .and_then(|mut attributes| attributes.remove(&attribute))
        .context("no queue ARN")
}

async fn topic(config: &SdkConfig, events_arn: &str) -> Result<String> {
    let sns = aws_sdk_sns::Client::new(config);
    let topic = sns
        .create_topic()
        .name(TOPIC)
        .send()
        .boxed()
        .await?
        .topic_arn
        .context("no topic ARN")?;
    sns.subscribe()
        .topic_arn(&topic)
        .protocol("sqs")
        .endpoint(events_arn)
        .send()
        .boxed()
        .await?;
    Ok(topic)
}

async fn table(config: &SdkConfig) -> Result<()> {
    let table = Table::new(config, TABLE.to_owned(), Clock::system());
    table.create().await.context("cannot create it")
}

/// The scheduled rule, disabled; one that is there keeps its state.
async fn rule(config: &SdkConfig) -> Result<()> {
    let events = aws_sdk_eventbridge::Client::new(config);
    if events
        .describe_rule()
        .name(RULE)
        .send()
        .boxed()
        .await
        .is_err()
    {
        let rule = events
            .put_rule()
            .name(RULE)
            .schedule_expression("rate(1 minute)")
            .state(RuleState::Disabled);
        rule.send().boxed().await?;
    }
    Ok(())
}

async fn secret(config: &SdkConfig, name: &str, value: &str) -> Result<()> {
    let put = aws_sdk_ssm::Client::new(config)
        .put_parameter()
        .name(name)
        .value(value);
    put.r#type(ParameterType::SecureString)
        .overwrite(true)
        .send()
        .boxed()
        .await?;
    Ok(())
}
