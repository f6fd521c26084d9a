mod consent;
mod digest;
mod limits;
mod people;
mod undos;

use super::*;
use crate::contracts::{Attempt, Outcome, RemediationReport, RemediationRequest, ReportDetail};
use crate::controls::{Grant, Grantee, PolicyStatement};
use crate::ids::PlanDigest;
use crate::ids::ResourceType;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

pub(super) fn alice() -> Actor {
    Actor::User("U0ALICE".to_owned())
}

pub(super) fn breach(second: i64) -> Breach {
    Breach {
        rule: "s3-public-access".parse().unwrap(),
        rule_arn: None,
        control: Some(Control::BucketPublic),
        resource: Resource {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            resource_type: ResourceType::BUCKET.parse().unwrap(),
            id: "downloads".parse().unwrap(),
        },
        resource_name: None,
        annotation: None,
        severity: Severity::default(),
        channel: None,
        recorded_at: at(second),
    }
}

fn grant() -> Change {
    let grantee = Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
    Change::RemoveGrant(Grant {
        grantee,
        permission: "READ".to_owned(),
        is_unconfirmed: false,
    })
}

fn statement() -> Change {
    Change::RemoveStatement(PolicyStatement {
        index: 0,
        sid: None,
        statement: "{}".to_owned(),
        limited_by: Vec::new(),
        is_unconfirmed: false,
    })
}

fn known(changes: &[(ViolationType, Change)]) -> Plan {
    Plan::Known {
        changes: changes.to_vec(),
    }
}

/// A bucket that is public in both ways.
fn plan() -> Plan {
    Plan::Known {
        changes: vec![
            (ViolationType::S3BucketPublicAcl, grant()),
            (ViolationType::S3BucketPublicPolicy, statement()),
        ],
    }
}

/// What somebody asks for who says yes to what the finding shows.
pub(super) trait Asked {
    fn agreed_fix(&self, by: Actor, even_ignored: bool, now: Timestamp)
    -> Result<Finding, Refusal>;
    fn agreed_undo(&self, by: Actor, reason: &str, now: Timestamp) -> Result<Finding, Refusal>;
    fn ignored_as_planned(
        &self,
        by: Actor,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Finding, Refusal>;
    fn complied_at(&self, second: i64) -> Option<Finding>;
}

impl Asked for Finding {
    fn agreed_fix(
        &self,
        by: Actor,
        even_ignored: bool,
        now: Timestamp,
    ) -> Result<Finding, Refusal> {
        let plan = self.fix_plan().or_else(|| open().fix_plan()).unwrap();
        self.fix_asked(by, &plan, even_ignored, now)
    }

    fn agreed_undo(&self, by: Actor, reason: &str, now: Timestamp) -> Result<Finding, Refusal> {
        self.undo_asked(
            by,
            &self.undo_plan().unwrap().digest(),
            reason.to_owned(),
            now,
        )
    }

    fn ignored_as_planned(
        &self,
        by: Actor,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Finding, Refusal> {
        let changes: Vec<Change> = self
            .to_fix()
            .into_iter()
            .map(|(_, change)| change)
            .collect();
        self.ignored(by, now, until, "ticket".to_owned(), Covers::of(&changes))
    }

    fn complied_at(&self, second: i64) -> Option<Finding> {
        self.complied(&breach(second))
    }
}

pub(crate) fn open() -> Finding {
    Finding::open(breach(0), plan())
}

fn report(
    finding: &Finding,
    kind: ViolationType,
    by: Option<&str>,
    second: i64,
    outcome: Outcome,
    changes: Vec<Change>,
) -> RemediationReport {
    let request = finding.request(kind, by.map(str::to_owned));
    RemediationReport {
        remediation_source: "s3-bucket-remediator".to_owned(),
        resource_id: finding.resource.id.clone(),
        resource_type: finding.resource.resource_type.clone(),
        action: "PutBucketAcl".to_owned(),
        action_complete_time: at(second),
        aws_account_id: finding.resource.account.clone(),
        message: String::new(),
        detail: Some(ReportDetail {
            outcome,
            attempt: Attempt::default(),
            changes,
            request,
        }),
    }
}

/// The report as another attempt makes it.
fn by(attempt: &Attempt, report: RemediationReport) -> RemediationReport {
    let detail = report.detail.map(|detail| ReportDetail {
        attempt: attempt.clone(),
        ..detail
    });
    RemediationReport { detail, ..report }
}

fn acl_fixed(finding: &Finding, by: Option<&str>, second: i64) -> RemediationReport {
    report(
        finding,
        ViolationType::S3BucketPublicAcl,
        by,
        second,
        Outcome::Fixed,
        vec![grant()],
    )
}

fn policy_fixed(finding: &Finding, by: Option<&str>, second: i64) -> RemediationReport {
    report(
        finding,
        ViolationType::S3BucketPublicPolicy,
        by,
        second,
        Outcome::Fixed,
        vec![statement()],
    )
}

fn policy_failed(finding: &Finding, second: i64) -> RemediationReport {
    let failed = Outcome::Failed {
        reason: "denied".to_owned(),
        advice: "allow".to_owned(),
    };
    report(
        finding,
        ViolationType::S3BucketPublicPolicy,
        Some("U0ALICE"),
        second,
        failed,
        Vec::new(),
    )
}

#[test]
fn a_fix_waits_for_every_remediation_that_it_needs() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    assert_eq!(fixing.fix_requests().len(), 2);
    let half = fixing
        .reported(&acl_fixed(&fixing, Some("U0ALICE"), 11))
        .unwrap();
    assert_eq!(half.state_name(at(12)), StateName::Fixing);
    let fixed = half
        .reported(&policy_fixed(&half, Some("U0ALICE"), 12))
        .unwrap();
    assert_eq!(
        fixed.state,
        State::Fixed {
            by: alice(),
            at: at(12)
        }
    );
    assert_eq!(fixed.episode.removed, [grant(), statement()]);
}

#[test]
fn a_repeated_report_changes_nothing() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let report = acl_fixed(&fixing, Some("U0ALICE"), 11);
    let once = fixing.reported(&report).unwrap();
    assert_eq!(once.reported(&report), None);
}

