//! The routing table: the channels and severities of findings, and the user group that critical ones mention.
//! It is TOML, read once at the start. (Terraform, which cannot write TOML, gives the same as JSON.)
//!
//! ```toml
//! mention = "S0ONCALL"          # a user group, called by critical findings only
//!
//! [severities]                  # at least this, by rule; what is exposed may be worse
//! defendable-s3-public-access = "high"
//!
//! [[routes]]                    # the first that fits wins; what is left goes to the default channel
//! channel = "C0PAYMENTS"
//! accounts = ["123456789012"]
//! regions = ["eu-central-1"]
//! rules = ["defendable-restricted-ports"]
//! severity = "high"             # or worse
//! tags = { team = "payments" }
//! ```

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use slack_morphism::prelude::{SlackChannelId, SlackUserGroupId};

use crate::controls::Severity;
use crate::controls::Tags;
use crate::finding::Plan;
use crate::ids::{AccountId, Region, Resource, RuleName};

/// The routing table: severities by rule, channels, and the group to mention.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The user group that critical findings mention; none by default.
    #[serde(default)]
    pub mention: Option<SlackUserGroupId>,
    /// The least severity of a rule's findings.
    #[serde(default)]
    severities: BTreeMap<RuleName, Severity>,
    /// The routes in order: the first that fits wins.
    #[serde(default)]
    routes: Vec<Route>,
}

/// A route. All of its conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    channel: SlackChannelId,
    #[serde(default)]
    accounts: Vec<AccountId>,
    #[serde(default)]
    regions: Vec<Region>,
    #[serde(default)]
    rules: Vec<RuleName>,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// The mistake in a text that is no routing table.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRouting {
    /// It is not TOML, or not of the table's shape.
    #[error("not TOML with mention, [severities] and [[routes]]: {0}")]
    Toml(#[from] toml::de::Error),
    /// It is not JSON, or not of the table's shape.
    #[error("not JSON with mention, severities and routes: {0}")]
    Json(#[from] serde_json::Error),
    /// A channel or user group is not an id.
    #[error("{what} is {found:?}, and not {expected}")]
    Id {
        /// The key: `"routes[1].severity"`.
        what: String,
        /// What values the key accepts, for people.
        expected: &'static str,
        /// The value that was found.
        found: String,
    },
    /// A route without any condition would leave nothing for the routes below it.
    #[error("route {0} has no condition: accounts, regions, rules, severity or tags")]
    Unconditional(usize),
}

/// The facts of a finding by which routes decide.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The rule.
    pub rule: &'a RuleName,
    /// The resource.
    pub resource: &'a Resource,
    /// The finding's severity.
    pub severity: Severity,
    /// The resource's tags, as far as they are known.
    pub tags: &'a Tags,
}

impl FromStr for Routing {
    type Err = InvalidRouting;

    fn from_str(text: &str) -> Result<Self, InvalidRouting> {
        let routing: Self = if text.starts_with('{') {
            serde_json::from_str(text)?
        } else {
            toml::from_str(text)?
        };
        if let Some(group) = routing
            .mention
            .as_ref()
            .filter(|group| !is_id(&group.0, &['S']))
        {
            let expected = "a user group's id (S…)";
            return Err(InvalidRouting::Id {
                what: "mention".to_owned(),
                expected,
                found: group.0.clone(),
            });
        }
        for (index, route) in routing.routes.iter().enumerate() {
            let number = index + 1;
            if !is_id(&route.channel.0, &['C', 'G']) {
                let what = format!("the channel of route {number}");
                let expected = "a channel's id (C… or G…)";
                return Err(InvalidRouting::Id {
                    what,
                    expected,
                    found: route.channel.0.clone(),
                });
            }
            if route.is_unconditional() {
                return Err(InvalidRouting::Unconditional(number));
            }
        }
        Ok(routing)
    }
}

