//! What a fix may take: what auto-response leaves to people, what only a person can close, what is ignored.

use super::consent::{group, ingress};
use super::*;
use crate::controls::{IngressRule, IngressSource, PrefixList, WholePolicy};

const KIND: ViolationType = ViolationType::Ec2SgProhibitedPort;

fn with(port: i32, edit: impl FnOnce(&mut IngressRule)) -> (ViolationType, Change) {
    let (kind, Change::RevokeIngress(mut rule)) = ingress(port, "tcp") else {
        unreachable!("an ingress rule is revoked")
    };
    edit(&mut rule);
    (kind, Change::RevokeIngress(rule))
}

/// A broad range, which auto-response leaves to people.
fn broad(port: i32) -> (ViolationType, Change) {
    with(port, |rule| rule.is_left_to_people = true)
}

/// A reference to a list with other entries, of which a person takes out the open one.
fn by_hand(port: i32) -> (ViolationType, Change) {
    let list = PrefixList {
        id: "pl-1".to_owned(),
        open: ["0.0.0.0/0".to_owned()].into(),
        has_others: true,
    };
    with(port, |rule| rule.source = IngressSource::PrefixList(list))
}

fn told(
    finding: &Finding,
    by: Option<&str>,
    second: i64,
    outcome: Outcome,
    changes: &[(ViolationType, Change)],
) -> Option<Finding> {
    let changes = changes.iter().map(|(_, change)| change.clone()).collect();
    finding.reported(&report(finding, KIND, by, second, outcome, changes))
}

fn done(
    finding: &Finding,
    by: Option<&str>,
    second: i64,
    outcome: Outcome,
    changes: &[(ViolationType, Change)],
) -> Finding {
    told(finding, by, second, outcome, changes).unwrap()
}

#[test]
fn what_is_to_close_is_fixed_or_closed_by_hand() {
    let finding = group(&[ingress(22, "tcp"), by_hand(3306)]);
    assert_eq!(finding.to_fix(), [ingress(22, "tcp")]);
    assert_eq!(finding.by_hand(), [by_hand(3306).1]);
    assert_eq!(finding.to_close().len(), 2);
}

#[test]
fn only_what_auto_response_may_take_goes_back_to_it() {
    let all = [
        (vec![ingress(22, "tcp")], false, 1),
        (vec![broad(22)], true, 0),
        (vec![ingress(22, "tcp"), broad(3306)], false, 1),
        (Vec::new(), false, 0),
    ];
    for (changes, is_left, requests) in all {
        let finding = group(&changes);
        assert_eq!(finding.is_left_to_people(), is_left, "{changes:?}");
        assert_eq!(finding.auto_requests().len(), requests, "{changes:?}");
    }
    let unknown = Finding {
        plan: Plan::Unknown {
            reason: "denied".to_owned(),
            looking: false,
        },
        ..open()
    };
    assert_eq!(unknown.auto_requests().len(), 2, "a remediator looks");
    assert_eq!(fixed().auto_requests(), []);
}

#[test]
fn a_fix_can_be_asked_for_where_it_would_change_something() {
    let refused =
        |finding: &Finding, even_ignored, second| finding.can_fix(even_ignored, at(second)).err();
    assert_eq!(refused(&group(&[ingress(22, "tcp")]), false, 1), None);
    assert_eq!(
        refused(&group(&[by_hand(22)]), false, 1),
        Some(Refusal::ByHand)
    );
    assert_eq!(refused(&group(&[]), false, 1), Some(Refusal::NothingToFix));
    let ignored = open()
        .ignored_as_planned(alice(), at(1), Some(at(10)))
        .unwrap();
    assert!(matches!(
        refused(&ignored, false, 9),
        Some(Refusal::Ignored { .. })
    ));
    assert_eq!(refused(&ignored, true, 9), None);
    assert_eq!(refused(&ignored, false, 10), None, "its time is over");
    let compliant = ignored.complied_at(5).unwrap();
    assert_eq!(refused(&compliant, true, 9), Some(Refusal::Fixed));
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    assert_eq!(fixing.waits_since(), Some(at(10)));
    assert_eq!((open().waits_since(), fixed().waits_since()), (None, None));
    assert_eq!(undoing().waits_since(), Some(at(20)));
}