#[test]
fn only_the_first_of_two_wins_until_fifteen_minutes_have_passed() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let bob = Actor::User("U0BOB".to_owned());
    assert!(matches!(
        fixing.agreed_fix(bob.clone(), false, at(11)),
        Err(Refusal::Fixing { .. })
    ));
    assert!(fixing.agreed_fix(bob, false, at(10 + 15 * 60)).is_ok());
    assert_eq!(fixing.fix_timed_out(at(10 + 15 * 60 - 1)), None);
    let given_up = fixing.fix_timed_out(at(10 + 15 * 60)).unwrap();
    assert_eq!(
        given_up.state_name(at(10 + 15 * 60)),
        StateName::Open,
        "its button is back"
    );
    let late = given_up
        .reported(&acl_fixed(&fixing, Some("U0ALICE"), 1000))
        .unwrap();
    assert_eq!(
        late.episode.removed,
        [grant()],
        "a report that comes after all still counts"
    );
}

#[test]
fn a_fix_that_fails_opens_the_finding_again_and_says_why() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let half = fixing.reported(&policy_failed(&fixing, 11)).unwrap();
    let open = half
        .reported(&acl_fixed(&half, Some("U0ALICE"), 12))
        .unwrap();
    let State::Open {
        last_failure: Some(failure),
        ..
    } = &open.state
    else {
        panic!("{:?}", open.state)
    };
    assert_eq!(
        (failure.reason.as_str(), &failure.asked_by),
        ("denied", &alice())
    );
    assert_eq!(open.episode.removed, [grant()]);
    assert_eq!(
        open.agreed_fix(alice(), false, at(20))
            .unwrap()
            .fix_requests()
            .len(),
        1,
        "the grant is gone already"
    );
}

#[test]
fn auto_response_fixes_an_open_finding_part_by_part() {
    let half = open().reported(&acl_fixed(&open(), None, 5)).unwrap();
    assert_eq!(half.state_name(at(6)), StateName::Open);
    let fixed = half.reported(&policy_fixed(&half, None, 6)).unwrap();
    assert_eq!(
        fixed.state,
        State::Fixed {
            by: Actor::AutoResponse,
            at: at(6)
        }
    );
}

#[test]
fn a_report_may_come_before_the_notification() {
    let report = acl_fixed(&open(), None, 5);
    let fixed = Finding::fixed_at_once(&report).unwrap();
    assert_eq!(
        fixed.state,
        State::Fixed {
            by: Actor::AutoResponse,
            at: at(5)
        }
    );
    let clean = Plan::Known {
        changes: Vec::new(),
    };
    assert_eq!(
        fixed.breached(&breach(6), &clean, at(6)),
        None,
        "it is clean: old news"
    );
    assert!(
        fixed.breached(&breach(4000), &clean, at(4000)).is_some(),
        "but not for ever"
    );
}

#[test]
fn an_announcement_before_the_notification_opens_the_finding() {
    let kind = ViolationType::S3BucketPublicAcl;
    let begun = report(&open(), kind, None, 5, Outcome::Begun, vec![grant()]);
    let begun = Finding::fixed_at_once(&begun).unwrap();
    assert_eq!(begun.state, State::OPEN, "its remediator may die");
    assert_eq!(
        begun.plan,
        Plan::Known {
            changes: vec![(kind, grant())]
        }
    );
    let why = Breach {
        annotation: Some("public".to_owned()),
        ..breach(4)
    };
    let explained = begun.breached(&why, &plan(), at(4)).unwrap();
    assert_eq!(
        (
            explained.annotation.as_deref(),
            explained.episode.begun.len()
        ),
        (Some("public"), 1)
    );
    assert_eq!(explained.plan, plan());
    assert_eq!(explained.breached(&why, &plan(), at(4)), None, "once");
    let fixed = begun.reported(&acl_fixed(&open(), None, 6)).unwrap();
    assert_eq!(
        (&fixed.state, fixed.episode.removed.as_slice()),
        (
            &State::Fixed {
                by: Actor::AutoResponse,
                at: at(6)
            },
            [grant()].as_slice()
        )
    );
    assert_eq!(
        fixed.breached(&why, &plan(), at(4)),
        None,
        "it is fixed: old news"
    );
}

