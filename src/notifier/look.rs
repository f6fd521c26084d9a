//! A look at the live resource: its name and tags, what a fix would change, how bad it is. What is shown
//! follows from the newest look.

use futures::future::join_all;
use jiff::Timestamp;

use super::{Notifier, NotifierError};
use crate::aws::AwsErrorKind;
use crate::contracts::job::Job;
use crate::contracts::{Outcome, RemediationReport};
use crate::controls::Severity;
use crate::controls::{About, Control, Tags};
use crate::finding::{Breach, Finding, Plan, State};
use crate::ids::{FindingId, Resource};
use crate::routing::Facts;

/// How soon a look that failed is tried again. Seconds.
const SOON: u32 = 5;

/// When what is open beyond an ignore is sure to be open on record. Seconds.
const LATER: u32 = 5;

/// What a look showed.
#[derive(Debug)]
pub(super) struct Preview {
    /// Name and tags; `None` where they cannot be read.
    pub(super) about: Option<About>,
    pub(super) plan: Plan,
    /// When the look began.
    pub(super) at: Timestamp,
    /// Whether the resource is not there.
    pub(super) is_gone: bool,
}

impl Preview {
    fn name(&self) -> Option<String> {
        self.about.as_ref()?.name.clone()
    }

    pub(super) fn complete(&self, breach: Breach) -> Breach {
        Breach {
            resource_name: self.name(),
            ..breach
        }
    }

    /// The finding as it is where its tag says to leave it.
    pub(super) fn tagged(&self, finding: Finding) -> Finding {
        let reason = self.about.as_ref().and_then(About::ignored_because);
        reason
            .and_then(|reason| finding.tagged(reason, self.at))
            .unwrap_or(finding)
    }
}

impl Notifier {
    /// What the live resource says. Failing to find out must not keep the finding from people.
    pub(super) async fn preview(&self, control: Option<Control>, resource: &Resource) -> Preview {
        let at = self.clock.now();
        let (about, planned) = tokio::join!(
            self.remediations.about(resource),
            self.plan(control, resource)
        );
        let (plan, is_planned_gone) = planned;
        let is_gone =
            matches!(&about, Err(error) if error.kind == AwsErrorKind::NotFound) || is_planned_gone;
        let about = about.map_err(|error| {
            if error.kind != AwsErrorKind::NotFound {
                tracing::warn!(%error, resource = %resource.id, "cannot read name and tags");
            }
        });
        let about = about.ok();
        Preview {
            about,
            plan,
            at,
            is_gone,
        }
    }

