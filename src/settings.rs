//! Settings: the environment, parsed once. All mistakes are reported together.

mod queues;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

pub use queues::{QueueSettings, RemediatorQueues};
use secrecy::SecretString;

use crate::controls::bucket_public::S3PublicAccess;
use crate::controls::evaluation::{RuleDefaults, list};
use crate::controls::ingress_prohibited_ports::RestrictedPorts;
use crate::ids::{AccountId, ChannelId, RuleName};
use crate::routing::Routing;
use crate::secrets::SecretSource;
use crate::shapes::address_block::Broadest;
use crate::shapes::ports::ProhibitedPorts;
use crate::slack::settings::SlackSettings;

/// An example of a routing table: one route, and the user group that critical findings mention.
const ROUTING_EXAMPLE: &str = "mention = \"S0ONCALL\" and, below it, [[routes]] with channel = \"C0PAYMENTS\" and accounts = [\"123456789012\"]";

/// All settings. On Lambda all functions have the same, with names of parameters in place of secrets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account where Defendable runs.
    pub account: AccountId,
    /// The queues.
    pub queues: QueueSettings,
    /// The findings table's name.
    pub findings_table: String,
    /// The name of the EventBridge rule that switches auto-response.
    pub schedule_rule: String,
    /// The settings of Slack's side.
    pub slack: SlackSettings,
    /// The defaults of the rules' parameters.
    pub rules: RuleDefaults,
    /// Whether auto-response is on until somebody switches it for the first time.
    pub enable_auto_response: bool,
    /// The number of requests that one scheduled run passes on before it asks.
    pub blast_radius: u32,
    /// The routing table: channels, severities, and the user group that critical findings mention.
    pub routing: Routing,
    /// The accounts where a fix or an undo needs the approval of a second operator.
    pub two_person_accounts: BTreeSet<AccountId>,
    /// The namespace of the metrics in CloudWatch; `None` for no metrics.
    pub metrics_namespace: Option<String>,
    /// The interval at which `serve` runs auto-response.
    pub schedule_interval: Duration,
    /// The address on which `serve` listens.
    pub listen: SocketAddr,
}

/// One variable that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    variable: String,
    /// What was found: `is "12"` of a value, `has "12"` of an item of a list, `is not set`.
    found: String,
    /// What is wrong with it, or what the variable is for where it is not set.
    mistake: String,
    example: &'static str,
}

impl Problem {
    /// Of a text that its type refuses. The errors of our types begin with the text; it is said once.
    fn refused(
        variable: &str,
        (verb, text): (&str, &str),
        error: &impl Display,
        example: &'static str,
    ) -> Self {
        let error = error.to_string();
        let mistake = error.strip_prefix(&format!("{text:?} is "));
        Self {
            variable: variable.to_owned(),
            found: format!("{verb} {text:?}"),
            mistake: mistake.unwrap_or(&error).to_owned(),
            example,
        }
    }

    /// Of a variable that is not set.
    fn missing(variable: &str, what: &str, example: &'static str) -> Self {
        Self {
            variable: variable.to_owned(),
            found: "is not set".to_owned(),
            mistake: format!("it is {what}"),
            example,
        }
    }
}

/// `DEFENDABLE_BLAST_RADIUS is "0": number would be zero for non-zero type, for example 20`
impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            variable,
            found,
            mistake,
            example,
        } = self;
        write!(f, "{variable} {found}: {mistake}, for example {example}")
    }
}

/// All mistakes in the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidSettings(Vec<Problem>);

impl Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 setting is invalid:")?,
            number => write!(f, "{number} settings are invalid:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// Reads variables and collects the mistakes in them.
struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
    /// The names of all variables that there are.
    known: RefCell<BTreeSet<String>>,
}

