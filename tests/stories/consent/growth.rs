//! Whatever is opened between any two of the remediator's calls to AWS: what it takes away is in the plan
//! that was agreed to, and what somebody has written beside it stays.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::types::{AccessControlPolicy, Grant, Grantee, Permission, Type};
use defendable::aws::Aws as Clients;
use defendable::coordinator::Decider;
use defendable::evaluation::RuleDefaults;
use defendable::finding::severity::Severity;
use defendable::finding::{Actor, Breach, Finding, Plan};
use defendable::ids::Resource;
use defendable::queue::{Disposition, QueueHandler, QueueMessage, Queues};
use defendable::remediation::{AgreedPlan, Control, Exposure, Remediations, Remediator, exposures};
use proptest::prelude::*;
use serde_json::json;

use crate::support::aws::sdk_config;
use crate::support::fault_proxy::FaultProxy;
use crate::support::installation::spawn_bare_account;
use crate::support::{Aws, resource};

/// Everything that can be opened in this test, as it would be agreed to.
const PORTS: [i32; 4] = [22, 1433, 3306, 3389];

/// One run: what is open at first, what of it is agreed to, what is opened when.
#[derive(Debug, Clone)]
struct Run {
    control: Control,
    open: BTreeSet<usize>,
    agreed: BTreeSet<usize>,
    growth: usize,
    before_call: usize,
}

fn run() -> impl Strategy<Value = Run> {
    let some = || prop::collection::btree_set(0..4_usize, 1..4);
    (any::<bool>(), some(), some(), 0..4_usize, 0..9_usize).prop_map(
        |(is_group, open, agreed, growth, before_call)| {
            let control = if is_group { Control::IngressProhibitedPorts } else { Control::BucketPublic };
            Run { control, open, agreed, growth, before_call }
        },
    )
}

/// Opens one thing: a port of a group; a grant (even numbers) or a statement (odd) of a bucket.
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
            let grant = Grant::builder().grantee(grantee).permission(Permission::Read).build();
            if !grants.contains(&grant) {
                grants.push(grant);
            }
            let policy =
                AccessControlPolicy::builder().set_owner(acl.owner.clone()).set_grants(Some(grants)).build();
            aws.s3.put_bucket_acl().bucket(id).access_control_policy(policy).send().await.unwrap();
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
        Exposure::Statement { json } => Exposure::Statement { json: json.replace(from, to) },
        other => other,
    }
}

struct Bench {
    aws: Aws,
    proxy: FaultProxy,
    remediations: Remediations,
    number: usize,
}

impl Bench {
    /// What is open now, seen past the proxy.
    async fn exposed(
        &self,
        direct: &Remediations,
        resource: &Resource,
        control: Control,
    ) -> BTreeSet<Exposure> {
        let prepared = direct.prepare_all(control, resource).await.unwrap();
        let changes: Vec<_> =
            prepared.iter().flat_map(|(_, prepared)| prepared.changes().iter().cloned()).collect();
        exposures(&changes)
    }

    /// What the growth of a run exposes, seen at a resource that has nothing else.
    async fn grown(&mut self, direct: &Remediations, run: &Run) -> BTreeSet<Exposure> {
        let other = self.resource(run.control).await;
        open(&self.aws, &other, run.control, run.growth).await;
        let seen = self.exposed(direct, &other, run.control).await;
        let name = other.id.as_str();
        let resource = format!("growth-{}", self.number - 1);
        // A statement names its bucket.
        seen.into_iter().map(|exposure| renamed(exposure, name, &resource)).collect()
    }

    async fn resource(&mut self, control: Control) -> Resource {
        self.number += 1;
        let name = format!("growth-{}", self.number);
        match control {
            Control::IngressProhibitedPorts => resource(control, &self.aws.create_group(&name).await),
            Control::BucketPublic => {
                self.aws.s3.create_bucket().bucket(&name).send().await.unwrap();
                resource(control, &name)
            }
        }
    }

