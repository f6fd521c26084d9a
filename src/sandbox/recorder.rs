//! AWS Config's recorder: notices what changed, writes items, invokes the rules' functions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::future::try_join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::config_service::ConfigService;
use super::items::{self, Snapshot};
use crate::controls::Control;
use crate::controls::evaluation::RuleKind;
use crate::controls::evaluation::rule_event::RuleEvent;
use crate::functions::rule::RuleFunction;
use crate::ids::{AccountId, ResourceType};
use crate::wiring::Wiring;

/// How often the account is looked at.
const INTERVAL: Duration = Duration::from_millis(800);

/// After a look it pauses so many times as long as reading the account took: an emulator with
/// hundreds of resources has others to serve too.
const PAUSES: u32 = 5;

/// How many changes the rules' functions look at at once; on Lambda it is all of them.
const AT_ONCE: usize = 4;

type Key = (&'static str, String);

/// The recorder.
pub(super) struct Recorder {
    service: Arc<ConfigService>,
    ec2: aws_sdk_ec2::Client,
    s3: aws_sdk_s3::Client,
    s3_control: aws_sdk_s3control::Client,
    account: AccountId,
    region: String,
    rules: Vec<(String, RuleFunction, Value)>,
    oversized_above: usize,
    /// What has been evaluated; a resource that could not be is looked at again.
    known: HashMap<Key, Snapshot>,
}

impl Recorder {
    /// A recorder of the account that `wiring` is for.
    pub(super) fn new(
        wiring: &Wiring,
        service: Arc<ConfigService>,
        oversized_above: usize,
    ) -> Result<Self> {
        let region = wiring
            .aws
            .config()
            .region()
            .context("no AWS region is set")?
            .to_string();
        let settings = &wiring.settings;
        let home = (&settings.account, &region.parse()?);
        let queue = settings.queues.remediation.as_str();
        let rule = |rule: RuleKind| {
            let mut parameters = json!({"sqsUrl": queue});
            if rule == RuleKind::RestrictedPorts {
                let ports = &settings.rules.restricted_ports.prohibited_ports;
                parameters["prohibitedPorts"] = json!(ports.to_string());
            }
            let name = format!("defendable-{}", rule.name());
            Ok((name, wiring.rule_function(rule)?, parameters))
        };
        Ok(Self {
            service,
            ec2: wiring.aws.ec2(home.0, home.1)?,
            s3: wiring.aws.s3(home.0, home.1)?,
            s3_control: wiring.aws.s3_control(home.0, home.1)?,
            account: settings.account.clone(),
            region,
            rules: RuleKind::ALL.into_iter().map(rule).collect::<Result<_>>()?,
            oversized_above,
            known: HashMap::new(),
        })
    }

    /// Records until `shutdown`.
    pub(super) async fn record(mut self, shutdown: CancellationToken) {
        for (name, ..) in &self.rules {
            self.service.add_rule(name);
        }
        let mut pause = Duration::ZERO;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let begun = Instant::now();
            let seen = self.seen().await;
            pause = INTERVAL.max(begun.elapsed() * PAUSES);
            match seen {
                Ok(seen) => self.compare(seen).await,
                Err(error) => {
                    tracing::warn!("the recorder could not look at the account: {error:#}")
                }
            }
        }
    }

    async fn seen(&self) -> Result<HashMap<Key, Snapshot>> {
        let types = Control::resource_types().into_iter();
        let seen = types.map(|of_type| items::of(of_type, &self.ec2, &self.s3));
        let (seen, block) = tokio::join!(
            try_join_all(seen),
            items::account_block(&self.s3_control, &self.account)
        );
        let block = match block {
            Ok(block) => Some(block),
            Err(error) => {
                tracing::warn!("the recorder could not look at the account's block: {error:#}");
                let key = (ResourceType::ACCOUNT_BLOCK, self.account.to_string());
                self.known.get(&key).cloned()
            }
        };
        let seen = seen?.into_iter().flatten().chain(block);
        let key = |snapshot: &Snapshot| (snapshot.resource_type, snapshot.resource_id.clone());
        Ok(seen.map(|snapshot| (key(&snapshot), snapshot)).collect())
    }

    /// Evaluates what is new, gone, or not as it was.
    async fn compare(&mut self, seen: HashMap<Key, Snapshot>) {
        let gone: Vec<Key> = self
            .known
            .keys()
            .filter(|key| !seen.contains_key(*key))
            .cloned()
            .collect();
        for key in gone {
            if let Some(snapshot) = self.known.get(&key)
                && self.changed(snapshot, "ResourceDeleted").await
            {
                self.known.remove(&key);
            }
        }
        let again = self.service.take_again();
        let again: Vec<&str> = self
            .rules
            .iter()
            .filter(|(name, ..)| again.contains(name))
            .flat_map(|(_, function, _)| function.rule.control().scope())
            .collect();
        let changed = seen
            .into_iter()
            .filter_map(|(key, snapshot)| match self.known.get(&key) {
                Some(known) if *known == snapshot && !again.contains(&snapshot.resource_type) => {
                    None
                }
                Some(_) => Some((key, snapshot, "OK")),
                None => Some((key, snapshot, "ResourceDiscovered")),
            });
        let judged: Vec<_> = changed
            .map(|(key, snapshot, status)| self.judged(key, snapshot, status))
            .collect();
        let judged: Vec<_> = futures::stream::iter(judged)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        self.known.extend(judged.into_iter().flatten());
    }

    /// What changed, if all rules could judge. Lambda tries again, too, what AWS Config has invoked
    /// in vain.
    async fn judged(
        &self,
        key: Key,
        snapshot: Snapshot,
        status: &'static str,
    ) -> Option<(Key, Snapshot)> {
        let judged = self.changed(&snapshot, status).await || self.changed(&snapshot, status).await;
        judged.then_some((key, snapshot))
    }

    /// Writes the item and invokes the rules; whether all of them could judge.
    async fn changed(&self, snapshot: &Snapshot, status: &str) -> bool {
        let item = self.item(snapshot, status);
        self.service.record(&item);
        let mut judged = true;
        for (name, function, parameters) in &self.rules {
            if !function
                .rule
                .control()
                .scope()
                .contains(&snapshot.resource_type)
            {
                continue;
            }
            let event = self.rule_event(name, parameters, &item);
            if let Err(error) = function.handle(&event).await {
                tracing::error!(%error, rule = name, resource = snapshot.resource_id, "a rule failed, AWS Config retries");
                judged = false;
            }
        }
        judged
    }

    fn item(&self, snapshot: &Snapshot, status: &str) -> Value {
        let deleted = status == "ResourceDeleted";
        let captured = Timestamp::now();
        json!({
            "version": "1.3", "configurationItemVersion": "1.3", "awsAccountId": self.account, "awsRegion": self.region,
            "configurationItemCaptureTime": format!("{captured:.3}"), "configurationItemStatus": status,
            "configurationStateId": captured.as_millisecond(), "configurationStateMd5Hash": "", "relatedEvents": [],
            "resourceType": snapshot.resource_type, "resourceId": snapshot.resource_id,
            "resourceName": snapshot.resource_name, "tags": snapshot.tags, "relationships": [],
            "configuration": if deleted { Value::Null } else { snapshot.configuration.clone() },
            "supplementaryConfiguration": if deleted { json!({}) } else { snapshot.supplementary_configuration.clone() },
        })
    }

    fn rule_event(&self, rule: &str, parameters: &Value, item: &Value) -> RuleEvent {
        let created = item["configurationItemCaptureTime"].clone();
        let invoking = if item.to_string().len() <= self.oversized_above {
            json!({"configurationItem": item, "configurationItemDiff": null, "notificationCreationTime": created,
                   "messageType": "ConfigurationItemChangeNotification", "recordVersion": "1.3"})
        } else {
            let mut summary = item.clone();
            if let Some(fields) = summary.as_object_mut() {
                fields.remove("configuration");
                fields.remove("supplementaryConfiguration");
            }
            json!({"configurationItemSummary": summary, "notificationCreationTime": created,
                   "messageType": "OversizedConfigurationItemChangeNotification", "recordVersion": "1.0"})
        };
        let event = json!({
            "version": "1.0", "invokingEvent": invoking.to_string(), "ruleParameters": parameters.to_string(),
            "resultToken": self.service.token(rule), "eventLeftScope": false, "configRuleName": rule,
            "configRuleId": format!("config-rule-{rule}"), "accountId": self.account,
            "configRuleArn": format!("arn:aws:config:{}:{}:config-rule/config-rule-{rule}", self.region, self.account),
        });
        serde_json::from_value(event).expect("an event of the documented shape")
    }
}
