//! What a digest counts and lists.

use super::*;
use crate::finding::digest::{Entry, FixAll, Member, Tally};

fn member(finding: &Finding, tried: Option<i64>) -> Member {
    Member {
        entry: Entry::of(finding, "Bucket downloads is public"),
        tried: tried.map(at),
        retired: false,
    }
}

#[test]
fn an_entry_says_whether_there_is_a_fix_and_with_which_plan() {
    let entry = Entry::of(&open(), "Bucket downloads is public");
    assert!(entry.fixable && entry.is_to_fix());
    let plan = open().fix_plan().unwrap().digest();
    assert_eq!(entry.listing().unwrap().plan, plan);
    let unsupported = Finding {
        plan: Plan::Unsupported,
        ..open()
    };
    let entry = Entry::of(&unsupported, "Bucket downloads is public");
    assert!(!entry.fixable && entry.listing().is_none());
    let fixing = open().agreed_fix(alice(), false, at(10)).unwrap();
    assert_eq!(Entry::of(&fixing, "").listing(), None);
}

#[test]
fn a_tally_counts_by_state_rule_place_and_turn() {
    let mut tally = Tally::default();
    tally.add(member(&open(), None), None);
    tally.add(member(&open(), Some(5)), Some(at(5)));
    tally.add(member(&fixed(), Some(5)), Some(at(5)));
    tally.add(member(&fixed(), Some(5)), Some(at(5)));
    tally.add(member(&fixed(), Some(4)), Some(at(5)));
    tally.add(member(&fixed(), None), None);
    assert_eq!(
        (
            tally.total,
            tally.count(StateName::Open),
            tally.count(StateName::Fixed),
            tally.count(StateName::Ignored)
        ),
        (6, 2, 4, 0)
    );
    assert_eq!(tally.counts.by_rule.into_values().collect::<Vec<_>>(), [6]);
    assert_eq!(tally.by_place.into_values().collect::<Vec<_>>(), [6]);
    // Of the ones whose turn it was when all were to be fixed, and not at another time.
    assert_eq!(
        tally.tried.into_iter().collect::<Vec<_>>(),
        [(StateName::Open, 1), (StateName::Fixed, 2)]
    );
}

#[test]
fn all_of_a_digest_is_fixed_in_the_accounts_that_were_meant() {
    let ours = open().resource.account;
    let all = FixAll {
        by: "U0ALICE".to_owned(),
        at: at(0),
        accounts: [ours.clone()].into(),
        ended: false,
        list: None,
    };
    assert!(all.covers(&ours) && !all.covers(&"999999999999".parse().unwrap()));
}
