//! The record of what is wanted of auto-response, and of a run's hold.

use jiff::Timestamp;

use super::table::{Table, TableError};
use super::update::Update;
use crate::contracts::Switch;
use crate::finding::auto_response::{AutoResponse, GoesOn, Hold, Wanted};
use crate::ids::PlanListId;

const KEY: &str = "AUTO_RESPONSE";

impl Table {
    /// The record; an empty one where nobody has said anything yet.
    pub async fn auto_response(&self) -> Result<AutoResponse, TableError> {
        let recorded = self.get_item(KEY, KEY).await?;
        Ok(recorded.unwrap_or_default())
    }

    /// Whether auto-response may not act. A record that cannot be read counts as "off".
    pub async fn auto_response_is_off(&self) -> Result<bool, TableError> {
        match self.auto_response().await {
            Ok(recorded) => Ok(recorded
                .wanted
                .is_none_or(|wanted| wanted.switch == Switch::Off)),
            Err(TableError::Shape(error)) => {
                tracing::error!(%error, "what is wanted of auto-response cannot be read: it counts as off");
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Records that auto-response is wanted on or off, which also answers a hold. The scheduled rule is
    /// switched after that.
    pub async fn want(&self, wanted: &Wanted) -> Result<(), TableError> {
        let update = self
            .auto_response_update()
            .does("SET wanted = :wanted REMOVE #hold, carriedOut, goesOn")
            .name("hold")
            .value("wanted", wanted);
        update.make().await.map(drop)
    }

    /// Records the deployment's setting, where nobody has said anything yet. Returns whether it did.
    pub async fn want_first(&self, wanted: &Wanted) -> Result<bool, TableError> {
        let update = self
            .auto_response_update()
            .does("SET wanted = :wanted")
            .only_if("attribute_not_exists(wanted)")
            .value("wanted", wanted);
        update.make().await
    }

    /// Records that the scheduled rule was switched as was wanted `at`, unless something else has been wanted
    /// since.
    pub async fn carried_out(&self, at: Timestamp) -> Result<(), TableError> {
        let update = self
            .auto_response_update()
            .does("SET carriedOut = :now")
            .only_if("wanted.#at = :at")
            .name("at")
            .value("at", at)
            .value("now", self.clock.now());
        update.make().await.map(drop)
    }

    /// Records a hold; `false` where one is recorded already.
    pub async fn hold(&self, hold: &Hold) -> Result<bool, TableError> {
        let update = self
            .auto_response_update()
            .does("SET #hold = :hold REMOVE goesOn")
            .only_if("attribute_not_exists(#hold)")
            .name("hold")
            .value("hold", hold);
        update.make().await
    }

    /// Answers the hold of `at` with yes: the next run goes on with the hold's list. `false` where that hold
    /// is answered already.
    pub async fn release_hold(
        &self,
        at: Timestamp,
        list: Option<PlanListId>,
        now: Timestamp,
    ) -> Result<bool, TableError> {
        let update = self
            .auto_response_update()
            .only_if("#hold.#at = :at")
            .name("hold")
            .name("at")
            .value("at", at);
        let yes = list.map(|list| GoesOn {
            list,
            stopped_at: at,
            since: now,
        });
        let update = match yes {
            Some(yes) => update
                .does("SET goesOn = :yes REMOVE #hold")
                .value("yes", yes),
            None => update.does("REMOVE #hold, goesOn"),
        };
        update.make().await
    }

    fn auto_response_update(&self) -> Update {
        self.update(KEY, KEY)
    }
}
