use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::*;
use crate::aws::AwsErrorKind;
use crate::aws::test_client::{Asked, TestClient};
use crate::controls::{
    Grant, Grantee, IngressRule, IngressSource, PolicyStatement, PrefixList, WholePolicy,
};

fn record(name: &str, time: &str, user: &str, port: i64, cidr: &str) -> String {
    json!({"eventVersion": "1.08", "eventName": name, "eventTime": time, "sourceIPAddress": "203.0.113.7",
        "readOnly": false, "managementEvent": true,
        "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::123456789012:user/{user}"), "userName": user,
            "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
        "requestParameters": {"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": port,
            "toPort": port, "ipRanges": {"items": [{"cidrIp": cidr}]}}]}}})
    .to_string()
}

fn range(protocol: &str, port: i32) -> Change {
    Change::RevokeIngress(IngressRule {
        rule_id: "sgr-1".to_owned(),
        protocol: protocol.to_owned(),
        from_port: Some(port),
        to_port: Some(port),
        source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
        description: None,
        is_left_to_people: false,
    })
}

fn found(records: &[String], change: Change) -> Option<String> {
    let found = attribution(records, &[change], "2026-01-01T00:05:00Z".parse().unwrap());
    found.map(|attribution| {
        attribution
            .principal
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    })
}

#[test]
fn the_newest_call_that_opened_it_is_named() {
    const ALLOW: &str = "AuthorizeSecurityGroupIngress";
    let records = [
        record(ALLOW, "2026-01-01T00:04:30Z", "web-team", 443, "0.0.0.0/0"),
        record(ALLOW, "2026-01-01T00:04:00Z", "carol", 22, "10.0.0.0/8"),
        record(ALLOW, "2026-01-01T00:03:00Z", "bob", 22, "0.0.0.0/0"),
        record(ALLOW, "2026-01-01T00:02:00Z", "alice", 22, "0.0.0.0/0"),
        record(ALLOW, "2026-01-01T09:00:00Z", "later", 22, "0.0.0.0/0"),
        record(
            "RevokeSecurityGroupIngress",
            "2026-01-01T00:04:30Z",
            "mallory",
            22,
            "0.0.0.0/0",
        ),
    ];
    assert_eq!(found(&records, range("tcp", 22)).as_deref(), Some("bob"));
    assert_eq!(
        found(&records, range("tcp", 443)).as_deref(),
        Some("web-team")
    );
    assert_eq!(found(&records, range("tcp", 3389)), None);
    assert_eq!(found(&records, range("-1", -1)), None);
    let all = records[0].replace(
        r#""ipProtocol":"tcp","fromPort":443,"toPort":443"#,
        r#""ipProtocol":"-1""#,
    );
    assert_ne!(all, records[0]);
    assert_eq!(found(&[all], range("-1", -1)).as_deref(), Some("web-team"));
    assert_eq!(found(&records, range("udp", 22)), None, "another protocol");
}

/// As CloudTrail has a change of a prefix list: the query's own names, in an object of the request's name.
fn modified(minute: u8, user: &str, change: &str, entries: &serde_json::Value) -> String {
    let request = json!({"PrefixListId": "pl-1", "CurrentVersion": 3, change: entries});
    let parameters = json!({"ModifyManagedPrefixListRequest": request});
    call("ModifyManagedPrefixList", minute, user, &parameters)
}

