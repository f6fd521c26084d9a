//! Undo: what was removed is put back exactly, or nothing is.

use defendable::finding::{Actor, Finding};
use defendable::ids::FindingId;
use defendable::store::Changed;
use serde_json::json;

use crate::faults::cell::{PUBLIC_POLICY, create_bucket};
use crate::support::fault_proxy::Fault;
use crate::support::installation::Installation;
use crate::support::slack::Message;
use crate::support::{
    ALICE, BOB, FAST, World, because, eventually, finding_of_bucket, finding_of_group, removed,
    several_ticks,
};

async fn fix(world: &World, resource: &str) -> Message {
    let message = world.slack.finding(resource).await;
    world.slack.click(ALICE, &message, "fix").await;
    world
        .slack
        .finding_says(resource, "Fixed by <@U0ALICE>")
        .await;
    // AWS Config may have reported the compliance before the remediator's report.
    world.slack.finding_says(resource, "*What was done*").await
}

async fn undo(world: &World, message: &Message, reason: &str) {
    world.slack.click(ALICE, message, "undo").await;
    world
        .slack
        .submit(ALICE, json!({"reason": because(reason)}))
        .await;
}

#[tokio::test]
async fn an_undo_opens_the_range_again_and_auto_response_leaves_it_open() {
    let world = World::seeded_with(FAST).await;
    let group = world.aws.group_id("batch-workers").await;
    let (before, descriptions) = (
        world.aws.ingress(&group).await,
        world.aws.descriptions(&group).await,
    );
    let fixed = fix(&world, &group).await;
    assert_ne!(world.aws.ingress(&group).await, before);
    world.slack.click(ALICE, &fixed, "undo").await;
    world
        .slack
        .modal_says("tcp 1024-65535 is reachable from 0.0.0.0/0 again")
        .await;

    undo(&world, &fixed, "The workers stand still <!channel>").await;
    let undone = world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    assert_eq!(undone.ts(), fixed.ts());
    assert!(
        undone.words().contains("stand still &lt;!channel&gt;") && undone.button("undo").is_none()
    );
    assert_eq!(world.aws.ingress(&group).await, before);
    assert_eq!(world.aws.descriptions(&group).await, descriptions);
    eventually("the thread tells of it", async || {
        let thread = world.slack.thread(&undone).await;
        thread
            .iter()
            .any(|reply| reply.words().contains("undid the fix"))
            .then_some(())
    })
    .await;

    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world
        .slack
        .finding_says("defendable-demo-website", "Fixed by auto-response")
        .await;
    several_ticks().await;
    assert_eq!(
        world.aws.ingress(&group).await,
        before,
        "auto-response does not undo the undo"
    );
}

#[tokio::test]
async fn grants_and_statements_come_back_to_their_places() {
    let world = World::seeded().await;
    let (downloads, website) = ("defendable-demo-downloads", "defendable-demo-website");
    let mut grants = world.aws.grants(downloads).await;
    let policy = world.aws.policy(website).await.unwrap();
    for bucket in [downloads, website] {
        let fixed = fix(&world, bucket).await;
        let asked = world
            .slack
            .command(ALICE, &format!("undo {}", fixed.finding_id()))
            .await;
        assert!(asked.words().contains("Tell me why"), "{}", asked.words());
        world
            .slack
            .submit(
                ALICE,
                json!({"reason": because("It is meant to be public")}),
            )
            .await;
        world
            .slack
            .finding_says(bucket, "Ignored by <@U0ALICE>")
            .await;
    }
    let mut back = world.aws.grants(downloads).await;
    grants.sort();
    back.sort();
    assert_eq!(back, grants);
    let parsed = |policy: &str| serde_json::from_str::<serde_json::Value>(policy).unwrap();
    assert_eq!(
        parsed(&world.aws.policy(website).await.unwrap()),
        parsed(&policy)
    );
}