#[test]
fn older_results_change_nothing_and_a_new_violation_begins_an_episode() {
    let fixed = open().complied_at(10).unwrap();
    assert_eq!(
        fixed.state,
        State::Fixed {
            by: Actor::External,
            at: at(10)
        }
    );
    assert_eq!(fixed.breached(&breach(9), &plan(), at(9)), None);
    assert_eq!(fixed.complied_at(10), None);
    let again = fixed.breached(&breach(20), &plan(), at(20)).unwrap();
    assert_eq!(
        (
            again.episode.number,
            again.state_name(at(20)),
            again.episode.opened_at
        ),
        (2, StateName::Open, at(20))
    );
    assert!(again.episode.thread.is_empty() && again.episode.removed.is_empty());
}

#[test]
fn a_report_of_an_ended_episode_is_recorded_and_can_be_undone() {
    let again = open()
        .complied_at(10)
        .unwrap()
        .breached(&breach(20), &plan(), at(20))
        .unwrap();
    let late = again
        .reported(&acl_fixed(&again, Some("U0ALICE"), 5))
        .unwrap();
    assert_eq!(
        (late.state_name(at(21)), late.episode.number, &late.plan),
        (StateName::Open, 2, &plan())
    );
    assert!(late.episode.removed.is_empty() && late.to_put_back() == [grant()]);
    let (_, by, event) = late.events.last().unwrap();
    assert_eq!((by, event), (&alice(), &HistoryEvent::fixed(&[grant()])));
    assert_eq!(
        late.reported(&acl_fixed(&again, Some("U0ALICE"), 5)),
        None,
        "once"
    );
    let undoing = late.agreed_undo(alice(), "it was wanted", at(30)).unwrap();
    assert_eq!(undoing.undo_request().unwrap().undo, [grant()]);
    let done = undo_report(&undoing, 31, Outcome::Undone, vec![grant()]);
    let undone = undoing.undo_reported(&done, &plan()).unwrap();
    assert!(undone.to_put_back().is_empty());
    // What else is open stays open: only what was put back is ignored.
    assert_eq!(undone.state_name(at(32)), StateName::Open);
    assert_eq!(
        undone.to_fix(),
        [(ViolationType::S3BucketPublicPolicy, statement())]
    );
    let failed = undoing.undo_timed_out(at(30 + 15 * 60)).unwrap();
    assert_eq!(
        (failed.state_name(at(2000)), failed.to_put_back()),
        (StateName::Open, vec![grant()])
    );
}

#[test]
fn compliance_may_be_noticed_before_the_report_arrives() {
    let fixing = Finding::open(
        breach(0),
        Plan::Known {
            changes: vec![(ViolationType::S3BucketPublicAcl, grant())],
        },
    )
    .agreed_fix(alice(), false, at(10))
    .unwrap();
    let seen = fixing.complied_at(11).unwrap();
    assert_eq!(
        seen.state_name(at(12)),
        StateName::Fixing,
        "the report says who"
    );
    let told = seen
        .reported(&acl_fixed(&fixing, Some("U0ALICE"), 10))
        .unwrap();
    assert_eq!(
        (told.episode.removed.len(), &told.state),
        (
            1,
            &State::Fixed {
                by: alice(),
                at: at(10)
            }
        )
    );
    let nothing = report(
        &fixing,
        ViolationType::S3BucketPublicAcl,
        None,
        12,
        Outcome::NothingToDo,
        Vec::new(),
    );
    let elsewhere = seen.reported(&nothing).unwrap();
    assert_eq!(
        elsewhere.state,
        State::Fixed {
            by: Actor::External,
            at: at(12)
        }
    );
    let never = seen.fix_timed_out(at(10 + 15 * 60)).unwrap();
    assert_eq!(
        never.state,
        State::Fixed {
            by: Actor::External,
            at: at(11)
        },
        "nobody is credited"
    );
}

#[test]
fn a_report_that_counted_does_not_count_again_when_its_episode_has_ended() {
    let kind = ViolationType::S3BucketPublicAcl;
    let only = known(&[(kind, grant())]);
    let finding = Finding::open(breach(0), only.clone());
    let done = report(&finding, kind, None, 10, Outcome::Fixed, vec![grant()]);
    let fixed = finding.reported(&done).unwrap().complied_at(20).unwrap();
    let again = fixed.breached(&breach(30), &only, at(30)).unwrap();
    assert_eq!(again.reported(&done), None, "the queue delivers it twice");
}

