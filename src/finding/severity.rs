//! How bad a finding is, by what it exposes.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Plan;
use crate::controls::{Change, IngressRule};
use crate::shapes::ingress::opened_ports;
use crate::shapes::ports::ProhibitedPorts;

/// How bad something is, from the mildest to the worst.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `low`: a web port that may be meant to be open.
    Low,
    /// `medium`: what nothing more is known of.
    #[default]
    Medium,
    /// `high`: a way to log in, or data that everybody can read.
    High,
    /// `critical`: a database, every port, or data that everybody can change.
    Critical,
}

/// Where databases and caches listen: SQL Server, Oracle, MySQL, PostgreSQL, Redshift, CouchDB,
/// Redis, Cassandra, Elasticsearch, Memcached, MongoDB.
static DATABASES: LazyLock<ProhibitedPorts> = LazyLock::new(|| {
    "1433-1434,1521,3306,5432-5433,5439,5984,6379-6380,7000-7001,9042,9200,9300,11211,27017-27019"
        .parse()
        .expect("constant ports are valid")
});

/// Where one logs in: SSH, Telnet, SMB, Docker, Remote Desktop, VNC, WinRM, Kubernetes.
static LOGINS: LazyLock<ProhibitedPorts> = LazyLock::new(|| {
    "22-23,135,139,445,2375-2376,3389,5900-5901,5985-5986,6443,10250"
        .parse()
        .expect("constant ports are valid")
});

/// Where web servers listen.
const WEB: [&str; 4] = ["80", "443", "8080", "8443"];

impl Severity {
    /// `critical`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// What the changes of a plan would close; `None` where there is nothing to go by. The worst, while
    /// that is being found out.
    pub fn of_plan(plan: &Plan) -> Option<Self> {
        match plan {
            Plan::Known { changes } => changes
                .iter()
                .map(|(_, change)| Self::of_change(change))
                .max(),
            Plan::Unknown { looking: true, .. } => Some(Self::Critical),
            Plan::Unsupported | Plan::Unknown { looking: false, .. } => None,
        }
    }

    fn of_change(change: &Change) -> Self {
        match change {
            Change::RevokeIngress(range) => Self::of_range(range),
            Change::RemoveGrant(grant) if grant.permission.starts_with("READ") => Self::High,
            Change::RemoveGrant(_) => Self::Critical,
            Change::RemoveStatement { statement, .. } if only_reads(statement) => Self::High,
            Change::RemoveStatement { .. } => Self::Critical,
            // Its statements tell.
            Change::DeletePolicy { .. } => Self::Low,
        }
    }

    /// Every port is worse than any of them: it holds the databases'.
    fn of_range(range: &IngressRule) -> Self {
        let (from, to) = (range.from_port.map(i64::from), range.to_port.map(i64::from));
        match opened_ports(&range.protocol, from, to) {
            Some(ports) if DATABASES.touch(ports) => Self::Critical,
            Some(ports) if LOGINS.touch(ports) => Self::High,
            Some(ports) if WEB.contains(&ports.to_string().as_str()) => Self::Low,
            Some(_) | None => Self::Medium,
        }
    }
}

/// Whether a policy statement allows nothing but reading. What cannot be read counts as more.
fn only_reads(statement: &str) -> bool {
    let statement: Value = serde_json::from_str(statement).unwrap_or_default();
    let reads = |action: &Value| {
        let action = action.as_str().and_then(|action| action.split_once(':'));
        action.is_some_and(|(_, name)| {
            ["get", "list"]
                .iter()
                .any(|verb| name.to_lowercase().starts_with(verb))
        })
    };
    match statement.get("Action") {
        Some(Value::Array(actions)) => !actions.is_empty() && actions.iter().all(reads),
        Some(action) => reads(action),
        None => false,
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Grant, Grantee, IngressSource};

    fn ingress(protocol: &str, from: i32, to: i32) -> Change {
        Change::RevokeIngress(IngressRule {
            rule_id: "sgr-1".to_owned(),
            protocol: protocol.to_owned(),
            from_port: Some(from),
            to_port: Some(to),
            source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
            description: None,
            is_left_to_people: false,
        })
    }

    #[test]
    fn a_database_outranks_a_login_and_that_a_web_port() {
        let of = |protocol, from, to| Severity::of_change(&ingress(protocol, from, to));
        assert_eq!(of("tcp", 5432, 5432), Severity::Critical);
        assert_eq!(of("-1", -1, -1), Severity::Critical);
        assert_eq!(of("tcp", 22, 22), Severity::High);
        assert_eq!(of("tcp", 443, 443), Severity::Low);
        assert_eq!(of("tcp", 50000, 50010), Severity::Medium);
        assert_eq!(of("icmp", -1, -1), Severity::Medium);
    }

    #[test]
    fn what_everybody_can_change_outranks_what_everybody_can_read() {
        let grant = |permission: &str| {
            let grantee =
                Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
            Severity::of_change(&Change::RemoveGrant(Grant {
                grantee,
                permission: permission.to_owned(),
            }))
        };
        assert_eq!(
            (grant("READ"), grant("FULL_CONTROL")),
            (Severity::High, Severity::Critical)
        );
        let statement = |action: &str| {
            let statement = format!(r#"{{"Effect":"Allow","Principal":"*","Action":{action}}}"#);
            Severity::of_change(&Change::RemoveStatement {
                index: 0,
                sid: None,
                statement,
                limited_by: Vec::new(),
                is_unconfirmed: false,
            })
        };
        assert_eq!(
            statement(r#"["s3:GetObject","s3:ListBucket"]"#),
            Severity::High
        );
        for action in [
            r#""s3:*""#,
            r#""*""#,
            r#"["s3:GetObject","s3:PutObject"]"#,
            "[]",
        ] {
            assert_eq!(statement(action), Severity::Critical, "{action}");
        }
    }
}
