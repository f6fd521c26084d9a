//! What the doctor looks at on AWS.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::QueueAttributeName;
use futures::FutureExt;
use futures::future::join_all;

use super::{Diagnosis, Examined};
use crate::aws::{AwsError, AwsErrorKind};
use crate::contracts::Switch;
use crate::controls::evaluation::RuleKind;
use crate::finding::StateName;
use crate::ids::{AccountId, RuleName};
use crate::queue::{LOOKED_AT_RECEIVES, MAX_RECEIVES, QueueUrl};
use crate::slack::text::count;
use crate::wiring::Wiring;

pub(super) async fn examine(wiring: &Wiring) -> Vec<Examined> {
    let settings = &wiring.settings;
    let queues = join_all(settings.queues.all().map(|url| queue(wiring, url)));
    let (credentials, queues, table, schedule, recorder, rules) = tokio::join!(
        credentials(wiring),
        queues,
        table(wiring),
        schedule(wiring),
        recorder(wiring),
        rules(wiring),
    );
    let parts = [
        Examined::of("AWS credentials", credentials),
        Examined::of(format!("table {}", settings.findings_table), table),
        Examined::of(
            format!("scheduled rule {}", settings.schedule_rule),
            schedule,
        ),
        Examined::of("AWS Config's recorder", recorder),
        Examined::of("AWS Config's rules", rules),
    ];
    parts.into_iter().chain(queues).collect()
}

/// A failed call, with what to do about it.
fn failed(error: &AwsError, missing: &str) -> Diagnosis {
    match error.kind {
        AwsErrorKind::AccessDenied => Diagnosis::failed(
            error,
            &format!(
                "allow {} to the identity that runs this command",
                error.operation
            ),
        ),
        AwsErrorKind::Transient => Diagnosis::failed(
            error,
            "try again; is the network there, and the region right?",
        ),
        AwsErrorKind::NotFound | AwsErrorKind::Conflict | AwsErrorKind::Other => {
            Diagnosis::failed(error, missing)
        }
    }
}

async fn credentials(wiring: &Wiring) -> Diagnosis {
    let identity = aws_sdk_sts::Client::new(wiring.aws.config())
        .get_caller_identity()
        .send()
        .boxed()
        .await;
    let home = &wiring.settings.account;
    match identity.map_err(|error| AwsError::from_sdk("sts:GetCallerIdentity", error)) {
        Ok(identity) => match identity
            .account()
            .and_then(|account| account.parse::<AccountId>().ok())
        {
            Some(account) if account == *home => Diagnosis::Passed(format!(
                "{} in account {account}",
                identity.arn().unwrap_or("somebody")
            )),
            account => Diagnosis::failed(
                format!(
                    "they are of account {}, not {home}",
                    account.map_or_else(
                        || "nobody knows which".to_owned(),
                        |account| account.to_string()
                    )
                ),
                "use credentials of that account, or set DEFENDABLE_AWS_ACCOUNT_ID",
            ),
        },
        Err(error) => failed(
            &error,
            "give credentials as to the AWS CLI: aws sts get-caller-identity must work",
        ),
    }
}

async fn table(wiring: &Wiring) -> Diagnosis {
    match wiring.table().count(StateName::Open).await {
        Ok(open) => Diagnosis::Passed(format!("{} open", count(open, "finding"))),
        Err(error) => Diagnosis::failed(
            error,
            "is DEFENDABLE_FINDINGS_TABLE right? It needs the key pk, sk and the index by-state on state, stateSince",
        ),
    }
}

async fn schedule(wiring: &Wiring) -> Diagnosis {
    let (schedule, table) = (wiring.schedule(), wiring.table());
    let (rule, recorded) = tokio::join!(schedule.state(), table.auto_response());
    let rule = match rule {
        Ok(rule) => rule,
        Err(error) => return failed(&error, "is DEFENDABLE_SCHEDULE_RULE right?"),
    };
    let recorded = match recorded {
        Ok(recorded) => recorded,
        // Remediators take that for "off".
        Err(error) => {
            return Diagnosis::failed(
                format!("whether people want it on cannot be read: {error}"),
                "see the findings table",
            );
        }
    };
    match (
        rule,
        recorded.wanted.map(|wanted| wanted.switch),
        recorded.hold,
    ) {
        (_, _, Some(hold)) => Diagnosis::warning(
            format!(
                "a run stopped after {} requests and waits for an answer",
                hold.dispatched
            ),
            "press Go on, or turn auto-response off, in the channel",
        ),
        (rule, Some(wanted), None) if wanted != rule => Diagnosis::warning(
            format!(
                "it is {}, but people said {}",
                rule.as_str(),
                wanted.as_str()
            ),
            &format!("/dd autoresponse {}", wanted.as_str()),
        ),
        (Switch::On | Switch::Off, ..) => Diagnosis::Passed(rule.as_str().to_owned()),
    }
}

async fn recorder(wiring: &Wiring) -> Diagnosis {
    let status = wiring
        .aws
        .config_service()
        .describe_configuration_recorder_status()
        .send()
        .boxed()
        .await;
    match status
        .map_err(|error| AwsError::from_sdk("config:DescribeConfigurationRecorderStatus", error))
    {
        Ok(status) => match status.configuration_recorders_status() {
            [] => Diagnosis::failed(
                "there is none in this region: nothing is recorded, and no rule is judged",
                "turn AWS Config on, or apply the Terraform with create_config_recorder = true",
            ),
            recorders if recorders.iter().any(|recorder| recorder.recording()) => {
                Diagnosis::Passed("it records".to_owned())
            }
            [recorder, ..] => {
                let name = recorder.name().unwrap_or("default");
                Diagnosis::failed(
                    "it is stopped",
                    &format!(
                        "aws configservice start-configuration-recorder --configuration-recorder-name {name}"
                    ),
                )
            }
        },
        Err(error) => failed(&error, "is AWS Config there in this region?"),
    }
}