#[test]
fn a_violation_before_config_saw_the_fix_is_a_new_episode() {
    let fixed = open().reported(&acl_fixed(&open(), None, 5)).unwrap();
    let fixed = fixed.reported(&policy_fixed(&open(), None, 6)).unwrap();
    assert!(
        !fixed.is_unconfirmed(at(7))
            && fixed.is_unconfirmed(at(27))
            && !fixed.is_unconfirmed(at(3700))
    );
    assert_eq!(
        fixed.relapsed(
            &Plan::Known {
                changes: Vec::new()
            },
            at(27)
        ),
        None
    );
    let again = fixed.relapsed(&plan(), at(27)).unwrap();
    assert_eq!(
        (
            again.episode.number,
            again.state_name(at(27)),
            again.episode.opened_at
        ),
        (2, StateName::Open, at(27))
    );
    let confirmed = fixed.complied_at(8).unwrap();
    assert_eq!(
        confirmed.relapsed(&plan(), at(29)),
        None,
        "from here on AWS Config tells"
    );
}

#[test]
fn removed_changes_are_known_though_the_remediator_died_before_its_report() {
    let begun = |finding: &Finding| {
        report(
            finding,
            ViolationType::S3BucketPublicAcl,
            None,
            4,
            Outcome::Begun,
            vec![grant()],
        )
    };
    let nothing = report(
        &open(),
        ViolationType::S3BucketPublicAcl,
        None,
        9,
        Outcome::NothingToDo,
        Vec::new(),
    );
    let died = open().reported(&begun(&open())).unwrap();
    assert_eq!(died.state_name(at(5)), StateName::Open);
    assert_eq!(died.reported(&nothing).unwrap().episode.removed, [grant()]);
    let done = died.reported(&acl_fixed(&open(), None, 5)).unwrap();
    assert_eq!(done.episode.removed, [grant()], "once");
    assert_eq!(
        done.reported(&begun(&done)),
        None,
        "an announcement that comes late says nothing new"
    );
}

#[test]
fn recording_without_a_change_is_no_news() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let kind = ViolationType::S3BucketPublicAcl;
    let begun = report(
        &fixing,
        kind,
        Some("U0ALICE"),
        11,
        Outcome::Begun,
        vec![grant()],
    );
    let begun = fixing.reported(&begun).unwrap();
    assert!(begun != fixing && begun.looks_like(&fixing));
    let half = begun
        .reported(&acl_fixed(&fixing, Some("U0ALICE"), 12))
        .unwrap();
    assert!(!half.looks_like(&begun));
    let fixed = half
        .reported(&policy_fixed(&fixing, Some("U0ALICE"), 13))
        .unwrap();
    assert!(!fixed.looks_like(&half));
    let confirmed = fixed.complied_at(14).unwrap();
    assert!(confirmed != fixed && confirmed.looks_like(&fixed));
    assert!(!open().complied_at(14).unwrap().looks_like(&open()));
}

#[test]
fn a_withdrawn_announcement_leaves_those_of_others() {
    let kind = ViolationType::S3BucketPublicAcl;
    let plan = Plan::Known {
        changes: vec![(kind, grant())],
    };
    let fixing = Finding::open(breach(0), plan)
        .agreed_fix(alice(), false, at(10))
        .unwrap();
    let (first, second) = (Attempt::begin(), Attempt::begin());
    let say = |attempt, second, outcome, changes| {
        by(
            attempt,
            report(&fixing, kind, Some("U0ALICE"), second, outcome, changes),
        )
    };
    // Both want to; the first one's answer is lost, so that the second is told that it is gone.
    let both = fixing
        .reported(&say(&first, 11, Outcome::Begun, vec![grant()]))
        .unwrap();
    let both = both
        .reported(&say(&second, 12, Outcome::Begun, vec![grant()]))
        .unwrap();
    let one = both
        .reported(&say(&second, 13, Outcome::Begun, Vec::new()))
        .unwrap();
    let fixed = one
        .reported(&say(&second, 14, Outcome::NothingToDo, Vec::new()))
        .unwrap();
    assert_eq!(
        (fixed.episode.removed.as_slice(), fixed.state),
        (
            [grant()].as_slice(),
            State::Fixed {
                by: alice(),
                at: at(14)
            }
        )
    );
    let denied = Outcome::Failed {
        reason: "denied".to_owned(),
        advice: "allow".to_owned(),
    };
    let failed = both
        .reported(&say(&second, 13, denied, Vec::new()))
        .unwrap();
    assert_eq!(failed.episode.begun.len(), 1, "the first may have done it");
    let done = both
        .reported(&say(&first, 13, Outcome::Fixed, vec![grant()]))
        .unwrap();
    assert!(
        done.episode.begun.is_empty(),
        "nothing is left for the second"
    );
    let twice = both
        .reported(&say(
            &Attempt::begin(),
            15,
            Outcome::NothingToDo,
            Vec::new(),
        ))
        .unwrap();
    assert_eq!(twice.episode.removed, [grant()], "once");
}

