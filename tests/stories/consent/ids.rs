//! Ids: a request or report names the finding that its resource determines, and records of version 0.1
//! continue under their new ids.

use defendable::controls::Control;
use defendable::ids::{FindingId, RuleName};
use serde_json::{Value, json};

use super::{SSH, open_group};
use crate::support::slack::Message;
use crate::support::{
    ALICE, BOB, BOT_TOKEN, FAST, Options, World, because, eventually, finding_of_group, request,
    resource, several_ticks,
};

#[tokio::test]
async fn a_request_with_a_wrong_finding_id_is_parked_and_changes_nothing() {
    let world = World::seeded().await;
    let (ignored, id, message) = open_group(&world, "ignored").await;
    world.slack.click(ALICE, &message, "ignore").await;
    let option = json!({"text": {"type": "plain_text", "text": "7 days"}, "value": "7d"});
    let duration = json!({"duration": {"type": "static_select", "selected_option": option}});
    world
        .slack
        .submit(
            ALICE,
            json!({"duration": duration, "reason": because("Ticket 42")}),
        )
        .await;
    world
        .slack
        .finding_says(&ignored, "Ignored by <@U0ALICE>")
        .await;
    let (_, stranger, other) = open_group(&world, "stranger").await;

    let request = json!({"raisedByRule": "defendable-restricted-ports", "targetResourceId": ignored,
        "targetResourceType": "AWS::EC2::SecurityGroup", "awsRegion": "us-east-1", "findingId": stranger,
        "violationType": "EC2_SG_PROHIBITED_PORT", "violationDetails": {}});
    let report = json!({"remediationSource": "ec2-remediator", "resourceId": ignored,
        "resourceType": "AWS::EC2::SecurityGroup", "action": "RevokeSecurityGroupIngress", "message": "",
        "actionCompleteTime": jiff::Timestamp::now(), "awsAccountId": "123456789012", "outcome": "fixed",
        "changes": [], "request": request});
    world.aws.send("fix", &request).await;
    world
        .aws
        .send("ec2", &json!({"messageBody": request}))
        .await;
    world.aws.send("events", &report).await;
    for queue in ["fix", "ec2", "events"] {
        eventually(&format!("it is parked from {queue}"), async || {
            (world
                .aws
                .messages_in(&format!("{queue}-dead-letters"))
                .await
                == 1)
                .then_some(())
        })
        .await;
    }
    world
        .slack
        .channel_says(&format!(
            "it names the finding {stranger}, but is about {id}"
        ))
        .await;
    // A report about one resource that answers a request about another.
    let mut report = report;
    report["resourceId"] = json!("sg-elsewhere");
    report["request"]
        .as_object_mut()
        .unwrap()
        .remove("findingId");
    world.aws.send("events", &report).await;
    world
        .slack
        .channel_says(&format!(
            "it is of sg-elsewhere, but answers a request for {ignored}"
        ))
        .await;
    assert_eq!(world.aws.messages_in("events-dead-letters").await, 2);
    assert_eq!(world.aws.ingress(&ignored).await, [SSH]);
    assert!(
        world
            .slack
            .finding(&ignored)
            .await
            .words()
            .contains("Ignored by <@U0ALICE>")
    );
    assert_eq!(
        world.slack.finding("stranger").await.0,
        other.0,
        "the other finding stands as it was"
    );
}

#[tokio::test]
async fn a_wrong_finding_id_in_the_remediation_queue_is_parked_too() {
    let world = World::seeded_with(FAST).await;
    let (group, _, _) = open_group(&world, "strange").await;
    let request = json!({"raisedByRule": "defendable-restricted-ports", "targetResourceId": group,
        "targetResourceType": "AWS::EC2::SecurityGroup", "awsRegion": "us-east-1",
        "findingId": "f-000000000000", "violationType": "EC2_SG_PROHIBITED_PORT", "violationDetails": {}});
    world.aws.send("remediation", &request).await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world
        .slack
        .channel_says("it names the finding f-000000000000")
        .await;
    assert_eq!(world.aws.messages_in("remediation-dead-letters").await, 1);
}

