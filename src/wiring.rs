//! Makes each function from settings and clients: the same for Lambda, `serve` and the sandbox.
//! A function makes only the clients that it needs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_config::timeout::TimeoutConfig;

use crate::attribution::CloudTrail;
use crate::aws::{Aws, http_client};
use crate::clock::Clock;
use crate::command::endpoint::{Endpoint, SignatureCheck};
use crate::command::{
    AutoResponseActions, Backlog, DigestActions, FindingActions, History, Overview, SlackFunction,
};
use crate::contracts::Switch;
use crate::controls::evaluation::RuleKind;
use crate::controls::{Remediations, Service};
use crate::coordinator::{Coordinator, Decider};
use crate::fix::FixRequests;
use crate::functions::remediator::Remediator;
use crate::functions::rule::RuleFunction;
use crate::ids::Region;
use crate::notifier::Notifier;
use crate::queue::Queues;
use crate::report::Reporter;
use crate::schedule::ScheduledRule;
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::slack::authorisation::Authoriser;
use crate::slack::client::Slack;
use crate::slack::publisher::Publisher;
use crate::store::Table;

/// Everything from which functions are made.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// The settings.
    pub settings: Arc<Settings>,
    /// AWS's clients.
    pub aws: Arc<Aws>,
    /// The clock of all functions.
    pub clock: Clock,
}

/// AWS's own configuration (region, credentials, endpoint), with deadlines for every call. An
/// `endpoint` given here outranks every one that the environment or a profile names, also for
/// single services.
pub async fn aws_config(endpoint: Option<&str>) -> aws_config::SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(6))
        .operation_timeout(Duration::from_secs(15));
    let loader = aws_config::from_env()
        .timeout_config(timeouts.build())
        .http_client(http_client());
    match endpoint {
        Some(endpoint) => Box::pin(loader.endpoint_url(endpoint).load()).await,
        None => Box::pin(loader.load()).await,
    }
}

impl Wiring {
    /// Wires functions for `settings`.
    pub fn new(settings: Settings, config: aws_config::SdkConfig) -> Self {
        let aws = Aws::new(config, settings.account.clone());
        Self::with_aws(settings, aws)
    }

    /// Wires functions with clients of `aws`.
    pub fn with_aws(settings: Settings, aws: Aws) -> Self {
        Self {
            settings: Arc::new(settings),
            aws: Arc::new(aws),
            clock: Clock::system(),
        }
    }

    /// Queues, by SQS.
    pub fn queues(&self) -> Queues {
        Queues {
            sqs: aws_sdk_sqs::Client::new(self.aws.config()),
            events: self.settings.queues.events.clone(),
        }
    }

    /// The findings table.
    pub fn table(&self) -> Table {
        Table::new(
            self.aws.config(),
            self.settings.findings_table.clone(),
            self.clock.clone(),
        )
    }

    /// The scheduled rule.
    pub fn schedule(&self) -> ScheduledRule {
        ScheduledRule {
            eventbridge: aws_sdk_eventbridge::Client::new(self.aws.config()),
            name: self.settings.schedule_rule.clone(),
        }
    }

    /// Secrets, by SSM.
    pub fn secrets(&self) -> Secrets {
        Secrets {
            ssm: aws_sdk_ssm::Client::new(self.aws.config()),
            clock: self.clock.clone(),
        }
    }

    /// The client of Slack's Web API.
    pub fn slack(&self) -> Slack {
        Slack::new(self.settings.slack.clone(), self.secrets())
    }

    fn remediations(&self) -> Remediations {
        Remediations {
            aws: self.aws.clone(),
            rules: self.settings.rules.clone(),
        }
    }

    fn publisher(&self, table: &Table, queues: &Queues, slack: &Slack) -> Publisher {
        Publisher::new(
            table.clone(),
            slack.clone(),
            queues.clone(),
            self.clock.clone(),
            self.settings.routing.mention.clone(),
            self.settings.slack.operators.clone(),
        )
    }

    fn decider(&self) -> Decider {
        Decider {
            table: self.table(),
            rules: self.settings.rules.clone(),
        }
    }

    fn history(&self, table: &Table) -> History {
        History {
            table: table.clone(),
            clock: self.clock.clone(),
        }
    }

    fn fix_requests(&self, table: &Table, queues: &Queues) -> FixRequests {
        FixRequests {
            table: table.clone(),
            queues: queues.clone(),
            fix_queue: self.settings.queues.fix.clone(),
            clock: self.clock.clone(),
        }
    }

