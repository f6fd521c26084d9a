//! Each limit at its very second, and the fields that a change must keep.

use super::*;
use crate::controls::{AgreedPlan, Direction};

const SOON: i64 = 15;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A rule's complaint about the demo bucket, with all that it can say.
fn in_full(second: i64) -> Breach {
    Breach {
        rule: "securityhub-s3".parse().unwrap(),
        resource_name: Some("Downloads".to_owned()),
        annotation: Some("Public: everybody reads.".to_owned()),
        severity: Severity::Critical,
        channel: Some("C0TEAM".to_owned()),
        ..breach(second)
    }
}

/// The ACL only, fixed by auto-response.
fn acl_only_fixed(second: i64) -> Finding {
    let only = known(&[(ViolationType::S3BucketPublicAcl, grant())]);
    let open = Finding::open(breach(0), only);
    open.reported(&acl_fixed(&open, None, second)).unwrap()
}

#[test]
fn a_complaint_replaces_what_is_known_of_rule_and_resource() {
    let heard = open().breached(&in_full(5), &plan(), at(5)).unwrap();
    assert_eq!(heard.rule.as_str(), "securityhub-s3");
    assert_eq!(heard.resource_name.as_deref(), Some("Downloads"));
    assert_eq!(
        (heard.annotation.as_deref(), heard.severity),
        (Some("Public: everybody reads."), Severity::Critical)
    );
    // A rule without a control, or without a name for the resource, takes nothing away.
    let bare = Breach {
        control: None,
        rule: "another".parse().unwrap(),
        ..breach(6)
    };
    let heard = heard.breached(&bare, &plan(), at(6)).unwrap();
    assert_eq!(
        (heard.control, heard.resource_name.as_deref()),
        (Some(Control::BucketPublic), Some("Downloads"))
    );
    let bare = Finding {
        control: None,
        ..open()
    };
    let heard = bare.breached(&in_full(7), &plan(), at(7)).unwrap();
    assert_eq!(heard.control, Some(Control::BucketPublic));
}

#[test]
fn the_severity_stays_where_a_look_shows_nothing() {
    let clean = known(&[]);
    let heard = open().breached(&in_full(5), &clean, at(5)).unwrap();
    assert_eq!(heard.severity, Severity::default());
    let heard = open().breached(&in_full(5), &plan(), at(5)).unwrap();
    assert_eq!(heard.severity, Severity::Critical);
}

#[test]
fn a_result_from_before_the_fix_is_old_for_an_hour_where_all_is_clean() {
    let (fixed, clean) = (acl_only_fixed(10), known(&[]));
    let only = known(&[(ViolationType::S3BucketPublicAcl, grant())]);
    assert_eq!(fixed.breached(&breach(10), &only, at(11)), None);
    assert!(fixed.breached(&breach(11), &only, at(11)).is_some());
    let last = 10 + HOUR;
    assert_eq!(
        fixed.breached(&breach(last - 1), &clean, at(last - 1)),
        None
    );
    let again = fixed.breached(&breach(last), &clean, at(last)).unwrap();
    assert_eq!(
        (again.state_name(at(last)), again.episode.number),
        (StateName::Open, 2)
    );
}

#[test]
fn the_first_words_about_what_a_remediator_announced_are_taken_once() {
    // AWS Config's result is not newer than the finding, and says why.
    let says_why = |second, words: &str| Breach {
        annotation: Some(words.to_owned()),
        resource_name: Some("Downloads".to_owned()),
        ..breach(second)
    };
    let explained = open()
        .breached(&says_why(0, "Public."), &plan(), at(1))
        .unwrap();
    assert_eq!(
        (
            explained.annotation.as_deref(),
            explained.resource_name.as_deref()
        ),
        (Some("Public."), Some("Downloads"))
    );
    assert_eq!(
        (explained.episode.number, explained.checked_at),
        (1, Some(at(1)))
    );
    let again = says_why(0, "Other words.");
    assert_eq!(explained.breached(&again, &plan(), at(2)), None);
    assert_eq!(open().breached(&breach(0), &plan(), at(1)), None);
    let ignored = open().ignored_as_planned(alice(), at(1), None).unwrap();
    assert_eq!(
        ignored.breached(&says_why(0, "Public."), &plan(), at(2)),
        None
    );
}

