//! What a yes covers, what an ignore covers, what several rules say.

use super::*;
use crate::controls::{AgreedPlan, Direction, IngressRule, IngressSource};

pub(super) fn ingress(port: i32, protocol: &str) -> (ViolationType, Change) {
    let range = IngressRule {
        rule_id: format!("sgr-{port}"),
        protocol: protocol.to_owned(),
        from_port: Some(port),
        to_port: Some(port),
        source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
        description: None,
        is_left_to_people: false,
    };
    (
        ViolationType::Ec2SgProhibitedPort,
        Change::RevokeIngress(range),
    )
}

/// A security group that opens something.
pub(super) fn group(changes: &[(ViolationType, Change)]) -> Finding {
    let mut breach = breach(0);
    breach.resource.resource_type = ResourceType::SECURITY_GROUP.parse().unwrap();
    breach.control = Some(Control::IngressProhibitedPorts);
    Finding::open(breach, known(changes))
}

#[test]
fn an_ignore_covers_what_was_ignored_and_no_more() {
    let (ssh, every) = (ingress(22, "tcp"), ingress(-1, "-1"));
    let ignored = group(std::slice::from_ref(&ssh))
        .ignored_as_planned(alice(), at(1), None)
        .unwrap();
    let same = ignored
        .looked_at(&known(std::slice::from_ref(&ssh)), at(2))
        .unwrap();
    assert_eq!(same.state, ignored.state);
    let opened = ignored
        .looked_at(&known(&[ssh.clone(), every.clone()]), at(3))
        .unwrap();
    assert_eq!(
        (opened.state_name(at(3)), opened.episode.number),
        (StateName::Open, 1)
    );
    assert_eq!(
        (opened.to_fix(), opened.left_alone()),
        (vec![every.clone()], vec![&ssh.1])
    );
    assert!(
        opened
            .episode
            .thread
            .last()
            .unwrap()
            .text
            .contains("all traffic is reachable from 0.0.0.0/0")
    );
    // The fix of what is new leaves the rest, and then all that is open is ignored again.
    let fixing = opened.agreed_fix(alice(), false, at(4)).unwrap();
    let kind = ViolationType::Ec2SgProhibitedPort;
    let done = report(
        &fixing,
        kind,
        Some("U0ALICE"),
        5,
        Outcome::Fixed,
        vec![every.1.clone()],
    );
    let fixed = fixing.reported(&done).unwrap();
    assert_eq!(
        (fixed.state_name(at(6)), &fixed.plan),
        (StateName::Ignored, &known(std::slice::from_ref(&ssh)))
    );
    assert_eq!(
        (fixed.episode.removed.as_slice(), fixed.can_undo(at(7))),
        ([every.1.clone()].as_slice(), Ok(()))
    );
    // Every protocol includes what was ignored before: a wider ignore covers a narrower opening.
    let wide = group(&[every])
        .ignored_as_planned(alice(), at(1), None)
        .unwrap();
    let narrow = wide.looked_at(&known(&[ssh]), at(2)).unwrap();
    assert_eq!(narrow.state_name(at(3)), StateName::Ignored);
}

#[test]
fn the_annotation_is_shown_until_something_else_is_open() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let said = Some("Open to the internet: tcp 22".to_owned());
    let finding = Finding {
        annotation: said.clone(),
        ..group(std::slice::from_ref(&ssh))
    };
    let after = |changes: &[(ViolationType, Change)]| {
        finding
            .looked_at(&known(changes), at(2))
            .map(|finding| finding.annotation)
    };
    assert_eq!(after(std::slice::from_ref(&ssh)), Some(said.clone()));
    assert_eq!(
        after(&[]),
        Some(said),
        "nothing else says why it is a finding"
    );
    assert_eq!(after(&[ssh, mysql]), Some(None));
}