#[test]
fn a_request_waits_for_its_own_answer_only() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let fix = fixing.fix_requests().remove(0);
    assert!(fixing.waits_for(&fix));
    let undo = undoing().undo_request().unwrap();
    assert!(undoing().waits_for(&undo));
    // A fix that is waited for is no undo, and the other way round, whatever else they say.
    let as_undo = RemediationRequest {
        undo: undo.undo.clone(),
        ..fix.clone()
    };
    assert!(!fixing.waits_for(&as_undo));
    let as_fix = RemediationRequest {
        undo: Vec::new(),
        ..undo
    };
    assert!(!undoing().waits_for(&as_fix));
    assert!(!open().waits_for(&fix));
}

#[test]
fn a_finding_stays_open_where_auto_response_leaves_a_part() {
    let finding = group(&[ingress(22, "tcp"), broad(3306)]);
    let half = done(&finding, None, 5, Outcome::Fixed, &[ingress(22, "tcp")]);
    assert_eq!(half.state_name(at(6)), StateName::Open);
    assert_eq!(half.plan, known(&[broad(3306)]));
    assert_eq!(half.late.len(), 1, "it can be put back");
    assert_eq!(half.removed_at, Some(at(5)));
    assert_eq!(
        half.episode.thread[0].text,
        "revoked tcp 22 from 0.0.0.0/0 (sgr-22). The rest is left to people."
    );
    // A second delivery has done the same.
    let twice = told(&half, None, 6, Outcome::Fixed, &[ingress(22, "tcp")]);
    assert_eq!(twice, None);
    // By a person nothing is left.
    let by_a_person = finding.agreed_fix(alice(), false, at(2)).unwrap();
    let all = [ingress(22, "tcp"), broad(3306)];
    let fixed = done(&by_a_person, Some("U0ALICE"), 5, Outcome::Fixed, &all);
    assert_eq!(fixed.state_name(at(6)), StateName::Fixed);
}

#[test]
fn a_finding_is_open_again_where_a_person_s_fix_leaves_work_by_hand() {
    let finding = group(&[ingress(22, "tcp"), by_hand(3306)]);
    let fixing = finding.agreed_fix(alice(), false, at(2)).unwrap();
    let half = done(
        &fixing,
        Some("U0ALICE"),
        5,
        Outcome::Fixed,
        &[ingress(22, "tcp")],
    );
    assert_eq!(half.state, State::OPEN);
    assert_eq!(half.plan, known(&[by_hand(3306)]));
    // Without such work it is fixed.
    let fixing = group(&[ingress(22, "tcp")])
        .agreed_fix(alice(), false, at(2))
        .unwrap();
    let fixed = done(
        &fixing,
        Some("U0ALICE"),
        5,
        Outcome::Fixed,
        &[ingress(22, "tcp")],
    );
    assert_eq!(fixed.state_name(at(6)), StateName::Fixed);
}

#[test]
fn what_a_remediator_left_to_people_is_the_plan() {
    let finding = group(&[ingress(22, "tcp")]);
    let left = done(&finding, None, 5, Outcome::LeftToPeople, &[broad(3306)]);
    assert_eq!(left.state_name(at(6)), StateName::Open);
    assert_eq!(left.plan, known(&[broad(3306)]));
    let again = told(&left, None, 7, Outcome::LeftToPeople, &[broad(3306)]);
    assert_eq!(again, None, "it is known");
}

#[test]
fn a_part_that_is_ignored_stays_in_the_plan() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let ignored = group(std::slice::from_ref(&ssh))
        .ignored_as_planned(alice(), at(1), None)
        .unwrap();
    let both = known(&[ssh.clone(), mysql.clone(), broad(23)]);
    let beyond = ignored.looked_at(&both, at(3)).unwrap();
    let half = done(&beyond, None, 5, Outcome::Fixed, &[mysql]);
    assert_eq!(half.plan, known(&[ssh, broad(23)]));
}

#[test]
fn a_policy_stays_while_one_of_its_statements_is_ignored() {
    let kind = ViolationType::S3BucketPublicPolicy;
    let whole = (
        kind,
        Change::DeletePolicy(WholePolicy {
            policy: "{}".to_owned(),
        }),
    );
    let second = Change::RemoveStatement(PolicyStatement {
        index: 1,
        sid: None,
        statement: r#"{"Sid":"Second"}"#.to_owned(),
        limited_by: Vec::new(),
        is_unconfirmed: false,
    });
    let acl = (ViolationType::S3BucketPublicAcl, grant());
    let all = [
        acl.clone(),
        (kind, statement()),
        (kind, second.clone()),
        whole.clone(),
    ];
    let to_close = |ignored: (ViolationType, Change)| {
        let finding = Finding::open(breach(0), known(&[ignored]))
            .ignored_as_planned(alice(), at(1), None)
            .unwrap();
        finding.looked_at(&known(&all), at(2)).unwrap().to_close()
    };
    assert_eq!(
        to_close((kind, statement())),
        [acl.clone(), (kind, second.clone())]
    );
    assert_eq!(to_close(acl), [(kind, statement()), (kind, second), whole]);
}

