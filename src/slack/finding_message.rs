//! A finding as a Slack message: a pure function of the finding.

use super::Content;
use super::blocks::{context, fields, message, section};
use super::finding_body::body;
use super::finding_buttons::buttons;
use super::finding_words::{headline, status_line};
use super::text::{actor, code, escape, group_mention, plain_when, prose, when};
use crate::controls::console_link;
use crate::finding::attribution::Attribution;
use crate::finding::{APPROVAL_WINDOW, ActionRequest, Actor, Approval, FRESH, Finding, State};
use crate::ids::Resource;
use jiff::Timestamp;
use slack_morphism::prelude::*;

/// The message. `previous` links to the message of the episode before.
pub fn finding_message(finding: &Finding, previous: Option<&str>) -> Content {
    let mut blocks = vec![
        section(&format!(
            "*{}*\n{}",
            escape(&headline(finding)),
            status_line(finding)
        )),
        fields(&[
            ("Resource", resource_link(&finding.resource)),
            ("Rule", code(finding.rule.as_str())),
            ("Account", code(finding.resource.account.as_str())),
            ("Region", code(finding.resource.region.as_str())),
        ]),
    ];
    blocks.extend(
        finding
            .episode
            .attribution
            .as_ref()
            .map(|attribution| section(&opened_by(attribution))),
    );
    blocks.extend(
        finding
            .annotation
            .as_deref()
            .map(|text| section(&format!("> {}", prose(text, 300)))),
    );
    blocks.extend(body(finding).map(|text| section(&text)));
    blocks.extend(
        finding
            .shows_waiting()
            .map(|approval| section(&waiting(approval))),
    );
    blocks.extend(buttons(finding));
    let mut small_print = vec![
        format!("Finding {}", code(finding.id.as_str())),
        format!("since {}", when(finding.episode.opened_at)),
    ];
    let is_planned = matches!(
        finding.state,
        State::Open { .. }
            | State::Ignored {
                compliant: false,
                ..
            }
    );
    let is_later = |at: &Timestamp| at.duration_since(finding.episode.opened_at) >= FRESH;
    let checked_at = finding.checked_at.filter(|at| is_planned && is_later(at));
    small_print.extend(checked_at.map(|at| format!("checked {}", when(at))));
    small_print.extend(
        finding
            .undo_until()
            .map(|until| format!("undo until {}", when(until))),
    );
    small_print
        .extend(previous.map(|link| format!("broke again · <{}|previous message>", escape(link))));
    blocks.push(context(&small_print.join(" · ")));
    message(&fallback(finding), blocks)
}

/// The line about the call that broke the rule.
fn opened_by(
    Attribution {
        principal,
        call,
        at,
        source_address,
        agent,
    }: &Attribution,
) -> String {
    let from = source_address
        .as_deref()
        .map_or_else(String::new, |from| format!(" from {}", code(from)));
    let with = agent
        .as_deref()
        .map_or_else(String::new, |agent| format!(" with {}", escape(agent)));
    format!(
        "*Opened by* {} by {}{from}{with} {}",
        code(principal),
        code(call),
        when(*at)
    )
}

/// The lines about a request that waits for another operator.
fn waiting(
    Approval {
        request,
        asked_by,
        since,
    }: &Approval,
) -> String {
    let what = match request {
        ActionRequest::Fix { .. } => "wants this fixed".to_owned(),
        ActionRequest::Undo { reason, .. } => {
            format!("wants the fix undone: {}", prose(reason, 500))
        }
    };
    format!(
        ":busts_in_silhouette: {} {what}\n*Next:* in this account it takes two: another operator approves or declines, until {}",
        actor(asked_by),
        when(*since + APPROVAL_WINDOW)
    )
}

/// The message with a mention of a user group, for the worst findings.
pub fn mentioning(content: Content, group: &SlackUserGroupId) -> Content {
    let call = section(&format!("{} this is critical.", group_mention(group)));
    let blocks = content.blocks.unwrap_or_default();
    message(
        &content.text.unwrap_or_default(),
        std::iter::once(call).chain(blocks).collect(),
    )
}

fn resource_link(resource: &Resource) -> String {
    if resource.id.as_str().len() > 200 {
        // A link that is too long is left out, since a part of it leads nowhere.
        return code(resource.id.as_str());
    }
    let id = escape(resource.id.as_str()).replace('|', "/");
    format!("<{}|{id}>", escape(&console_link(resource)))
}

/// The text that replaces a finding's message once it has moved to another channel.
pub fn moved_message(finding: &Finding, channel: &str, link: Option<&str>) -> Content {
    let channel: String = channel
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let place = link.map_or_else(
        || format!("<#{channel}>"),
        |link| format!("<{}|another channel>", escape(link)),
    );
    let text = format!(
        ":arrow_right: *{}*\nIts route has changed: it is in {place} now. Finding {}",
        escape(&headline(finding)),
        code(finding.id.as_str())
    );
    super::blocks::note(&text)
}

/// The text for notifications and screen readers: one or two sentences.
fn fallback(finding: &Finding) -> String {
    let Resource {
        account, region, ..
    } = &finding.resource;
    let headline = escape(&headline(finding));
    let who = |who: &Actor| actor(who);
    let state = match &finding.state {
        State::Open {
            asks_again: Some(asks),
            ..
        } => match asks.new.is_empty() {
            true => {
                "Nothing was changed, because the request did not say which plan was agreed to."
                    .to_owned()
            }
            false => "Nothing was changed, because the plan has grown.".to_owned(),
        },
        State::Open {
            last_failure: None, ..
        } => match finding.to_fix().first() {
            Some((_, change)) => format!("A fix will {}.", prose(&change.to_string(), 200)),
            None => "It is open.".to_owned(),
        },
        State::Open {
            last_failure: Some(failure),
            ..
        } => {
            format!("The fix failed: {}.", prose(&failure.reason, 300))
        }
        State::Fixing { asked_by, .. } => {
            format!("A fix is on its way, asked for by {}.", who(asked_by))
        }
        State::Ignored {
            by,
            until: Some(until),
            ..
        } => {
            format!("Ignored by {} until {}.", who(by), plain_when(*until))
        }
        State::Ignored {
            by, until: None, ..
        } => format!("Ignored by {}.", who(by)),
        State::Fixed {
            by: Actor::External,
            ..
        } => "It is compliant again.".to_owned(),
        State::Fixed { .. } if finding.episode.undo_failure.is_some() => {
            "The undo failed.".to_owned()
        }
        State::Fixed { by, .. } => format!("Fixed by {}.", who(by)),
        State::Undoing { asked_by, .. } => {
            format!("The fix is being undone, asked for by {}.", who(asked_by))
        }
        State::Deleted { .. } => "It was deleted.".to_owned(),
    };
    format!("{headline} (account {account}, {region}). {state}")
}

#[cfg(test)]
mod tests;