    /// `slack`
    pub fn slack_function(&self) -> SlackFunction {
        let (settings, slack) = (&self.settings, self.slack());
        let (table, queues, schedule) = (self.table(), self.queues(), self.schedule());
        let (history, remediation_queue) = (self.history(&table), &settings.queues.remediation);
        SlackFunction {
            authoriser: Authoriser::new(
                settings.slack.operators.clone(),
                slack.clone(),
                self.clock.clone(),
            ),
            findings: FindingActions {
                table: table.clone(),
                rules: settings.rules.clone(),
                fix_requests: self.fix_requests(&table, &queues),
                remediation_queue: remediation_queue.clone(),
                publisher: self.publisher(&table, &queues, &slack).without_drawing(),
                slack: slack.clone(),
                two_person_accounts: settings.two_person_accounts.clone(),
                clock: self.clock.clone(),
            },
            digests: DigestActions {
                table: table.clone(),
                queues: queues.clone(),
                slack: slack.clone(),
                blast_radius: settings.blast_radius,
                two_person_accounts: settings.two_person_accounts.clone(),
                history: history.clone(),
            },
            auto_response: AutoResponseActions {
                table: table.clone(),
                schedule: schedule.clone(),
                queues: queues.clone(),
                slack: slack.clone(),
                history: history.clone(),
            },
            overview: Overview {
                table,
                schedule,
                backlog: self.backlog(queues, &history),
                aws: self.aws.clone(),
                blast_radius: settings.blast_radius,
                clock: self.clock.clone(),
            },
            history,
            slack,
        }
    }

    fn backlog(&self, queues: Queues, history: &History) -> Backlog {
        let urls = &self.settings.queues;
        Backlog {
            queues,
            remediation_queue: urls.remediation.clone(),
            fix_queue: urls.fix.clone(),
            watched_queues: urls.all().cloned().collect(),
            home: self.settings.account.clone(),
            history: history.clone(),
        }
    }

    /// `slack`, behind HTTP.
    pub fn endpoint(&self) -> Arc<Endpoint> {
        let slack = &self.settings.slack;
        Arc::new(Endpoint {
            signature: SignatureCheck::new(slack.signing_secret.clone(), self.secrets()),
            team: slack.team.clone(),
            app: slack.app.clone(),
            clock: self.clock.clone(),
            function: self.slack_function(),
        })
    }

    /// `notifier`
    pub fn notifier(&self) -> Notifier {
        let (settings, slack) = (&self.settings, self.slack());
        let (table, queues) = (self.table(), self.queues());
        Notifier {
            remediations: self.remediations(),
            fix_requests: self.fix_requests(&table, &queues),
            config: self.aws.config_service(),
            publisher: self.publisher(&table, &queues, &slack),
            reporter: Reporter {
                table: table.clone(),
                slack: slack.clone(),
            },
            attributions: CloudTrail::new(self.aws.clone()),
            routing: settings.routing.clone(),
            blast_radius: settings.blast_radius,
            two_person_accounts: settings.two_person_accounts.clone(),
            table,
            slack,
            queues,
            remediation_queue: settings.queues.remediation.clone(),
            clock: self.clock.clone(),
            home: settings.account.clone(),
            schedule: self.schedule(),
            kept_house_at: Arc::default(),
        }
    }

    /// `coordinator`
    pub fn coordinator(&self) -> Coordinator {
        let queues = &self.settings.queues;
        Coordinator {
            queues: self.queues(),
            remediation_queue: queues.remediation.clone(),
            remediator_queues: queues
                .remediators
                .iter()
                .map(|(service, queues)| (*service, queues.tasks.clone()))
                .collect(),
            table: self.table(),
            schedule: self.schedule(),
            blast_radius: self.settings.blast_radius,
            deployed: if self.settings.enable_auto_response {
                Switch::On
            } else {
                Switch::Off
            },
            clock: self.clock.clone(),
            home: self.settings.account.clone(),
            decider: self.decider(),
        }
    }

    /// `ec2-remediator`, `s3-remediator`
    pub fn remediator(&self, service: Service) -> Remediator {
        Remediator {
            service,
            remediations: self.remediations(),
            queues: self.queues(),
            decider: self.decider(),
            clock: self.clock.clone(),
            home: self.settings.account.clone(),
        }
    }

    /// `restricted-ports-rule` or `s3-public-access-rule`
    pub fn rule_function(&self, rule: RuleKind) -> Result<RuleFunction> {
        let region = self
            .aws
            .config()
            .region()
            .context("no AWS region is set: set AWS_REGION, for example us-east-1")?;
        let region: Region = region.as_ref().parse().context("AWS_REGION is wrong")?;
        Ok(RuleFunction {
            rule,
            defaults: self.settings.rules.clone(),
            remediation_queue: self.settings.queues.remediation.clone(),
            events_queue: self.settings.queues.events.clone(),
            clock: self.clock.clone(),
            home: (self.settings.account.clone(), region),
            aws: self.aws.clone(),
            config: self.aws.config_service(),
            sqs: aws_sdk_sqs::Client::new(self.aws.config()),
        })
    }
}
