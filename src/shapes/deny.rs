//! What a Deny leaves of an Allow to everybody: an explicit Deny always wins, IAM user guide,
//! [Policy evaluation logic](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
//! The usual one denies everything to callers outside one's own network or organisation.

use super::condition::{OneOrMany, deny_to_others, deny_to_strangers};
use super::statement::Statement;

/// Whether a statement denies something to everybody but some of one's own.
pub(super) fn limits(deny: &Statement) -> bool {
    deny.effect == "Deny" && deny.is_for_all() && deny_to_others(&deny.condition)
}

/// Whether each action on each resource that a statement allows is denied to all strangers by one of those
/// that limit. What cannot be proved is not so.
pub(super) fn cover(limiting: &[(usize, &Statement)], allow: &Statement) -> bool {
    let mut denies = limiting
        .iter()
        .map(|(_, deny)| deny)
        .filter(|deny| deny_to_strangers(&deny.condition));
    let (Some(actions), Some(resources)) = (named(&allow.action), named(&allow.resource)) else {
        return denies.any(|deny| {
            is_whole(&deny.action, &["s3:*"]) && is_whole(&deny.resource, &ALL_BUCKETS)
        });
    };
    let denies: Vec<_> = denies.collect();
    !denies.is_empty()
        && actions.iter().all(|action| {
            resources.iter().all(|resource| {
                denies.iter().any(|deny| {
                    any(&deny.action, |outer| includes_action(outer, action))
                        && any(&deny.resource, |outer| includes(outer, resource))
                })
            })
        })
}

/// Whether what a statement allows is within what another allows to everybody, without a condition or with the
/// same. What cannot be proved is not so.
pub(super) fn is_within(outer: &Statement, inner: &Statement) -> bool {
    let (Some(actions), Some(resources)) = (named(&inner.action), named(&inner.resource)) else {
        return false;
    };
    let has_action = |action: &&str| any(&outer.action, |outer| includes_action(outer, action));
    let has_resource = |resource: &&str| any(&outer.resource, |outer| includes(outer, resource));
    (outer.condition.is_empty() || outer.condition == inner.condition)
        && outer.is_for_all()
        && actions.iter().all(has_action)
        && resources.iter().all(has_resource)
}

/// Whether a Deny is about something that a statement allows.
pub(super) fn touches(deny: &Statement, allow: &Statement) -> bool {
    let meet =
        |these: &Option<OneOrMany>, those: &Option<OneOrMany>, includes: fn(&str, &str) -> bool| {
            let (Some(these), Some(those)) = (named(these), named(those)) else {
                return true;
            };
            let pairs = |these: &str| {
                those
                    .iter()
                    .any(|those| includes(these, those) || includes(those, these))
            };
            these.into_iter().any(pairs)
        };
    meet(&deny.action, &allow.action, includes_action)
        && meet(&deny.resource, &allow.resource, includes)
}

/// The texts of an element; `None` where it is absent, or says something else.
fn named(element: &Option<OneOrMany>) -> Option<Vec<&str>> {
    element
        .as_ref()?
        .values()
        .iter()
        .map(|value| value.as_str())
        .collect()
}

fn any(element: &Option<OneOrMany>, is_it: impl Fn(&str) -> bool) -> bool {
    named(element).unwrap_or_default().into_iter().any(is_it)
}

/// Actions are compared without regard to case, resources with.
fn includes_action(outer: &str, inner: &str) -> bool {
    includes(&outer.to_ascii_lowercase(), &inner.to_ascii_lowercase())
}

/// All that S3 has in one of the partitions.
const ALL_BUCKETS: [&str; 3] = [
    "arn:aws:s3:::*",
    "arn:aws-cn:s3:::*",
    "arn:aws-us-gov:s3:::*",
];

/// Whether an element is `*`, or what stands for all of S3.
fn is_whole(element: &Option<OneOrMany>, all: &[&str]) -> bool {
    any(element, |text| {
        text == "*" || all.iter().any(|all| text.eq_ignore_ascii_case(all))
    })
}