#[test]
fn an_ignore_of_version_0_1_covers_what_its_plan_said() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let mut old = group(std::slice::from_ref(&ssh))
        .ignored_as_planned(alice(), at(1), None)
        .unwrap();
    let State::Ignored { covers, .. } = &mut old.state else {
        panic!()
    };
    *covers = None;
    let opened = old
        .looked_at(&known(&[ssh.clone(), mysql.clone()]), at(2))
        .unwrap();
    assert_eq!(
        (opened.state_name(at(2)), opened.to_fix()),
        (StateName::Open, vec![mysql])
    );
}

#[test]
fn a_tag_covers_the_resource_and_its_thread_tells_once_that_it_is_worse() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let tagged = group(std::slice::from_ref(&ssh))
        .tagged("by design", at(1))
        .unwrap();
    let mut worse = tagged.looked_at(&known(&[ssh, mysql]), at(2)).unwrap();
    assert_eq!(worse.state_name(at(2)), StateName::Ignored);
    let told = worse.episode.thread.len();
    worse.tell_of_worse(Severity::Critical);
    worse.tell_of_worse(Severity::Critical);
    assert_eq!(worse.episode.thread.len(), told + 1);
}

#[test]
fn a_deleted_resource_ends_its_finding_in_every_state() {
    let tagged = open().tagged("by design", at(1)).unwrap();
    let ignored = open().ignored_as_planned(alice(), at(1), None).unwrap();
    for finding in [open(), tagged, ignored, fixed()] {
        let deleted = finding.deleted(at(50)).unwrap();
        assert_eq!(
            (&deleted.state, deleted.state_name(at(51))),
            (&State::Deleted { at: at(50) }, StateName::Deleted)
        );
        assert!(deleted.to_fix().is_empty() && deleted.deleted(at(51)).is_none());
        let again = deleted.breached(&breach(60), &plan(), at(60)).unwrap();
        assert_eq!(
            (again.state_name(at(60)), again.episode.number),
            (StateName::Open, 2),
            "a bucket of that name again"
        );
    }
}

#[test]
fn after_three_fixes_within_a_day_of_the_same_exposure_people_are_asked() {
    let kind = ViolationType::S3BucketPublicAcl;
    let only = known(&[(kind, grant())]);
    let mut finding = Finding::open(breach(0), only.clone());
    for round in 0..3 {
        assert!(!finding.is_contested(at(round * 100)), "{round}");
        let fixed = report(
            &finding,
            kind,
            None,
            round * 100 + 10,
            Outcome::Fixed,
            vec![grant()],
        );
        finding = finding
            .reported(&fixed)
            .unwrap()
            .complied_at(round * 100 + 20)
            .unwrap();
        finding = finding
            .breached(&breach(round * 100 + 30), &only, at(round * 100 + 30))
            .unwrap();
    }
    assert!(finding.is_contested(at(240)) && !finding.is_contested(at(240 + 24 * 3600)));
    let other = known(&[(ViolationType::S3BucketPublicPolicy, statement())]);
    assert!(
        !finding
            .looked_at(&other, at(241))
            .unwrap()
            .is_contested(at(242)),
        "another exposure"
    );
}

#[test]
fn consent_to_less_than_the_plan_changes_nothing_and_asks_again() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let seen = group(std::slice::from_ref(&ssh)).fix_plan().unwrap();
    let grown = group(&[ssh.clone(), mysql.clone()]);
    let refused = grown.fix_asked(alice(), &seen, false, at(1));
    assert_eq!(
        refused,
        Err(Refusal::Grown {
            new: vec![mysql.1.clone()]
        })
    );
    let asks = grown
        .has_grown(alice(), std::slice::from_ref(&mysql.1), at(2))
        .unwrap();
    assert!(
        matches!(&asks.state, State::Open { asks_again: Some(again), .. } if again.by == alice())
    );
    // What has gone meanwhile is left out; a plan of something else is none.
    let both = grown.fix_plan().unwrap();
    assert!(
        group(std::slice::from_ref(&ssh))
            .fix_asked(alice(), &both, false, at(3))
            .is_ok()
    );
    let mut elsewhere = both.clone();
    elsewhere.resource.id = "sg-other".parse().unwrap();
    assert_eq!(
        grown.fix_asked(alice(), &elsewhere, false, at(3)),
        Err(Refusal::PlanNotKnown)
    );
    let undo = AgreedPlan {
        direction: Direction::Undo,
        ..both
    };
    assert_eq!(
        grown.fix_asked(alice(), &undo, false, at(3)),
        Err(Refusal::PlanNotKnown)
    );
}