const RULE: &str = "defendable-restricted-ports";

/// A finding as version 0.1 stored it, with its message and buttons.
struct Old {
    group: String,
    id: FindingId,
    message: Message,
}

fn change(group: &str) -> Value {
    json!({"change": "revokeIngress", "ruleId": format!("sgr-{}", &group[3..]), "protocol": "tcp",
        "fromPort": 22, "toPort": 22, "cidr": "0.0.0.0/0"})
}

async fn slack_api(world: &World, method: &str, body: &Value) -> Value {
    let headers = [
        ("authorization", format!("Bearer {BOT_TOKEN}")),
        ("content-type", "application/json; charset=utf-8".to_owned()),
    ];
    let url = format!("{}/api/{method}", world.slack.url());
    let (_, answer) = request("POST", &url, &headers, &body.to_string())
        .await
        .unwrap();
    serde_json::from_str(&answer).unwrap()
}

impl Old {
    /// Stores a finding with `state` and `removed` as version 0.1 wrote them. Where AWS Config was heard before it
    /// was stored, there is a finding of today's already: then another one is stored.
    async fn kept(world: &World, name: &str, state: Value, removed: Value) -> Self {
        for attempt in 0..5 {
            let name = format!("{name}-{attempt}");
            let old = Self::stored(world, &name, state.clone(), removed.clone()).await;
            if world
                .aws
                .finding(&finding_of_group(&old.group))
                .await
                .is_none()
            {
                return old;
            }
        }
        panic!("AWS Config is always heard first");
    }

    async fn stored(world: &World, name: &str, state: Value, removed: Value) -> Self {
        let group = world.aws.create_group(name).await;
        let is_open = removed == json!([]);
        if is_open {
            // The group opens at once; otherwise AWS Config would report it as compliant first.
            world.aws.open_port(&group, 22).await;
        }
        let address = resource(Control::IngressProhibitedPorts, &group);
        let id = FindingId::of_rule(&RULE.parse::<RuleName>().unwrap(), &address);
        let button = json!({"type": "button", "action_id": "fix", "value": id,
            "text": {"type": "plain_text", "text": "Fix"}});
        let text = format!("Security group {group} is open to the internet. Finding `{id}`");
        let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "actions", "elements": [button]}]);
        let posted = slack_api(
            world,
            "chat.postMessage",
            &json!({"channel": "C0ALERTS", "text": text, "blocks": blocks}),
        )
        .await;
        let ts = posted["ts"].as_str().unwrap().to_owned();
        let begun = "2026-01-01T00:00:00Z";
        let plan = if is_open {
            json!({"kind": "known", "changes": [["EC2_SG_PROHIBITED_PORT", change(&group)]]})
        } else {
            json!({"kind": "known", "changes": []})
        };
        let name_of_state = state["name"].as_str().unwrap().to_owned();
        let since = state["since"]
            .as_str()
            .or(state["at"].as_str())
            .unwrap_or(begun);
        let finding = json!({"id": id, "rule": RULE, "resource": address, "resourceName": name,
            "annotation": "Open to the internet.", "severity": "high", "state": state, "plan": plan, "episode": 1,
            "openedAt": begun, "recordedAt": begun, "removed": removed, "begun": [], "mended": [], "reports": [],
            "thread": []});
        let shown =
            json!({"channel": "C0ALERTS", "ts": ts, "episode": 1, "version": 1, "replies": 0});
        let item = json!({"pk": format!("FINDING#{id}"), "sk": "FINDING", "finding": finding, "version": 1,
            "news": 1, "newsOf": 1, "state": name_of_state, "stateSince": since, "shown": shown});
        world.aws.put_item(&item).await;
        let message = world
            .slack
            .messages()
            .await
            .into_iter()
            .find(|message| message.ts() == ts)
            .unwrap();
        Self { group, id, message }
    }
}