#[test]
fn a_request_whose_plan_has_grown_ends_and_asks_again() {
    let plan = open().fix_plan().unwrap();
    let request = ActionRequest::Fix {
        even_ignored: false,
        plan: Some(plan.digest()),
    };
    assert_eq!(request.word(), "fix");
    let waiting = open()
        .approval_asked(alice(), request, Some(&plan), at(5))
        .unwrap();
    let ended = waiting.outgrown(&[grant()], at(6)).unwrap();
    assert_eq!(ended.episode.approval, None);
    assert!(matches!(
        ended.state,
        State::Open {
            asks_again: Some(_),
            ..
        }
    ));
    assert_eq!(open().outgrown(&[], at(6)), None, "nothing waits");
}

#[test]
fn a_compliant_finding_that_is_ignored_is_refused_as_ignored_first() {
    let compliant = open()
        .ignored_as_planned(alice(), at(1), None)
        .unwrap()
        .complied_at(5)
        .unwrap();
    let refused = compliant.can_fix(false, at(6));
    assert!(matches!(refused, Err(Refusal::Ignored { .. })));
}

#[test]
fn the_fix_of_a_compliant_finding_names_who_made_it() {
    let only = || group(&[ingress(22, "tcp")]);
    let external = only()
        .complied(&Breach {
            recorded_at: at(5),
            rule: only().rule,
            ..breach(5)
        })
        .unwrap();
    let by = |finding: &Finding| match &finding.state {
        State::Fixed { by, .. } => by.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(by(&external), Actor::External);
    let credited = done(&external, None, 4, Outcome::Fixed, &[ingress(22, "tcp")]);
    assert_eq!(by(&credited), Actor::AutoResponse);
    let found = done(&external, None, 6, Outcome::NothingToDo, &[]);
    assert_eq!(by(&found), Actor::External);
    let complied = |finding: &Finding| {
        let is_it = |event: &&(Timestamp, Actor, event::HistoryEvent)| {
            event.2 == event::HistoryEvent::Complied
        };
        finding.events.iter().filter(is_it).count()
    };
    assert_eq!(complied(&found), complied(&external), "it is told once");
    // Nor does it where a part was removed before.
    let mut partly = external.clone();
    partly.episode.removed = vec![ingress(23, "tcp").1];
    let found = done(&partly, None, 6, Outcome::NothingToDo, &[]);
    assert_eq!(by(&found), Actor::External);
    // A remediator that finds nothing to do in an open finding tells it.
    let clean = done(&only(), None, 6, Outcome::NothingToDo, &[]);
    assert_eq!((by(&clean), complied(&clean)), (Actor::External, 1));
}

#[test]
fn a_failure_is_told_again_where_time_and_reason_are_others() {
    let failed = |finding: &Finding, second, reason: &str| {
        let outcome = Outcome::Failed {
            reason: reason.to_owned(),
            advice: "allow it".to_owned(),
        };
        let finding = told(finding, None, second, outcome, &[])?;
        Some((finding.episode.thread.len(), finding))
    };
    let (replies, first) = failed(&group(&[ingress(22, "tcp")]), 5, "denied").unwrap();
    assert_eq!(replies, 1);
    assert_eq!(failed(&first, 6, "denied"), None);
    assert_eq!(failed(&first, 5, "throttled"), None, "the report is known");
    assert_eq!(failed(&first, 6, "throttled").unwrap().0, 2);
}

#[test]
fn a_report_is_late_when_its_episode_has_ended() {
    let second = Finding {
        episode: Episode::new(2, at(100)),
        ..group(&[ingress(22, "tcp")])
    };
    let removed = |finding: &Finding, reported_at| {
        let fixed = done(
            finding,
            None,
            reported_at,
            Outcome::Fixed,
            &[ingress(22, "tcp")],
        );
        (fixed.late.len(), fixed.episode.removed.len())
    };
    assert_eq!(removed(&second, 99), (1, 0));
    assert_eq!(removed(&second, 100), (0, 1));
    // There was no episode before the first.
    let first = Finding {
        episode: Episode::new(1, at(100)),
        ..second
    };
    assert_eq!(removed(&first, 99), (0, 1));
}

#[test]
fn a_late_announcement_tells_what_a_later_attempt_found_gone() {
    let kind = ViolationType::S3BucketPublicAcl;
    let late = |removed: Change| {
        let mut finding = open();
        finding.episode.remediated.insert(kind);
        finding.episode.removed = vec![removed];
        let begun = report(&finding, kind, None, 9, Outcome::Begun, vec![grant()]);
        let finding = finding.reported(&by(&Attempt::begin(), begun));
        finding.map(|finding| finding.episode.removed)
    };
    assert_eq!(late(statement()), Some(vec![statement(), grant()]));
    assert_eq!(late(grant()), None, "it is known");
}

#[test]
fn what_is_left_to_people_does_not_end_a_fix_that_is_under_way() {
    let fixing = group(&[ingress(22, "tcp"), broad(3306)])
        .agreed_fix(alice(), false, at(2))
        .unwrap();
    let left = told(&fixing, None, 5, Outcome::LeftToPeople, &[broad(3306)]);
    assert_eq!(left, None);
}

/// A finding whose fix Alice asked for and Bob approved.
fn approved(finding: &Finding) -> Finding {
    let plan = finding.fix_plan().unwrap();
    let request = ActionRequest::Fix {
        even_ignored: false,
        plan: Some(plan.digest()),
    };
    let waiting = finding.approval_asked(alice(), request, Some(&plan), at(5));
    let bob = Actor::User("U0BOB".to_owned());
    let digest = plan.digest();
    let approved = waiting
        .unwrap()
        .approved(&bob, Some(&digest), Some(&plan), at(6));
    approved.unwrap()
}

#[test]
fn what_was_approved_has_both_names_and_nothing_else_has() {
    let finding = group(&[ingress(22, "tcp")]);
    let bob = Some(Actor::User("U0BOB".to_owned()));
    let approved = approved(&finding);
    assert_eq!(approved.episode.approved_by, bob);
    let fixed = done(
        &approved,
        Some("U0ALICE"),
        8,
        Outcome::Fixed,
        &[ingress(22, "tcp")],
    );
    assert!(matches!(&fixed.state, State::Fixed { by, .. } if *by == alice()));
    assert_eq!(fixed.episode.approved_by, bob);
    // An undo that nobody had to approve, and that fails: the fix is no longer said to be approved by anybody.
    let undoing = fixed.agreed_undo(alice(), "the website is down", at(9));
    let given_up = undoing.unwrap().undo_not_queued(at(10));
    assert!(matches!(given_up.state, State::Fixed { .. }));
    assert_eq!(given_up.episode.approved_by, None);
    // The approved fix fails, and auto-response fixes it later.
    let denied = Outcome::Failed {
        reason: "denied".to_owned(),
        advice: "allow".to_owned(),
    };
    let failed = done(&approved, Some("U0ALICE"), 8, denied, &[]);
    assert!(matches!(failed.state, State::Open { .. }));
    let by_auto_response = done(&failed, None, 20, Outcome::Fixed, &[ingress(22, "tcp")]);
    let by = Actor::AutoResponse;
    assert!(
        matches!(&by_auto_response.state, State::Fixed { by: fixed_by, .. } if *fixed_by == by)
    );
    assert_eq!(by_auto_response.episode.approved_by, None);
}

#[test]
fn the_person_who_asked_is_told_of_a_decline() {
    let finding = group(&[ingress(22, "tcp")]);
    let plan = finding.fix_plan().unwrap();
    let request = ActionRequest::Fix {
        even_ignored: false,
        plan: Some(plan.digest()),
    };
    let waiting = finding.approval_asked(alice(), request, Some(&plan), at(5));
    let waiting = waiting.unwrap();
    let asked = waiting.episode.thread.last().unwrap();
    assert_eq!(asked.to, Some(Recipient::Operators));
    let told = |by: &Actor| {
        let declined = waiting.declined(by, at(6)).unwrap();
        declined.episode.thread.last().unwrap().to.clone()
    };
    let bob = Actor::User("U0BOB".to_owned());
    assert_eq!(told(&bob), Some(Recipient::Asker(alice())));
    assert_eq!(told(&alice()), None, "who takes it back knows");
}