#[test]
fn the_person_who_opened_a_prefix_list_opened_the_group() {
    let rule = |id: &str| {
        let source = PrefixList {
            id: id.to_owned(),
            open: ["0.0.0.0/0".to_owned()].into(),
            has_others: false,
        };
        let Change::RevokeIngress(range) = range("tcp", 22) else {
            unreachable!()
        };
        Change::RevokeIngress(IngressRule {
            source: IngressSource::PrefixList(source),
            ..range
        })
    };
    let everybody = json!({"tag": 1, "Cidr": "0.0.0.0/0", "Description": ""});
    let office =
        json!([{"tag": 1, "Cidr": "203.0.113.0/24"}, {"tag": 2, "Cidr": "198.51.100.0/24"}]);
    let refers = json!({"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 22,
        "toPort": 22, "prefixListIds": {"items": [{"prefixListId": "pl-1"}]}}]}});
    let records = [
        call("AuthorizeSecurityGroupIngress", 1, "alice", &refers),
        modified(2, "bob", "AddEntry", &everybody),
        modified(3, "carol", "AddEntry", &office),
    ];
    assert_eq!(found(&records, rule("pl-1")).as_deref(), Some("bob"));
    assert_eq!(found(&records, rule("pl-2")), None, "another list");
    assert_eq!(found(&records, range("tcp", 22)), None, "no list");
    assert_eq!(
        found(&records[..1], rule("pl-1")).as_deref(),
        Some("alice"),
        "open before"
    );
    let restored = json!({"RestoreManagedPrefixListVersionRequest": {"PrefixListId": "pl-1", "PreviousVersion": 1}});
    let mut records = records.to_vec();
    records.push(modified(3, "dave", "RemoveEntry", &json!([everybody])));
    records.push(call(
        "RestoreManagedPrefixListVersion",
        4,
        "erin",
        &restored,
    ));
    assert_eq!(found(&records, rule("pl-1")).as_deref(), Some("erin"));
}

#[test]
fn a_tool_that_puts_things_back_is_named() {
    let terraform = "APN/1.0 HashiCorp/1.0 Terraform/1.9.2 (+https://www.terraform.io) terraform-provider-aws/5.60.0";
    assert_eq!(tool(terraform), Some("Terraform"));
    assert_eq!(
        tool("elbv2.k8s.aws/v2.7.1 aws-sdk-go/1.51"),
        Some("a Kubernetes controller")
    );
    assert_eq!(tool("cloudformation.amazonaws.com"), Some("CloudFormation"));
    assert_eq!(tool("aws-cli/2.15.30 Python/3.11"), None);
}

