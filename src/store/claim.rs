//! Claims, so that nothing is done twice. A message about no finding (an alarm, a notice) is claimed before
//! it is posted. A request of Slack's that changes something is stored, so that a replay changes nothing.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::lease::{Before, Holder};
use super::table::{Table, TableError};
use super::update::Update;

/// How long a request is stored: a signature is good from five minutes before its time until five minutes
/// after.
const REQUEST_RETENTION: SignedDuration = SignedDuration::from_mins(15);

/// How long it is stored that a message was posted: as long as a queue may deliver the notice again.
const CLAIM_RETENTION: SignedDuration = SignedDuration::from_hours(24 * 14);

/// A claim: the lease for posting a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The holder, who alone confirms the claim or gives it back.
    holder: Holder,
    before: Before,
}

impl Claim {
    /// The time since which earlier holders may have posted the message without confirming it.
    pub fn unsure_since(&self) -> Option<Timestamp> {
        self.before.unsure_since()
    }
}

impl Table {
    /// Claims a message about no finding. `None` where it has been posted, or another holds the claim. A
    /// claim that is not confirmed lapses.
    pub async fn claim(&self, key: &str, now: Timestamp) -> Result<Option<Claim>, TableError> {
        let holder = Holder::new();
        let claim = self
            .posted_update(key)
            .does("SET claimedUntil = :until, leaseHolder = :holder, unsureSince = if_not_exists(unsureSince, :now), expiresAt = :expires")
            .only_if("attribute_not_exists(posted) AND (attribute_not_exists(claimedUntil) OR claimedUntil < :now OR leaseHolder = :holder)")
            .lease(&holder, now)
            .expires(now + CLAIM_RETENTION);
        let before: Option<Before> = claim.old_item().await?;
        Ok(before.map(|before| Claim { holder, before }))
    }

    /// Whether a claimed message has been posted.
    pub async fn is_posted(&self, key: &str) -> Result<bool, TableError> {
        #[derive(Deserialize)]
        struct Posted {
            #[serde(default)]
            posted: bool,
        }
        let item: Option<Posted> = self.get_item(format!("POSTED#{key}"), "POSTED").await?;
        Ok(item.is_some_and(|item| item.posted))
    }

    /// Gives a claim back, because the message is not in Slack. A claim that has passed to another holder
    /// stays.
    pub async fn unclaim(&self, key: &str, claim: &Claim) -> Result<(), TableError> {
        let update = self
            .posted_update(key)
            .does("REMOVE claimedUntil, leaseHolder, unsureSince")
            .only_held_by(&claim.holder);
        update.make().await.map(drop)
    }

    /// Confirms a claim: the message is in Slack. Where the claim is somebody else's by now, they find the
    /// message by its mark, and confirm it.
    pub async fn confirm(&self, key: &str, claim: &Claim) -> Result<(), TableError> {
        let update = self
            .posted_update(key)
            .does("SET posted = :true")
            .only_held_by(&claim.holder)
            .value("true", true);
        update.make().await.map(drop)
    }

    /// Whether a request comes for the first time, which is noted. `digest` is that of its time and
    /// body; `by` is the function that handles it, for the SDK may ask again after an answer that got lost.
    pub async fn is_new_request(
        &self,
        digest: &str,
        by: Uuid,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let noted = self
            .update(format!("REQUEST#{digest}"), "REQUEST")
            .does("SET handledBy = :by, expiresAt = :expires")
            .only_if("attribute_not_exists(pk) OR handledBy = :by")
            .value("by", by.to_string())
            .expires(now + REQUEST_RETENTION);
        noted.make().await
    }

    fn posted_update(&self, key: &str) -> Update {
        self.update(format!("POSTED#{key}"), "POSTED")
    }
}
