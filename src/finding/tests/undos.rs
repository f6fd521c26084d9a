//! Undos, and reports that come late.

use super::consent::{group, ingress};
use super::*;

const DAY: i64 = 24 * 3600;

fn late(changes: &[Change], second: i64) -> LateRemoval {
    LateRemoval {
        changes: changes.to_vec(),
        by: Actor::AutoResponse,
        at: at(second),
    }
}

fn late_detail(outcome: Outcome, changes: &[Change]) -> ReportDetail {
    let kind = ViolationType::S3BucketPublicAcl;
    let report = report(&open(), kind, None, 0, outcome, changes.to_vec());
    report.detail.unwrap()
}

#[test]
fn a_late_report_counts_once_and_only_where_something_was_removed() {
    let known = Finding {
        late: vec![late(&[grant()], 50)],
        ..open()
    };
    let reported = |outcome, changes: &[Change], second| {
        let finding = known.reported_late(&late_detail(outcome, changes), at(second))?;
        Some(finding.late.len())
    };
    assert_eq!(
        reported(Outcome::Fixed, &[grant()], 50),
        None,
        "it is known"
    );
    assert_eq!(reported(Outcome::Fixed, &[statement()], 50), Some(2));
    assert_eq!(reported(Outcome::Fixed, &[grant()], 51), Some(2));
    assert_eq!(reported(Outcome::Fixed, &[], 51), None);
    assert_eq!(reported(Outcome::NothingToDo, &[grant()], 51), None);
    // What can no longer be undone goes.
    assert_eq!(
        reported(Outcome::Fixed, &[grant()], 50 + 7 * DAY - 1),
        Some(2)
    );
    assert_eq!(reported(Outcome::Fixed, &[grant()], 50 + 7 * DAY), Some(1));
}

#[test]
fn a_finding_that_a_request_began_takes_the_first_result_as_news() {
    let begun = open().before_aws_config();
    assert_eq!(
        (begun.sources.len(), begun.recorded_at),
        (0, Timestamp::MIN)
    );
    assert!(!begun.is_old_news(&breach(-1000)));
    // Version 0.1 kept no results by rule, but the newest of all.
    let old = Finding {
        recorded_at: at(10),
        ..begun
    };
    assert!(old.is_old_news(&breach(10)) && !old.is_old_news(&breach(11)));
    let of_another_rule = Breach {
        rule: "another".parse().unwrap(),
        ..breach(-1)
    };
    assert!(!open().is_old_news(&of_another_rule));
    assert!(open().is_old_news(&breach(0)));
}

#[test]
fn a_state_is_written_as_it_is_stored() {
    for state in StateName::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
}

#[test]
fn what_was_removed_can_be_put_back_unless_something_is_on_its_way() {
    let removed = |state: State| {
        let mut finding = Finding {
            state,
            late: vec![late(&[statement()], 5)],
            ..fixed()
        };
        finding.episode.removed = vec![grant()];
        finding.to_put_back()
    };
    assert_eq!(removed(fixed().state), [grant(), statement()]);
    assert_eq!(removed(State::OPEN), [statement()], "of earlier episodes");
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap().state;
    assert_eq!(removed(fixing), []);
    assert_eq!(removed(State::Deleted { at: at(10) }), []);
}

#[test]
fn the_seven_days_of_an_undo_begin_with_the_fix() {
    let last = 12 + 7 * DAY;
    assert_eq!(fixed().undo_until(), Some(at(last)));
    assert_eq!(fixed().can_undo(at(last)), Ok(()));
    assert_eq!(fixed().can_undo(at(last + 1)), Err(Refusal::TooLate));
    // Version 0.1 did not keep when something was removed.
    let of_version_0_1 = Finding {
        removed_at: None,
        ..fixed()
    };
    assert_eq!(of_version_0_1.undo_until(), Some(at(last)));
}

