//! The words for a finding: its headline, its state, its changes.

use super::text::{actor, code, escape, prose, when};
use crate::controls::{Control, IGNORE_TAG};
use crate::finding::{Actor, AsksAgain, Failure, Finding, Plan, State};
use crate::text::cut;

/// The number of changes that a list shows.
pub(super) const LIST_LIMIT: usize = 12;

/// The headline: what is wrong, as plain text.
pub fn headline(finding: &Finding) -> String {
    let id = match &finding.resource_name {
        Some(name) => format!("{} ({})", cut(name, 80), finding.resource.id),
        None => finding.resource.id.to_string(),
    };
    let was = matches!(
        finding.state,
        State::Fixed { .. }
            | State::Undoing { .. }
            | State::Ignored {
                compliant: true,
                ..
            }
    );
    let resource_type = &finding.resource.resource_type;
    let definition = Control::of_resource(resource_type)
        .next()
        .map(Control::definition);
    let noun = definition.map_or(resource_type.as_str(), |definition| definition.noun());
    if matches!(finding.state, State::Deleted { .. }) {
        return format!("{noun} {id} was deleted");
    }
    match definition.filter(|_| finding.plan != Plan::Unsupported) {
        Some(definition) if was => format!("{noun} {id} {}", definition.kept_again()),
        Some(definition) => {
            let kinds = finding.to_fix().into_iter().map(|(kind, _)| kind).collect();
            format!("{noun} {id} {}", definition.violated(&kinds))
        }
        None if was => {
            format!(
                "{resource_type} {id} complies with the rule {} again",
                finding.rule
            )
        }
        None => format!("{resource_type} {id} breaks the rule {}", finding.rule),
    }
}

/// The state, with the severity while the finding is not fixed.
pub(super) fn status_line(finding: &Finding) -> String {
    let standing = standing(finding);
    match finding.state {
        State::Fixed { .. } | State::Deleted { .. } => match &finding.episode.undo_failure {
            Some(_) => format!("{standing}. *The undo failed*"),
            None => standing,
        },
        _ => format!("{standing} · {} severity", finding.severity),
    }
}

fn standing(finding: &Finding) -> String {
    match &finding.state {
        State::Open {
            last_failure: None,
            asks_again: Some(AsksAgain { at, .. }),
        } => {
            format!(
                ":red_circle: Open. Nothing was changed {}: it asks again",
                when(*at)
            )
        }
        State::Open {
            last_failure: None,
            asks_again: None,
        } => ":red_circle: Open".to_owned(),
        State::Open {
            last_failure: Some(Failure { at, .. }),
            ..
        } => {
            format!(":red_circle: Open. The fix failed {}", when(*at))
        }
        State::Fixing {
            asked_by, since, ..
        } => {
            format!(
                ":hourglass_flowing_sand: Fixing, asked by {}{} {}",
                actor(asked_by),
                approved(finding),
                when(*since)
            )
        }
        State::Ignored {
            by,
            until,
            compliant,
            ..
        } => {
            let now = if *compliant {
                ". Compliant at the moment"
            } else {
                ""
            };
            let ignored = match (until, by) {
                (None, Actor::Tag) => format!("Ignored while tagged `{IGNORE_TAG}`"),
                (None, by) => format!("Ignored by {} until somebody says otherwise", actor(by)),
                (Some(until), by) => format!("Ignored by {} until {}", actor(by), when(*until)),
            };
            format!(":no_bell: {ignored}{now}")
        }
        State::Fixed {
            by: Actor::External,
            at,
        } => {
            format!(":white_check_mark: Compliant again {}", when(*at))
        }
        State::Fixed { by, at } => {
            let (by, approved) = (actor(by), approved(finding));
            format!(":white_check_mark: Fixed by {by}{approved} {}", when(*at))
        }
        State::Undoing {
            asked_by, since, ..
        } => {
            format!(
                ":leftwards_arrow_with_hook: Undoing the fix, asked by {}{} {}",
                actor(asked_by),
                approved(finding),
                when(*since)
            )
        }
        State::Deleted { at } => format!(":wastebasket: Deleted {}", when(*at)),
    }
}

/// `, approved by @bob`, where it took two.
fn approved(finding: &Finding) -> String {
    let by = finding.episode.approved_by.as_ref();
    by.map_or_else(String::new, |by| format!(", approved by {}", actor(by)))
}

/// Changes as a list, cut after a dozen.
pub fn changes_list(changes: impl ExactSizeIterator<Item = String>) -> String {
    let more = changes.len().saturating_sub(LIST_LIMIT);
    let mut lines: Vec<String> = changes
        .take(LIST_LIMIT)
        .map(|change| format!("• {}", prose(&change, 200)))
        .collect();
    if more > 0 {
        lines.push(format!("• and {more} more"));
    }
    lines.join("\n")
}

/// The resource's id, cut for a list.
pub(super) fn resource_name(finding: &Finding) -> String {
    escape(&cut(finding.resource.id.as_str(), 80))
}

/// The line of a finding in a list.
pub fn finding_line(finding: &Finding) -> String {
    format!(
        "{} {} · {} · {}",
        code(finding.id.as_str()),
        escape(&cut(&headline(finding), 200)),
        code(finding.resource.region.as_str()),
        status_line(finding)
    )
}

/// The line of a finding in a list, with the list's mark.
pub fn bullet(finding: &Finding) -> String {
    format!("• {}", finding_line(finding))
}