#[test]
fn a_fix_is_unconfirmed_from_fifteen_seconds_to_an_hour() {
    let fixed = acl_only_fixed(10);
    let broken = known(&[(ViolationType::S3BucketPublicAcl, grant())]);
    for (second, is_unconfirmed) in [
        (10 + SOON - 1, false),
        (10 + SOON, true),
        (10 + HOUR - 1, true),
        (10 + HOUR, false),
    ] {
        let now = at(second);
        assert_eq!(fixed.is_unconfirmed(now), is_unconfirmed, "{second}");
        let looked = fixed.looked_at(&broken, now);
        assert_eq!(looked.is_some(), is_unconfirmed, "{second}");
        assert_eq!(
            looked.is_some_and(|finding| finding.episode.number == 2),
            is_unconfirmed
        );
        assert_eq!(fixed.looked_at(&known(&[]), now), None, "{second}");
    }
    // AWS Config has seen it, at the very second of the fix or later.
    for second in [10, 11] {
        let confirmed = fixed.complied_at(second).unwrap();
        assert!(!confirmed.is_unconfirmed(at(10 + SOON)), "{second}");
    }
    // One of two rules complains still.
    let second_rule = fixed.complied_at(11).unwrap();
    let complaint = Breach {
        rule: "another".parse().unwrap(),
        ..breach(9)
    };
    let mut second_rule = second_rule;
    second_rule.hear(&complaint, false);
    assert!(second_rule.is_unconfirmed(at(10 + SOON)));
}

#[test]
fn a_failed_look_replaces_the_plan_of_an_open_finding_only() {
    let failed = Plan::Unknown {
        reason: "denied".to_owned(),
        looking: false,
    };
    let open = open();
    assert_eq!(open.looked_at(&failed, at(5)).unwrap().plan, failed);
    let ignored = open.ignored_as_planned(alice(), at(4), None).unwrap();
    assert_eq!(ignored.looked_at(&failed, at(5)), None);
}

#[test]
fn only_a_look_that_shows_a_plan_is_noted() {
    let seen = |plan: &Plan| Finding::first_seen(breach(0), plan, at(3)).checked_at;
    assert_eq!(seen(&plan()), Some(at(3)));
    assert_eq!(seen(&Plan::Unsupported), None);
}

#[test]
fn a_finding_without_a_fix_stays_so_when_it_is_over() {
    let unsupported = Finding {
        plan: Plan::Unsupported,
        ..open()
    };
    let over = unsupported.complied_at(5).unwrap();
    assert_eq!(over.plan, Plan::Unsupported);
    assert_eq!(open().complied_at(5).unwrap().plan, known(&[]));
}

#[test]
fn looks_within_ten_minutes_are_equally_fresh() {
    let looked = |second| Finding {
        checked_at: Some(at(second)),
        ..open()
    };
    assert!(looked(0).looks_like(&looked(599)) && looked(599).looks_like(&looked(0)));
    assert!(!looked(0).looks_like(&looked(600)) && !looked(600).looks_like(&looked(0)));
    // None counts as one when the episode began.
    assert!(open().looks_like(&looked(599)) && !open().looks_like(&looked(600)));
}

#[test]
fn what_is_not_shown_makes_no_difference_in_slack() {
    type Edit = fn(&mut Finding);
    let unseen: [Edit; 9] = [
        |finding| finding.settled_at = Some(at(9)),
        |finding| finding.checked_at = Some(at(9)),
        |finding| finding.recorded_at = at(9),
        |finding| finding.earlier_reports = vec![(ViolationType::S3BucketPublicAcl, at(9))],
        |finding| finding.sources.clear(),
        |finding| finding.events.clear(),
        |finding| finding.episode.ended.push(Attempt::begin()),
        |finding| finding.episode.undo_asked_at = Some(at(9)),
        |finding| finding.episode.undone.push((grant(), at(9))),
    ];
    for (number, edit) in unseen.into_iter().enumerate() {
        let mut finding = open();
        edit(&mut finding);
        assert!(finding != open() && finding.looks_like(&open()), "{number}");
    }
    let mut remediated = open();
    remediated
        .episode
        .remediated
        .insert(ViolationType::S3BucketPublicAcl);
    assert!(remediated.looks_like(&open()));
    let mut severe = open();
    severe.severity = Severity::Critical;
    assert!(!severe.looks_like(&open()));
}