impl Reader<'_> {
    fn text(&self, variable: &str) -> Option<String> {
        self.known.borrow_mut().insert(variable.to_owned());
        (self.get)(variable)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    fn optional<T: FromStr<Err: Display>>(
        &mut self,
        variable: &str,
        example: &'static str,
    ) -> Option<T> {
        let text = self.text(variable)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let problem = Problem::refused(variable, ("is", &text), &error, example);
                self.problems.push(problem);
                None
            }
        }
    }

    fn required<T: FromStr<Err: Display>>(
        &mut self,
        variable: &str,
        expected: &str,
        example: &'static str,
    ) -> Option<T> {
        if self.text(variable).is_none() {
            self.problems
                .push(Problem::missing(variable, expected, example));
        }
        self.optional(variable, example)
    }

    /// The items of a list. Each that is refused is a problem of its own.
    fn list<T: FromStr<Err: Display>>(&mut self, variable: &str, example: &'static str) -> Vec<T> {
        let text = self.text(variable).unwrap_or_default();
        let mut items = Vec::new();
        for item in list(&text) {
            match item.parse::<T>() {
                Ok(parsed) => items.push(parsed),
                Err(error) => {
                    let problem = Problem::refused(variable, ("has", &item), &error, example);
                    self.problems.push(problem);
                }
            }
        }
        items
    }

    /// Names of rules, `default` where there are none.
    fn names(&mut self, variable: &str, default: &'static str) -> BTreeSet<RuleName> {
        let names: Vec<RuleName> = self.list(variable, default);
        match names.is_empty() {
            true => BTreeSet::from([default.parse().expect("constant names are valid")]),
            false => names.into_iter().collect(),
        }
    }

    /// A secret's value, or the name of the parameter that holds it. The value is never printed.
    fn secret(&self, variable: &str) -> Option<SecretSource> {
        let parameter = self.text(&format!("{variable}_PARAMETER"));
        let value = self.text(variable).map(SecretString::from);
        value
            .map(SecretSource::Value)
            .or(parameter.map(SecretSource::Parameter))
    }

    fn required_secret(&mut self, variable: &str, example: &'static str) -> Option<SecretSource> {
        let secret = self.secret(variable);
        if secret.is_none() {
            let parameter = format!("{variable}_PARAMETER");
            let what = format!("the name of an SSM parameter (or the secret itself in {variable})");
            self.problems
                .push(Problem::missing(&parameter, &what, example));
        }
        secret
    }
}

impl Settings {
    /// Reads the process's environment. Variables that look like settings and are none are warned of.
    pub fn from_env() -> Result<Self, InvalidSettings> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        Self::warned(&|name| std::env::var(name).ok(), names)
    }

    /// Reads variables by `get`.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        Self::warned(get, std::iter::empty())
    }

    fn warned(
        get: &dyn Fn(&str) -> Option<String>,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, InvalidSettings> {
        let mut reader = Reader {
            get,
            problems: Vec::new(),
            known: RefCell::default(),
        };
        let settings = Self::read_all(&mut reader);
        for warning in unknown(&reader.known.borrow(), names) {
            tracing::warn!("{warning}");
        }
        settings
            .filter(|_| reader.problems.is_empty())
            .ok_or(InvalidSettings(reader.problems))
    }

    fn read_all(reader: &mut Reader) -> Option<Self> {
        let account = reader.required(
            "DEFENDABLE_AWS_ACCOUNT_ID",
            "the account's twelve digits",
            "123456789012",
        );
        let queues = QueueSettings::read(reader);
        let findings_table = reader.required(
            "DEFENDABLE_FINDINGS_TABLE",
            "a DynamoDB table's name",
            "defendable-findings",
        );
        let schedule_rule = reader.required(
            "DEFENDABLE_SCHEDULE_RULE",
            "an EventBridge rule's name",
            "defendable-auto-response",
        );
        let slack = SlackSettings::read(reader);
        let prohibited_ports: Option<ProhibitedPorts> =
            reader.optional("DEFENDABLE_PROHIBITED_PORTS", "22,3389,5432-5433");
        let exempt = reader.list("DEFENDABLE_EXEMPT_SECURITY_GROUPS", "sg-0123456789abcdef0");
        let broadest_ipv4 = reader.optional("DEFENDABLE_BROADEST_IPV4", "8");
        let broadest_ipv6 = reader.optional("DEFENDABLE_BROADEST_IPV6", "32");
        let takes_broad_ranges: Option<bool> =
            reader.optional("DEFENDABLE_AUTO_RESPONSE_BROAD_RANGES", "false");
        let whitelist = reader.list("DEFENDABLE_BUCKET_WHITELIST", "assets,downloads");
        let port_rules = reader.names(
            "DEFENDABLE_RESTRICTED_PORTS_RULES",
            "defendable-restricted-ports",
        );
        let bucket_rules = reader.names(
            "DEFENDABLE_S3_PUBLIC_ACCESS_RULES",
            "defendable-s3-public-access",
        );
        let enable_auto_response: Option<bool> =
            reader.optional("DEFENDABLE_ENABLE_AUTO_RESPONSE", "false");
        let blast_radius: Option<std::num::NonZeroU32> =
            reader.optional("DEFENDABLE_BLAST_RADIUS", "20");
        let seconds: Option<std::num::NonZeroU64> =
            reader.optional("DEFENDABLE_SCHEDULE_SECONDS", "60");
        let listen = reader.optional("DEFENDABLE_LISTEN", "127.0.0.1:4040");
        let routing: Option<Routing> = reader.optional("DEFENDABLE_ROUTING", ROUTING_EXAMPLE);
        let two_person_accounts = reader.list("DEFENDABLE_TWO_PERSON_ACCOUNTS", "123456789012");
        Some(Self {
            account: account?,
            queues: queues?,
            findings_table: findings_table?,
            schedule_rule: schedule_rule?,
            slack: slack?,
            rules: RuleDefaults {
                restricted_ports: RestrictedPorts {
                    prohibited_ports: prohibited_ports.unwrap_or_default(),
                    exempt_security_groups: BTreeSet::from_iter(exempt),
                    broadest: Broadest {
                        ipv4: broadest_ipv4.unwrap_or(Broadest::default().ipv4),
                        ipv6: broadest_ipv6.unwrap_or(Broadest::default().ipv6),
                    },
                    auto_response_takes_broad_ranges: takes_broad_ranges.unwrap_or_default(),
                },
                s3_public_access: S3PublicAccess {
                    bucket_whitelist: BTreeSet::from_iter(whitelist),
                },
                restricted_ports_names: port_rules,
                s3_public_access_names: bucket_rules,
            },
            metrics_namespace: reader.text("DEFENDABLE_METRICS_NAMESPACE"),
            enable_auto_response: enable_auto_response.unwrap_or_default(),
            blast_radius: blast_radius.map_or(20, std::num::NonZeroU32::get),
            routing: routing.unwrap_or_default(),
            two_person_accounts: BTreeSet::from_iter(two_person_accounts),
            schedule_interval: Duration::from_secs(seconds.map_or(60, std::num::NonZeroU64::get)),
            listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4040))),
        })
    }
}