#[test]
fn a_finding_is_over_when_no_rule_complains() {
    let of = |rule: &str, second| Breach {
        rule: rule.parse().unwrap(),
        ..breach(second)
    };
    let both = open()
        .breached(&of("restricted-ssh", 10), &plan(), at(10))
        .unwrap();
    let one = both.complied(&of("s3-public-access", 20)).unwrap();
    assert_eq!(one.state_name(at(20)), StateName::Open);
    // An older event of the other rule counts: each rule has its own order.
    let none = one.complied(&of("restricted-ssh", 15)).unwrap();
    assert_eq!(none.state_name(at(21)), StateName::Fixed);
    assert_eq!(
        one.complied(&of("restricted-ssh", 10)),
        None,
        "it says nothing new"
    );
}

#[test]
fn an_ignore_ends_by_itself_by_hand_or_never() {
    let ignored = open()
        .ignored_as_planned(alice(), at(0), Some(at(100)))
        .unwrap();
    assert!(matches!(
        ignored.agreed_fix(alice(), false, at(50)),
        Err(Refusal::Ignored { .. })
    ));
    assert_eq!(
        ignored
            .agreed_fix(alice(), true, at(50))
            .unwrap()
            .state_name(at(50)),
        StateName::Fixing
    );
    assert_eq!(ignored.ignore_expired(at(99)), None);
    assert_eq!(
        (ignored.state_name(at(99)), ignored.state_name(at(100))),
        (StateName::Ignored, StateName::Open)
    );
    assert_eq!(
        ignored.ignore_expired(at(100)).unwrap().state_name(at(100)),
        StateName::Open
    );
    assert_eq!(
        ignored
            .unignored(&alice(), at(1))
            .unwrap()
            .state_name(at(1)),
        StateName::Open
    );
    assert_eq!(open().unignored(&alice(), at(1)), Err(Refusal::NotIgnored));
    let tagged = open().tagged("ticket 42", at(1)).unwrap();
    assert_eq!(
        tagged.unignored(&alice(), at(2)),
        Err(Refusal::IgnoredByTag)
    );
    let compliant = ignored.complied_at(50).unwrap();
    assert_eq!(
        compliant.state_name(at(51)),
        StateName::Ignored,
        "it may break again while it is ignored"
    );
    assert_eq!(
        compliant
            .ignore_expired(at(100))
            .unwrap()
            .state_name(at(100)),
        StateName::Fixed
    );
    let broken = compliant.breached(&breach(60), &plan(), at(60)).unwrap();
    assert_eq!(
        broken.ignore_expired(at(100)).unwrap().state_name(at(100)),
        StateName::Open
    );
    let forever = open().ignored_as_planned(alice(), at(0), None).unwrap();
    assert_eq!(forever.ignore_expired(at(1_000_000_000)), None);
}

#[test]
fn each_ignore_covers_its_own_part_until_its_own_end() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let both = known(&[ssh.clone(), mysql.clone()]);
    let ignored = group(std::slice::from_ref(&ssh))
        .ignored_as_planned(alice(), at(1), Some(at(100)))
        .unwrap();
    let opened = ignored.looked_at(&both, at(2)).unwrap();
    let bob = Actor::User("U0BOB".to_owned());
    let all = opened
        .ignored_as_planned(bob, at(3), Some(at(1000)))
        .unwrap();
    assert_eq!(
        (all.state_name(at(4)), all.ignores(at(4)).len()),
        (StateName::Ignored, 2)
    );
    assert_eq!(all.ignore_expired(at(99)), None);
    let one = all.ignore_expired(at(100)).unwrap();
    assert_eq!(
        one.state_name(at(100)),
        StateName::Open,
        "what alice ignored is open"
    );
    assert_eq!(
        (one.to_fix(), one.left_alone()),
        (vec![ssh], vec![&mysql.1])
    );
    let none = one.ignore_expired(at(1000)).unwrap();
    assert_eq!((none.to_fix().len(), none.episode.left), (2, None));
    // An ignore of the same part takes the place of the one before.
    let longer = ignored.ignored(
        alice(),
        at(5),
        None,
        "for good".to_owned(),
        ignored.covered(at(5)).unwrap(),
    );
    assert_eq!(longer.unwrap().ignores(at(6)).len(), 1);
}