    /// Runs the remediator for each kind of the control, as for a person who had agreed to `plan`.
    async fn remediate(&self, resource: &Resource, plan: &AgreedPlan) {
        let table = self.aws.table();
        let kind = plan.control.kinds()[0].remediator();
        let queues = Queues { sqs: self.aws.sqs.clone(), events: self.aws.queue("events") };
        let decider = Decider { table: table.clone(), rules: self.remediations.rules.clone() };
        let home = resource.account.clone();
        let remediations = self.remediations.clone();
        let remediator = Remediator { kind, remediations, queues, decider, home };
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
        let changes = plan.changes.iter().map(|change| (change.kind(), change.clone())).collect();
        let finding = Finding::open(breach, Plan::Known { changes });
        let alice = Actor::User("U0ALICE".to_owned());
        let fixing = finding.fix_asked(alice, plan, false, jiff::Timestamp::now()).unwrap();
        table.change(&finding.id, |_| Ok::<_, ()>(finding.clone())).await.unwrap();
        table.change(&finding.id, |_| Ok::<_, ()>(fixing.clone())).await.unwrap();
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
            assert!(matches!(disposition, Disposition::Done | Disposition::Retry(_)), "{disposition:?}");
        }
    }
}

#[test]
fn what_is_taken_away_was_agreed_to_whatever_is_opened_between_any_two_calls() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (_account, aws_url) = runtime.block_on(spawn_bare_account());
    let bench = runtime.block_on(async {
        let proxy = FaultProxy::before(&aws_url).await;
        let clients = |url: &str| Remediations {
            aws: Arc::new(Clients::new(sdk_config(url), "123456789012".parse().unwrap())),
            rules: RuleDefaults::default(),
        };
        let remediations = clients(&proxy.url);
        (Bench { aws: Aws::new(&aws_url), proxy, remediations, number: 0 }, clients(&aws_url))
    });
    let bench = std::cell::RefCell::new(bench);
    let config = ProptestConfig { cases: 80, max_shrink_iters: 40, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let hits = std::cell::Cell::new((0_usize, 0_usize, 0_usize));
    let checked = runner.run(&run(), |run| {
        let mut borrowed = bench.borrow_mut();
        let (bench, direct) = &mut *borrowed;
        runtime.block_on(async {
            let resource = bench.resource(run.control).await;
            // What is agreed to, which may be more than what is open, or less.
            for number in &run.agreed {
                open(&bench.aws, &resource, run.control, *number).await;
            }
            let prepared = direct.prepare_all(run.control, &resource).await.unwrap();
            let changes =
                prepared.iter().flat_map(|(_, prepared)| prepared.changes().iter().cloned()).collect();
            let direction = defendable::remediation::Direction::Fix;
            let plan = AgreedPlan { resource: resource.clone(), control: run.control, direction, changes };
            for number in &run.open {
                open(&bench.aws, &resource, run.control, *number).await;
            }
            let mut before = bench.exposed(direct, &resource, run.control).await;
            let had_grown = !before.is_subset(&plan.exposures());
            let agreed = plan.exposures();
            let (aws, address, control, growth) =
                (Aws::new(bench.aws.url()), resource.clone(), run.control, run.growth);
            bench.proxy.before_call(run.before_call, move || {
                Box::pin(async move { open(&aws, &address, control, growth).await })
            });
            bench.remediate(&resource, &plan).await;
            let grew = bench.proxy.forget_before_call();
            let after = bench.exposed(direct, &resource, run.control).await;
            // What was opened meanwhile must be there still, but where it fell into the window that AWS
            // leaves between the last look and a call that writes a whole document.
            let in_window = grew
                .as_deref()
                .is_some_and(|call| call.starts_with("s3:PUT") || call.starts_with("s3:DELETE"));
            if grew.is_some() && !in_window {
                before.extend(bench.grown(direct, &run).await);
            }
            let taken: BTreeSet<Exposure> = before.difference(&after).cloned().collect();
            prop_assert!(taken.is_subset(&agreed), "taken away {taken:?} of agreed {agreed:?}");
            if had_grown {
                prop_assert!(taken.is_empty(), "the plan had grown, and {taken:?} was taken away");
            }
            let (fixed, refused, opened) = hits.get();
            hits.set((
                fixed + usize::from(!taken.is_empty()),
                refused + usize::from(taken.is_empty()),
                opened + usize::from(grew.is_some()),
            ));
            Ok(())
        })
    });
    checked.unwrap();
    let (fixed, refused, opened) = hits.get();
    assert!(fixed > 5 && refused > 5 && opened > 15, "{fixed} fixed, {refused} refused, {opened} grew");
}
