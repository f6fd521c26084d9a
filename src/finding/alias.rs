//! Findings of versions before 0.2, whose ids came from the rule: each moves under the id of its control
//! when it is next touched, and its old id stays an alias for 400 days.

use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use super::kept_plan::KEPT;
use super::sources::SourceResult;
use super::table::{Record, Shown, Table, TableError, applied, key, number};
use super::{Actor, Finding, State};
use crate::controls::evaluation::RuleDefaults;
use crate::ids::{DigestId, FindingId};

impl Finding {
    /// The finding of version 0.1, under the id of its control.
    fn under(&self, id: &FindingId, rules: &RuleDefaults) -> Self {
        let mut finding = self.clone();
        finding.note_what_is_ignored();
        finding.control = rules.control(&self.rule, &self.resource.resource_type);
        let compliant = matches!(
            self.state,
            State::Ignored {
                compliant: true,
                ..
            }
        ) || matches!(self.state, State::Fixed { at, .. } if self.recorded_at >= at);
        let result = SourceResult {
            arn: None,
            compliant,
            recorded_at: self.recorded_at,
        };
        finding.sources.entry(self.rule.clone()).or_insert(result);
        if matches!(self.state, State::Ignored { by: Actor::Tag, .. }) {
            finding.told_severity = Some(self.severity);
        }
        finding.aliases.insert(self.id.clone());
        finding.id = id.clone();
        finding.events.clear();
        finding
    }

    /// Two rules had a finding each about the same, and this one moved first: what is open of either is
    /// open, what was taken away can be put back, and what people ignored of one stays ignored. `None`
    /// where the other says nothing new.
    fn merged(&self, other: &Self) -> Option<Self> {
        let now = Timestamp::now();
        let is_over = |finding: &Self| finding.state_name(now).is_over();
        let (base, rest) = if is_over(self) && !is_over(other) {
            (other, self)
        } else {
            (self, other)
        };
        let mut finding = Self {
            episode: self.episode.max(other.episode),
            ..base.clone()
        };
        finding.aliases.extend(rest.aliases.iter().cloned());
        for (rule, result) in &rest.sources {
            finding
                .sources
                .entry(rule.clone())
                .or_insert_with(|| result.clone());
        }
        let new = rest
            .removed
            .iter()
            .filter(|change| !base.removed.contains(change));
        finding.removed.extend(new.cloned());
        finding.removed_at = finding.removed_at.max(rest.removed_at);
        finding.late.extend(rest.late.iter().cloned());
        if matches!(finding.state, State::Open { .. }) && finding.left.is_none() {
            let mut ignores = rest.ignores(now).into_iter();
            finding.left = ignores.next();
            finding.beside = ignores.collect();
            finding.open_beyond_ignore(now);
        }
        (finding != *self).then_some(finding)
    }
}