#[test]
fn a_finding_is_ignored_again_once_only_its_ignored_part_is_open() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let ignored = group(std::slice::from_ref(&ssh))
        .ignored_as_planned(alice(), at(1), None)
        .unwrap();
    let both = known(&[ssh.clone(), mysql]);
    let opened = ignored.looked_at(&both, at(2)).unwrap();
    assert_eq!(opened.state_name(at(2)), StateName::Open);
    let state = |plan: &Plan| opened.looked_at(plan, at(3)).unwrap().state_name(at(3));
    assert_eq!(state(&known(&[ssh])), StateName::Ignored);
    assert_eq!(state(&both), StateName::Open, "the rest is open yet");
    assert_eq!(state(&known(&[])), StateName::Open, "nothing is ignored");
    let unignored = opened.unignored(&alice(), at(4)).unwrap();
    assert_eq!(
        (unignored.state_name(at(4)), unignored.episode.left),
        (StateName::Open, None)
    );
}

#[test]
fn an_ignore_that_lasts_takes_the_place_of_the_one_that_has_ended() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let longer = group(std::slice::from_ref(&mysql))
        .ignored_as_planned(alice(), at(1), Some(at(1000)))
        .unwrap();
    let opened = longer
        .looked_at(&known(&[ssh, mysql.clone()]), at(2))
        .unwrap();
    let bob = Actor::User("U0BOB".to_owned());
    let both = opened
        .ignored_as_planned(bob, at(3), Some(at(100)))
        .unwrap();
    let closed = both.looked_at(&known(&[mysql]), at(4)).unwrap();
    let ended = closed.ignore_expired(at(100)).unwrap();
    assert!(
        matches!(&ended.state, State::Ignored { by, until, .. }
            if *by == alice() && *until == Some(at(1000))),
        "{:?}",
        ended.state
    );
    assert_eq!((ended.episode.left, ended.episode.beside), (None, vec![]));
}

#[test]
fn a_tag_of_version_0_1_covers_the_resource_too() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let mut old = group(std::slice::from_ref(&ssh))
        .tagged("by design", at(1))
        .unwrap();
    let State::Ignored { covers, .. } = &mut old.state else {
        panic!()
    };
    *covers = None;
    let worse = old.looked_at(&known(&[ssh, mysql]), at(2)).unwrap();
    assert_eq!(worse.state_name(at(2)), StateName::Ignored);
}

#[test]
fn an_ignore_without_a_plan_covers_what_is_ignored_already_and_no_more() {
    let ssh = ingress(22, "tcp");
    let shown = group(std::slice::from_ref(&ssh));
    assert_eq!(
        shown.covers_unseen(),
        Err(Refusal::PlanNotKnown),
        "it is known what is open, and was not shown"
    );
    let unknown = Plan::Unknown {
        reason: "denied".to_owned(),
        looking: false,
    };
    let unseen = Finding {
        plan: unknown,
        ..shown.clone()
    };
    assert_eq!(unseen.covers_unseen(), Ok(Covers::Resource));
    let clean = Finding {
        plan: known(&[]),
        ..shown.clone()
    };
    assert_eq!(clean.covers_unseen(), Err(Refusal::NothingToFix));
    let ignored = shown.ignored_as_planned(alice(), at(1), None).unwrap();
    assert_eq!(ignored.covers_unseen(), Ok(Covers::of(&[ssh.1])));
}

