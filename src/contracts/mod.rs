//! The JSON on the queues: DD-AWS's fields first, ours beside them as optional ones.

mod arriving;
pub mod job;
pub mod notice;

pub use arriving::Arriving;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::controls::{Change, ViolationType};
use crate::ids::{
    AccountId, FindingId, PlanDigest, Region, Resource, ResourceId, ResourceType, RuleName,
};

/// A request for a fix or an undo, on the remediation queue (from rules) or the fix queue (from people).
///
/// ```json
/// {"raisedByRule": "restricted-ports", "targetResourceType": "AWS::EC2::SecurityGroup",
///  "targetResourceId": "sg-1", "awsRegion": "us-east-1", "awsAccountId": "123456789012",
///  "violationType": "EC2_SG_PROHIBITED_PORT", "violationDetails": {}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemediationRequest {
    /// The rule's name in AWS Config.
    pub raised_by_rule: RuleName,
    /// `AWS::EC2::SecurityGroup`
    pub target_resource_type: ResourceType,
    /// `sg-0123456789abcdef0`
    pub target_resource_id: ResourceId,
    /// The resource's region.
    pub aws_region: Region,
    /// The kind of violation, which has one remediation.
    pub violation_type: ViolationType,
    /// The details of the evaluation, for people. A remediator looks at the live resource only.
    #[serde(default)]
    pub violation_details: Value,
    /// The resource's account. [`Arriving`] fills in the account of requests that name none.
    pub aws_account_id: AccountId,
    /// The id of the Slack user who asked; absent in requests of auto-response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// The finding that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding_id: Option<FindingId>,
    /// The time at which the person asked. It names the fix or undo that the request belongs to: one that was
    /// given up, or that another has followed, is not carried out any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The digest of the plan that was agreed to. A person's request without one is not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDigest>,
    /// The changes to undo, in the order in which they were made; empty in a request for a fix. The
    /// coordinator replaces it by what the finding says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Change>,
}

impl RemediationRequest {
    /// The resource's address.
    pub fn resource(&self) -> Resource {
        Resource {
            account: self.aws_account_id.clone(),
            region: self.aws_region.clone(),
            resource_type: self.target_resource_type.clone(),
            id: self.target_resource_id.clone(),
        }
    }

    /// The id of the finding, which follows from the resource and the control. An id that the request names
    /// must be that one, or follow from the resource and the rule, as ids of version 0.1 did.
    pub fn finding(&self) -> Result<FindingId, ForeignFinding> {
        let resource = self.resource();
        let id = self.violation_type.control().finding(&resource);
        let before = || FindingId::of_rule(&self.raised_by_rule, &resource);
        match &self.finding_id {
            Some(named) if *named != id && *named != before() => Err(ForeignFinding::Named {
                named: named.clone(),
                follows: id,
            }),
            _ => Ok(id),
        }
    }
}

/// A request or report speaks of two findings, or of two resources.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignFinding {
    /// The request names a finding of another resource, rule or control.
    #[error("it names the finding {named}, but is about {follows}")]
    Named {
        /// The finding that the request names.
        named: FindingId,
        /// The finding that follows from the rest of the request.
        follows: FindingId,
    },
    /// A report is of another resource than the request that it answers.
    #[error("it is of {reported}, but answers a request for {requested}")]
    Reported {
        /// The report's resource.
        reported: ResourceId,
        /// The request's resource.
        requested: ResourceId,
    },
}

/// A task, from the coordinator to a remediator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemediationTask {
    /// The URL of the queue that still has the request. The remediator deletes it there once it is carried
    /// out. Absent for requests from the fix queue, which are deleted when they are passed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs_url: Option<String>,
    /// The receipt handle of the request in that queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_handle: Option<String>,
    /// The request.
    pub message_body: RemediationRequest,
}