#[tokio::test]
async fn an_undo_of_what_somebody_has_changed_does_nothing_and_says_what_differs() {
    let world = World::seeded().await;
    let website = "defendable-demo-website";
    let fixed = fix(&world, website).await;
    let rest = world.aws.policy(website).await.unwrap();
    let changed = rest.replacen("\"Sid\":\"Deployments\"", "\"Sid\":\"Everybody\"", 1);
    assert_ne!(changed, rest);
    world.aws.set_policy(website, &changed).await;

    world.slack.click(BOB, &fixed, "undo").await;
    world.slack.is_told(BOB, "not an operator").await;
    world.slack.click(ALICE, &fixed, "undo").await;
    world.slack.submit(ALICE, json!({})).await;
    world.slack.is_told(ALICE, "Nothing is undone").await;
    undo(&world, &fixed, "It is meant to be public").await;
    let refused = world.slack.finding_says(website, "*Not undone:*").await;
    assert!(
        refused.words().contains("another statement \"Everybody\""),
        "{}",
        refused.words()
    );
    assert!(refused.words().contains("Fixed by <@U0ALICE>") && refused.button("undo").is_some());
    assert_eq!(world.aws.policy(website).await.unwrap(), changed);

    let open = world
        .slack
        .finding("defendable-demo-downloads")
        .await
        .finding_id();
    assert!(
        world
            .slack
            .command(ALICE, &format!("undo {open}"))
            .await
            .words()
            .contains("not fixed")
    );
    assert!(
        world
            .slack
            .command(BOB, &format!("undo {open}"))
            .await
            .words()
            .contains("not an operator")
    );
}

#[tokio::test]
async fn a_sender_to_a_queue_cannot_open_anything() {
    let world = World::seeded_with(FAST).await;
    let group = world.aws.group_id("batch-workers").await;
    let fixed = fix(&world, &group).await;
    let closed = world.aws.ingress(&group).await;
    let range = json!({"change": "revokeIngress", "ruleId": "sgr-1", "protocol": "-1", "fromPort": -1, "toPort": -1,
        "cidr": "0.0.0.0/0"});
    let request = json!({"raisedByRule": "defendable-restricted-ports", "targetResourceId": group,
        "targetResourceType": "AWS::EC2::SecurityGroup", "awsRegion": "us-east-1",
        "violationType": "EC2_SG_PROHIBITED_PORT", "findingId": fixed.finding_id(), "requestedBy": ALICE,
        "askedAt": "2026-01-01T00:00:00Z", "undo": [range.clone()]});
    world.aws.send("fix", &request).await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world.aws.send("remediation", &request).await;
    world.slack.channel_says("only people may undo").await;
    // Auto-response fixes the other group in the meantime.
    eventually("the queues are empty", async || {
        let waiting = world.aws.messages_in("fix").await + world.aws.messages_in("ec2").await;
        (waiting == 0).then_some(())
    })
    .await;
    assert_eq!(world.aws.ingress(&group).await, closed);

    // A request that names the plan of the undo opens nothing either, even while a person waits for that undo.
    let id = finding_of_group(&group);
    let undo = |finding: &Finding| {
        let plan = finding.undo_plan().unwrap().digest();
        let now = jiff::Timestamp::now();
        finding.undo_asked(
            Actor::User(ALICE.to_owned()),
            &plan,
            "The build fails".to_owned(),
            now,
        )
    };
    let foreign = async || {
        let asked = world.aws.table().change_existing(&id, undo).await.unwrap();
        let Changed::Yes(record) = asked else {
            panic!("it can be undone")
        };
        let mut request = json!(record.finding.undo_request().unwrap());
        assert!(
            request["plan"].as_str().unwrap().starts_with("p-"),
            "{request}"
        );
        request["undo"] = json!([range]);
        request
    };
    world
        .aws
        .send("ec2", &json!({"messageBody": foreign().await}))
        .await;
    world
        .slack
        .finding_says(&group, "it is not known which plan was agreed to")
        .await;
    assert_eq!(world.aws.ingress(&group).await, closed);
    // The coordinator takes what is put back from the finding, whatever a request says.
    world.aws.send("fix", &foreign().await).await;
    world
        .slack
        .finding_says(&group, "Ignored by <@U0ALICE>")
        .await;
    let open = world.aws.ingress(&group).await;
    assert!(
        open.len() == closed.len() + 1 && open.contains(&"tcp 1024-65535 0.0.0.0/0".to_owned()),
        "{open:?}"
    );
}

