//! Something is opened between any two of the remediator's calls to AWS. The remediator removes only what is
//! in the agreed plan, and keeps what others have written beside it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::types::{AccessControlPolicy, Grant, Grantee, Permission, Type};
use defendable::aws::Aws as Clients;
use defendable::clock::Clock;
use defendable::controls::Severity;
use defendable::controls::evaluation::RuleDefaults;
use defendable::controls::{
    AgreedPlan, Change, Control, Direction, Exposure, Remediations, exposures,
};
use defendable::coordinator::Decider;
use defendable::finding::{Actor, Breach, Finding, Plan};
use defendable::functions::remediator::Remediator;
use defendable::ids::Resource;
use defendable::queue::{Disposition, QueueHandler, QueueMessage, Queues};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::support::aws::sdk_config;
use crate::support::fault_proxy::FaultProxy;
use crate::support::installation::spawn_bare_account;
use crate::support::{Aws, resource};

/// The ports that the test opens.
const PORTS: [i32; 4] = [22, 1433, 3306, 3389];

/// The calls before which the growth must have happened in some run.
const TOLD: [&str; 8] = [
    "dynamodb:GetItem",
    "ec2:DescribeSecurityGroupRules",
    "sqs:SendMessage/defendable-events",
    "ec2:RevokeSecurityGroupIngress",
    "s3:GET acl",
    "s3:GET policy",
    "s3:PUT acl",
    "s3:DELETE policy",
];

/// Whether a call removes something.
fn is_write(call: &str) -> bool {
    call.starts_with("s3:PUT") || call.starts_with("s3:DELETE") || call.starts_with("ec2:Revoke")
}

/// What is open at first, which part of it is agreed to, and what is opened during the run.
#[derive(Debug, Clone)]
struct Run {
    control: Control,
    open: BTreeSet<usize>,
    agreed: BTreeSet<usize>,
    growth: usize,
}

impl Run {
    /// Two things are open and agreed to, and a third is opened.
    fn of(control: Control) -> Self {
        Self {
            control,
            open: [0, 1].into(),
            agreed: [0, 1].into(),
            growth: 3,
        }
    }

    /// The document of a bucket that the growth changes.
    fn document(&self) -> &'static str {
        if self.growth.is_multiple_of(2) {
            "acl"
        } else {
            "policy"
        }
    }

    /// The call by which the remediator sees the growth.
    fn look(&self) -> String {
        match self.control {
            Control::IngressProhibitedPorts => "ec2:DescribeSecurityGroupRules".to_owned(),
            Control::BucketPublic => format!("s3:GET {}", self.document()),
        }
    }
}

fn run() -> impl Strategy<Value = Run> {
    let some = || prop::collection::btree_set(0..4_usize, 1..4);
    (any::<bool>(), some(), some(), 0..4_usize).prop_map(|(is_group, open, agreed, growth)| {
        let control = if is_group {
            Control::IngressProhibitedPorts
        } else {
            Control::BucketPublic
        };
        Run {
            control,
            open,
            agreed,
            growth,
        }
    })
}

/// The result of a run.
struct Seen {
    agreed: BTreeSet<Exposure>,
    taken: BTreeSet<Exposure>,
    /// Whether the remediator could see the growth before its first change.
    had_grown: bool,
    /// The call before which the growth happened; none where the remediator makes fewer calls.
    grew_before: Option<String>,
}

/// Opens one thing: a port of a group, a grant (even numbers) or a statement (odd numbers) of a bucket.
async fn open(aws: &Aws, resource: &Resource, control: Control, number: usize) {
    let id = resource.id.as_str();
    match control {
        Control::IngressProhibitedPorts => aws.try_open_port(id, PORTS[number]).await,
        Control::BucketPublic if number.is_multiple_of(2) => {
            let acl = aws.s3.get_bucket_acl().bucket(id).send().await.unwrap();
            let mut grants = acl.grants().to_vec();
            let group = ["AllUsers", "AuthenticatedUsers"][number / 2];
            let grantee = Grantee::builder()
                .r#type(Type::Group)
                .uri(format!("http://acs.amazonaws.com/groups/global/{group}"))
                .build()
                .unwrap();
            let grant = Grant::builder()
                .grantee(grantee)
                .permission(Permission::Read)
                .build();
            if !grants.contains(&grant) {
                grants.push(grant);
            }
            let policy = AccessControlPolicy::builder()
                .set_owner(acl.owner.clone())
                .set_grants(Some(grants))
                .build();
            aws.s3
                .put_bucket_acl()
                .bucket(id)
                .access_control_policy(policy)
                .send()
                .await
                .unwrap();
        }
        Control::BucketPublic => {
            let policy = aws
                .policy(id)
                .await
                .unwrap_or_else(|| r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned());
            let mut policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
            let statement = json!({"Sid": format!("S{number}"), "Effect": "Allow", "Principal": "*",
                "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{id}/{number}")});
            let statements = policy["Statement"].as_array_mut().unwrap();
            if !statements.contains(&statement) {
                statements.push(statement);
            }
            aws.set_policy(id, &policy.to_string()).await;
        }
    }
}