#[test]
fn a_report_of_nothing_to_do_counts_for_no_fix() {
    let kind = ViolationType::S3BucketPublicAcl;
    let plan = Plan::Known {
        changes: vec![(kind, grant())],
    };
    let fixing = Finding::open(breach(0), plan)
        .agreed_fix(alice(), false, at(10))
        .unwrap();
    let attempt = Attempt::begin();
    let say = |second, outcome, changes| {
        by(
            &attempt,
            report(&fixing, kind, Some("U0ALICE"), second, outcome, changes),
        )
    };
    let begun = say(11, Outcome::Begun, vec![grant()]);
    let nothing = say(13, Outcome::NothingToDo, Vec::new());
    let elsewhere = fixing.reported(&begun).unwrap().reported(&nothing).unwrap();
    assert_eq!(
        (elsewhere.episode.removed, elsewhere.episode.begun.len()),
        (Vec::new(), 0),
        "somebody else was sooner"
    );
    assert_eq!(fixing.reported(&nothing).unwrap().reported(&begun), None);
    // Taken back before it comes.
    let taken_back = fixing
        .reported(&say(12, Outcome::Begun, Vec::new()))
        .unwrap();
    assert_eq!(taken_back.reported(&begun), None);
}

#[test]
fn changes_of_a_dead_attempt_stay_known_after_the_next_attempt() {
    let kind = ViolationType::S3BucketPublicAcl;
    let fixing = Finding::open(breach(0), plan())
        .agreed_fix(alice(), false, at(10))
        .unwrap();
    let other = Change::RemoveGrant(Grant {
        grantee: Grantee::Group(
            "http://acs.amazonaws.com/groups/global/AuthenticatedUsers".to_owned(),
        ),
        permission: "READ".to_owned(),
        is_unconfirmed: false,
    });
    let (dead, next) = (Attempt::begin(), Attempt::begin());
    let say = |attempt, second, outcome, changes| {
        by(
            attempt,
            report(&fixing, kind, Some("U0ALICE"), second, outcome, changes),
        )
    };
    let both = fixing
        .reported(&say(&dead, 11, Outcome::Begun, vec![grant()]))
        .unwrap();
    let both = both
        .reported(&say(&next, 13, Outcome::Begun, vec![other.clone()]))
        .unwrap();
    let fixed = both
        .reported(&say(&next, 14, Outcome::Fixed, vec![other.clone()]))
        .unwrap();
    assert_eq!(
        (fixed.episode.removed.as_slice(), fixed.episode.begun.len()),
        ([other, grant()].as_slice(), 0)
    );
}

#[test]
fn a_late_second_report_is_not_recorded_again_after_an_undo() {
    let kind = ViolationType::S3BucketPublicAcl;
    let plan = Plan::Known {
        changes: vec![(kind, grant())],
    };
    let fixing = Finding::open(breach(0), plan.clone())
        .agreed_fix(alice(), false, at(10))
        .unwrap();
    let fixed = fixing
        .reported(&acl_fixed(&fixing, Some("U0ALICE"), 11))
        .unwrap();
    let undoing = fixed.agreed_undo(alice(), "wanted", at(20)).unwrap();
    let undo = report(
        &undoing,
        kind,
        Some("U0ALICE"),
        21,
        Outcome::Undone,
        vec![grant()],
    );
    let asked_as = |report: RemediationReport| {
        let detail = report.detail.map(|detail| {
            let request = RemediationRequest {
                asked_at: Some(at(20)),
                ..detail.request
            };
            ReportDetail { request, ..detail }
        });
        RemediationReport { detail, ..report }
    };
    let undone = undoing.undo_reported(&asked_as(undo), &plan).unwrap();
    assert_eq!(
        (undone.episode.removed.as_slice(), undone.state_name(at(22))),
        ([].as_slice(), StateName::Ignored)
    );
    assert_eq!(
        undone.reported(&acl_fixed(&fixing, Some("U0ALICE"), 12)),
        None
    );
    let begun = report(
        &fixing,
        kind,
        Some("U0ALICE"),
        10,
        Outcome::Begun,
        vec![grant()],
    );
    assert_eq!(undone.reported(&begun), None);
    // Whatever is taken away later counts.
    assert_eq!(
        undone
            .reported(&acl_fixed(&fixing, Some("U0ALICE"), 23))
            .unwrap()
            .episode
            .removed,
        [grant()]
    );
}

