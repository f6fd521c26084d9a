//! Text for Slack. Everything that comes from outside passes through here.

use jiff::Timestamp;
use slack_morphism::prelude::SlackUserGroupId;

use crate::controls::IGNORE_TAG;
use crate::finding::Actor;
use crate::text::cut;

/// Text from outside as mrkdwn that means nothing but itself: `&`, `<` and `>` escaped, and
/// control characters and direction marks, which can disguise a name, left out.
/// ([Escaping](https://docs.slack.dev/messaging/formatting-message-text#escaping))
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' => escaped.push(' '),
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {}
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text from outside as code, at most 200 characters of it.
pub fn code(text: &str) -> String {
    format!("`{}`", escape(&cut(text, 200)).replace('`', "'"))
}

/// Text from outside as prose, at most `limit` characters of it, in which `*`, `_` and `~`
/// format nothing: a zero-width space keeps them from being read as marks.
pub fn prose(text: &str, limit: usize) -> String {
    let escaped = escape(&cut(text, limit));
    let mut prose = String::with_capacity(escaped.len());
    for character in escaped.chars() {
        if matches!(character, '*' | '_' | '~' | '`') {
            prose.push('\u{200b}');
        }
        prose.push(character);
    }
    prose
}

/// A point in time, shown in the reader's own zone.
/// ([Date formatting](https://docs.slack.dev/messaging/formatting-message-text#date-formatting))
pub fn when(time: Timestamp) -> String {
    let fallback = time.strftime("%Y-%m-%d %H:%M UTC");
    format!(
        "<!date^{}^{{date_short_pretty}} at {{time}}|{fallback}>",
        time.as_second()
    )
}

/// Date tokens replaced by what stands in them for readers whose client does not know them.
pub fn without_date_tokens(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, token)) = rest.split_once("<!date^") {
        let Some((token, after)) = token.split_once('>') else {
            break;
        };
        plain.push_str(before);
        plain.push_str(token.rsplit('|').next().unwrap_or_default());
        rest = after;
    }
    plain + rest
}

/// A point in time, for where Slack reads no date tokens.
pub fn plain_when(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A user's name. The person who pressed a button knows already: no ping beyond Slack's own rules for
/// edited messages and ephemeral ones.
pub fn mention(user: &str) -> String {
    let plain: String = user.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("<@{plain}>")
}

/// A mention of a user group, which notifies its members.
pub fn group_mention(group: &SlackUserGroupId) -> String {
    let plain: String = group
        .0
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("<!subteam^{plain}>")
}

/// An actor, for people: a mention, or the function's name.
pub fn actor(actor: &Actor) -> String {
    match actor {
        Actor::User(id) => mention(id),
        Actor::AutoResponse => "auto-response".to_owned(),
        Actor::External => "somebody outside Defendable".to_owned(),
        Actor::Tag => format!("its tag `{IGNORE_TAG}`"),
    }
}

/// `1 finding`, `2 findings`, `2 fixes`.
pub fn count(number: u64, singular: &str) -> String {
    match number {
        1 => format!("1 {singular}"),
        _ if singular.ends_with('x') => format!("{number} {singular}es"),
        _ => format!("{number} {singular}s"),
    }
}

/// `3 s`, `5 min`, `2 h`, `4 d`.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_noun_agree() {
        let all = [
            (0, "finding"),
            (1, "finding"),
            (2, "finding"),
            (1, "fix"),
            (2, "fix"),
        ];
        let written = all.map(|(number, singular)| count(number, singular));
        assert_eq!(
            written,
            ["0 findings", "1 finding", "2 findings", "1 fix", "2 fixes"]
        );
    }

    #[test]
    fn names_from_aws_ping_nobody_and_format_nothing() {
        assert_eq!(
            escape("<!channel> & <@U1>\u{202e}\0"),
            "&lt;!channel&gt; &amp; &lt;@U1&gt;"
        );
        assert_eq!(code("a`b"), "`a'b`");
        assert_eq!(prose("*x*", 10), "\u{200b}*x\u{200b}*");
        assert_eq!(mention("U1><!channel"), "<@U1channel>");
    }

    #[test]
    fn date_tokens_can_be_done_without() {
        let text = format!(
            "since {} and {}",
            when(Timestamp::UNIX_EPOCH),
            when(Timestamp::UNIX_EPOCH)
        );
        let plain = "since 1970-01-01 00:00 UTC and 1970-01-01 00:00 UTC";
        assert_eq!(without_date_tokens(&text), plain);
        assert_eq!(without_date_tokens("a <!date^1"), "a <!date^1");
    }

    #[test]
    fn ages_are_short() {
        assert_eq!(
            [age(5), age(61), age(7200), age(200_000), age(-1)],
            ["5 s", "1 min", "2 h", "2 d", "0 s"]
        );
    }
}