/// The outcome of a remediation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Outcome {
    /// The changes are about to be made. It is sent before they are made, so that a crash right after that
    /// loses nothing that is needed for an undo.
    Begun,
    /// Something was changed.
    Fixed,
    /// The undo is done: what was to be put back is in place.
    Undone,
    /// The resource was clean already.
    NothingToDo,
    /// The resource is not there any more.
    Gone,
    /// Nothing was changed, because a fix would take away more than was agreed to (`changes` has the rest),
    /// or because it is not known what was agreed to (`changes` is empty).
    NotAgreed,
    /// Nothing was changed, because auto-response leaves to people what is open (`changes` has it), or
    /// because only a person can close it.
    LeftToPeople,
    /// Nothing was changed, because the resource has the tag [`crate::controls::IGNORE_TAG`], and no person
    /// asked for the fix.
    LeftAlone {
        /// The tag's value.
        reason: String,
    },
    /// It failed. A fix has changed nothing; what an undo changed is in the report.
    Failed {
        /// The reason, for people.
        reason: String,
        /// The step that a person should take next.
        advice: String,
    },
}

/// A report, from a remediator to the events queue. Reports of DD-AWS end at `message`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemediationReport {
    /// The name of the function that reports.
    pub remediation_source: String,
    /// `sg-0123456789abcdef0`
    pub resource_id: ResourceId,
    /// `AWS::EC2::SecurityGroup`
    pub resource_type: ResourceType,
    /// `RevokeSecurityGroupIngress`, `PutBucketAcl`, …
    pub action: String,
    /// The time of the report, in RFC 3339.
    pub action_complete_time: Timestamp,
    /// The resource's account.
    pub aws_account_id: AccountId,
    /// What was done, for people.
    pub message: String,
    /// What our reports have beside that.
    #[serde(flatten)]
    pub detail: Option<ReportDetail>,
}

/// The attempt of one delivery of a request. Two may work at the same request at once, and each may take back
/// only what it has announced itself. A UUID; empty in reports of version 0.1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt(String);

impl Attempt {
    /// A new attempt, unlike any other.
    pub fn begin() -> Self {
        Self(Uuid::new_v4().to_string())
    }
}

/// What our own reports say beside DD-AWS's fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportDetail {
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The attempt whose announcements this report ends or replaces.
    #[serde(default)]
    pub attempt: Attempt,
    /// The changes of a fix, in full, so that they can be undone; or those that an undo has undone.
    pub changes: Vec<Change>,
    /// The request that it answers.
    pub request: RemediationRequest,
}

impl RemediationReport {
    /// The report of a person's request that names no plan: nothing is done about it.
    pub fn without_plan(source: &str, request: RemediationRequest, now: Timestamp) -> Self {
        let resource = request.resource();
        Self {
            remediation_source: source.to_owned(),
            resource_id: resource.id,
            resource_type: resource.resource_type,
            action: "None".to_owned(),
            action_complete_time: now,
            aws_account_id: resource.account,
            message: "nothing done: the request does not say which plan was agreed to".to_owned(),
            detail: Some(ReportDetail {
                outcome: Outcome::NotAgreed,
                attempt: Attempt::begin(),
                changes: Vec::new(),
                request,
            }),
        }
    }

    /// The id of the request's finding, whose resource has to be the report's own. `None` for a report of
    /// DD-AWS's shape.
    pub fn finding(&self) -> Option<Result<FindingId, ForeignFinding>> {
        let request = &self.detail.as_ref()?.request;
        if self
            .resource()
            .is_some_and(|resource| resource != request.resource())
        {
            let (reported, requested) =
                (self.resource_id.clone(), request.target_resource_id.clone());
            return Some(Err(ForeignFinding::Reported {
                reported,
                requested,
            }));
        }
        Some(request.finding())
    }

    /// The resource's address, where the report names a region.
    pub fn resource(&self) -> Option<Resource> {
        let region = self.detail.as_ref()?.request.aws_region.clone();
        Some(Resource {
            account: self.aws_account_id.clone(),
            region,
            resource_type: self.resource_type.clone(),
            id: self.resource_id.clone(),
        })
    }
}

