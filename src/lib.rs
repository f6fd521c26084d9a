//! Defendable: a Slack ChatOps app that keeps an AWS account safe.
//!
//! The journey of a finding, and the modules on its way:
//!
//! ```text
//!  AWS Config ── SNS ──┐                                   ┌── Slack: finding, buttons, status
//!  CloudWatch alarm ───┼─► events queue ─► notifier ───────┤
//!  remediation report ─┘        ▲             │            └── the same Slack message, edited in place
//!                               │             ▼
//!                               │       findings table ◄──────────── slack (HTTP) ◄── click, /dd command, modal
//!                               │                                     │  (verified, authorised)
//!  rule functions ─► remediation queue ─┐                             ├─► enable / disable the scheduled rule
//!  (restricted ports, public buckets)   │                             ▼
//!  scheduled rule, every 60 s ──────────┴─► coordinator ◄──────── fix queue
//!                                              │
//!                                              ├─► ec2 queue ─► ec2 remediator ─► EC2
//!                                              └─► s3 queue ──► s3 remediator ──► S3
//!                                                                    │ deletes the source message
//!                                                                    └─► report to the events queue
//! ```
//!
//! 1. [`functions::rule`] has [`controls::evaluation`] judge a configuration item, and queues the violations.
//! 2. [`notifier`]: AWS Config's opinion becomes a [`finding`] with a plan, shown by [`slack`] in the
//!    channel that [`routing`] says: by a message of its own, or in a digest where there are many.
//!    [`attribution`] asks CloudTrail who opened it.
//! 3. [`slack`]: a request is verified, parsed, authorised; [`command`] decides and enqueues, by
//!    [`fix`] where something is to be done.
//! 4. [`coordinator`]: requests go to their remediators, by people at once, else on [`schedule`].
//! 5. [`controls`] plan from the live resource and change exactly that; [`functions::remediator`] asks them to,
//!    and reports.
//!
//! [`report`] draws how the last 30 days went.
//!
//! [`contracts`] has what the functions tell each other. [`queue`] sends and receives it, and keeps what
//! cannot be used as [`queue::dead_letters`]. [`doctor`] looks at an installation. [`wiring`] makes functions
//! of [`settings`], for [`lambda`], [`serve`] and the sandbox.
//!
//! One configuration item, judged by our rule about ports:
//!
//! ```
//! use defendable::controls::evaluation::{ConfigurationItem, RuleDefaults, RuleKind, RuleParameters};
//!
//! let item: ConfigurationItem = serde_json::from_str(
//!     r#"{
//!         "resourceType": "AWS::EC2::SecurityGroup",
//!         "resourceId": "sg-0123456789abcdef0",
//!         "configurationItemStatus": "OK",
//!         "configuration": {"ipPermissions": [{
//!             "ipProtocol": "tcp", "fromPort": 22, "toPort": 22,
//!             "ipv4Ranges": [{"cidrIp": "0.0.0.0/0"}], "ipv6Ranges": []
//!         }]}
//!     }"#,
//! )?;
//! let rules = RuleDefaults::default();
//! let evaluation = rules.evaluate(RuleKind::RestrictedPorts, &RuleParameters::default(), &item, false)?;
//! let evaluation = serde_json::to_value(&evaluation)?;
//! assert_eq!(evaluation["complianceType"], "NON_COMPLIANT");
//! assert_eq!(evaluation["annotation"], "Open to the internet: tcp 22 from 0.0.0.0/0.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The modules are layers: `docs/architecture.md` has their order, and `tests/layers.rs` keeps it.

#![warn(unreachable_pub)]
// Tasks have two megabytes of stack: clippy.toml has how large one future may be.
#![warn(clippy::large_futures)]

pub mod attribution;
pub mod aws;
pub mod clock;
pub mod command;
pub mod contracts;
pub mod controls;
pub mod coordinator;
pub mod doctor;
pub mod finding;
pub mod fix;
pub mod functions;
pub mod ids;
pub mod lambda;
pub mod metrics;
pub mod notifier;
pub mod queue;
pub mod report;
pub mod routing;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod schedule;
pub mod secrets;
pub mod serve;
pub mod settings;
pub mod shapes;
pub mod slack;
pub mod store;
pub mod text;
pub mod wiring;