    /// Name and tags, as far as they can be read now.
    pub(super) async fn about_or_nothing(&self, resource: &Resource) -> About {
        self.remediations
            .about(resource)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, resource = %resource.id, "cannot read name and tags");
                About::default()
            })
    }

    /// What a fix would change now, and whether the resource is gone. Only what our own rules complain of
    /// can be fixed.
    pub(super) async fn plan(&self, control: Option<Control>, resource: &Resource) -> (Plan, bool) {
        let Some(control) = control else {
            return (Plan::Unsupported, false);
        };
        match self.remediations.prepare_all(control, resource).await {
            Ok(prepared) => {
                let changes = prepared.iter().flat_map(|(kind, prepared)| {
                    prepared
                        .changes()
                        .iter()
                        .map(|change| (*kind, change.clone()))
                });
                (
                    Plan::Known {
                        changes: changes.collect(),
                    },
                    false,
                )
            }
            Err(error) if error.kind == AwsErrorKind::NotFound => (
                Plan::Known {
                    changes: Vec::new(),
                },
                true,
            ),
            Err(error) => {
                tracing::warn!(%error, resource = %resource.id, "cannot plan");
                let looking =
                    matches!(error.kind, AwsErrorKind::Transient | AwsErrorKind::Conflict);
                (
                    Plan::Unknown {
                        reason: error.to_string(),
                        looking,
                    },
                    false,
                )
            }
        }
    }

    /// A finding with the severity, and so the channel, that follow from what a fix would take away.
    pub(super) fn rated(&self, finding: Finding, preview: &Preview) -> Finding {
        let plan = match &finding.plan {
            Plan::Known { .. } => Plan::Known {
                changes: finding.to_close(),
            },
            plan => plan.clone(),
        };
        let (rule, resource) = (&finding.rule, &finding.resource);
        let is_over = !matches!(finding.state, State::Open { .. } | State::Ignored { .. });
        if is_over {
            return finding;
        }
        let severity = match &plan {
            // How bad it was is what it stays.
            Plan::Known { changes } if changes.is_empty() => {
                self.routing.at_least(rule, finding.severity)
            }
            plan => self.routing.severity(rule, plan),
        };
        let channel = match &preview.about {
            // What has a place keeps it while its tags cannot be read.
            None if finding.channel.is_some() => finding.channel.clone(),
            about => {
                let no_tags = Tags::new();
                let tags = about.as_ref().map_or(&no_tags, |about| &about.tags);
                let channel = self.routing.channel(Facts {
                    rule,
                    resource,
                    severity,
                    tags,
                });
                channel.map(|channel| channel.0.clone())
            }
        };
        let mut finding = Finding {
            severity,
            channel,
            ..finding.clone()
        };
        finding.tell_of_worse(severity);
        finding
    }

    /// A look that failed, and may not fail again, is tried again soon: before the finding says so, so
    /// that a crash in between loses nothing.
    pub(super) async fn retry_unknown(
        &self,
        id: &FindingId,
        preview: &Preview,
    ) -> Result<(), NotifierError> {
        if matches!(preview.plan, Plan::Unknown { looking: true, .. }) {
            let job = Job::Look {
                finding: id.clone(),
                at: Some(self.clock.now()),
            };
            self.queues
                .send_later(&self.queues.events, &job, SOON)
                .await?;
        }
        Ok(())
    }

    /// What opens beyond an ignore goes back to where auto-response looks: its request may have been let
    /// go while all of it was ignored. So does what was left to people, and is so no more. Before the
    /// finding is changed.
    pub(super) async fn wait_for_auto_response_to_what_is_new(
        &self,
        id: &FindingId,
        preview: &Preview,
    ) -> Result<(), NotifierError> {
        let Some(record) = self.table.get(id).await? else {
            return Ok(());
        };
        let was_left = match record.finding.state {
            State::Ignored { .. } => true,
            State::Open { .. } => record.finding.is_left_to_people(),
            _ => false,
        };
        if !was_left {
            return Ok(());
        }
        match record.finding.looked_at(&preview.plan, preview.at) {
            Some(opened)
                if matches!(opened.state, State::Open { .. }) && !opened.is_left_to_people() =>
            {
                self.wait_for_auto_response(&opened, LATER).await
            }
            _ => Ok(()),
        }
    }

    /// Name and tags of a resource whose rule has stopped complaining, and whether it is not there any more.
    pub(super) async fn about_unless_gone(&self, resource: &Resource) -> (About, bool) {
        match self.remediations.about(resource).await {
            Ok(about) => (about, false),
            Err(error) if error.kind == AwsErrorKind::NotFound => (About::default(), true),
            // It counts as compliant then, which it is as well.
            Err(error) => {
                tracing::warn!(%error, resource = %resource.id, "cannot tell whether it was deleted");
                (About::default(), false)
            }
        }
    }

    /// A resource may have changed since `at`. A look that fails is repeated by the queue, so that no
    /// finding stays without a plan whose reason may pass.
    pub(super) async fn look(
        &self,
        id: &FindingId,
        at: Option<Timestamp>,
    ) -> Result<(), NotifierError> {
        let id = self.table.resolve(id, &self.remediations.rules).await?;
        let Some(record) = self.table.get(&id).await? else {
            return Ok(());
        };
        let finding = &record.finding;
        let is_known = matches!(finding.plan, Plan::Known { .. });
        if is_known
            && at
                .zip(finding.checked_at)
                .is_some_and(|(at, checked_at)| checked_at > at)
        {
            return Ok(());
        }
        let preview = self.preview(finding.control, &finding.resource).await;
        if let Plan::Unknown {
            reason,
            looking: true,
        } = &preview.plan
        {
            return Err(NotifierError::Look(reason.clone()));
        }
        self.see(&id, &preview).await
    }

    /// Brings a finding to what a look showed.
    pub(super) async fn see(&self, id: &FindingId, preview: &Preview) -> Result<(), NotifierError> {
        self.wait_for_auto_response_to_what_is_new(id, preview)
            .await?;
        self.settle(id, |finding| {
            let seen = match preview.is_gone {
                true => finding.deleted(preview.at)?,
                false => finding
                    .looked_at(&preview.plan, preview.at)
                    .unwrap_or_else(|| finding.clone()),
            };
            let seen = self.rated(preview.tagged(seen), preview);
            (seen != *finding).then_some(seen)
        })
        .await
    }

    /// Several findings are looked at side by side. One that fails does not hold up the others.
    pub(super) async fn see_some(&self, findings: &[Finding]) -> Vec<Result<(), NotifierError>> {
        let looks = findings
            .iter()
            .map(|finding| self.preview(finding.control, &finding.resource));
        let mut seen = Vec::new();
        for (finding, preview) in findings.iter().zip(join_all(looks).await) {
            if !matches!(preview.plan, Plan::Unknown { .. }) {
                seen.push(self.see(&finding.id, &preview).await);
            }
        }
        seen
    }

    /// Nothing was changed, for it went beyond what was agreed to, or it is not known what that was: the
    /// finding is open again with its plan as it is now, and asks.
    pub(super) async fn not_agreed(
        &self,
        id: &FindingId,
        report: &RemediationReport,
    ) -> Result<(), NotifierError> {
        let Some(detail) = &report.detail else {
            return Ok(());
        };
        let (request, resource) = (&detail.request, detail.request.resource());
        let preview = self
            .preview(Some(request.violation_type.control()), &resource)
            .await;
        if let Plan::Unknown {
            reason,
            looking: true,
        } = &preview.plan
            && self.table.get(id).await?.is_none()
        {
            return Err(NotifierError::Look(reason.clone()));
        }
        self.retry_unknown(id, &preview).await?;
        let changed = self.table.change(id, |finding| {
            let reported = match finding {
                Some(finding) => finding.reported(report),
                None => unknown_until_asked(report, &preview),
            };
            let reported = reported.ok_or(())?;
            let seen = reported
                .looked_at(&preview.plan, preview.at)
                .unwrap_or(reported);
            Ok::<_, ()>(self.rated(preview.tagged(seen), &preview))
        });
        self.show(Box::pin(changed).await?).await
    }
}

/// The finding of a request that came before anybody had heard of one: there is one if there is something
/// to fix.
fn unknown_until_asked(report: &RemediationReport, preview: &Preview) -> Option<Finding> {
    let detail = report
        .detail
        .as_ref()
        .filter(|detail| detail.outcome == Outcome::NotAgreed)?;
    if !matches!(&preview.plan, Plan::Known { changes } if !changes.is_empty()) {
        return None;
    }
    let breach = Breach {
        rule: detail.request.raised_by_rule.clone(),
        rule_arn: None,
        control: Some(detail.request.violation_type.control()),
        resource: report.resource()?,
        resource_name: preview.name(),
        annotation: None,
        severity: Severity::default(),
        channel: None,
        recorded_at: report.action_complete_time,
    };
    Finding::first_seen(breach, &preview.plan, preview.at)
        .before_aws_config()
        .reported(report)
}