/// Auto-response's state, or that of the weekly report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On: violations are fixed every minute, or the report comes every week.
    On,
    /// Off: violations wait, or no report comes by itself.
    Off,
}

impl Switch {
    /// `on` or `off`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controls::WholePolicy;

    #[test]
    fn a_report_of_dd_aws_is_understood() {
        let report: RemediationReport = serde_json::from_value(json!({
            "remediationSource": "DD_Config_Lambda_EC2_OpenPorts_Remediation", "resourceId": "sg-1",
            "resourceType": "AWS::EC2::SecurityGroup", "action": "RevokeSecurityGroupIngress",
            "actionCompleteTime": "2018-01-01T00:00:00.123456+00:00", "awsAccountId": "123456789012",
            "message": "fixed",
        }))
        .unwrap();
        assert_eq!(report.detail, None);
    }

    fn request() -> RemediationRequest {
        serde_json::from_value(json!({
            "raisedByRule": "r", "targetResourceType": "AWS::S3::Bucket", "targetResourceId": "b",
            "awsRegion": "us-east-1", "violationType": "S3_BUCKET_PUBLIC_ACL", "extra": 1,
            "awsAccountId": "123456789012",
        }))
        .unwrap()
    }

    #[test]
    fn a_request_is_about_the_finding_that_follows_from_it() {
        let plain = request();
        let id = plain.violation_type.control().finding(&plain.resource());
        let of_version_0_1 = FindingId::of_rule(&plain.raised_by_rule, &plain.resource());
        assert_eq!(plain.finding(), Ok(id.clone()));
        let naming = |named: &FindingId| RemediationRequest {
            finding_id: Some(named.clone()),
            ..request()
        };
        assert_eq!(naming(&id).finding(), Ok(id.clone()));
        assert_eq!(naming(&of_version_0_1).finding(), Ok(id.clone()));
        let foreign: FindingId = "f-000000000000".parse().unwrap();
        let refused = ForeignFinding::Named {
            named: foreign.clone(),
            follows: id,
        };
        assert_eq!(naming(&foreign).finding(), Err(refused));
    }

    #[test]
    fn a_report_is_about_the_resource_of_its_request() {
        let mut report =
            RemediationReport::without_plan("source", request(), Timestamp::UNIX_EPOCH);
        assert_eq!(report.finding(), Some(request().finding()));
        report.resource_id = "another".parse().unwrap();
        assert!(matches!(
            report.finding(),
            Some(Err(ForeignFinding::Reported { .. }))
        ));
        report.detail = None;
        assert_eq!(report.finding(), None);
    }

    #[test]
    fn a_switch_is_written_in_one_word() {
        for switch in [Switch::On, Switch::Off] {
            assert_eq!(serde_json::to_value(switch).unwrap(), switch.as_str());
        }
    }

    #[test]
    fn our_report_survives_the_way_and_keeps_dd_aws_s_fields() {
        let request = request();
        let report = RemediationReport {
            remediation_source: "s3-bucket-remediator".to_owned(),
            resource_id: request.target_resource_id.clone(),
            resource_type: request.target_resource_type.clone(),
            action: "PutBucketAcl".to_owned(),
            action_complete_time: Timestamp::UNIX_EPOCH,
            aws_account_id: "123456789012".parse().unwrap(),
            message: "done".to_owned(),
            detail: Some(ReportDetail {
                outcome: Outcome::Failed {
                    reason: "no".to_owned(),
                    advice: "ask".to_owned(),
                },
                attempt: Attempt::begin(),
                changes: vec![Change::DeletePolicy(WholePolicy {
                    policy: "{}".to_owned(),
                })],
                request,
            }),
        };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["actionCompleteTime"], "1970-01-01T00:00:00Z");
        assert_eq!(json["outcome"], "failed");
        assert_eq!(
            serde_json::from_value::<RemediationReport>(json).unwrap(),
            report
        );
    }
}