#[tokio::test]
async fn a_finding_of_the_previous_version_continues_under_its_new_id() {
    // Housekeeping must not run between a record and its check.
    let variables = &[("DEFENDABLE_SCHEDULE_SECONDS", "15")];
    let world = World::seeded_with(Options {
        variables,
        ..Options::default()
    })
    .await;
    let now = jiff::Timestamp::now();
    let alice = json!({"kind": "user", "id": ALICE});
    let ignored =
        json!({"name": "ignored", "by": alice, "since": now, "until": null, "reason": "Ticket 42"});
    let fixing = json!({"name": "fixing", "askedBy": alice, "since": now, "failure": null,
        "waitingFor": ["EC2_SG_PROHIBITED_PORT"]});
    let fixed = json!({"name": "fixed", "by": alice, "at": now});
    let open = json!({"name": "open", "lastFailure": null});
    let ignored = Old::kept(&world, "ignored", ignored, json!([])).await;
    let fixing = Old::kept(&world, "fixing", fixing, json!([])).await;
    let fixed = Old::kept(&world, "fixed", fixed, json!([change("sg-fixed")])).await;
    let queued = Old::kept(&world, "queued", open.clone(), json!([])).await;
    let pressed = Old::kept(&world, "pressed", open, json!([])).await;

    // Ignored: it stays ignored, for what its plan said.
    let message = world
        .slack
        .finding_says(&ignored.group, "Ignored by <@U0ALICE>")
        .await;
    assert_eq!(message.ts(), ignored.message.ts());
    assert_eq!(
        message.finding_id(),
        finding_of_group(&ignored.group).as_str()
    );
    // Fixing: the request does not say which plan was agreed to.
    let request = json!({"raisedByRule": RULE, "targetResourceId": fixing.group, "findingId": fixing.id,
        "targetResourceType": "AWS::EC2::SecurityGroup", "awsRegion": "us-east-1", "askedAt": now,
        "violationType": "EC2_SG_PROHIBITED_PORT", "violationDetails": {}, "requestedBy": ALICE});
    world.aws.send("fix", &request).await;
    let asks = world
        .slack
        .finding_says(&fixing.group, "did not say which plan was agreed to")
        .await;
    assert!(
        asks.button("fix").unwrap()["value"]
            .as_str()
            .unwrap()
            .contains(" p-")
    );
    // A button of version 0.1 shows the plan, and asks.
    world.slack.click(ALICE, &pressed.message, "fix").await;
    let asked = world.slack.is_told(ALICE, "will\n• revoke tcp 22").await;
    several_ticks().await;
    for old in [&ignored, &fixing, &queued, &pressed] {
        assert_eq!(
            world.aws.ingress(&old.group).await,
            [SSH],
            "nothing was changed"
        );
    }
    world.slack.click(ALICE, &asked, "fix").await;
    let done = world
        .slack
        .finding_says(&pressed.group, "Fixed by <@U0ALICE>")
        .await;
    assert_eq!(done.ts(), pressed.message.ts());

    // Fixed: it can be undone by its old id.
    world
        .slack
        .command(ALICE, &format!("undo {}", fixed.id))
        .await;
    world
        .slack
        .submit(ALICE, json!({"reason": because("The build fails")}))
        .await;
    world
        .slack
        .finding_says(&fixed.group, "Ignored by <@U0ALICE>")
        .await;
    assert_eq!(world.aws.ingress(&fixed.group).await, [SSH]);
    let story = world
        .slack
        .command(BOB, &format!("show {}", fixed.id))
        .await
        .words();
    assert!(
        story.contains("undid the fix") && story.contains(finding_of_group(&fixed.group).as_str())
    );

    // A request with the old id is accepted.
    let mut request = request;
    (request["targetResourceId"], request["findingId"]) = (json!(queued.group), json!(queued.id));
    world.aws.send("remediation", &request).await;
    let asked = world.slack.command(ALICE, "autoresponse on").await;
    world.slack.click(ALICE, &asked, "autoresponse_on").await;
    world
        .slack
        .finding_says(&queued.group, "Fixed by auto-response")
        .await;
    several_ticks().await;
    assert_eq!(world.aws.messages_in("remediation-dead-letters").await, 0);
    assert_eq!(
        world.aws.ingress(&ignored.group).await,
        [SSH],
        "it is ignored"
    );
}