#[test]
fn an_announcement_that_comes_last_of_all_is_what_was_taken_away() {
    let kind = ViolationType::S3BucketPublicAcl;
    let plan = Plan::Known {
        changes: vec![(kind, grant())],
    };
    let fixing = Finding::open(breach(0), plan)
        .agreed_fix(alice(), false, at(10))
        .unwrap();
    let begun = report(&fixing, kind, None, 11, Outcome::Begun, vec![grant()]);
    let nothing = report(&fixing, kind, None, 14, Outcome::NothingToDo, Vec::new());
    // AWS Config was quicker, and says nothing of who did it.
    let fixed = fixing.complied_at(12).unwrap().reported(&nothing).unwrap();
    assert_eq!(fixed.episode.removed, []);
    assert_eq!(fixed.reported(&begun).unwrap().episode.removed, [grant()]);
    let elsewhere = fixing.reported(&nothing).unwrap();
    assert_eq!(
        elsewhere.reported(&begun).unwrap().episode.removed,
        [grant()]
    );
}

#[test]
fn a_fix_that_finds_nothing_to_change_claims_nothing() {
    let fixing = Finding::open(
        breach(0),
        Plan::Known {
            changes: vec![(ViolationType::S3BucketPublicAcl, grant())],
        },
    )
    .agreed_fix(alice(), false, at(10))
    .unwrap();
    let kind = ViolationType::S3BucketPublicAcl;
    let nothing = report(
        &fixing,
        kind,
        Some("U0ALICE"),
        11,
        Outcome::NothingToDo,
        Vec::new(),
    );
    assert_eq!(
        fixing.reported(&nothing).unwrap().state,
        State::Fixed {
            by: Actor::External,
            at: at(11)
        }
    );
    let begun = report(
        &fixing,
        kind,
        Some("U0ALICE"),
        11,
        Outcome::Begun,
        vec![grant()],
    );
    let denied = Outcome::Failed {
        reason: "denied".to_owned(),
        advice: "allow".to_owned(),
    };
    let denied = report(&fixing, kind, Some("U0ALICE"), 12, denied, Vec::new());
    let failed = fixing.reported(&begun).unwrap().reported(&denied).unwrap();
    assert!(failed.episode.begun.is_empty(), "it took nothing away");
}

#[test]
fn a_finding_without_a_remediation_is_refused() {
    let mut finding = open();
    finding.resource.resource_type = "AWS::::Account".parse().unwrap();
    finding.plan = Plan::Unsupported;
    assert_eq!(
        finding.agreed_fix(alice(), false, at(1)),
        Err(Refusal::Unsupported)
    );
}

/// A bucket whose ACL and policy alice has fixed.
fn fixed() -> Finding {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let half = fixing
        .reported(&acl_fixed(&fixing, Some("U0ALICE"), 11))
        .unwrap();
    half.reported(&policy_fixed(&half, Some("U0ALICE"), 12))
        .unwrap()
}

fn undo_report(
    undoing: &Finding,
    second: i64,
    outcome: Outcome,
    changes: Vec<Change>,
) -> RemediationReport {
    let request = undoing.undo_request().unwrap();
    let report = report(
        undoing,
        request.violation_type,
        Some("U0BOB"),
        second,
        outcome,
        changes,
    );
    let detail = report
        .detail
        .map(|detail| ReportDetail { request, ..detail });
    RemediationReport { detail, ..report }
}

fn undoing() -> Finding {
    let bob = Actor::User("U0BOB".to_owned());
    fixed()
        .agreed_undo(bob, "the website is down", at(20))
        .unwrap()
}

#[test]
fn an_undo_puts_all_back_and_is_then_ignored_for_a_day() {
    let request = undoing().undo_request().unwrap();
    assert_eq!(
        (request.undo, request.requested_by),
        (vec![grant(), statement()], Some("U0BOB".to_owned()))
    );
    let report = undo_report(&undoing(), 21, Outcome::Undone, vec![grant(), statement()]);
    let undone = undoing().undo_reported(&report, &plan()).unwrap();
    let State::Ignored {
        until: Some(until),
        reason,
        compliant: false,
        ..
    } = &undone.state
    else {
        panic!("{:?}", undone.state)
    };
    assert_eq!(
        (*until, reason.as_str()),
        (at(21 + 24 * 3600), "the website is down")
    );
    assert_eq!((undone.episode.removed.len(), &undone.plan), (0, &plan()));
    assert_eq!(
        undone.undo_reported(&report, &plan()),
        None,
        "a repeated report"
    );
    assert_eq!(
        undone.complied_at(15),
        None,
        "news of the time before the undo"
    );

    let again = undone.ignore_expired(*until).unwrap();
    assert_eq!(
        (again.state_name(*until), again.auto_requests().len()),
        (StateName::Open, 2)
    );
    let fixing = again.agreed_fix(alice(), false, *until).unwrap();
    assert_eq!(fixing.fix_requests().len(), 2, "it can be fixed again");
}

