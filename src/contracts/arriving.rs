//! Bodies as they arrive. DD-AWS's requests name no account: they are about resources of the account where
//! the function runs. Behind this place every request names its account.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{RemediationReport, RemediationRequest, RemediationTask};
use crate::ids::AccountId;

/// A body that is a remediation request, or has one inside.
pub trait Arriving: DeserializeOwned {
    /// The names that lead to the request: none where the body is the request.
    const REQUEST: &[&str];

    /// Reads a body that arrived in the account `home`.
    ///
    /// ```
    /// # use defendable::contracts::{Arriving, RemediationRequest};
    /// let body = r#"{"raisedByRule": "restricted-ports", "targetResourceType": "AWS::EC2::SecurityGroup",
    ///     "targetResourceId": "sg-1", "awsRegion": "us-east-1", "violationType": "EC2_SG_PROHIBITED_PORT"}"#;
    /// let request = RemediationRequest::read(body, &"123456789012".parse()?)?;
    /// assert_eq!(request.aws_account_id.as_str(), "123456789012");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn read(body: &str, home: &AccountId) -> serde_json::Result<Self> {
        Self::read_value(serde_json::from_str(body)?, home)
    }

    /// As [`Arriving::read`], for a body that is JSON already.
    fn read_value(mut body: Value, home: &AccountId) -> serde_json::Result<Self> {
        let request = Self::REQUEST
            .iter()
            .try_fold(&mut body, |value, name| value.get_mut(*name));
        if let Some(Value::Object(request)) = request {
            let account = request.entry("awsAccountId").or_insert(Value::Null);
            if account.is_null() {
                *account = json!(home);
            }
        }
        serde_json::from_value(body)
    }
}

impl Arriving for RemediationRequest {
    const REQUEST: &[&str] = &[];
}

impl Arriving for RemediationTask {
    const REQUEST: &[&str] = &["messageBody"];
}

impl Arriving for RemediationReport {
    const REQUEST: &[&str] = &["request"];
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "123456789012";
    const MEMBER: &str = "210987654321";

    fn request(account: Value) -> Value {
        let mut request = json!({"raisedByRule": "r", "targetResourceType": "AWS::S3::Bucket",
            "targetResourceId": "b", "awsRegion": "us-east-1", "violationType": "S3_BUCKET_PUBLIC_ACL"});
        request["awsAccountId"] = account;
        request
    }

    fn without_account() -> Value {
        let mut request = request(Value::Null);
        request.as_object_mut().unwrap().remove("awsAccountId");
        request
    }

    #[test]
    fn a_request_without_an_account_is_about_ours() {
        let home = HOME.parse().unwrap();
        let account = |request: Value| {
            let task = json!({"sqsUrl": "q", "receiptHandle": "h", "messageBody": request.clone()});
            let task = RemediationTask::read(&task.to_string(), &home).unwrap();
            let request = RemediationRequest::read(&request.to_string(), &home).unwrap();
            assert_eq!(request, task.message_body);
            request.aws_account_id.to_string()
        };
        assert_eq!(account(without_account()), HOME);
        assert_eq!(account(request(Value::Null)), HOME);
        assert_eq!(account(request(json!(MEMBER))), MEMBER);
        let wrong = request(json!("nobody")).to_string();
        assert!(RemediationRequest::read(&wrong, &home).is_err());
    }

    #[test]
    fn a_report_of_dd_aws_gets_no_request() {
        let home = HOME.parse().unwrap();
        let mut report = json!({"remediationSource": "s", "resourceId": "b", "resourceType": "AWS::S3::Bucket",
            "action": "PutBucketAcl", "actionCompleteTime": "2018-01-01T00:00:00Z", "awsAccountId": MEMBER,
            "message": "fixed"});
        let bare = RemediationReport::read(&report.to_string(), &home).unwrap();
        assert_eq!(bare.detail, None);
        (report["outcome"], report["changes"]) = (json!("gone"), json!([]));
        report["request"] = without_account();
        let ours = RemediationReport::read(&report.to_string(), &home).unwrap();
        assert_eq!(ours.detail.unwrap().request.aws_account_id.as_str(), HOME);
    }
}