#[test]
fn ports_of_one_permission_and_addresses_of_another_are_no_match() {
    let mixed = json!({"eventName": "AuthorizeSecurityGroupIngress", "eventTime": "2026-01-01T00:03:00Z",
        "userIdentity": {"userName": "mixed"}, "requestParameters": {"ipPermissions": {"items": [
            {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}},
            {"ipProtocol": "6", "fromPort": 443, "toPort": 443, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}}});
    let records = [mixed.to_string()];
    assert_eq!(found(&records, range("tcp", 22)), None);
    assert_eq!(found(&records, range("tcp", 443)).as_deref(), Some("mixed"));
}

fn call(name: &str, minute: u8, user: &str, parameters: &serde_json::Value) -> String {
    json!({"eventName": name, "eventTime": format!("2026-01-01T00:{minute:02}:00Z"), "readOnly": false,
        "managementEvent": true, "requestParameters": parameters,
        "userIdentity": {"userName": user, "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}}})
    .to_string()
}

fn everybody() -> serde_json::Value {
    json!({"Sid": "World", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"})
}

fn put_policy(minute: u8, user: &str, statements: &[serde_json::Value]) -> String {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    call(
        "PutBucketPolicy",
        minute,
        user,
        &json!({"bucketName": "b", "bucketPolicy": policy, "policy": [""]}),
    )
}

fn put_block(minute: u8, user: &str, settings: [bool; 4]) -> String {
    let [block_acls, block_policy, ignore, restrict] = settings;
    let settings = json!({"BlockPublicAcls": block_acls, "BlockPublicPolicy": block_policy,
        "IgnorePublicAcls": ignore, "RestrictPublicBuckets": restrict});
    let parameters = json!({"bucketName": "b", "PublicAccessBlockConfiguration": settings});
    call("PutBucketPublicAccessBlock", minute, user, &parameters)
}

fn statement() -> Change {
    Change::RemoveStatement(PolicyStatement {
        index: 0,
        sid: Some("World".to_owned()),
        statement: everybody().to_string(),
        limited_by: Vec::new(),
        is_unconfirmed: false,
    })
}

fn grant() -> Change {
    let grantee = Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
    Change::RemoveGrant(Grant {
        grantee,
        permission: "READ".to_owned(),
        is_unconfirmed: false,
    })
}

#[test]
fn a_call_that_puts_a_private_policy_did_not_open_the_bucket() {
    let service = json!({"Sid": "Trail", "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/AWSLogs/*"});
    let opened = put_policy(2, "opener", &[everybody()]);
    let responded = put_policy(4, "responder", std::slice::from_ref(&service));
    assert_eq!(
        found(&[responded, opened.clone()], statement()).as_deref(),
        Some("opener")
    );
    // Nor did who changes something else while it is public, or takes another statement away.
    let beside = put_policy(3, "beside", &[service, everybody()]);
    assert_eq!(
        found(&[beside.clone(), opened.clone()], statement()).as_deref(),
        Some("opener")
    );
    let closed = call(
        "DeleteBucketPolicy",
        3,
        "closer",
        &json!({"bucketName": "b"}),
    );
    let again = put_policy(4, "again", &[everybody()]);
    assert_eq!(
        found(&[again, closed, opened.clone()], statement()).as_deref(),
        Some("again")
    );
    let whole = Change::DeletePolicy(WholePolicy {
        policy: "{}".to_owned(),
    });
    assert_eq!(found(&[beside, opened], whole).as_deref(), Some("opener"));
}

#[test]
fn the_person_who_narrows_a_public_statement_opened_nothing() {
    let mut wide = everybody();
    (wide["Sid"], wide["Action"]) = (json!("All"), json!("s3:*"));
    let mut renamed = everybody();
    renamed["Sid"] = json!("Renamed");
    let opened = put_policy(1, "opener", &[wide]);
    let narrowed = put_policy(2, "careful", &[renamed]);
    let same = put_policy(3, "tidy", &[everybody()]);
    let records = [opened, narrowed, same];
    assert_eq!(found(&records, statement()).as_deref(), Some("opener"));
    // Nor does it matter that both ask for the same.
    let secure = json!({"Bool": {"aws:SecureTransport": "true"}});
    let (mut wide, mut narrow) = (everybody(), everybody());
    wide["Action"] = json!("s3:*");
    (wide["Condition"], narrow["Condition"]) = (secure.clone(), secure);
    let change = Change::RemoveStatement(PolicyStatement {
        index: 0,
        sid: None,
        statement: narrow.to_string(),
        limited_by: Vec::new(),
        is_unconfirmed: false,
    });
    let records = [
        put_policy(1, "opener", &[wide]),
        put_policy(2, "careful", &[narrow]),
    ];
    assert_eq!(found(&records, change).as_deref(), Some("opener"));
    // Where a Deny limited the wider one, the person who took it out has opened it.
    let mut all = everybody();
    (all["Sid"], all["Action"]) = (json!("All"), json!("s3:*"));
    let mut deny = everybody();
    (deny["Sid"], deny["Effect"]) = (json!("OnlyVpc"), json!("Deny"));
    deny["Condition"] = json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}});
    let records = [
        put_policy(1, "careful", &[all, deny]),
        put_policy(2, "opener", &[everybody()]),
    ];
    assert_eq!(found(&records, statement()).as_deref(), Some("opener"));
    // One that opens another path has opened that.
    let mut other = everybody();
    other["Resource"] = json!("arn:aws:s3:::b/other/*");
    let records = [
        put_policy(1, "other", &[other]),
        put_policy(2, "opener", &[everybody()]),
    ];
    assert_eq!(found(&records, statement()).as_deref(), Some("opener"));
}

/// As CloudTrail has a rule that was made, with the id that it got.
fn authorized(minute: u8, user: &str, (from, to): (u16, u16), cidr: &str) -> String {
    let asked = json!({"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": from,
        "toPort": to, "ipRanges": {"items": [{"cidrIp": cidr}]}}]}});
    let rule = json!({"groupId": "sg-1", "securityGroupRuleId": "sgr-1", "isEgress": false,
        "ipProtocol": "tcp", "fromPort": from, "toPort": to, "cidrIpv4": cidr});
    let call = call("AuthorizeSecurityGroupIngress", minute, user, &asked);
    let mut record: serde_json::Value = serde_json::from_str(&call).unwrap();
    record["responseElements"] =
        json!({"_return": true, "securityGroupRuleSet": {"items": [rule]}});
    record.to_string()
}

