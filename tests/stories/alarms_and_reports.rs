//! Messages of others: DD-AWS's bare reports and CloudWatch's alarms are posted once each.

use serde_json::{Value, json};

use crate::support::{World, eventually};

fn sns(message: &Value) -> Value {
    json!({"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:t",
           "Message": message.to_string()})
}

#[tokio::test]
async fn alarms_and_bare_reports_are_posted_once() {
    let world = World::seeded().await;
    let alarm = sns(
        &json!({"AlarmName": "DD_BP_Alarm_Root_Account_Usage", "AlarmDescription": "Root was used.",
        "AWSAccountId": "123456789012", "NewStateValue": "ALARM", "NewStateReason": "Threshold Crossed <!here>",
        "StateChangeTime": "2026-01-12T16:30:42.236+0000", "Region": "US East (N. Virginia)", "OldStateValue": "OK"}),
    );
    let report = json!({"remediationSource": "DD_Config_Lambda_S3_PublicAccess_Remediation", "resourceId": "b",
        "resourceType": "AWS::S3::Bucket", "action": "PutBucketAcl", "awsAccountId": "123456789012",
        "actionCompleteTime": "2026-01-01T00:00:00.123456+00:00", "message": "fixed by applying an updated policy"});
    for body in [&alarm, &report, &alarm, &report] {
        world.aws.send("events", body).await;
    }
    eventually("the queue is empty", async || {
        (world.aws.messages_in("events").await == 0).then_some(())
    })
    .await;
    let channel = world.slack.channel().await;
    let count = |words: &str| {
        channel
            .iter()
            .filter(|message| message.words().contains(words))
            .count()
    };
    assert_eq!((count("CloudWatch alarm"), count("`PutBucketAcl`")), (1, 1));
    assert_eq!(count(":red_circle: critical"), 1);
    assert_eq!(count("<!here>"), 0);
}
