//! Storms: many findings of a rule at once. The first few within a minute get messages of their own; the rest
//! are gathered in a digest, until the rule has been quiet for a minute.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{DigestId, FindingId, RuleName};

/// Findings of one rule that come within this time are one storm.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// The number of findings of one rule that get messages of their own within a minute.
pub const SINGLES_OF_A_RULE: usize = 5;

/// The number of findings of all rules that get messages of their own within a minute, in one channel.
pub const SINGLES_OF_A_CHANNEL: usize = 15;

/// How often it is stored that a rule's storm goes on: not with every finding.
const NOTED_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// The place where a finding is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// By a message of its own.
    Single,
    /// A line of this digest.
    Digest(DigestId),
}

/// The findings that a channel has had lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storm {
    /// The findings that got messages of their own.
    singles: Vec<Single>,
    /// The rules whose storms go on.
    stormy: Vec<Stormy>,
    /// The digest of the newest storm.
    pub digest: Option<DigestId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Single {
    rule: RuleName,
    finding: FindingId,
    at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stormy {
    rule: RuleName,
    at: Timestamp,
}

impl Storm {
    /// Chooses the place of a finding. Also returns what the channel has had after that; `None` where that is
    /// unchanged.
    pub(crate) fn place(
        &self,
        channel: &str,
        rule: &RuleName,
        finding: &FindingId,
        now: Timestamp,
    ) -> (Place, Option<Self>) {
        let recent = |at: &Timestamp| now.duration_since(*at) < WINDOW;
        let mut next = self.clone();
        next.singles.retain(|single| recent(&single.at));
        next.stormy.retain(|stormy| recent(&stormy.at));
        if next.singles.iter().any(|single| single.finding == *finding) {
            // Its message could not be posted, and is tried again.
            return (Place::Single, None);
        }
        let of_rule = next
            .singles
            .iter()
            .filter(|single| single.rule == *rule)
            .count();
        let stormy = next.stormy.iter().position(|stormy| stormy.rule == *rule);
        if stormy.is_none()
            && of_rule < SINGLES_OF_A_RULE
            && next.singles.len() < SINGLES_OF_A_CHANNEL
        {
            next.singles.push(Single {
                rule: rule.clone(),
                finding: finding.clone(),
                at: now,
            });
            return (Place::Single, Some(next));
        }
        // A storm has one digest for all its rules.
        let known = self.digest.clone().filter(|_| !next.stormy.is_empty());
        let begins = known.is_none();
        let digest = known.unwrap_or_else(|| DigestId::of(channel, finding, now));
        next.digest = Some(digest.clone());
        let noted = match stormy.and_then(|index| next.stormy.get_mut(index)) {
            Some(stormy) if now.duration_since(stormy.at) < NOTED_EVERY => true,
            Some(stormy) => {
                stormy.at = now;
                false
            }
            None => {
                next.stormy.push(Stormy {
                    rule: rule.clone(),
                    at: now,
                });
                false
            }
        };
        (Place::Digest(digest), (begins || !noted).then_some(next))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_767_225_600_000 + millisecond).unwrap()
    }

    fn finding(number: usize) -> FindingId {
        format!("f-{number:012x}").parse().unwrap()
    }

    /// Places findings one after the other; where each went.
    fn places(news: impl IntoIterator<Item = (usize, i64)>) -> Vec<Place> {
        let mut storm = Storm::default();
        let place = |(number, (rule, millisecond)): (usize, (usize, i64))| {
            let rule = format!("rule-{rule}").parse().unwrap();
            let (place, next) = storm.place("C1", &rule, &finding(number), at(millisecond));
            storm = next.unwrap_or_else(|| storm.clone());
            place
        };
        news.into_iter().enumerate().map(place).collect()
    }

    fn singles(places: &[Place]) -> usize {
        places
            .iter()
            .filter(|place| **place == Place::Single)
            .count()
    }

    fn digests(places: &[Place]) -> std::collections::BTreeSet<&str> {
        let digests = places.iter().filter_map(|place| match place {
            Place::Single => None,
            Place::Digest(id) => Some(id.as_str()),
        });
        digests.collect()
    }

    #[test]
    fn five_of_a_rule_come_singly_and_ten_minutes_of_storm_fill_one_digest() {
        let places = places((0..10_000).map(|number| (0, number * 60)));
        assert_eq!((singles(&places), digests(&places).len()), (5, 1));
        assert_eq!(singles(&places[..5]), 5);
    }

    #[test]
    fn a_message_counts_for_less_than_a_minute() {
        let six = |last| places([(0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, last)]);
        assert_eq!(singles(&six(59_999)), 5);
        assert_eq!(singles(&six(60_000)), 6);
    }

    #[test]
    fn a_storm_is_noted_every_five_seconds() {
        let rule = "rule-0".parse().unwrap();
        let mut storm = Storm::default();
        let mut noted = |number, millisecond| {
            let (_, next) = storm.place("C1", &rule, &finding(number), at(millisecond));
            let is_noted = next.is_some();
            storm = next.unwrap_or_else(|| storm.clone());
            is_noted
        };
        assert!((0..6).all(|number| noted(number, 0)), "the sixth begins it");
        assert!(!noted(6, 4999));
        assert!(noted(7, 5000));
        assert!(!noted(8, 9999));
    }

    #[test]
    fn a_quiet_rule_is_shown_singly_while_another_storms() {
        let noisy = (0..100).map(|number| (0, number));
        let places = places(noisy.chain([(1, 101)]));
        assert_eq!(places.last(), Some(&Place::Single));
    }

    #[test]
    fn many_rules_at_once_are_one_digest_and_few_messages() {
        let places = places((0..10_000).map(|number| ((number % 40) as usize, number)));
        assert_eq!(
            (singles(&places), digests(&places).len()),
            (SINGLES_OF_A_CHANNEL, 1)
        );
    }

    #[test]
    fn after_a_quiet_minute_a_rule_is_shown_singly_again() {
        let storm = (0..20).map(|number| (0, number));
        let places = places(storm.chain([(0, 61_000), (0, 200_000)]));
        assert_eq!(places[20..], [Place::Single, Place::Single]);
    }

    #[test]
    fn a_retried_finding_keeps_its_place() {
        let (rule, mut storm) = ("r".parse().unwrap(), Storm::default());
        for number in [0, 1, 2, 3, 4, 0] {
            let (place, next) = storm.place("C1", &rule, &finding(number), at(0));
            assert_eq!(place, Place::Single);
            storm = next.unwrap_or(storm);
        }
    }

    proptest! {
        /// Whatever comes when, a minute brings no more messages than it may.
        #[test]
        fn no_minute_has_too_many(news in prop::collection::vec((0usize..6, 0i64..20_000), 1..200)) {
            let mut time = 0;
            let news: Vec<(usize, i64)> = news.into_iter().map(|(rule, pause)| { time += pause; (rule, time) }).collect();
            let places = places(news.clone());
            let singles: Vec<(usize, i64)> = news.iter().zip(&places)
                .filter(|(_, place)| **place == Place::Single).map(|(new, _)| *new).collect();
            for (_, from) in &singles {
                let minute = || singles.iter().filter(|(_, at)| (*from..from + 60_000).contains(at));
                prop_assert!(minute().count() <= SINGLES_OF_A_CHANNEL);
                for rule in 0..6 {
                    prop_assert!(minute().filter(|(other, _)| *other == rule).count() <= SINGLES_OF_A_RULE);
                }
            }
        }
    }
}