#[test]
fn an_undo_of_what_has_changed_leaves_it_fixed_and_says_why() {
    let failed = Outcome::Failed {
        reason: "another policy".to_owned(),
        advice: "by hand".to_owned(),
    };
    let report = undo_report(&undoing(), 21, failed.clone(), Vec::new());
    let refused = undoing().undo_reported(&report, &plan()).unwrap();
    assert_eq!(
        refused.state,
        State::Fixed {
            by: alice(),
            at: at(12)
        }
    );
    assert_eq!(
        refused.episode.undo_failure.as_ref().unwrap().reason,
        "another policy"
    );
    assert!(
        refused.can_undo(at(30)).is_ok(),
        "it may be asked for again"
    );

    let half = undo_report(&undoing(), 21, failed, vec![grant()]);
    let live = Plan::Known {
        changes: vec![(ViolationType::S3BucketPublicAcl, grant())],
    };
    let half = undoing().undo_reported(&half, &live).unwrap();
    assert_eq!(
        (half.state_name(at(22)), half.episode.removed.as_slice()),
        (StateName::Ignored, &[statement()][..])
    );
}

#[test]
fn only_what_we_fixed_within_a_week_can_be_undone() {
    let week = 7 * 24 * 3600;
    assert_eq!(fixed().can_undo(at(12 + week)), Ok(()));
    assert_eq!(fixed().can_undo(at(13 + week)), Err(Refusal::TooLate));
    assert_eq!(open().can_undo(at(1)), Err(Refusal::NotFixed));
    assert_eq!(
        open().complied_at(1).unwrap().can_undo(at(2)),
        Err(Refusal::NothingToUndo)
    );
    assert!(matches!(
        undoing().can_undo(at(21)),
        Err(Refusal::Undoing { .. })
    ));
}

#[test]
fn nothing_else_happens_to_a_finding_during_an_undo() {
    assert!(matches!(
        undoing().agreed_fix(alice(), false, at(21)),
        Err(Refusal::Undoing { .. })
    ));
    assert!(undoing().ignored_as_planned(alice(), at(21), None).is_err());
    let breached = undoing().breached(&breach(21), &plan(), at(21)).unwrap();
    assert_eq!(
        (breached.state_name(at(21)), breached.episode.number),
        (StateName::Undoing, 1)
    );
    assert_eq!(undoing().undo_timed_out(at(21)), None);
    let broken = breached.undo_timed_out(at(20 + 15 * 60)).unwrap();
    assert_eq!(
        (broken.state_name(at(2000)), broken.episode.number),
        (StateName::Open, 2),
        "AWS Config said so"
    );
    let given_up = undoing().undo_timed_out(at(20 + 15 * 60)).unwrap();
    assert_eq!(
        given_up.state,
        State::Fixed {
            by: alice(),
            at: at(12)
        }
    );
    let late = undo_report(
        &undoing(),
        1000,
        Outcome::Undone,
        vec![grant(), statement()],
    );
    let late = given_up.undo_reported(&late, &plan()).unwrap();
    assert_eq!(
        late.state_name(at(1001)),
        StateName::Ignored,
        "a report that comes after all still counts"
    );
}

/// What each step adds to the history, in words.
fn events(finding: &Finding) -> Vec<String> {
    finding
        .events
        .iter()
        .map(|(_, by, event)| format!("{by:?} {event}"))
        .collect()
}

#[test]
fn every_step_is_remembered_for_the_history() {
    let alice_said = |words: &str| format!("{:?} {words}", alice());
    let mut finding = open();
    assert_eq!(
        events(&finding),
        ["External AWS Config found it non-compliant"]
    );
    // Written and read again, as between any two steps.
    let mut step = |next: Finding| {
        let words = events(&next);
        finding = Finding {
            events: Vec::new(),
            ..next
        };
        (finding.clone(), words)
    };
    let (ignored, words) = step(open().ignored_as_planned(alice(), at(1), None).unwrap());
    assert_eq!(words[1..], [alice_said("ignored it: ticket")]);
    let (opened, words) = step(ignored.unignored(&alice(), at(2)).unwrap());
    assert_eq!(words, [alice_said("stopped ignoring it")]);
    let (fixing, words) = step(opened.agreed_fix(alice(), false, at(10)).unwrap());
    assert_eq!(words, [alice_said("asked for a fix")]);
    let (half, words) = step(fixing.reported(&policy_failed(&fixing, 11)).unwrap());
    assert_eq!(words, [alice_said("could not fix it: denied")]);
    let (half, words) = step(
        half.reported(&acl_fixed(&half, Some("U0ALICE"), 12))
            .unwrap(),
    );
    assert_eq!(
        words,
        [alice_said(
            "removed the ACL grant READ to everybody (AllUsers)"
        )]
    );
    let (_, words) = step(half.complied_at(13).unwrap());
    assert_eq!(words, ["External it was found compliant again"]);

    let (undoing, words) = step(undoing());
    assert_eq!(
        words.last().unwrap(),
        "User(\"U0BOB\") asked for an undo: the website is down"
    );
    let report = undo_report(&undoing, 21, Outcome::Undone, vec![grant()]);
    let (undone, words) = step(undoing.undo_reported(&report, &plan()).unwrap());
    assert!(
        words[0].starts_with("User(\"U0BOB\") undid the fix: everybody (AllUsers) has READ"),
        "{words:?}"
    );
    let (_, words) = step(undone.ignore_expired(at(25 * 3600)).unwrap());
    assert_eq!(
        words,
        ["External the time for which it was ignored is over"]
    );
}

