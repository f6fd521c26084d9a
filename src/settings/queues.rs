//! The settings of queues.

use std::collections::BTreeMap;

use super::Reader;
use crate::controls::Service;
use crate::queue::QueueUrl;

/// What the variable of a queue has to be, with an example.
const QUEUE: (&str, &str) = (
    "an SQS queue's URL",
    "https://sqs.us-east-1.amazonaws.com/123456789012/defendable-events",
);

/// The URLs of the queues.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// The events queue: notifications, alarms, reports, jobs and notices.
    pub events: QueueUrl,
    /// The remediation queue: violations that wait for auto-response.
    pub remediation: QueueUrl,
    /// The fix queue: fixes and undos that people asked for.
    pub fix: QueueUrl,
    /// The queues of the remediators, by the service whose resources they change.
    pub remediators: BTreeMap<Service, RemediatorQueues>,
}

/// The queues of a remediator.
#[derive(Debug, Clone)]
pub struct RemediatorQueues {
    /// The queue of tasks.
    pub tasks: QueueUrl,
    /// The queue to which version 0.1 sent tasks, beside the other until an upgrade is over.
    pub older: Option<QueueUrl>,
}

impl RemediatorQueues {
    /// The queues that may have tasks.
    pub fn all(&self) -> impl Iterator<Item = &QueueUrl> {
        std::iter::once(&self.tasks).chain(&self.older)
    }
}

impl QueueSettings {
    /// Every queue that has dead letters.
    pub fn all(&self) -> impl Iterator<Item = &QueueUrl> {
        let remediators = self.remediators.values().flat_map(RemediatorQueues::all);
        [&self.events, &self.remediation, &self.fix]
            .into_iter()
            .chain(remediators)
    }
}

impl QueueSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let mut url = |name: &str| reader.required(&variable(name), QUEUE.0, QUEUE.1);
        let (events, remediation, fix) = (url("events"), url("remediation"), url("fix"));
        let remediators: Vec<_> = Service::ALL
            .into_iter()
            .map(|service| Some((service, RemediatorQueues::read(reader, service)?)))
            .collect();
        Some(Self {
            events: events?,
            remediation: remediation?,
            fix: fix?,
            remediators: remediators.into_iter().collect::<Option<_>>()?,
        })
    }
}

impl RemediatorQueues {
    /// While an upgrade goes on, the code may be newer than the settings, which name the older queue only.
    fn read(reader: &mut Reader, service: Service) -> Option<Self> {
        let older = reader.optional(&variable(service.older_name()), QUEUE.1);
        let name = variable(service.name());
        let tasks = match &older {
            Some(_) => reader.optional(&name, QUEUE.1),
            None => reader.required(&name, QUEUE.0, QUEUE.1),
        };
        match tasks {
            Some(tasks) => Some(Self { tasks, older }),
            None => older.map(|tasks| Self { tasks, older: None }),
        }
    }
}

/// `DEFENDABLE_SECURITY_GROUP_QUEUE_URL`
fn variable(queue: &str) -> String {
    format!(
        "DEFENDABLE_{}_QUEUE_URL",
        queue.to_uppercase().replace('-', "_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Option<RemediatorQueues> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, queue)| format!("https://sqs.test/123456789012/{queue}"))
        };
        let mut reader = Reader {
            get: &lookup,
            problems: Vec::new(),
            known: std::cell::RefCell::default(),
        };
        RemediatorQueues::read(&mut reader, Service::Ec2)
    }

    #[test]
    fn the_settings_of_version_0_1_go_on_until_the_upgrade_is_over() {
        let names = |queues: RemediatorQueues| {
            let names: Vec<String> = queues.all().map(|queue| queue.name().to_owned()).collect();
            names
        };
        const NEW: (&str, &str) = ("DEFENDABLE_EC2_QUEUE_URL", "ec2");
        const OLDER: (&str, &str) = ("DEFENDABLE_SECURITY_GROUP_QUEUE_URL", "security-group");
        assert_eq!(read(&[NEW]).map(names), Some(vec!["ec2".to_owned()]));
        assert_eq!(
            read(&[OLDER]).map(names),
            Some(vec!["security-group".to_owned()]),
            "the code is newer than the settings"
        );
        assert_eq!(
            read(&[NEW, OLDER]).map(names),
            Some(vec!["ec2".to_owned(), "security-group".to_owned()]),
            "the older one may yet hold tasks"
        );
        assert!(read(&[]).is_none());
    }
}