/// Whether AWS Config has the rules whose findings we fix.
async fn rules(wiring: &Wiring) -> Diagnosis {
    let answered: Result<Vec<_>, _> = wiring
        .aws
        .config_service()
        .describe_compliance_by_config_rule()
        .into_paginator()
        .items()
        .send()
        .collect()
        .await;
    let there: BTreeSet<String> = match answered
        .map_err(|error| AwsError::from_sdk("config:DescribeComplianceByConfigRule", error))
    {
        Ok(rules) => rules
            .into_iter()
            .filter_map(|rule| rule.config_rule_name)
            .collect(),
        Err(error) => return failed(&error, "is AWS Config there in this region?"),
    };
    let ours = &wiring.settings.rules;
    let wanted = RuleKind::ALL
        .into_iter()
        .flat_map(|rule| ours.names_of(rule));
    let missing: Vec<&str> = wanted
        .map(RuleName::as_str)
        .filter(|name| !there.contains(*name))
        .collect();
    match missing.as_slice() {
        [] => Diagnosis::Passed(format!("{} there, ours among them", there.len())),
        missing => Diagnosis::failed(
            format!("AWS Config has no rule {}", missing.join(", ")),
            "apply the Terraform, or set DEFENDABLE_RESTRICTED_PORTS_RULES and DEFENDABLE_S3_PUBLIC_ACCESS_RULES to the names that the rules have",
        ),
    }
}

async fn queue(wiring: &Wiring, url: &QueueUrl) -> Examined {
    let part = format!("queue {}", url.name());
    let attributes = async |url: &QueueUrl| {
        let queues = wiring.queues();
        let asked = queues.sqs.get_queue_attributes().queue_url(url.as_str());
        let answer = asked
            .attribute_names(QueueAttributeName::All)
            .send()
            .boxed()
            .await;
        let answer = answer.map_err(|error| AwsError::from_sdk("sqs:GetQueueAttributes", error))?;
        Ok::<_, AwsError>(answer.attributes.unwrap_or_default())
    };
    let dead_letters = url.dead_letters();
    let (queue, dead) = tokio::join!(attributes(url), attributes(&dead_letters));
    let queue = match queue {
        Ok(queue) => queue,
        Err(error) => {
            return Examined::of(
                part,
                failed(&error, "is its URL right, and of this region?"),
            );
        }
    };
    let dead = match dead {
        Ok(dead) => dead,
        Err(error) => {
            let next = format!(
                "create {}: messages that nobody can handle go there",
                dead_letters.name()
            );
            return Examined::of(part, failed(&error, &next));
        }
    };
    let waiting = number(&queue, &QueueAttributeName::ApproximateNumberOfMessages);
    let parked = number(&dead, &QueueAttributeName::ApproximateNumberOfMessages);
    let least = if *url == wiring.settings.queues.remediation {
        LOOKED_AT_RECEIVES
    } else {
        MAX_RECEIVES
    } + 1;
    let policy = queue
        .get(&QueueAttributeName::RedrivePolicy)
        .map_or("", String::as_str);
    let diagnosis = match redrives_after(policy, dead_letters.name()) {
        None => Diagnosis::warning(
            format!("SQS does not move its messages to {}", dead_letters.name()),
            &format!("give it a redrive policy with that queue and a maxReceiveCount of {least}"),
        ),
        Some(deliveries) if deliveries < u64::from(least) => Diagnosis::warning(
            format!("SQS moves a message away after {deliveries} deliveries, before we tell of it"),
            &format!("raise the redrive policy's maxReceiveCount to {least}"),
        ),
        Some(_) if parked > 0 => Diagnosis::warning(
            format!("{waiting} waiting, {}", count(parked, "dead letter")),
            "/dd queue says why; /dd retry",
        ),
        Some(_) => Diagnosis::Passed(format!("{waiting} waiting, no dead letters")),
    };
    Examined::of(part, diagnosis)
}

fn number(
    attributes: &std::collections::HashMap<QueueAttributeName, String>,
    name: &QueueAttributeName,
) -> u64 {
    attributes
        .get(name)
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// After how many deliveries a redrive policy moves a message to the queue of that name. AWS has the
/// number as a number or a text.
fn redrives_after(policy: &str, dead_letters: &str) -> Option<u64> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let target = policy["deadLetterTargetArn"].as_str()?.rsplit(':').next()?;
    let count = &policy["maxReceiveCount"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    (target == dead_letters).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_in_both_spellings() {
        let policy = |count: &str| {
            format!(
                r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:events-dead-letters","maxReceiveCount":{count}}}"#
            )
        };
        for count in ["61", "\"61\""] {
            assert_eq!(
                redrives_after(&policy(count), "events-dead-letters"),
                Some(61)
            );
        }
        assert_eq!(redrives_after(&policy("61"), "another"), None);
        assert_eq!(redrives_after("", "events-dead-letters"), None);
    }
}