#[test]
fn a_report_counts_for_the_undo_that_it_is_of_and_no_other() {
    let report = undo_report(&undoing(), 21, Outcome::Undone, vec![grant(), statement()]);
    let undone = undoing().undo_reported(&report, &plan()).unwrap();
    let fixing = undone.agreed_fix(alice(), true, at(30)).unwrap();
    let half = fixing
        .reported(&acl_fixed(&fixing, Some("U0ALICE"), 31))
        .unwrap();
    let fixed_again = half
        .reported(&policy_fixed(&half, Some("U0ALICE"), 32))
        .unwrap();
    assert_eq!(fixed_again.state_name(at(33)), StateName::Fixed);
    let repeated = undo_report(&undoing(), 40, Outcome::Undone, vec![grant(), statement()]);
    assert_eq!(fixed_again.undo_reported(&repeated, &plan()), None);
    let bob = Actor::User("U0BOB".to_owned());
    let other = PlanDigest::of("an old window's");
    let stale = fixed_again.undo_asked(bob, &other, "an old window".to_owned(), at(50));
    assert_eq!(stale, Err(Refusal::FixedAgain));
}

#[test]
fn an_early_look_does_not_empty_the_plan_of_a_reopened_finding() {
    let report = undo_report(&undoing(), 21, Outcome::Undone, vec![grant(), statement()]);
    let undone = undoing()
        .undo_reported(
            &report,
            &Plan::Known {
                changes: Vec::new(),
            },
        )
        .unwrap();
    assert_eq!(undone.plan, plan());
}

#[test]
fn a_fix_of_what_is_ignored_leaves_it_ignored_when_it_fails() {
    let ignored = open().ignored_as_planned(alice(), at(1), None).unwrap();
    let bob = Actor::User("U0BOB".to_owned());
    let fixing = ignored.agreed_fix(bob.clone(), true, at(10)).unwrap();
    let half = fixing.reported(&policy_failed(&fixing, 11)).unwrap();
    let failed = half.reported(&acl_fixed(&half, Some("U0BOB"), 12)).unwrap();
    // Before anybody has noticed that it never reported back.
    let again = fixing.agreed_fix(bob, true, at(1000)).unwrap();
    let not_queued = [
        fixing.fix_not_queued(at(11)),
        again.fix_not_queued(at(1001)),
    ];
    for finding in not_queued
        .into_iter()
        .chain([fixing.fix_timed_out(at(5000)).unwrap(), failed])
    {
        assert_eq!(finding.state, ignored.state);
    }
}

#[test]
fn a_fix_before_an_ignore_leaves_it_ignored_and_can_be_undone() {
    let ignored = open().ignored_as_planned(alice(), at(10), None).unwrap();
    let half = ignored.reported(&acl_fixed(&ignored, None, 9)).unwrap();
    let remediated = half.reported(&policy_fixed(&half, None, 9)).unwrap();
    assert_eq!(
        (&remediated.state, remediated.episode.removed.as_slice()),
        (&ignored.state, [grant(), statement()].as_slice())
    );
    let compliant = remediated.complied_at(12).unwrap();
    assert!(matches!(
        compliant.state,
        State::Ignored {
            compliant: true,
            ..
        }
    ));
    assert_eq!(
        compliant
            .unignored(&alice(), at(20))
            .unwrap()
            .can_undo(at(21)),
        Ok(())
    );
}

#[test]
fn only_the_request_that_a_finding_waits_for_is_carried_out() {
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    let fix = fixing.fix_requests().remove(0);
    assert!(fixing.waits_for(&fix));
    let given_up = fixing.fix_timed_out(at(5000)).unwrap();
    let again = given_up.agreed_fix(alice(), false, at(5001)).unwrap();
    let undo = undoing().undo_request().unwrap();
    assert!(undoing().waits_for(&undo) && !undoing().waits_for(&fix));
    let elsewhere = RemediationRequest {
        target_resource_id: "payroll".parse().unwrap(),
        ..undo.clone()
    };
    for (finding, request) in [
        (&given_up, &fix),
        (&again, &fix),
        (&fixing, &undo),
        (&fixed(), &undo),
        (&undoing(), &elsewhere),
    ] {
        assert!(!finding.waits_for(request), "{:?}", finding.state);
    }
}
