//! Block Kit, within Slack's limits ([Block Kit](https://docs.slack.dev/reference/block-kit)).

use slack_morphism::prelude::*;

use super::Content;
use crate::text::cut;

/// Section text, in characters.
const SECTION_LIMIT: usize = 3000;
/// A section's field, in characters.
const FIELD_LIMIT: usize = 2000;
/// A button's text, in characters.
const BUTTON_LIMIT: usize = 75;
/// A confirm dialog's text, in characters.
const CONFIRM_LIMIT: usize = 300;
/// Slack's advice for a message's text, in characters.
const TEXT_LIMIT: usize = 4000;

/// A section of mrkdwn.
pub fn section(mrkdwn: &str) -> SlackBlock {
    SlackSectionBlock::new()
        .with_text(markdown(mrkdwn, SECTION_LIMIT))
        .into()
}

/// A section of mrkdwn with a button beside it.
pub fn section_with(mrkdwn: &str, button: SlackBlockButtonElement) -> SlackBlock {
    SlackSectionBlock::new()
        .with_text(markdown(mrkdwn, SECTION_LIMIT))
        .with_accessory(SlackSectionBlockElement::Button(button))
        .into()
}

/// Lines, in as many sections as they take: none is lost to a section's limit, but for one that is
/// longer than that by itself.
pub fn sections(lines: impl IntoIterator<Item = String>) -> Vec<SlackBlock> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match texts.last_mut() {
            Some(text) if text.chars().count() + 1 + line.chars().count() <= SECTION_LIMIT => {
                text.push('\n');
                text.push_str(&line);
            }
            _ => texts.push(line),
        }
    }
    texts.iter().map(|text| section(text)).collect()
}

/// A section of at most ten short fields, each a label and a value.
pub fn fields(pairs: &[(&str, String)]) -> SlackBlock {
    let fields = pairs
        .iter()
        .take(10)
        .map(|(label, value)| markdown(&format!("*{label}*\n{value}"), FIELD_LIMIT));
    SlackSectionBlock::new()
        .with_fields(fields.collect())
        .into()
}

/// A context block: small print.
pub fn context(mrkdwn: &str) -> SlackBlock {
    let text = verbatim(mrkdwn, SECTION_LIMIT);
    SlackContextBlock::new(vec![SlackContextBlockElement::MarkDown(text)]).into()
}

/// Buttons.
pub fn actions(buttons: Vec<SlackBlockButtonElement>) -> SlackBlock {
    SlackActionsBlock::new(buttons.into_iter().map(Into::into).collect()).into()
}

/// A button; `value` comes back with the click.
pub fn button(action_id: &str, label: &str, value: &str) -> SlackBlockButtonElement {
    SlackBlockButtonElement::new(plain(label, BUTTON_LIMIT))
        .with_action_id(action_id.into())
        .with_value(value.to_owned())
}

/// The question that Slack asks before a click counts. Its text is mrkdwn.
pub fn confirm(title: &str, text: &str, yes: &str) -> SlackBlockConfirmItem {
    let text: SlackBlockText = markdown(text, CONFIRM_LIMIT);
    SlackBlockConfirmItem::new(plain(title, 100), text, plain(yes, 30), plain("Cancel", 30))
}

/// Plain text, cut to `limit` characters.
pub fn plain(text: &str, limit: usize) -> SlackBlockPlainTextOnly {
    SlackBlockPlainTextOnly::from(SlackBlockPlainText::new(cut(text, limit)))
}

fn markdown(text: &str, limit: usize) -> SlackBlockText {
    verbatim(text, limit).into()
}

/// mrkdwn in which Slack makes no links of its own: a group may have a name like an address or a channel.
/// ([verbatim](https://docs.slack.dev/reference/block-kit/composition-objects/text-object))
fn verbatim(text: &str, limit: usize) -> SlackBlockMarkDownText {
    SlackBlockMarkDownText::new(cut(text, limit)).with_verbatim(true)
}

/// A message: blocks, and the text for those who do not see them.
pub fn message(text: &str, blocks: Vec<SlackBlock>) -> Content {
    Content::new()
        .with_text(cut(text, TEXT_LIMIT))
        .with_blocks(blocks)
}

/// A message of one section, which is its text too.
pub fn note(mrkdwn: &str) -> Content {
    message(mrkdwn, vec![section(mrkdwn)])
}