impl Table {
    /// The record of `id`, or of the first of the `older` ids under which versions before 0.2 kept it.
    pub async fn get_or_older(
        &self,
        id: &FindingId,
        older: &[FindingId],
    ) -> Result<Option<Record>, TableError> {
        if let Some(record) = self.get(id).await? {
            return Ok(Some(record));
        }
        for older in older {
            if let Some(record) = self.get(older).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The id under which a finding is kept that somebody knows by `id`, an old one perhaps. A record of
    /// version 0.1 is moved first.
    pub async fn resolve(
        &self,
        id: &FindingId,
        rules: &RuleDefaults,
    ) -> Result<FindingId, TableError> {
        let Some(record) = self.get(id).await? else {
            return Ok(id.clone());
        };
        if let Some(moved_to) = record.moved_to {
            // The process that moved it may have died before it was there.
            if self.get(&moved_to).await?.is_none() {
                Box::pin(self.move_record(id, &moved_to, rules)).await?;
            }
            return Ok(moved_to);
        }
        match new_id(&record.finding, rules) {
            Some(new) => {
                Box::pin(self.move_record(id, &new, rules)).await?;
                Ok(new)
            }
            None => Ok(id.clone()),
        }
    }

    /// Moves what versions before 0.2 kept of a resource's finding under its id.
    pub async fn adopt(
        &self,
        id: &FindingId,
        older: &[FindingId],
        rules: &RuleDefaults,
    ) -> Result<(), TableError> {
        if self.get(id).await?.is_some() {
            return Ok(());
        }
        for older in older {
            if self.get(older).await?.is_some() {
                Box::pin(self.move_record(older, id, rules)).await?;
            }
        }
        Ok(())
    }

    /// Whether a record was written by version 0.1, and is to be moved.
    pub fn is_of_older_version(record: &Record, rules: &RuleDefaults) -> bool {
        record.moved_to.is_none() && new_id(&record.finding, rules).is_some()
    }

    /// First the old record says where it leads, and leaves the index; then it is written there, unless
    /// something is there already. Again, after a crash in between, both do no harm.
    async fn move_record(
        &self,
        old: &FindingId,
        new: &FindingId,
        rules: &RuleDefaults,
    ) -> Result<(), TableError> {
        let Some(record) = self.get(old).await? else {
            return Ok(());
        };
        self.tell_history(&record).await?;
        let (pk, sk) = key(old);
        let leave = self
            .update(pk, sk)
            .update_expression(
                "SET movedTo = :new, #version = :next, expiresAt = :expires REMOVE #state, stateSince",
            )
            .condition_expression("#version = :version OR attribute_exists(movedTo)")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":new", to_attribute_value(new)?)
            .expression_attribute_values(":version", number(record.version))
            .expression_attribute_values(":next", number(record.version + 1))
            .expression_attribute_values(":expires", number((Timestamp::now() + KEPT).as_second()));
        if !applied(leave).await? {
            // Somebody has changed it meanwhile: the next delivery moves it.
            return Err(TableError::Contended);
        }
        let finding = record.finding.under(new, rules);
        let kept = self.keep_plans(&finding.plans(), None).await?;
        if self.write(&finding, None, &kept).await?.is_none() {
            // Another rule's finding about the same has moved there before.
            let merge =
                |there: Option<&Finding>| there.and_then(|there| there.merged(&finding)).ok_or(());
            Box::pin(self.change(new, merge)).await?;
        }
        self.show_moved(old, new, record.shown).await?;
        tracing::info!(from = %old, to = %new, "a finding of an older version has moved");
        Ok(())
    }

    /// Its message is where it was, and has to be edited: its buttons know neither id nor plan.
    async fn show_moved(
        &self,
        old: &FindingId,
        new: &FindingId,
        shown: Option<Shown>,
    ) -> Result<(), TableError> {
        let Some(mut shown) = shown else {
            return Ok(());
        };
        match &mut shown {
            Shown::Posted(posted) => {
                posted.version = 0;
                if let Some(digest) = &posted.digest {
                    self.retire_member(digest, old).await?;
                }
            }
            Shown::Listed(listed) => {
                listed.version = 0;
                self.retire_member(&listed.digest, old).await?;
            }
        }
        let (pk, sk) = key(new);
        let update = self
            .update(pk, sk)
            .update_expression("SET shown = if_not_exists(shown, :shown)")
            .expression_attribute_values(":shown", to_attribute_value(&shown)?);
        applied(update).await.map(drop)
    }

    /// A digest's list has the finding by its new id.
    async fn retire_member(&self, digest: &DigestId, old: &FindingId) -> Result<(), TableError> {
        let update = self
            .member_update(digest, old)
            .update_expression("SET retired = :true")
            .condition_expression("attribute_exists(entry)")
            .expression_attribute_values(
                ":true",
                aws_sdk_dynamodb::types::AttributeValue::Bool(true),
            );
        applied(update).await.map(drop)
    }
}

/// The id that a record of version 0.1 gets; none where it has it.
fn new_id(finding: &Finding, rules: &RuleDefaults) -> Option<FindingId> {
    let control = rules.control(&finding.rule, &finding.resource.resource_type)?;
    let new = control.finding(&finding.resource);
    (new != finding.id).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Change, WholePolicy};
    use crate::finding::tests::{at, open};

    #[test]
    fn of_two_findings_about_the_same_what_is_open_stays_open_and_what_was_taken_can_be_put_back() {
        let taken = |policy: &str| {
            Change::DeletePolicy(WholePolicy {
                policy: policy.to_owned(),
            })
        };
        let fixed = |policy: &str, second| Finding {
            state: State::Fixed {
                by: Actor::AutoResponse,
                at: at(second),
            },
            removed: vec![taken(policy)],
            removed_at: Some(at(second)),
            episode: 3,
            ..open()
        };
        let merged = fixed("a", 5).merged(&open()).unwrap();
        assert_eq!((&merged.state, merged.episode), (&State::OPEN, 3));
        assert_eq!(
            (merged.removed, merged.removed_at),
            (vec![taken("a")], Some(at(5)))
        );
        let merged = open().merged(&fixed("a", 5)).unwrap();
        assert_eq!((&merged.state, merged.removed.len()), (&State::OPEN, 1));
        let merged = fixed("a", 5).merged(&fixed("b", 9)).unwrap();
        assert_eq!((merged.removed.len(), merged.removed_at), (2, Some(at(9))));
        assert!(matches!(merged.state, State::Fixed { .. }));
        assert_eq!(open().merged(&open()), None);
    }
}