/// Made public by its ACL and by its policy.
async fn publish(world: &Installation, bucket: &str) {
    create_bucket(world, bucket, &[]).await;
    world
        .aws
        .set_acl(bucket, aws_sdk_s3::types::BucketCannedAcl::PublicRead)
        .await;
    world
        .aws
        .set_policy(bucket, &PUBLIC_POLICY.replace("BUCKET", bucket))
        .await;
}

#[tokio::test]
async fn an_undo_that_fails_in_a_digest_is_told_to_the_person_who_asked() {
    let world = Installation::start(&[], Vec::new()).await;
    for number in 0..6 {
        publish(&world, &format!("storm-{number}")).await;
    }
    let digest = world
        .slack
        .channel_says("*1 more finding within a short time*")
        .await;
    let words = digest.words();
    let id: FindingId = words
        .split('`')
        .find(|part| part.starts_with("f-"))
        .unwrap()
        .parse()
        .unwrap();
    let bucket = world.aws.finding(&id).await.unwrap()["finding"]["resource"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let asked = world.slack.command(ALICE, &format!("fix {id}")).await;
    world.slack.click(ALICE, &asked, "fix").await;
    eventually("the fix has reported back", async || {
        (removed(&world.aws.finding(&id).await?) == 2).then_some(())
    })
    .await;
    world
        .aws
        .set_policy(
            &bucket,
            &world
                .aws
                .policy(&bucket)
                .await
                .unwrap()
                .replace("Team", "Everybody"),
        )
        .await;
    let left = (
        world.aws.grants(&bucket).await,
        world.aws.policy(&bucket).await,
    );

    world.slack.command(ALICE, &format!("undo {id}")).await;
    world
        .slack
        .submit(ALICE, json!({"reason": because("The build fails")}))
        .await;
    let told = world.slack.is_told(ALICE, "not undone: ").await.words();
    assert!(
        told.contains(id.as_str()) && told.contains("another statement \"Everybody\""),
        "{told}"
    );
    assert_eq!(
        (
            world.aws.grants(&bucket).await,
            world.aws.policy(&bucket).await
        ),
        left
    );
    let shown = world
        .slack
        .command(BOB, &format!("show {id}"))
        .await
        .words();
    assert!(
        shown.contains("Fixed by <@U0ALICE>") && shown.contains("*Not undone:*"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_partial_undo_says_what_is_open_again_and_what_is_not() {
    let world = Installation::start(&[], Vec::new()).await;
    let bucket = "half";
    publish(&world, bucket).await;
    let message = world.slack.finding_says(bucket, "• remove").await;
    world.slack.click(ALICE, &message, "fix").await;
    let id = finding_of_bucket(bucket);
    eventually("the fix has reported back", async || {
        (removed(&world.aws.finding(&id).await?) == 2).then_some(())
    })
    .await;
    let fixed = world.slack.finding_says(bucket, "*What was done*").await;
    let denied = world
        .to_aws
        .inject("s3:PUT policy", bucket, Fault::Denied, 0, 1);
    world.slack.click(ALICE, &fixed, "undo").await;
    world
        .slack
        .submit(ALICE, json!({"reason": because("The site is down")}))
        .await;
    let told = world
        .slack
        .is_told(ALICE, "undone in part. The rest was not put back: ")
        .await;
    assert_eq!(world.to_aws.hits(denied), 1, "{}", told.words());
    assert_eq!(world.aws.grants(bucket).await.len(), 2, "the grant is back");
    assert!(
        !world
            .aws
            .policy(bucket)
            .await
            .unwrap()
            .contains("Everybody"),
        "the statement is not"
    );
    let shown = world
        .slack
        .finding_says(bucket, "the rest was not put back: ")
        .await;
    assert!(
        shown.words().contains("Ignored by <@U0ALICE>"),
        "{}",
        shown.words()
    );

    // The rest can be put back later.
    world.slack.click(ALICE, &shown, "undo").await;
    let asked = world.slack.modal().await;
    world
        .slack
        .submit(ALICE, json!({"reason": because("The site is still down")}))
        .await;
    eventually("the statement is back", async || {
        world
            .aws
            .policy(bucket)
            .await?
            .contains("Everybody")
            .then_some(())
    })
    .await;
    assert!(
        asked.contains("Everybody") && !asked.contains("AllUsers"),
        "only the rest: {asked}"
    );
    world.slack.is_told(ALICE, "the fix was undone").await;
}
