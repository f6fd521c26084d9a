//! Leases: who may edit a message, and how the next holder learns what dead ones may have posted.

use defendable::store::Holder;
use defendable::store::{Posted, Shown};
use jiff::{SignedDuration, Timestamp};

use crate::support::installation::Installation;
use crate::support::{eventually, finding_of_group};

/// Longer than a lease or a claim lasts.
const LATER: SignedDuration = SignedDuration::from_secs(90);

/// The table keeps times in milliseconds.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap()
}

#[tokio::test]
async fn a_message_whose_senders_died_is_searched_for_since_the_first_attempt() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("held").await;
    let id = finding_of_group(&group);
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    let table = world.aws.table();

    let first = now();
    let holder = std::cell::RefCell::new(Holder::new());
    // Each lease has another holder.
    let lease = async |at| {
        let next = Holder::new();
        let leased = table.lease(&id, &next, at).await.unwrap();
        if leased.is_some() {
            holder.replace(next);
        }
        leased
    };
    assert_eq!(lease(first).await.unwrap().unsure_since(), None);
    assert_eq!(lease(first + LATER / 2).await, None, "it is held");
    for dead in 1..4 {
        assert_eq!(
            lease(first + LATER * dead).await.unwrap().unsure_since(),
            Some(first)
        );
    }
    // The holder records an edit and dies. A reply of the first holder may exist without a record.
    let Some(Shown::Posted(posted)) = table.get(&id).await.unwrap().unwrap().shown else {
        panic!()
    };
    let last = holder.borrow().clone();
    let noted = table.set_shown(&id, &last, &Shown::Posted(posted)).await;
    assert!(noted.unwrap().is_some());
    assert_eq!(
        lease(now() + LATER).await.unwrap().unsure_since(),
        Some(first)
    );
    let last = holder.borrow().clone();
    table.release(&id, &last, None).await.unwrap();
    assert_eq!(lease(now()).await.unwrap().unsure_since(), None);

    let claim = async |at| table.claim("a notice", at).await.unwrap();
    assert_eq!(claim(first).await.unwrap().unsure_since(), None);
    assert_eq!(claim(first + LATER / 2).await, None, "it is claimed");
    for dead in 1..4 {
        assert_eq!(
            claim(first + LATER * dead).await.unwrap().unsure_since(),
            Some(first)
        );
    }
    let last = claim(first + LATER * 4).await.unwrap();
    table.unclaim("a notice", &last).await.unwrap();
    let last = claim(now()).await.unwrap();
    assert_eq!(last.unsure_since(), None);
    table.confirm("a notice", &last).await.unwrap();
    assert_eq!(claim(now() + LATER).await, None, "it is posted");
}

#[tokio::test]
async fn a_frozen_process_does_not_overwrite_the_edits_of_the_next_one() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("frozen").await;
    let id = finding_of_group(&group);
    eventually("it is shown", async || {
        world.aws.is_shown(&id).await.then_some(())
    })
    .await;
    let table = world.aws.table();
    let Some(Shown::Posted(posted)) = table.get(&id).await.unwrap().unwrap().shown else {
        panic!()
    };

    let (frozen, successor) = (Holder::new(), Holder::new());
    table.lease(&id, &frozen, now()).await.unwrap().unwrap();
    table
        .lease(&id, &successor, now() + LATER)
        .await
        .unwrap()
        .unwrap();
    let newer = Posted {
        version: 77,
        ..posted.clone()
    };
    table
        .set_shown(&id, &successor, &Shown::Posted(newer.clone()))
        .await
        .unwrap()
        .unwrap();
    let older = Posted {
        version: 1,
        ..posted
    };
    assert_eq!(
        table
            .set_shown(&id, &frozen, &Shown::Posted(older))
            .await
            .unwrap(),
        None
    );
    table.abandon(&id, &frozen, now()).await.unwrap();
    table.release(&id, &frozen, None).await.unwrap();
    assert_eq!(
        table.get(&id).await.unwrap().unwrap().shown,
        Some(Shown::Posted(newer))
    );
    assert_eq!(
        table.lease(&id, &Holder::new(), now()).await.unwrap(),
        None,
        "it is the successor's still"
    );

    let frozen = table.claim("a notice", now()).await.unwrap().unwrap();
    let successor = table
        .claim("a notice", now() + LATER)
        .await
        .unwrap()
        .unwrap();
    table.unclaim("a notice", &frozen).await.unwrap();
    table.confirm("a notice", &frozen).await.unwrap();
    assert!(
        !table.is_posted("a notice").await.unwrap(),
        "only its holder says so"
    );
    table.confirm("a notice", &successor).await.unwrap();
    assert!(table.is_posted("a notice").await.unwrap());
}