#[test]
fn a_failed_undo_of_what_broke_meanwhile_begins_an_episode() {
    let failed = |recorded_at| {
        let undoing = Finding {
            recorded_at: at(recorded_at),
            plan: plan(),
            ..undoing()
        };
        let failure = Outcome::Failed {
            reason: "denied".to_owned(),
            advice: "allow it".to_owned(),
        };
        let report = undo_report(&undoing, 30, failure, Vec::new());
        undoing.undo_reported(&report, &plan()).unwrap()
    };
    assert_eq!(failed(12).episode.number, 1, "recorded with the fix");
    assert_eq!(failed(13).episode.number, 2);
    assert!(failed(13).episode.undo_failure.is_some());
}

#[test]
fn only_the_undo_that_was_asked_for_is_reported() {
    let undone = undo_report(&undoing(), 30, Outcome::Undone, vec![grant()]);
    assert!(undoing().undo_reported(&undone, &plan()).is_some());
    let nobody_asked = Finding {
        state: undoing().state,
        ..fixed()
    };
    let mut without_time = undone.clone();
    without_time.detail.as_mut().unwrap().request.asked_at = None;
    assert_eq!(nobody_asked.undo_reported(&without_time, &plan()), None);
    assert_eq!(undoing().undo_reported(&without_time, &plan()), None);
    let deleted = undoing().deleted(at(25)).unwrap();
    assert_eq!(deleted.undo_reported(&undone, &plan()), None);
}

#[test]
fn an_undo_forgets_what_it_put_back_and_keeps_the_rest() {
    let mut undoing = undoing();
    undoing.late = vec![late(&[grant()], 5), late(&[statement()], 6)];
    undoing.announce(&late_detail(Outcome::Begun, &[grant()]), at(21));
    undoing.episode.removed = vec![grant(), statement()];
    undoing.announce(
        &late_detail(
            Outcome::Begun,
            &[Change::RemoveGrant(Grant {
                grantee: Grantee::Group("another".to_owned()),
                permission: "READ".to_owned(),
                is_unconfirmed: false,
            })],
        ),
        at(22),
    );
    let report = undo_report(&undoing, 30, Outcome::Undone, vec![grant()]);
    let undone = undoing.undo_reported(&report, &plan()).unwrap();
    assert_eq!(undone.episode.removed, [statement()]);
    assert_eq!(undone.late, [late(&[statement()], 6)]);
    assert_eq!(undone.episode.begun.len(), 1, "of another change");
    assert_eq!(undone.episode.undone, [(grant(), at(30))]);
}

#[test]
fn what_was_ignored_before_an_undo_stays_ignored_beside_it() {
    let (ssh, mysql) = (ingress(22, "tcp"), ingress(3306, "tcp"));
    let ignored = group(std::slice::from_ref(&ssh))
        .ignored_as_planned(alice(), at(1), None)
        .unwrap();
    let beyond = ignored
        .looked_at(&known(&[ssh.clone(), mysql.clone()]), at(2))
        .unwrap();
    let fixing = beyond.agreed_fix(alice(), false, at(3)).unwrap();
    let kind = ViolationType::Ec2SgProhibitedPort;
    let done = report(
        &fixing,
        kind,
        Some("U0ALICE"),
        4,
        Outcome::Fixed,
        vec![mysql.1.clone()],
    );
    let done = fixing.reported(&done).unwrap();
    let undoing = done.agreed_undo(alice(), "needed", at(5)).unwrap();
    let report = undo_report(&undoing, 6, Outcome::Undone, vec![mysql.1.clone()]);
    let undone = undoing
        .undo_reported(&report, &known(&[ssh, mysql]))
        .unwrap();
    assert_eq!(undone.state_name(at(7)), StateName::Ignored);
    // A day later only the undo's own part is open again.
    let later = undone.ignore_expired(at(6 + DAY)).unwrap();
    assert_eq!(later.to_fix().len(), 1);
}
