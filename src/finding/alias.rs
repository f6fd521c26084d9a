//! Findings of version 0.1, whose ids follow from the rule. Each moves to the id of its control when it is
//! next changed, and its old id stays an alias for 400 days.

use jiff::Timestamp;

use super::sources::SourceResult;
use super::{Actor, Finding, State};
use crate::controls::evaluation::RuleDefaults;
use crate::ids::FindingId;

impl Finding {
    /// The id that a record of version 0.1 gets; none where it has it.
    pub(crate) fn new_id(&self, rules: &RuleDefaults) -> Option<FindingId> {
        let control = rules.control(&self.rule, &self.resource.resource_type)?;
        let new = control.finding(&self.resource);
        (new != self.id).then_some(new)
    }

    /// The finding of version 0.1, under the id of its control.
    pub(crate) fn under(&self, id: &FindingId, rules: &RuleDefaults) -> Self {
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

    /// Merges two findings about the same, of two rules, of which this one moved first: what is open of
    /// either is open, what was taken away can be put back, and what people ignored of one stays ignored.
    /// `None` where the other adds nothing.
    pub(crate) fn merged(&self, other: &Self, now: Timestamp) -> Option<Self> {
        let is_over = |finding: &Self| finding.state_name(now).is_over();
        let (base, rest) = if is_over(self) && !is_over(other) {
            (other, self)
        } else {
            (self, other)
        };
        let mut finding = base.clone();
        finding.episode.number = self.episode.number.max(other.episode.number);
        finding.aliases.extend(rest.aliases.iter().cloned());
        for (rule, result) in &rest.sources {
            finding
                .sources
                .entry(rule.clone())
                .or_insert_with(|| result.clone());
        }
        let new = rest
            .episode
            .removed
            .iter()
            .filter(|change| !base.episode.removed.contains(change));
        finding.episode.removed.extend(new.cloned());
        finding.removed_at = finding.removed_at.max(rest.removed_at);
        finding.late.extend(rest.late.iter().cloned());
        if matches!(finding.state, State::Open { .. }) && finding.episode.left.is_none() {
            let mut ignores = rest.ignores(now).into_iter();
            finding.episode.left = ignores.next();
            finding.episode.beside = ignores.collect();
            finding.open_beyond_ignore(now);
        }
        (finding != *self).then_some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Change, WholePolicy};
    use crate::finding::tests::{at, open};

    #[test]
    fn two_findings_of_one_resource_merge_without_losing_what_is_open_or_removed() {
        let taken = |policy: &str| {
            Change::DeletePolicy(WholePolicy {
                policy: policy.to_owned(),
            })
        };
        let fixed = |policy: &str, second| {
            let mut finding = Finding {
                state: State::Fixed {
                    by: Actor::AutoResponse,
                    at: at(second),
                },
                removed_at: Some(at(second)),
                ..open()
            };
            finding.episode.removed = vec![taken(policy)];
            finding.episode.number = 3;
            finding
        };
        let merged = fixed("a", 5).merged(&open(), at(60)).unwrap();
        assert_eq!((&merged.state, merged.episode.number), (&State::OPEN, 3));
        assert_eq!(
            (merged.episode.removed, merged.removed_at),
            (vec![taken("a")], Some(at(5)))
        );
        let merged = open().merged(&fixed("a", 5), at(60)).unwrap();
        assert_eq!(
            (&merged.state, merged.episode.removed.len()),
            (&State::OPEN, 1)
        );
        let merged = fixed("a", 5).merged(&fixed("b", 9), at(60)).unwrap();
        assert_eq!(
            (merged.episode.removed.len(), merged.removed_at),
            (2, Some(at(9)))
        );
        assert!(matches!(merged.state, State::Fixed { at: fixed_at, .. } if fixed_at == at(5)));
        assert_eq!(open().merged(&open(), at(60)), None);
    }

    #[test]
    fn an_ignore_of_a_part_outlasts_the_ignores_of_the_other_finding() {
        let ignored = |reason: &str, changes: &[Change]| {
            let covers = crate::finding::Covers::of(changes);
            let by = Actor::User("U0ALICE".to_owned());
            open()
                .ignored(by, at(1), None, reason.to_owned(), covers)
                .unwrap()
        };
        let crate::finding::Plan::Known { changes } = open().plan else {
            unreachable!("the plan is known")
        };
        let first = [changes[0].1.clone()];
        let in_part = ignored("a part", &first)
            .looked_at(&open().plan, at(2))
            .unwrap();
        assert!(in_part.episode.left.is_some() && in_part.state == State::OPEN);
        let other = ignored("all", &[changes[0].1.clone(), changes[1].1.clone()]);
        assert_eq!(in_part.merged(&other, at(60)), None);
    }

    fn rules() -> RuleDefaults {
        RuleDefaults {
            s3_public_access_names: [open().rule].into(),
            ..RuleDefaults::default()
        }
    }

    #[test]
    fn a_finding_of_version_0_1_gets_the_id_of_its_control() {
        let new = open().id;
        assert_eq!(open().new_id(&rules()), None, "it has it");
        let old = Finding {
            id: FindingId::of_rule(&open().rule, &open().resource),
            ..open()
        };
        assert_eq!(old.new_id(&rules()), Some(new.clone()));
        assert_eq!(old.new_id(&RuleDefaults::default()), None, "no control");
        let moved = old.under(&new, &rules());
        assert_eq!((&moved.id, moved.aliases), (&new, [old.id].into()));
    }

    #[test]
    fn the_result_of_version_0_1_follows_from_the_state() {
        let is_compliant = |state: State, recorded_at| {
            let mut old = Finding {
                state,
                recorded_at: at(recorded_at),
                ..open()
            };
            old.sources.clear();
            let moved = old.under(&open().id, &rules());
            moved.sources[&open().rule].compliant
        };
        let fixed = |second| State::Fixed {
            by: Actor::AutoResponse,
            at: at(second),
        };
        assert!(is_compliant(fixed(5), 5) && is_compliant(fixed(5), 6));
        assert!(!is_compliant(fixed(5), 4) && !is_compliant(State::OPEN, 4));
        let ignored = |compliant| State::Ignored {
            by: Actor::Tag,
            since: at(1),
            until: None,
            reason: String::new(),
            compliant,
            covers: None,
        };
        assert!(is_compliant(ignored(true), 4) && !is_compliant(ignored(false), 4));
    }
}
