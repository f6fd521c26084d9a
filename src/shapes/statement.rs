//! One statement of a bucket policy: who may do what.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::condition::{Conditions, OneOrMany, narrow, narrow_by_callers_choice};

/// A statement, as far as it says who may do what.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: String,
    principal: Option<Principal>,
    not_principal: Option<Principal>,
    pub(super) action: Option<OneOrMany>,
    pub(super) resource: Option<OneOrMany>,
    #[serde(default)]
    pub(super) condition: Conditions,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Principal {
    Anyone(String),
    Named(BTreeMap<String, OneOrMany>),
}

impl Statement {
    pub(super) fn is_public(&self) -> bool {
        self.effect == "Allow" && self.is_for_everybody() && !narrow(&self.condition)
    }

    /// Whether it is for everybody who names a certain KMS key.
    pub(super) fn is_for_callers_choice(&self) -> bool {
        self.effect == "Allow"
            && self.is_for_everybody()
            && narrow_by_callers_choice(&self.condition)
    }

    /// `"Read"`, or `number 2`.
    pub(super) fn name(&self, index: usize) -> String {
        name(self.sid.as_deref(), index)
    }

    /// Principals that are not named one by one may be anybody.
    fn is_for_everybody(&self) -> bool {
        self.not_principal.is_some() || self.principal_is_everybody()
    }

    /// Whether its principal is everybody, and not everybody of a kind.
    pub(super) fn is_for_all(&self) -> bool {
        self.principal
            .as_ref()
            .is_some_and(|principal| match principal {
                Principal::Anyone(text) => text == "*",
                Principal::Named(kinds) => kinds
                    .get("AWS")
                    .is_some_and(|names| names.values().iter().any(is_anybody)),
            })
    }

    /// A wildcard among AWS principals, services or federated users alike, or whom a provider of web
    /// identities knows: AWS's page has `{"Federated": "graph.facebook.com"}` among what is public.
    fn principal_is_everybody(&self) -> bool {
        self.principal
            .as_ref()
            .is_some_and(|principal| match principal {
                Principal::Anyone(text) => text == "*",
                Principal::Named(kinds) => kinds.iter().any(|(kind, names)| {
                    let is_everybody =
                        |name| is_anybody(name) || kind == "Federated" && is_web_identity(name);
                    names.values().iter().any(is_everybody)
                }),
            })
    }
}

/// `"Read"`, or `number 2`.
pub(super) fn name(sid: Option<&str>, index: usize) -> String {
    sid.map_or_else(|| format!("number {}", index + 1), |sid| format!("{sid:?}"))
}

/// `accounts.google.com`, and not `arn:aws:iam::123456789012:saml-provider/own`.
fn is_web_identity(provider: &Value) -> bool {
    provider
        .as_str()
        .is_some_and(|provider| !provider.starts_with("arn:"))
}

fn is_anybody(name: &Value) -> bool {
    name == "*"
}
