//! The emulated account, through the AWS SDK.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ec2::types::{
    AddPrefixListEntry, Filter, IpPermission, IpRange, PrefixListId, RemovePrefixListEntry, Tag,
};
use aws_sdk_s3::types::BucketCannedAcl;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use defendable::clock::Clock;
use defendable::contracts::RemediationRequest;
use defendable::finding::{Actor, Finding, Refusal};
use defendable::ids::FindingId;
use defendable::store::{Changed, Table};
use serde_json::{Value, json};

pub struct Aws {
    pub ec2: aws_sdk_ec2::Client,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub events: aws_sdk_eventbridge::Client,
    pub ssm: aws_sdk_ssm::Client,
    config: aws_sdk_config::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    url: String,
}

/// The ingress rules of a security group, sorted, one text each.
pub type Ingress = Vec<String>;

/// The SDK's configuration for an emulator or a proxy before it.
pub fn sdk_config(url: &str) -> aws_config::SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(defendable::aws::http_client())
        .endpoint_url(url)
        .region(Region::new("us-east-1"))
        .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(
            credentials,
        ))
        .build()
}

impl Aws {
    pub fn new(url: &str) -> Self {
        let config = sdk_config(url);
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .build();
        Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            config: aws_sdk_config::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            url: url.to_owned(),
        }
    }

    /// The findings table, as Defendable uses it.
    pub fn table(&self) -> Table {
        Table::new(
            &sdk_config(&self.url),
            "defendable-findings".to_owned(),
            Clock::system(),
        )
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn group_id(&self, name: &str) -> String {
        let filter = Filter::builder().name("group-name").values(name).build();
        let found = self
            .ec2
            .describe_security_groups()
            .filters(filter)
            .send()
            .await
            .unwrap();
        found.security_groups()[0].group_id().unwrap().to_owned()
    }

    pub async fn create_group(&self, name: &str) -> String {
        let vpc = self.ec2.describe_vpcs().send().await.unwrap();
        let vpc = vpc.vpcs()[0].vpc_id().unwrap().to_owned();
        let created = self
            .ec2
            .create_security_group()
            .group_name(name)
            .description(name)
            .vpc_id(vpc)
            .send()
            .await;
        created.unwrap().group_id.unwrap()
    }

    pub async fn open_port(&self, group: &str, port: i32) {
        self.open_port_to(group, port, &["0.0.0.0/0"]).await;
    }

    pub async fn open_port_to(&self, group: &str, port: i32, ranges: &[&str]) {
        let ranges = ranges
            .iter()
            .map(|range| IpRange::builder().cidr_ip(*range).build())
            .collect();
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(port)
            .to_port(port);
        let permission = permission.set_ip_ranges(Some(ranges));
        let opened = self
            .ec2
            .authorize_security_group_ingress()
            .group_id(group)
            .ip_permissions(permission.build());
        opened.send().await.unwrap();
    }

    /// Opens a port to the entries of a prefix list.
    pub async fn open_port_to_list(&self, group: &str, port: i32, list: &str) {
        let list = PrefixListId::builder().prefix_list_id(list).build();
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(port)
            .to_port(port);
        let permission = permission.prefix_list_ids(list).build();
        let opened = self
            .ec2
            .authorize_security_group_ingress()
            .group_id(group)
            .ip_permissions(permission);
        opened.send().await.unwrap();
    }

    /// Creates a prefix list; returns its id.
    pub async fn create_prefix_list(&self, name: &str, ranges: &[&str]) -> String {
        let create = self
            .ec2
            .create_managed_prefix_list()
            .prefix_list_name(name)
            .max_entries(20);
        let entries = ranges
            .iter()
            .map(|range| AddPrefixListEntry::builder().cidr(*range).build());
        let create = create
            .address_family("IPv4")
            .set_entries(Some(entries.collect()));
        create
            .send()
            .await
            .unwrap()
            .prefix_list
            .unwrap()
            .prefix_list_id
            .unwrap()
    }

    /// Adds ranges to a prefix list, and removes others.
    pub async fn change_prefix_list(&self, id: &str, added: &[&str], removed: &[&str]) {
        let modify = self.ec2.modify_managed_prefix_list().prefix_list_id(id);
        let added = added
            .iter()
            .map(|range| AddPrefixListEntry::builder().cidr(*range).build());
        let removed = removed
            .iter()
            .map(|range| RemovePrefixListEntry::builder().cidr(*range).build());
        let modify = modify
            .set_add_entries(Some(added.collect()))
            .set_remove_entries(Some(removed.collect()));
        modify.send().await.unwrap();
    }

    /// Creates a group that is open to the internet on port 22.
    pub async fn open_group(&self, name: &str) -> String {
        let group = self.create_group(name).await;
        self.open_port(&group, 22).await;
        group
    }

    pub async fn ingress(&self, group: &str) -> Ingress {
        let filter = Filter::builder().name("group-id").values(group).build();
        let rules = self
            .ec2
            .describe_security_group_rules()
            .filters(filter)
            .send()
            .await
            .unwrap();
        let ingress = rules
            .security_group_rules()
            .iter()
            .filter(|rule| rule.is_egress() == Some(false));
        let mut lines: Ingress = ingress
            .map(|rule| {
                let source = rule
                    .cidr_ipv4()
                    .or(rule.cidr_ipv6())
                    .or(rule.prefix_list_id())
                    .map(str::to_owned);
                let group = || {
                    rule.referenced_group_info()
                        .and_then(|group| group.group_id())
                        .unwrap()
                        .to_owned()
                };
                format!(
                    "{} {}-{} {}",
                    rule.ip_protocol().unwrap(),
                    rule.from_port().unwrap(),
                    rule.to_port().unwrap(),
                    source.unwrap_or_else(group)
                )
            })
            .collect();
        lines.sort();
        lines
    }

    /// The descriptions of a group's ingress rules, sorted.
    pub async fn descriptions(&self, group: &str) -> Vec<String> {
        let filter = Filter::builder().name("group-id").values(group).build();
        let rules = self
            .ec2
            .describe_security_group_rules()
            .filters(filter)
            .send()
            .await
            .unwrap();
        let rules = rules.security_group_rules().iter();
        let mut descriptions: Vec<String> = rules
            .filter_map(|rule| rule.description().map(str::to_owned))
            .collect();
        descriptions.sort();
        descriptions
    }

    pub async fn set_acl(&self, bucket: &str, acl: BucketCannedAcl) {
        self.s3
            .put_bucket_acl()
            .bucket(bucket)
            .acl(acl)
            .send()
            .await
            .unwrap();
    }

    /// The ACL's grants as `grantee permission`.
    pub async fn grants(&self, bucket: &str) -> Vec<String> {
        let acl = self
            .s3
            .get_bucket_acl()
            .bucket(bucket)
            .send()
            .await
            .unwrap();
        let grant = |grant: &aws_sdk_s3::types::Grant| {
            let grantee = grant.grantee().unwrap();
            let permission = grant.permission().unwrap().as_str();
            format!("{} {permission}", grantee.uri().or(grantee.id()).unwrap())
        };
        acl.grants().iter().map(grant).collect()
    }

    pub async fn policy(&self, bucket: &str) -> Option<String> {
        self.s3
            .get_bucket_policy()
            .bucket(bucket)
            .send()
            .await
            .ok()?
            .policy
    }

    pub async fn set_policy(&self, bucket: &str, policy: &str) {
        self.s3
            .put_bucket_policy()
            .bucket(bucket)
            .policy(policy)
            .send()
            .await
            .unwrap();
    }

    /// Turns all settings of the account's Public Access Block on or off.
    pub async fn block_account(&self, is_on: bool) {
        let account =
            crate::support::resource(defendable::controls::Control::BucketPublic, "any").account;
        let aws = defendable::aws::Aws::new(sdk_config(&self.url), account.clone());
        let block = aws_sdk_s3control::types::PublicAccessBlockConfiguration::builder()
            .block_public_acls(is_on)
            .block_public_policy(is_on)
            .ignore_public_acls(is_on)
            .restrict_public_buckets(is_on)
            .build();
        let client = aws
            .s3_control(&account, &"us-east-1".parse().unwrap())
            .unwrap();
        let put = client
            .put_public_access_block()
            .account_id(account.as_str());
        put.public_access_block_configuration(block)
            .send()
            .await
            .unwrap();
    }

    /// Opens a port, unless it is open.
    pub async fn try_open_port(&self, group: &str, port: i32) {
        if !self
            .ingress(group)
            .await
            .contains(&format!("tcp {port}-{port} 0.0.0.0/0"))
        {
            self.open_port(group, port).await;
        }
    }

    /// A queue of the installation.
    pub fn queue(&self, name: &str) -> defendable::queue::QueueUrl {
        self.queue_url(name).parse().unwrap()
    }

    fn queue_url(&self, name: &str) -> String {
        format!("{}/123456789012/defendable-{name}", self.url)
    }

    pub async fn send(&self, queue: &str, body: &Value) {
        self.send_text(queue, &body.to_string()).await;
    }

    pub async fn send_text(&self, queue: &str, body: &str) {
        self.sqs
            .send_message()
            .queue_url(self.queue_url(queue))
            .message_body(body)
            .send()
            .await
            .unwrap();
    }

    /// Sends many messages, ten at a time.
    pub async fn send_all(&self, queue: &str, bodies: &[Value]) {
        for some in bodies.chunks(10) {
            let entries = some.iter().enumerate().map(|(index, body)| {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
                entry.message_body(body.to_string()).build().unwrap()
            });
            let send = self
                .sqs
                .send_message_batch()
                .queue_url(self.queue_url(queue));
            send.set_entries(Some(entries.collect()))
                .send()
                .await
                .unwrap();
        }
    }

    /// The number of findings in a state, by the table's index.
    pub async fn findings_in(&self, state: &str) -> usize {
        let query = self
            .dynamodb
            .query()
            .table_name("defendable-findings")
            .index_name("by-state");
        let query = query.key_condition_expression("#state = :state");
        let query = query.expression_attribute_names("#state", "state");
        let query =
            query.expression_attribute_values(":state", AttributeValue::S(state.to_owned()));
        let found = query
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        found.unwrap().len()
    }

    /// The table's item of a finding, as JSON.
    pub async fn finding(&self, id: &FindingId) -> Option<Value> {
        self.item(&format!("FINDING#{id}"), "FINDING").await
    }

    /// The value of a finding's **Fix** button: the finding's id, and the plan's where one is known.
    pub async fn fix_value(&self, id: &FindingId) -> String {
        let record = self.table().get(id).await.unwrap();
        let plan = record.and_then(|record| record.finding.fix_plan());
        plan.map_or_else(|| id.to_string(), |plan| format!("{id} {}", plan.digest()))
    }

    /// The requests of a fix by `user`; they are in no queue yet.
    pub async fn asked(&self, id: &FindingId, user: &str) -> Vec<RemediationRequest> {
        let ask = |finding: &Finding| {
            let plan = finding.fix_plan().ok_or(Refusal::NoPlan)?;
            finding.fix_asked(
                Actor::User(user.to_owned()),
                &plan,
                false,
                jiff::Timestamp::now(),
            )
        };
        match self.table().change_existing(id, ask).await.unwrap() {
            Changed::Yes(record) => record.finding.fix_requests(),
            Changed::No(_, refusal) => panic!("{refusal:?}"),
        }
    }

    /// The metadata of the modal that **Undo…** opens.
    pub async fn undo_value(&self, id: &FindingId) -> String {
        let record = self.table().get(id).await.unwrap();
        let plan = record.and_then(|record| record.finding.undo_plan());
        plan.map_or_else(|| id.to_string(), |plan| format!("{id} {}", plan.digest()))
    }

    /// The recorded switch of auto-response, `on` or `off`.
    pub async fn auto_response_wanted(&self) -> Option<String> {
        let recorded = self.item("AUTO_RESPONSE", "AUTO_RESPONSE").await?;
        recorded["wanted"]["switch"].as_str().map(str::to_owned)
    }

    /// An item of the findings table, as JSON.
    pub async fn item(&self, pk: &str, sk: &str) -> Option<Value> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let get = self
            .dynamodb
            .get_item()
            .table_name("defendable-findings")
            .consistent_read(true);
        let got = get.key("pk", text(pk)).key("sk", text(sk)).send().await;
        serde_dynamo::from_item(got.unwrap().item?).ok()
    }

    /// Deletes an item of the findings table.
    pub async fn delete_item(&self, pk: &str, sk: &str) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let delete = self
            .dynamodb
            .delete_item()
            .table_name("defendable-findings");
        delete
            .key("pk", text(pk))
            .key("sk", text(sk))
            .send()
            .await
            .unwrap();
    }

    /// Writes an item of the findings table.
    pub async fn put_item(&self, item: &Value) {
        let item = serde_dynamo::to_item(item).unwrap();
        let put = self
            .dynamodb
            .put_item()
            .table_name("defendable-findings")
            .set_item(Some(item));
        put.send().await.unwrap();
    }

    pub async fn set_queue(&self, queue: &str, name: QueueAttributeName, value: &str) {
        let set = self
            .sqs
            .set_queue_attributes()
            .queue_url(self.queue_url(queue));
        set.attributes(name, value).send().await.unwrap();
    }

    /// Sets a text in an item of the findings table; `#at` stands for the reserved word `at`.
    pub async fn set_text(&self, pk: &str, sk: &str, path: &str, value: &str) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let update = self
            .dynamodb
            .update_item()
            .table_name("defendable-findings");
        let update = update.key("pk", text(pk)).key("sk", text(sk));
        let update = update.update_expression(format!("SET {path} = :value"));
        let reserved = path.split('.').filter(|part| part.starts_with('#'));
        let update = reserved.fold(update, |update, part| {
            update.expression_attribute_names(part, part.trim_start_matches('#'))
        });
        update
            .expression_attribute_values(":value", text(value))
            .send()
            .await
            .unwrap();
    }

    /// Tags a group or another resource of EC2.
    pub async fn tag(&self, id: &str, key: &str, value: &str) {
        let tag = Tag::builder().key(key).value(value).build();
        self.ec2
            .create_tags()
            .resources(id)
            .tags(tag)
            .send()
            .await
            .unwrap();
    }

    /// Replaces the tags of a bucket.
    pub async fn tag_bucket(&self, bucket: &str, tags: &[(&str, &str)]) {
        let tag = |(key, value): &(&str, &str)| {
            aws_sdk_s3::types::Tag::builder()
                .key(*key)
                .value(*value)
                .build()
                .unwrap()
        };
        let tags = tags.iter().map(tag).collect();
        let tagging = aws_sdk_s3::types::Tagging::builder()
            .set_tag_set(Some(tags))
            .build()
            .unwrap();
        self.s3
            .put_bucket_tagging()
            .bucket(bucket)
            .tagging(tagging)
            .send()
            .await
            .unwrap();
    }

    pub async fn untag(&self, id: &str, key: &str) {
        self.ec2
            .delete_tags()
            .resources(id)
            .tags(Tag::builder().key(key).build())
            .send()
            .await
            .unwrap();
    }

    /// The number of messages in a queue, visible and invisible.
    pub async fn messages_in(&self, queue: &str) -> u32 {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let url = self.queue_url(queue);
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(names.to_vec()))
            .send();
        let attributes = answer.await.unwrap().attributes.unwrap();
        names
            .iter()
            .map(|name| attributes[name].parse::<u32>().unwrap())
            .sum()
    }

    /// What a queue still has to deliver, in words; `None` when it is done. Jobs that come much later
    /// (attribution) do not count.
    pub async fn waits_in(&self, queue: &str) -> Option<String> {
        let visible = QueueAttributeName::ApproximateNumberOfMessages;
        let messages = if queue == "events" {
            let url = self.queue_url(queue);
            let answer = self
                .sqs
                .get_queue_attributes()
                .queue_url(url)
                .attribute_names(visible.clone());
            answer.send().await.unwrap().attributes.unwrap()[&visible]
                .parse()
                .unwrap()
        } else {
            self.messages_in(queue).await
        };
        (messages > 0).then(|| format!("{messages} in {queue}"))
    }

    /// Whether Slack shows the present state of a finding.
    pub async fn is_shown(&self, id: &FindingId) -> bool {
        let record = self.finding(id).await.unwrap_or_default();
        let replies = record["finding"]["thread"].as_array().map_or(0, Vec::len);
        record["news"].is_number()
            && record["shown"]["version"] == record["news"]
            // A digest has no thread.
            && record["shown"]["replies"].as_u64().is_none_or(|shown| shown as usize >= replies)
    }

    pub async fn delete_queue(&self, name: &str) {
        self.sqs
            .delete_queue()
            .queue_url(self.queue_url(name))
            .send()
            .await
            .unwrap();
    }

    /// Creates a queue for the story, whose messages stay invisible for half an hour; returns its URL.
    pub async fn create_queue(&self, name: &str) -> String {
        let created = self
            .sqs
            .create_queue()
            .queue_name(format!("defendable-{name}"));
        let created = created
            .attributes(QueueAttributeName::VisibilityTimeout, "1800")
            .send()
            .await
            .unwrap();
        created.queue_url.unwrap()
    }

    /// Receives so many messages, as the records of a Lambda event.
    pub async fn receive(&self, queue: &str, count: usize) -> Vec<Value> {
        let mut records = Vec::new();
        while records.len() < count {
            let received = self
                .sqs
                .receive_message()
                .queue_url(self.queue_url(queue))
                .wait_time_seconds(10);
            let received = received.max_number_of_messages(10).send().await.unwrap();
            assert!(
                !received.messages().is_empty(),
                "{queue} has {} of {count} messages",
                records.len()
            );
            records.extend(received.messages().iter().map(|message| {
                json!({"messageId": message.message_id(), "receiptHandle": message.receipt_handle(),
                    "body": message.body(), "attributes": {"ApproximateReceiveCount": "1"},
                    "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
                    "awsRegion": "us-east-1"})
            }));
        }
        records
    }

    pub async fn put_secret(&self, name: &str, value: &str) {
        let kind = aws_sdk_ssm::types::ParameterType::SecureString;
        let put = self
            .ssm
            .put_parameter()
            .name(name)
            .value(value)
            .r#type(kind)
            .overwrite(true);
        put.send().await.unwrap();
    }

    /// Creates a recorder of AWS Config, without starting it.
    pub async fn put_recorder(&self, name: &str) {
        let recorder = aws_sdk_config::types::ConfigurationRecorder::builder()
            .name(name)
            .role_arn("arn:aws:iam::123456789012:role/recorder");
        let put = self
            .config
            .put_configuration_recorder()
            .configuration_recorder(recorder.build());
        put.send().await.unwrap();
    }

    pub async fn rule_is_enabled(&self) -> bool {
        let rule = self
            .events
            .describe_rule()
            .name("defendable-auto-response")
            .send()
            .await
            .unwrap();
        rule.state() == Some(&aws_sdk_eventbridge::types::RuleState::Enabled)
    }
}