/// As CloudTrail has a rule that was changed.
fn modified_rule(minute: u8, user: &str, (from, to): (u16, u16), cidr: &str) -> String {
    let rule = json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "CidrIpv4": cidr, "Description": "web"});
    let change = json!({"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": rule, "tag": 1});
    let request = json!({"GroupId": "sg-1", "SecurityGroupRule": change});
    let parameters = json!({"ModifySecurityGroupRulesRequest": request});
    call("ModifySecurityGroupRules", minute, user, &parameters)
}

#[test]
fn the_person_who_narrows_a_rule_or_describes_it_opened_nothing() {
    let everywhere = "0.0.0.0/0";
    let made = authorized(1, "opener", (0, 65535), everywhere);
    let narrowed = modified_rule(2, "careful", (22, 22), everywhere);
    let described = modified_rule(3, "tidy", (22, 22), everywhere);
    let records = [made, narrowed.clone(), described];
    assert_eq!(found(&records, range("tcp", 22)).as_deref(), Some("opener"));
    let unknown = found(&[narrowed], range("tcp", 22));
    assert_eq!(
        unknown.as_deref(),
        Some("careful"),
        "nobody knows what it was"
    );
    for closed in [
        authorized(1, "office", (22, 22), "198.51.100.0/24"),
        authorized(1, "web", (443, 443), everywhere),
        modified_rule(1, "office", (22, 22), "198.51.100.0/24"),
    ] {
        let records = [closed, modified_rule(2, "opener", (22, 22), everywhere)];
        assert_eq!(found(&records, range("tcp", 22)).as_deref(), Some("opener"));
    }
}

#[test]
fn the_person_who_lifts_the_account_s_block_opened_the_bucket() {
    let name = "DeleteAccountPublicAccessBlock";
    let of_account = json!({"accountId": "123456789012"});
    let lifted = call(name, 3, "lifter", &of_account);
    let on = json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": true}});
    let blocked = call("PutAccountPublicAccessBlock", 1, "careful", &on);
    let opened = put_policy(2, "opener", &[everybody()]);
    let records = [blocked, opened.clone(), lifted.clone()];
    assert_eq!(found(&records, statement()).as_deref(), Some("lifter"));
    // There may have been no block to lift.
    assert_eq!(
        found(&[opened, lifted.clone()], statement()).as_deref(),
        Some("opener")
    );
    assert_eq!(found(&[lifted], statement()).as_deref(), Some("lifter"));
    assert!(statement().calls_on_others().contains(&name));
    assert!(grant().calls_on_others().contains(&name));
}