#[test]
fn a_thread_has_forty_replies_at_most() {
    let mut finding = open();
    for number in 0..45 {
        finding.tell(None, number.to_string());
    }
    assert_eq!(finding.episode.thread.len(), 40);
    assert_eq!(finding.episode.thread[39].text, "39");
}

#[test]
fn the_state_has_begun_when_its_event_came() {
    assert_eq!(open().state_since(), at(0));
    assert_eq!(fixed().state_since(), at(12));
    assert_eq!(undoing().state_since(), at(20));
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    assert_eq!(fixing.state_since(), at(10));
    assert_eq!(open().deleted(at(30)).unwrap().state_since(), at(30));
}

#[test]
fn a_plan_is_as_severe_as_its_worst_change() {
    let of = |plan: Plan| plan.severity();
    let looking = |looking| Plan::Unknown {
        reason: String::new(),
        looking,
    };
    assert_eq!(of(looking(true)), Some(Severity::Critical));
    assert_eq!((of(looking(false)), of(Plan::Unsupported)), (None, None));
    assert_eq!(
        of(plan()),
        Some(grant().severity().max(statement().severity()))
    );
    assert_eq!(of(known(&[])), None);
}

/// What an attempt of the ACL's remediation announces or has done.
fn detail(attempt: &Attempt, changes: &[Change]) -> ReportDetail {
    let kind = ViolationType::S3BucketPublicAcl;
    let begun = report(&open(), kind, None, 0, Outcome::Begun, changes.to_vec());
    by(attempt, begun).detail.unwrap()
}

fn write_grant() -> Change {
    Change::RemoveGrant(Grant {
        grantee: Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned()),
        permission: "WRITE".to_owned(),
        is_unconfirmed: false,
    })
}

#[test]
fn an_older_announcement_of_the_same_attempt_is_left_out() {
    let attempt = Attempt::begin();
    let announced = |times: &[(i64, Change)]| {
        let mut finding = open();
        for (second, change) in times {
            finding.announce(&detail(&attempt, std::slice::from_ref(change)), at(*second));
        }
        let begun = finding.episode.begun.into_iter();
        begun.map(|begun| begun.change).collect::<Vec<_>>()
    };
    let (first, second) = (grant(), write_grant());
    for (then, stands) in [(9, &first), (10, &second), (11, &second)] {
        let both = [(10, first.clone()), (then, second.clone())];
        assert_eq!(announced(&both), std::slice::from_ref(stands), "{then}");
    }
    // The same change of another kind of violation is another announcement.
    let mut finding = open();
    finding.announce(&detail(&attempt, &[grant()]), at(10));
    finding.episode.begun[0].kind = ViolationType::S3BucketPublicPolicy;
    finding.announce(&detail(&attempt, &[grant()]), at(11));
    assert_eq!(finding.episode.begun.len(), 2);
}

#[test]
fn what_others_announced_before_the_last_look_is_gone_by_their_hand() {
    let (dead, living) = (Attempt::begin(), Attempt::begin());
    let carried_out = |announced_at, kind| {
        let mut finding = open();
        finding.announce(&detail(&dead, &[write_grant()]), at(announced_at));
        finding.episode.begun[0].kind = kind;
        finding.announce(&detail(&living, &[grant()]), at(20));
        finding.carry_out(&detail(&living, &[grant()]))
    };
    let kind = ViolationType::S3BucketPublicAcl;
    assert_eq!(carried_out(19, kind), [grant(), write_grant()]);
    assert_eq!(
        carried_out(20, kind),
        [grant()],
        "it may not have been seen"
    );
    let other = ViolationType::S3BucketPublicPolicy;
    assert_eq!(carried_out(19, other), [grant()], "it is another's");
}