fn renamed(exposure: Exposure, from: &str, to: &str) -> Exposure {
    match exposure {
        Exposure::Statement { json } => Exposure::Statement {
            json: json.replace(from, to),
        },
        other => other,
    }
}

fn remediations(url: &str) -> Remediations {
    let aws = Arc::new(Clients::new(
        sdk_config(url),
        "123456789012".parse().unwrap(),
    ));
    Remediations {
        aws,
        rules: RuleDefaults::default(),
    }
}

/// The account, and the proxy for the remediator's calls.
struct Bench {
    aws: Aws,
    proxy: FaultProxy,
    direct: Remediations,
    number: usize,
}

impl Bench {
    async fn before(aws_url: &str) -> Self {
        let (aws, proxy) = (Aws::new(aws_url), FaultProxy::before(aws_url).await);
        Self {
            aws,
            proxy,
            direct: remediations(aws_url),
            number: 0,
        }
    }

    /// What a fix would change.
    async fn changes(&self, resource: &Resource, control: Control) -> Vec<Change> {
        let prepared = self.direct.prepare_all(control, resource).await.unwrap();
        prepared
            .iter()
            .flat_map(|(_, prepared)| prepared.changes().iter().cloned())
            .collect()
    }

    async fn exposed(&self, resource: &Resource, control: Control) -> BTreeSet<Exposure> {
        exposures(&self.changes(resource, control).await)
    }

    /// The exposure that the growth of a run adds, seen at a resource that has nothing else open.
    async fn grown(&mut self, run: &Run) -> BTreeSet<Exposure> {
        let other = self.resource(run.control).await;
        open(&self.aws, &other, run.control, run.growth).await;
        let seen = self.exposed(&other, run.control).await;
        let name = other.id.as_str();
        let resource = format!("growth-{}", self.number - 1);
        // A statement contains the name of its bucket.
        seen.into_iter()
            .map(|exposure| renamed(exposure, name, &resource))
            .collect()
    }

    async fn resource(&mut self, control: Control) -> Resource {
        self.number += 1;
        let name = format!("growth-{}", self.number);
        match control {
            Control::IngressProhibitedPorts => {
                resource(control, &self.aws.create_group(&name).await)
            }
            Control::BucketPublic => {
                self.aws
                    .s3
                    .create_bucket()
                    .bucket(&name)
                    .send()
                    .await
                    .unwrap();
                resource(control, &name)
            }
        }
    }