/// What to say of variables that look like settings and are none. The log's levels are read elsewhere.
fn unknown(known: &BTreeSet<String>, names: impl Iterator<Item = String>) -> Vec<String> {
    let is_unknown = |name: &String| {
        name.starts_with("DEFENDABLE_") && name != "DEFENDABLE_LOG" && !known.contains(name)
    };
    let warning = |name: String| {
        let near = known
            .iter()
            .min_by_key(|known| strsim::damerau_levenshtein(known, &name))
            .filter(|known| strsim::damerau_levenshtein(known, &name) <= 3);
        let meant = near.map_or_else(String::new, |near| format!(": did you mean {near}?"));
        format!("{name} is no setting of Defendable{meant}")
    };
    names.filter(is_unknown).map(warning).collect()
}

impl SlackSettings {
    fn read(reader: &mut Reader) -> Option<Self> {
        let channel: Option<ChannelId> =
            reader.required("DEFENDABLE_SLACK_CHANNEL", "a channel's id", "C0ALERTS");
        let team = reader.required(
            "DEFENDABLE_SLACK_TEAM_ID",
            "the workspace's id",
            "T0123456789",
        );
        let app = reader.required("DEFENDABLE_SLACK_APP_ID", "the app's id", "A0123456789");
        let bot_token =
            reader.required_secret("DEFENDABLE_SLACK_BOT_TOKEN", "/defendable/slack/bot-token");
        let signing_secret = reader.required_secret(
            "DEFENDABLE_SLACK_SIGNING_SECRET",
            "/defendable/slack/signing-secret",
        );
        let api_url: Option<url::Url> =
            reader.optional("DEFENDABLE_SLACK_API_URL", "http://localhost:3030/api");
        let plain_dates = reader
            .optional("DEFENDABLE_SLACK_PLAIN_DATES", "true")
            .unwrap_or_default();
        let operators = reader.list(
            "DEFENDABLE_OPERATORS",
            "U0ALICE,S0SECOPS,U0BOB@123456789012",
        );
        Some(Self {
            channel: channel?.as_str().into(),
            team: team?,
            app: app?,
            api_url: api_url.map(String::from),
            bot_token: bot_token?,
            signing_secret: signing_secret?,
            app_token: reader.secret("DEFENDABLE_SLACK_APP_TOKEN"),
            operators,
            plain_dates,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(name: &str) -> Option<String> {
        let value = match name {
            "DEFENDABLE_AWS_ACCOUNT_ID" => "123456789012",
            "DEFENDABLE_FINDINGS_TABLE" | "DEFENDABLE_SCHEDULE_RULE" => "defendable",
            "DEFENDABLE_SLACK_CHANNEL" => "C0ALERTS",
            "DEFENDABLE_SLACK_TEAM_ID" => "T1",
            "DEFENDABLE_SLACK_APP_ID" => "A1",
            "DEFENDABLE_SLACK_BOT_TOKEN_PARAMETER" => "/token",
            "DEFENDABLE_SLACK_SIGNING_SECRET" => "hush",
            "DEFENDABLE_OPERATORS" => "U0ALICE, S0SECOPS",
            name if name.ends_with("_QUEUE_URL") => "http://localhost:5050/123456789012/queue",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn complete_settings_have_sensible_defaults() {
        let settings = Settings::read(&complete).unwrap();
        assert_eq!(settings.slack.operators.len(), 2);
        assert_eq!(
            (settings.blast_radius, settings.schedule_interval.as_secs()),
            (20, 60)
        );
        assert!(
            matches!(&settings.slack.bot_token, SecretSource::Parameter(name) if name == "/token")
        );
        assert!(
            !format!("{settings:?}").contains("hush"),
            "secrets are not printed"
        );
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_an_example() {
        let wrong = |name: &str| match name {
            "DEFENDABLE_AWS_ACCOUNT_ID" => Some("12".to_owned()),
            "DEFENDABLE_OPERATORS" => Some("alice,U0ALICE,bob".to_owned()),
            "DEFENDABLE_BLAST_RADIUS" => Some("0".to_owned()),
            "DEFENDABLE_ROUTING" => Some("[[routes]]\nchannel = \"C0PAYMENTS\"".to_owned()),
            "DEFENDABLE_SLACK_CHANNEL" => Some("#alerts".to_owned()),
            "DEFENDABLE_FINDINGS_TABLE" => None,
            "DEFENDABLE_SLACK_SIGNING_SECRET" => Some("  ".to_owned()),
            name => complete(name),
        };
        let error = Settings::read(&wrong).unwrap_err().to_string();
        assert!(error.starts_with("8 settings are invalid:"), "{error}");
        for part in [
            "DEFENDABLE_AWS_ACCOUNT_ID is \"12\": not an AWS account id (twelve digits, such as",
            "DEFENDABLE_OPERATORS has \"alice\": neither a user id",
            "DEFENDABLE_OPERATORS has \"bob\": neither a user id",
            "for example U0ALICE,S0SECOPS,U0BOB@123456789012",
            "DEFENDABLE_ROUTING is \"[[routes]]",
            ": route 1 has no condition",
            "DEFENDABLE_BLAST_RADIUS is \"0\"",
            "DEFENDABLE_SLACK_CHANNEL is \"#alerts\": not a channel's id (such as C0ALERTS)",
            "DEFENDABLE_FINDINGS_TABLE is not set: it is a DynamoDB table's name, for example",
            "DEFENDABLE_SLACK_SIGNING_SECRET_PARAMETER is not set",
        ] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[test]
    fn a_variable_that_is_no_setting_is_warned_of_with_the_one_that_is_near() {
        let reader = Reader {
            get: &complete,
            problems: Vec::new(),
            known: RefCell::default(),
        };
        let mut reader = reader;
        assert!(Settings::read_all(&mut reader).is_some());
        let names = [
            "OPERATOR",
            "LOG",
            "SLACK_BOT_TOKEN",
            "SLACK_BOT_TOKEN_PARAMETER",
            "OF_TOMORROW",
        ];
        let names = names.map(|name| format!("DEFENDABLE_{name}")).into_iter();
        let names = names.chain(["PATH".to_owned()]);
        let warnings = unknown(&reader.known.borrow(), names);
        let said: Vec<&str> = warnings
            .iter()
            .filter_map(|warning| warning.strip_prefix("DEFENDABLE_"))
            .collect();
        assert_eq!(
            said,
            [
                "OPERATOR is no setting of Defendable: did you mean DEFENDABLE_OPERATORS?",
                "OF_TOMORROW is no setting of Defendable"
            ]
        );
    }
}