#[test]
fn news_from_before_an_undo_is_old() {
    let mut undone = open();
    undone.episode.undone = vec![(grant(), at(30))];
    let told = |changes: &[Change], outcome, second| {
        let detail = ReportDetail {
            outcome,
            ..detail(&Attempt::begin(), changes)
        };
        Some(undone.since_undo(&detail, at(second))?.changes)
    };
    let both = [grant(), statement()];
    assert_eq!(told(&both[..1], Outcome::Fixed, 30), None);
    assert_eq!(
        told(&both[..1], Outcome::Fixed, 31),
        Some(vec![grant()]),
        "after the undo"
    );
    assert_eq!(told(&both, Outcome::Fixed, 30), Some(vec![statement()]));
    assert_eq!(told(&[], Outcome::Begun, 30), Some(Vec::new()));
    // The report of one that found nothing is as old, for the same kind of violation.
    assert_eq!(told(&[], Outcome::NothingToDo, 30), None);
    assert_eq!(told(&[], Outcome::NothingToDo, 31), Some(Vec::new()));
    undone.episode.undone = vec![(statement(), at(30))];
    let of_another_kind = ReportDetail {
        outcome: Outcome::NothingToDo,
        ..detail(&Attempt::begin(), &[])
    };
    assert!(undone.since_undo(&of_another_kind, at(30)).is_some());
}

#[test]
fn a_repeat_counts_for_less_than_a_day() {
    let mut finding = open();
    for second in [0, 1, 2] {
        finding.count_repeats(&[grant()], at(second));
    }
    assert!(finding.is_contested(at(DAY - 1)));
    assert!(!finding.is_contested(at(DAY)), "the first is a day old");
    finding.count_repeats(&[], at(DAY));
    assert_eq!(finding.repeats.len(), 2);
}

#[test]
fn who_opened_earlier_episodes_is_remembered_five_times() {
    let attribution = |number: usize| Attribution {
        principal: format!("arn:aws:iam::123456789012:user/{number}"),
        call: "PutBucketAcl".to_owned(),
        at: at(0),
        source_address: None,
        agent: None,
    };
    let mut finding = open();
    for number in 0..7 {
        finding.episode.attribution = Some(attribution(number));
        finding.remember_attribution();
    }
    finding.episode.attribution = Some(attribution(7));
    let names = finding.attributions().map(|one| one.principal.clone());
    let expected = [2, 3, 4, 5, 6, 7].map(|number| attribution(number).principal);
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let known = |resource_type: &str| {
        let resource_type = resource_type.parse().unwrap();
        super::super::attribution::can_be_known(&Resource {
            resource_type,
            ..open().resource
        })
    };
    assert!(known(ResourceType::BUCKET) && !known("AWS::RDS::DBInstance"));
}

#[test]
fn a_message_may_ask_for_its_fix_and_its_undo() {
    let directions = |finding: &Finding| {
        let plans = finding.plans().into_iter();
        plans
            .map(|plan: AgreedPlan| plan.direction == Direction::Undo)
            .collect::<Vec<_>>()
    };
    assert_eq!(directions(&open()), [false]);
    assert_eq!(directions(&fixed()), [true]);
}

#[test]
fn a_yes_is_within_while_the_plan_has_no_more() {
    let agreed = open().fix_plan().unwrap();
    assert!(open().is_within(&agreed));
    let less = Finding::open(
        breach(0),
        known(&[(ViolationType::S3BucketPublicAcl, grant())]),
    );
    assert!(less.is_within(&agreed) && !open().is_within(&less.fix_plan().unwrap()));
    let clean = Finding::open(breach(0), known(&[]));
    assert!(!clean.is_within(&agreed), "there is nothing to fix");
}

#[test]
fn the_history_tells_the_events_of_the_last_change() {
    let entries: Vec<_> = open().entries().collect();
    assert_eq!(entries.len(), 1);
    let standing = entries[0].standing.as_ref().unwrap();
    assert_eq!(standing.state, StateName::Open);
    // Found and fixed in one write: the finding was open when it was found.
    let mut at_once = fixed();
    at_once.events = open().events;
    let found = at_once.entries().next().unwrap();
    assert_eq!(found.standing.unwrap().state, StateName::Open);
    let of = |new: Vec<String>| event::HistoryEvent::NotAgreed { new }.to_string();
    assert_eq!(
        of(Vec::new()),
        "asked for a fix without saying of which plan: nothing was changed"
    );
    assert!(of(vec!["revoke tcp 22".to_owned()]).contains("(revoke tcp 22)"));
}
