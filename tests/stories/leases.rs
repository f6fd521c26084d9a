//! Who holds a message, and what the next one is told of those who died with it.

use defendable::finding::table::Shown;
use jiff::{SignedDuration, Timestamp};

use crate::support::installation::Installation;
use crate::support::{eventually, finding_of_group};

/// Longer than a lease, or a claim.
const LATER: SignedDuration = SignedDuration::from_secs(90);

/// Times are kept in milliseconds.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap()
}

#[tokio::test]
async fn however_many_die_with_a_message_in_hand_the_next_looks_since_the_first() {
    let world = Installation::start(&[], Vec::new()).await;
    let group = world.aws.open_group("held").await;
    let id = finding_of_group(&group);
    eventually("it is shown", async || world.aws.is_shown(&id).await.then_some(())).await;
    let table = world.aws.table();

    let first = now();
    let lease = async |at| table.lease(&id, at).await.unwrap();
    assert_eq!(lease(first).await.unwrap().unsure_since(), None);
    assert_eq!(lease(first + LATER / 2).await, None, "it is held");
    for dead in 1..4 {
        assert_eq!(lease(first + LATER * dead).await.unwrap().unsure_since(), Some(first));
    }
    // An edit is noted, and then it dies too: a reply of the first one's may still be there unnoted.
    let Some(Shown::Posted(posted)) = table.get(&id).await.unwrap().unwrap().shown else { panic!() };
    table.set_shown(&id, &Shown::Posted(posted)).await.unwrap();
    assert_eq!(lease(now() + LATER).await.unwrap().unsure_since(), Some(first));
    table.release(&id, None).await.unwrap();
    assert_eq!(lease(now()).await.unwrap().unsure_since(), None);

    let claim = async |at| table.claim("a notice", at).await.unwrap();
    assert_eq!(claim(first).await.unwrap().unsure_since(), None);
    assert_eq!(claim(first + LATER / 2).await, None, "it is claimed");
    for dead in 1..4 {
        assert_eq!(claim(first + LATER * dead).await.unwrap().unsure_since(), Some(first));
    }
    table.unclaim("a notice").await.unwrap();
    assert_eq!(claim(now()).await.unwrap().unsure_since(), None);
    table.confirm("a notice").await.unwrap();
    assert_eq!(claim(now() + LATER).await, None, "it is posted");
}