/// Whether all that the pattern `inner` matches is matched by `outer`, too. Policy variables may stand for
/// anything.
fn includes(outer: &str, inner: &str) -> bool {
    if outer.contains("${") || inner.contains("${") {
        return false;
    }
    let (outer, inner): (Vec<char>, Vec<char>) = (outer.chars().collect(), inner.chars().collect());
    // Which beginnings of `inner` the part of `outer` so far includes.
    let mut reached = vec![false; inner.len() + 1];
    reached[0] = true;
    for token in outer {
        let mut next = vec![false; inner.len() + 1];
        match token {
            '*' => {
                let first = reached.iter().position(|reached| *reached);
                next.iter_mut()
                    .skip(first.unwrap_or(inner.len() + 1))
                    .for_each(|next| *next = true);
            }
            _ => {
                for (place, symbol) in inner.iter().enumerate() {
                    // A star in `inner` is included by a star alone.
                    let same = *symbol == token && token != '?' || token == '?' && *symbol != '*';
                    next[place + 1] = reached[place] && same;
                }
            }
        }
        reached = next;
    }
    reached[inner.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_includes_what_it_matches_and_narrower_patterns() {
        for (outer, inner) in [
            ("*", "s3:*"),
            ("s3:*", "s3:get*"),
            ("s3:get*", "s3:get*"),
            ("s3:get*", "s3:getobject?"),
            ("s3:get?bject", "s3:getobject"),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/public/*"),
            ("arn:aws:s3:::b*", "arn:aws:s3:::b/*"),
        ] {
            assert!(includes(outer, inner), "{outer} includes {inner}");
        }
        for (outer, inner) in [
            ("s3:get*", "s3:*"),
            ("s3:getobject", "s3:get*"),
            ("s3:get?", "s3:get*"),
            ("s3:getobject", "s3:getobject?"),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b"),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b*"),
            ("arn:aws:s3:::${aws:username}/*", "arn:aws:s3:::b/*"),
            ("*", "arn:aws:s3:::${aws:username}"),
        ] {
            assert!(!includes(outer, inner), "{outer} does not include {inner}");
        }
    }

    /// Letter by letter.
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => {
                matches(&pattern[1..], text) || !text.is_empty() && matches(pattern, &text[1..])
            }
            (Some(b'?'), Some(_)) => matches(&pattern[1..], &text[1..]),
            (Some(letter), Some(other)) if letter == other => matches(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_pattern_matches_all_that_an_included_pattern_matches(
            outer in "[ab*?]{0,5}", inner in "[ab*?]{0,4}", text in "[ab]{0,6}",
        ) {
            let (wide, narrow) = (outer.as_bytes(), inner.as_bytes());
            if includes(&outer, &inner) && matches(narrow, text.as_bytes()) {
                prop_assert!(matches(wide, text.as_bytes()), "{outer} {inner} {text}");
            }
            // A pattern without wildcards is included where it is matched.
            prop_assert_eq!(includes(&outer, &text), matches(wide, text.as_bytes()));
        }
    }

    #[test]
    fn a_statement_is_within_one_that_lets_everybody_do_as_much_or_more() {
        let statement = |principal: &str, action: &str, resource: &str, condition: &str| {
            let text = format!(
                r#"{{"Effect":"Allow","Principal":{principal},"Action":{action},"Resource":{resource},"Condition":{condition}}}"#
            );
            serde_json::from_str::<Statement>(&text).unwrap()
        };
        let (all, get, objects) = (r#""*""#, r#""s3:GetObject""#, r#""arn:aws:s3:::b/*""#);
        let vpc = r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#;
        let inner = statement(all, get, objects, "{}");
        let within = |outer: &Statement| is_within(outer, &inner);
        assert!(within(&inner));
        assert!(within(&statement(
            all,
            r#"["s3:Get*","s3:PutObject"]"#,
            r#""*""#,
            "{}"
        )));
        let other_account = r#"{"AWS":"123456789012"}"#;
        for outer in [
            statement(other_account, get, objects, "{}"),
            statement(all, r#""s3:PutObject""#, objects, "{}"),
            statement(all, get, r#""arn:aws:s3:::b/public/*""#, "{}"),
            statement(all, get, objects, vpc),
        ] {
            assert!(!within(&outer));
        }
        let under_vpc = statement(all, get, objects, vpc);
        assert!(is_within(&under_vpc, &under_vpc), "the same condition");
        let both = statement(all, r#"["s3:GetObject","s3:PutObject"]"#, objects, "{}");
        assert!(is_within(&both, &inner) && !is_within(&inner, &both));
        let no_action: Statement =
            serde_json::from_str(r#"{"Effect":"Allow","Principal":"*","Resource":"*"}"#).unwrap();
        assert!(
            !is_within(&inner, &no_action),
            "what is not named cannot be proved"
        );
    }
}
