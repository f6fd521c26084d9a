//! The bodies that travel between functions: DD-AWS's fields first, ours beside them.

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

/// On the remediation queue (from rules) and the fix queue (from people).
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
    /// Which remediation.
    pub violation_type: ViolationType,
    /// What the rule saw. For people: a remediator looks at the live resource only.
    #[serde(default)]
    pub violation_details: Value,
    /// The resource's account. [`Arriving`] fills in the account of requests that name none.
    pub aws_account_id: AccountId,
    /// The Slack user who asked; absent from auto-response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// The finding that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding_id: Option<FindingId>,
    /// When the person asked. Names the fix or undo that it belongs to: one that was given up, or
    /// that another has followed, is not carried out any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// The plan that was agreed to, by its digest: without one nothing is done about a person's request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDigest>,
    /// What to put back, in the order in which it was taken away. Empty: take away what violates.
    /// Only the coordinator fills it, from the finding.
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

    /// The finding that it is about: what follows from the resource and the control. One that it names
    /// must be that one, or follow from the resource and the rule, as ids did before version 0.2.
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
    /// It names a finding of another resource, rule or control.
    #[error("it names the finding {named}, but is about {follows}")]
    Named {
        /// The finding that it names.
        named: FindingId,
        /// The finding that follows from the rest of it.
        follows: FindingId,
    },
    /// A report is of another resource than the request that it answers.
    #[error("it is of {reported}, but answers a request for {requested}")]
    Reported {
        /// The report's resource.
        reported: ResourceId,
        /// The request's.
        requested: ResourceId,
    },
}

/// From the coordinator to a remediator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemediationTask {
    /// The queue that still holds the request, which the remediator deletes after its effect.
    /// Absent where the request came from the fix queue: that message is gone by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs_url: Option<String>,
    /// The request's receipt handle there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_handle: Option<String>,
    /// The request.
    pub message_body: RemediationRequest,
}

/// How a remediation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "outcome",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Outcome {
    /// The changes are about to be made. Sent before the effect, so that a crash right after it
    /// cannot lose what was taken away.
    Begun,
    /// Something was changed.
    Fixed,
    /// What the request asked to put back is in place.
    Undone,
    /// The resource was clean already.
    NothingToDo,
    /// The resource is not there any more.
    Gone,
    /// Nothing was changed: a fix would take away more than was agreed to (`changes` has what), or it is
    /// not known what that was (then `changes` is empty).
    NotAgreed,
    /// Nothing was changed: what is open (`changes` has it) auto-response leaves to people, or nobody but a
    /// person can close.
    LeftToPeople,
    /// Its tag [`crate::controls::IGNORE_TAG`] says to leave it as it is, and nobody asked for this fix.
    LeftAlone {
        /// The tag's value.
        reason: String,
    },
    /// It did not work. A fix has changed nothing; what an undo did change is in the report.
    Failed {
        /// Why, for people.
        reason: String,
        /// What to do next.
        advice: String,
    },
}

/// From a remediator to the events queue. DD-AWS's reports end at `message`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemediationReport {
    /// Who reports: a function's name.
    pub remediation_source: String,
    /// `sg-0123456789abcdef0`
    pub resource_id: ResourceId,
    /// `AWS::EC2::SecurityGroup`
    pub resource_type: ResourceType,
    /// `RevokeSecurityGroupIngress`, `PutBucketAcl`, …
    pub action: String,
    /// RFC 3339.
    pub action_complete_time: Timestamp,
    /// The resource's account.
    pub aws_account_id: AccountId,
    /// What was done, for people.
    pub message: String,
    /// Ours: what a report of DD-AWS lacks.
    #[serde(flatten)]
    pub detail: Option<ReportDetail>,
}

/// One delivery's attempt at a request: two may be at it at once, and each may take back only what
/// it has announced itself. A UUID; empty in reports of version 0.1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt(String);

impl Attempt {
    /// A new one, unlike any other.
    pub fn begin() -> Self {
        Self(Uuid::new_v4().to_string())
    }
}

/// What our own reports say beside DD-AWS's fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportDetail {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whose announcements it ends, or replaces.
    #[serde(default)]
    pub attempt: Attempt,
    /// What was taken away, in full: the data from which it can be put back; or what was put back.
    pub changes: Vec<Change>,
    /// The request that it answers.
    pub request: RemediationRequest,
}

impl RemediationReport {
    /// Nothing is done about a person's request that does not say which plan was agreed to.
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

    /// The finding that it is about: its request's, which has to be for the report's own resource. `None`
    /// for a report of DD-AWS's shape.
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

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// Violations are fixed on schedule.
    On,
    /// Violations wait.
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

    #[test]
    fn our_report_survives_the_way_and_keeps_dd_aws_s_fields() {
        let request: RemediationRequest = serde_json::from_value(json!({
            "raisedByRule": "r", "targetResourceType": "AWS::S3::Bucket", "targetResourceId": "b",
            "awsRegion": "us-east-1", "violationType": "S3_BUCKET_PUBLIC_ACL", "extra": 1,
            "awsAccountId": "123456789012",
        }))
        .unwrap();
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