    /// Runs the remediator for each kind of violation of the control, for a person who agreed to `plan`.
    async fn remediate(&self, resource: &Resource, plan: &AgreedPlan) {
        let (table, watched) = (self.aws.table(), Aws::new(&self.proxy.url));
        let remediator = Remediator {
            service: plan.changes[0].kind().remediation().service(),
            remediations: remediations(&self.proxy.url),
            queues: Queues {
                sqs: watched.sqs.clone(),
                events: self.aws.queue("events"),
            },
            decider: Decider {
                table: watched.table(),
                rules: RuleDefaults::default(),
            },
            clock: Clock::system(),
            home: resource.account.clone(),
        };
        let breach = Breach {
            rule: "defendable-restricted-ports".parse().unwrap(),
            rule_arn: None,
            control: Some(plan.control),
            resource: resource.clone(),
            resource_name: None,
            annotation: None,
            severity: Severity::High,
            channel: None,
            recorded_at: jiff::Timestamp::now(),
        };
        let changes = plan
            .changes
            .iter()
            .map(|change| (change.kind(), change.clone()))
            .collect();
        let finding = Finding::open(breach, Plan::Known { changes });
        let alice = Actor::User("U0ALICE".to_owned());
        let fixing = finding
            .fix_asked(alice, plan, false, jiff::Timestamp::now())
            .unwrap();
        table
            .change(&finding.id, |_| Ok::<_, ()>(finding.clone()))
            .await
            .unwrap();
        table
            .change(&finding.id, |_| Ok::<_, ()>(fixing.clone()))
            .await
            .unwrap();
        for request in fixing.fix_requests() {
            let body = json!({"messageBody": request}).to_string();
            let message = QueueMessage {
                id: "m".to_owned(),
                original_id: None,
                body,
                sent_at: None,
                receive_count: 1,
                receipt_handle: "r".to_owned(),
            };
            let disposition = remediator.handle(&message).await;
            assert!(
                matches!(disposition, Disposition::Done | Disposition::Retry(_)),
                "{disposition:?}"
            );
        }
    }
    /// One run: something is opened before the remediator's call with the number `before_call`.
    async fn see(&mut self, run: &Run, before_call: usize) -> Seen {
        let (resource, control, growth) =
            (self.resource(run.control).await, run.control, run.growth);
        // The agreed plan may have more than what is open, or less.
        for number in &run.agreed {
            open(&self.aws, &resource, control, *number).await;
        }
        let changes = self.changes(&resource, control).await;
        let plan = AgreedPlan {
            resource: resource.clone(),
            control,
            direction: Direction::Fix,
            changes,
        };
        for number in &run.open {
            open(&self.aws, &resource, control, *number).await;
        }
        let (mut before, agreed) = (self.exposed(&resource, control).await, plan.exposures());
        let had_grown = !before.is_subset(&agreed);
        let (aws, address) = (Aws::new(self.aws.url()), resource.clone());
        self.proxy.before_call(before_call, move || {
            Box::pin(async move { open(&aws, &address, control, growth).await })
        });
        self.remediate(&resource, &plan).await;
        let grew = self.proxy.forget_before_call();
        let after = self.exposed(&resource, control).await;
        let grown = if grew.is_some() {
            self.grown(run).await
        } else {
            BTreeSet::new()
        };
        let (earlier, since) = grew.unwrap_or_default();
        let is_seen_until = |is_write: &dyn Fn(&str) -> bool| {
            since
                .iter()
                .take_while(|call| !is_write(call))
                .any(|call| *call == run.look())
        };
        // The growth must still be there, unless it happened between the last look and a call that writes a
        // whole document: AWS leaves that window.
        let writes_it = |call: &str| is_write(call) && call.ends_with(run.document());
        if control == Control::IngressProhibitedPorts
            || is_seen_until(&writes_it)
            || !since.iter().any(|call| writes_it(call))
        {
            before.extend(grown.iter().cloned());
        }
        // The remediator looks once more before it changes anything, and sees growth up to then.
        let in_time = is_seen_until(&is_write) && !earlier.iter().any(|call| is_write(call));
        Seen {
            had_grown: had_grown || in_time && !grown.is_subset(&agreed),
            taken: before.difference(&after).cloned().collect(),
            agreed,
            grew_before: since.into_iter().next(),
        }
    }
}

/// How often each result occurred.
#[derive(Debug, Default)]
struct Tally {
    fixed: usize,
    refused: usize,
    grew_before: BTreeSet<String>,
}

#[test]
fn nothing_is_removed_without_consent_whatever_opens_between_two_calls() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (_account, aws_url) = runtime.block_on(spawn_bare_account());
    let bench = RefCell::new(runtime.block_on(Bench::before(&aws_url)));
    let tally = RefCell::new(Tally::default());
    let check = |run: Run| {
        for before_call in 0.. {
            let seen = runtime.block_on(bench.borrow_mut().see(&run, before_call));
            let Seen {
                agreed,
                taken,
                had_grown,
                grew_before,
            } = seen;
            prop_assert!(
                taken.is_subset(&agreed),
                "call {before_call}: taken away {taken:?} of agreed {agreed:?}"
            );
            let held = !had_grown || taken.is_empty();
            prop_assert!(
                held,
                "call {before_call}: the plan had grown, and {taken:?} was taken away"
            );
            let mut tally = tally.borrow_mut();
            *(if taken.is_empty() {
                &mut tally.refused
            } else {
                &mut tally.fixed
            }) += 1;
            let Some(call) = grew_before else { break };
            tally.grew_before.insert(call);
        }
        Ok(())
    };
    for control in Control::ALL {
        check(Run::of(control)).unwrap();
    }
    let config = ProptestConfig {
        cases: 8,
        max_shrink_iters: 10,
        ..ProptestConfig::default()
    };
    TestRunner::new(config).run(&run(), check).unwrap();
    let tally = tally.into_inner();
    assert!(tally.fixed > 5 && tally.refused > 5, "{tally:?}");
    assert!(
        TOLD.iter().all(|call| tally.grew_before.contains(*call)),
        "{tally:?}"
    );
}