#[test]
fn an_acl_opens_by_its_grants_and_not_by_the_bucket_s_name() {
    let acl = |minute, user, acl: &str| {
        call(
            "PutBucketAcl",
            minute,
            user,
            &json!({"bucketName": "public-read", "acl": "", "x-amz-acl": acl}),
        )
    };
    let opened = acl(1, "opener", "public-read");
    let closed = acl(3, "closer", "private");
    assert_eq!(
        found(&[closed, opened.clone()], grant()).as_deref(),
        Some("opener")
    );
    let signed_in = acl(3, "other", "authenticated-read");
    assert_eq!(
        found(&[signed_in, opened.clone()], grant()).as_deref(),
        Some("opener")
    );
    let header = json!({"bucketName": "b", "x-amz-grant-read": "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""});
    let by_header = call("PutBucketAcl", 1, "by-header", &header);
    assert_eq!(found(&[by_header], grant()).as_deref(), Some("by-header"));
    assert_eq!(found(&[opened], statement()), None);
}

#[test]
fn block_settings_open_where_they_are_lowered() {
    let opened = put_policy(1, "opener", &[everybody()]);
    let raised = put_block(3, "responder", [false, false, true, true]);
    assert_eq!(
        found(&[raised.clone(), opened.clone()], statement()).as_deref(),
        Some("opener")
    );
    let lowered = put_block(4, "unblocker", [false; 4]);
    let all = [lowered.clone(), raised, opened.clone()];
    assert_eq!(found(&all, statement()).as_deref(), Some("unblocker"));
    // Whether a mixture was a step down is known where it was closed before; a second step is none.
    let mixed = put_block(4, "mixed", [true, false, true, false]);
    assert_eq!(
        found(&[mixed.clone(), opened.clone()], statement()).as_deref(),
        Some("opener")
    );
    assert_eq!(
        found(&[mixed, all[1].clone(), opened], statement()).as_deref(),
        Some("mixed")
    );
    let again = put_block(5, "again", [false; 4]);
    assert_eq!(
        found(&[again, lowered], statement()).as_deref(),
        Some("unblocker")
    );
    let deleted = call(
        "DeleteBucketPublicAccessBlock",
        2,
        "deleter",
        &json!({"bucketName": "b"}),
    );
    assert_eq!(found(&[deleted], grant()).as_deref(), Some("deleter"));
}

#[test]
fn a_refused_call_and_an_unreadable_one_are_attributed_to_nobody() {
    let refused = record(
        "AuthorizeSecurityGroupIngress",
        "2026-01-01T00:03:00Z",
        "bob",
        22,
        "0.0.0.0/0",
    );
    let refused = refused.replacen('{', r#"{"errorCode":"Client.UnauthorizedOperation","#, 1);
    assert_eq!(
        found(
            &[refused, "{}".to_owned(), "no json".to_owned()],
            range("tcp", 22)
        ),
        None
    );
}

/// How CloudTrail answers: with the newest calls of the resource, page by page, for ever, the oldest of a
/// page a minute older than that of the page before; and with `others` when it is asked by a call's name.
fn cloudtrail(others: u16) -> TestClient {
    let pages = AtomicU64::new(0);
    TestClient::new(move |asked| {
        if asked.body.contains("EventName") {
            return (others, json!({"Events": []}).to_string());
        }
        let page = pages.fetch_add(1, Ordering::Relaxed);
        let opened = put_policy(2, "opener", &[everybody()]);
        let event = json!({"EventTime": 1_767_225_600 - 60 * page, "ReadOnly": "false", "CloudTrailEvent": opened});
        (
            200,
            json!({"Events": [event], "NextToken": "older"}).to_string(),
        )
    })
}

async fn look(client: &TestClient, is_last: bool) -> Result<Option<Attribution>, AwsError> {
    let account = "123456789012".parse().unwrap();
    let trail = CloudTrail {
        aws: Arc::new(client.aws(&account)),
        budget: Duration::from_millis(300),
    };
    let resource = Resource {
        account,
        region: "us-east-1".parse().unwrap(),
        resource_type: "AWS::S3::Bucket".parse().unwrap(),
        id: "b".parse().unwrap(),
    };
    let recorded_at = "2026-01-01T00:05:00Z".parse().unwrap();
    trail
        .look(&resource, &[statement()], recorded_at, is_last)
        .await
}

#[tokio::test]
async fn calls_of_others_are_read_as_far_back_as_those_of_the_resource() {
    let client = cloudtrail(200);
    let found = look(&client, false).await.unwrap().unwrap();
    assert_eq!(found.principal, "opener");
    let since = |asked: Asked| -> Option<f64> {
        let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
        body["StartTime"].as_f64()
    };
    let requests: Vec<_> = client.requests().into_iter().map(since).collect();
    let (of_itself, of_others) = requests.split_at(PAGES);
    assert_eq!(of_itself, [None; PAGES], "pages are bounded");
    assert!(!of_others.is_empty());
    let oldest = Some(f64::from(1_767_225_600 - 60 * 4));
    assert!(
        of_others.iter().all(|since| *since == oldest),
        "{of_others:?}"
    );
}

#[tokio::test]
async fn only_the_last_search_of_cloudtrail_may_be_incomplete() {
    const NEVER: u16 = 0;
    let early = look(&cloudtrail(NEVER), false).await.unwrap_err();
    assert_eq!(early.kind, AwsErrorKind::Transient, "{early}");
    let last = look(&cloudtrail(NEVER), true).await.unwrap().unwrap();
    assert_eq!(last.principal, "opener");
    let silent = TestClient::new(|_| (NEVER, String::new()));
    let last = look(&silent, true).await.unwrap_err();
    assert_eq!(
        last.kind,
        AwsErrorKind::Transient,
        "nothing was read: {last}"
    );
}
