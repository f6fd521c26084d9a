//! Figures for CloudWatch, in its
//! [embedded metric format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html):
//! lines of JSON on the standard output, from which CloudWatch Logs makes metrics. `infra/alarms.tf`
//! and `infra/dashboard.tf` read them by the names below.
//!
//! Nothing is written unless [`start`] was called, which happens where
//! `DEFENDABLE_METRICS_NAMESPACE` is set.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};

/// Findings that were opened, by AWS Config or by the report of a fix that came before it.
pub const FINDINGS_OPENED: &str = "FindingsOpened";
/// Fixes, by people and by auto-response.
pub const FINDINGS_FIXED: &str = "FindingsFixed";
/// Findings that were ignored, by people or by a tag.
pub const FINDINGS_IGNORED: &str = "FindingsIgnored";
/// Fixes that failed.
pub const FIXES_FAILED: &str = "FixesFailed";
/// Fixes that failed, by `Reason`. They are counted twice because an alarm cannot add up the values of a
/// dimension.
pub const FIXES_FAILED_BY_REASON: &str = "FixesFailedByReason";
/// The time from AWS Config's record of a breach until Slack has its message. Milliseconds.
pub const CHANGE_TO_MESSAGE: &str = "ChangeToMessage";
/// The time from a click on **Fix** until the finding is fixed. Milliseconds.
pub const CLICK_TO_FIXED: &str = "ClickToFixed";
/// Calls to Slack's Web API, by `Method`.
pub const SLACK_CALLS: &str = "SlackCalls";
/// Calls to Slack's Web API that failed.
pub const SLACK_ERRORS: &str = "SlackErrors";
/// Slack's answers 429.
pub const SLACK_RATE_LIMITS: &str = "SlackRateLimits";
/// The time that a message had waited when it was handled, by `Queue`. Milliseconds.
pub const MESSAGE_AGE: &str = "MessageAge";
/// Runs of auto-response that finished.
pub const SCHEDULED_RUNS: &str = "ScheduledRuns";

static COLLECTOR: OnceLock<&'static Collector> = OnceLock::new();

/// The interval at which `serve` writes metrics.
const INTERVAL: Duration = Duration::from_secs(60);

/// Begins to collect metrics of the namespace `namespace`: `Defendable/defendable`.
pub fn start(namespace: &str) {
    match Builder::new()
        .cloudwatch_namespace(namespace.to_owned())
        .init()
    {
        Ok(collector) => {
            describe();
            _ = COLLECTOR.set(collector);
        }
        Err(error) => tracing::warn!(%error, "no metrics"),
    }
}

fn describe() {
    for name in [
        FINDINGS_OPENED,
        FINDINGS_FIXED,
        FINDINGS_IGNORED,
        FIXES_FAILED,
        FIXES_FAILED_BY_REASON,
    ] {
        describe_counter!(name, Unit::Count, "");
    }
    for name in [SLACK_CALLS, SLACK_ERRORS, SLACK_RATE_LIMITS, SCHEDULED_RUNS] {
        describe_counter!(name, Unit::Count, "");
    }
    for name in [CHANGE_TO_MESSAGE, CLICK_TO_FIXED, MESSAGE_AGE] {
        describe_histogram!(name, Unit::Milliseconds, "");
    }
}

/// Writes the metrics since the last time. Lambda functions do so before they answer.
pub fn flush() {
    if let Some(collector) = COLLECTOR.get()
        && let Err(error) = collector.flush(std::io::stdout().lock())
    {
        tracing::warn!(%error, "cannot write metrics");
    }
}

/// Writes every minute.
pub async fn flush_every_minute() {
    loop {
        tokio::time::sleep(INTERVAL).await;
        flush();
    }
}

/// Counts a finding that was found, fixed or ignored.
pub(crate) fn count_finding(counted: Counted) {
    match counted {
        Counted::Opened => counter!(FINDINGS_OPENED).increment(1),
        Counted::Fixed => counter!(FINDINGS_FIXED).increment(1),
        Counted::Ignored => counter!(FINDINGS_IGNORED).increment(1),
    }
}

/// The events of findings that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It was found.
    Opened,
    /// It was fixed.
    Fixed,
    /// It was ignored.
    Ignored,
}

/// The reasons of failed fixes. Their names are the values of the metric's dimension, and stand in
/// `infra/dashboard.tf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FixFailure {
    /// The remediator may not: a role or a policy lacks something.
    AccessDenied,
    /// AWS said no for another reason.
    Other,
    /// It could not be queued.
    NotQueued,
    /// It never reported back.
    NoReport,
}

/// Counts a fix that did not work.
pub fn count_fix_failure(failure: FixFailure) {
    counter!(FIXES_FAILED).increment(1);
    counter!(FIXES_FAILED_BY_REASON, "Reason" => format!("{failure:?}")).increment(1);
}

/// Counts a call of Slack's.
pub fn count_slack_call(method: &'static str, worked: bool) {
    counter!(SLACK_CALLS, "Method" => method).increment(1);
    if !worked {
        counter!(SLACK_ERRORS).increment(1);
    }
}

/// Counts an answer 429.
pub fn count_slack_rate_limit() {
    counter!(SLACK_RATE_LIMITS).increment(1);
}

/// Counts a run of auto-response that finished.
pub fn count_scheduled_run() {
    counter!(SCHEDULED_RUNS).increment(1);
}

/// How long something took that began then.
pub fn measure(name: &'static str, begun: Timestamp, ended: Timestamp) {
    histogram!(name).record(milliseconds(ended.duration_since(begun)));
}

/// How long a message of a queue had waited.
pub fn measure_age(queue: &str, sent: Timestamp) {
    let age = milliseconds(Timestamp::now().duration_since(sent));
    histogram!(MESSAGE_AGE, "Queue" => queue.to_owned()).record(age);
}

fn milliseconds(duration: SignedDuration) -> f64 {
    (duration.as_secs_f64() * 1000.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 12] = [
        FINDINGS_OPENED,
        FINDINGS_FIXED,
        FINDINGS_IGNORED,
        FIXES_FAILED,
        FIXES_FAILED_BY_REASON,
        CHANGE_TO_MESSAGE,
        CLICK_TO_FIXED,
        SLACK_CALLS,
        SLACK_ERRORS,
        SLACK_RATE_LIMITS,
        MESSAGE_AGE,
        SCHEDULED_RUNS,
    ];

    #[test]
    fn the_dashboard_shows_every_metric_by_its_name_and_no_other() {
        let dashboard = include_str!("../infra/dashboard.tf");
        for name in ALL {
            assert!(
                dashboard.contains(&format!("local.metrics_namespace, \"{name}\"")),
                "{name}"
            );
        }
        let shown = dashboard.split("local.metrics_namespace, \"").skip(1);
        for name in shown.filter_map(|rest| rest.split('"').next()) {
            assert!(ALL.contains(&name), "{name} is not a metric of ours");
        }
    }

    #[test]
    fn alarms_are_about_metrics_that_there_are() {
        let alarms = include_str!("../infra/alarms.tf");
        let ours: Vec<&str> = alarms.split("local.metrics_namespace\n").skip(1).collect();
        assert!(
            ours.len() >= 3,
            "alarms hang on failed fixes, Slack's errors and missed runs"
        );
        for alarm in ours {
            let name = alarm
                .split("metric_name")
                .nth(1)
                .and_then(|rest| rest.split('"').nth(1));
            assert!(name.is_some_and(|name| ALL.contains(&name)), "{name:?}");
        }
    }
}