#[test]
fn a_report_of_another_request_does_not_end_an_agreed_fix() {
    let mysql = ingress(3306, "tcp");
    let fixing = group(&[ingress(22, "tcp")])
        .agreed_fix(alice(), false, at(10))
        .unwrap();
    let kind = ViolationType::Ec2SgProhibitedPort;
    let not_agreed = |asked_at, plan| {
        let report = report(
            &fixing,
            kind,
            Some("U0ALICE"),
            12,
            Outcome::NotAgreed,
            vec![mysql.1.clone()],
        );
        let detail = report.detail.map(|detail| {
            let request = RemediationRequest {
                asked_at,
                plan,
                ..detail.request
            };
            ReportDetail { request, ..detail }
        });
        RemediationReport { detail, ..report }
    };
    let plan = fixing.fix_requests()[0].plan.clone();
    for (asked_at, plan) in [
        (None, None),
        (None, plan.clone()),
        (Some(at(10)), None),
        (Some(at(9)), plan.clone()),
    ] {
        let after = fixing
            .reported(&not_agreed(asked_at, plan))
            .unwrap_or_else(|| fixing.clone());
        assert_eq!(after.state_name(at(13)), StateName::Fixing);
    }
    let after = fixing.reported(&not_agreed(Some(at(10)), plan)).unwrap();
    assert!(
        matches!(
            after.state,
            State::Open {
                asks_again: Some(_),
                ..
            }
        ),
        "{:?}",
        after.state
    );
}

#[test]
fn compliance_reported_during_a_fix_holds_though_the_fix_fails() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let failed = |finding: &Finding| finding.fix_timed_out(at(10 + 15 * 60)).unwrap();
    let remediated = failed(&fixing.complied_at(11).unwrap());
    assert_eq!(
        remediated.state,
        State::Fixed {
            by: Actor::External,
            at: at(11)
        }
    );
    let broken = fixing
        .complied_at(11)
        .unwrap()
        .breached(&breach(12), &plan(), at(12))
        .unwrap();
    assert_eq!(
        failed(&broken).state_name(at(2000)),
        StateName::Open,
        "it has broken again since"
    );
    let ignored = open().ignored_as_planned(alice(), at(1), None).unwrap();
    let fixing = ignored.agreed_fix(alice(), true, at(10)).unwrap();
    let remediated = failed(&fixing.complied_at(11).unwrap());
    assert!(
        matches!(
            remediated.state,
            State::Ignored {
                compliant: true,
                ..
            }
        ),
        "{:?}",
        remediated.state
    );
}

#[test]
fn a_rule_without_a_result_does_not_complain() {
    let of = |rule: &str, second| Breach {
        rule: rule.parse().unwrap(),
        ..breach(second)
    };
    let renamed = open()
        .breached(&of("renamed", 10), &plan(), at(10))
        .unwrap();
    let complied = renamed.complied(&of("renamed", 20)).unwrap();
    assert_eq!(
        complied.state_name(at(20)),
        StateName::Open,
        "the rule of the old name has not said so"
    );
    let complied = renamed
        .heard_only_from(|rule| rule.as_str() == "renamed")
        .complied(&of("renamed", 20));
    assert_eq!(complied.unwrap().state_name(at(20)), StateName::Fixed);
}

#[test]
fn late_changes_can_be_undone_as_long_as_the_newest() {
    let removed = fixed();
    let week = SignedDuration::from_hours(7 * 24);
    let late = |at| LateRemoval {
        at,
        by: alice(),
        changes: vec![ingress(22, "tcp").1],
    };
    let newest = removed.removed_at.unwrap();
    let with = |at| Finding {
        late: vec![late(at)],
        ..removed.clone()
    };
    assert_eq!(
        with(newest - week).to_put_back().len(),
        2,
        "it is a week older"
    );
    assert_eq!(
        with(newest - week + SignedDuration::from_secs(1))
            .to_put_back()
            .len(),
        3
    );
}