fn is_id(text: &str, first: &[char]) -> bool {
    text.len() >= 2
        && text.starts_with(first)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

impl Route {
    fn is_unconditional(&self) -> bool {
        let Self {
            channel: _,
            accounts,
            regions,
            rules,
            severity,
            tags,
        } = self;
        accounts.is_empty()
            && regions.is_empty()
            && rules.is_empty()
            && severity.is_none()
            && tags.is_empty()
    }

    fn fits(&self, facts: Facts) -> bool {
        let Facts {
            rule,
            resource,
            severity,
            tags,
        } = facts;
        (self.accounts.is_empty() || self.accounts.contains(&resource.account))
            && (self.regions.is_empty() || self.regions.contains(&resource.region))
            && (self.rules.is_empty() || self.rules.contains(rule))
            && self.severity.is_none_or(|least| severity >= least)
            && self
                .tags
                .iter()
                .all(|(key, value)| tags.get(key) == Some(value))
    }
}

impl Routing {
    /// The severity of a finding: that of what it exposes, and at least that of its rule. While what it
    /// exposes is being looked at, it is critical.
    pub fn severity(&self, rule: &RuleName, plan: &Plan) -> Severity {
        let (said, exposed) = (self.severities.get(rule).copied(), plan.severity());
        said.max(exposed).unwrap_or_default()
    }

    /// A known severity, but at least that of the rule.
    pub fn at_least(&self, rule: &RuleName, severity: Severity) -> Severity {
        let said = self.severities.get(rule).copied();
        said.map_or(severity, |said| said.max(severity))
    }

    /// The channel of a finding; `None` for the default one.
    pub fn channel(&self, facts: Facts) -> Option<&SlackChannelId> {
        self.routes
            .iter()
            .find(|route| route.fits(facts))
            .map(|route| &route.channel)
    }

    /// Every channel that a route names.
    pub fn channels(&self) -> impl Iterator<Item = &SlackChannelId> {
        self.routes.iter().map(|route| &route.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
        mention = "S0ONCALL"
        [severities]
        iam-password-policy = "high"
        [[routes]]
        channel = "C0PAYMENTS"
        tags = { team = "payments" }
        [[routes]]
        channel = "C0URGENT"
        accounts = ["123456789012"]
        severity = "high"
    "#;

    fn resource(account: &str) -> Resource {
        Resource {
            account: account.parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            resource_type: "AWS::S3::Bucket".parse().unwrap(),
            id: "b".parse().unwrap(),
        }
    }

    fn channel(account: &str, severity: Severity, tags: &[(&str, &str)]) -> Option<String> {
        let routing: Routing = TABLE.parse().unwrap();
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let (rule, resource) = ("r".parse().unwrap(), resource(account));
        let facts = Facts {
            rule: &rule,
            resource: &resource,
            severity,
            tags: &tags,
        };
        routing.channel(facts).map(|channel| channel.0.clone())
    }

    #[test]
    fn the_first_route_whose_conditions_all_hold_wins() {
        let payments = [("team", "payments")];
        assert_eq!(
            channel("123456789012", Severity::Critical, &payments).as_deref(),
            Some("C0PAYMENTS")
        );
        assert_eq!(
            channel("123456789012", Severity::Critical, &[]).as_deref(),
            Some("C0URGENT")
        );
        assert_eq!(
            channel("123456789012", Severity::Medium, &[("team", "web")]),
            None
        );
        assert_eq!(channel("999999999999", Severity::Critical, &[]), None);
    }

    #[test]
    fn a_rule_s_severity_is_the_least_that_its_findings_have() {
        let routing: Routing = TABLE.parse().unwrap();
        let rule = "iam-password-policy".parse().unwrap();
        assert_eq!(routing.severity(&rule, &Plan::Unsupported), Severity::High);
        assert_eq!(
            routing.severity(&"other".parse().unwrap(), &Plan::Unsupported),
            Severity::Medium
        );
    }

    #[test]
    fn terraform_s_json_is_read_too() {
        let json = r#"{"mention":null,"severities":{},"routes":[{"accounts":[],"channel":"C0EU","regions":["eu-west-1"],
            "rules":[],"severity":null,"tags":{}}]}"#;
        let toml = "[[routes]]\nchannel = \"C0EU\"\nregions = [\"eu-west-1\"]";
        assert_eq!(json.parse::<Routing>().unwrap(), toml.parse().unwrap());
        assert_eq!(
            r#"{"mention":null,"routes":[],"severities":{}}"#.parse::<Routing>().unwrap(),
            Routing::default()
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (table, part) in [
            (
                "mention = \"U0ALICE\"",
                "mention is \"U0ALICE\", and not a user group's id",
            ),
            ("[[routes]]\nchannel = \"C1\"", "route 1 has no condition"),
            (
                "[[routes]]\nchannel = \"#alerts\"\nregions = [\"eu-west-1\"]",
                "channel of route 1",
            ),
            (
                "[[routes]]\nchannel = \"C1\"\naccounts = [\"12\"]",
                "twelve digits",
            ),
            ("[severities]\nr = \"awful\"", "unknown variant `awful`"),
            ("[[route]]", "unknown field `route`"),
        ] {
            let error = table.parse::<Routing>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
