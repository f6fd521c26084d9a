//! What follows `/dd`, parsed.

use crate::finding::StateName;
use crate::finding::auto_response::Switch;
use crate::ids::FindingId;
use crate::slack::text::code;

/// A slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/dd status`
    Status,
    /// `/dd autoresponse [on|off]`
    AutoResponse(Option<Switch>),
    /// `/dd findings [open|fixing|ignored|fixed|undoing]`
    Findings(FindingsFilter),
    /// `/dd fix <id>`
    Fix(FindingId),
    /// `/dd ignore <id>`
    Ignore(FindingId),
    /// `/dd history [id]`
    History(Option<FindingId>),
    /// `/dd show <id>`
    Show(FindingId),
    /// `/dd undo <id>`
    Undo(FindingId),
    /// `/dd help`
    Help,
    /// Anything else, with what to say about it.
    Invalid {
        /// For people, in mrkdwn.
        problem: String,
    },
}

/// Which findings to list; `None`: all that are not fixed.
pub type FindingsFilter = Option<StateName>;

/// The commands' words.
const WORDS: [&str; 10] =
    ["status", "autoresponse", "findings", "show", "history", "ignored", "fix", "ignore", "undo", "help"];

impl Command {
    /// Reads what follows `/dd`. Case does not matter.
    pub fn parse(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        match words.as_slice() {
            [] | ["help"] => Self::Help,
            ["status"] => Self::Status,
            ["autoresponse"] => Self::AutoResponse(None),
            ["autoresponse", "on"] => Self::AutoResponse(Some(Switch::On)),
            ["autoresponse", "off"] => Self::AutoResponse(Some(Switch::Off)),
            ["findings"] => Self::Findings(None),
            ["findings", word] => match StateName::ALL.into_iter().find(|state| state.as_str() == *word) {
                Some(state) => Self::Findings(Some(state)),
                None => invalid(text, &nearest("findings ", word, &StateName::ALL.map(StateName::as_str))),
            },
            ["fix", id] => with_id("fix", id, Self::Fix),
            ["ignore", id] => with_id("ignore", id, Self::Ignore),
            ["undo", id] => with_id("undo", id, Self::Undo),
            ["ignored"] => Self::Findings(Some(StateName::Ignored)),
            ["show", id] => with_id("show", id, Self::Show),
            ["history"] => Self::History(None),
            ["history", id] => with_id("history", id, |id| Self::History(Some(id))),
            [word @ ("fix" | "ignore" | "undo" | "show")] => {
                invalid(text, &format!("`/dd {word} <finding id>`; `/dd findings` shows the ids"))
            }
            ["autoresponse", word, ..] => invalid(text, &nearest("autoresponse ", word, &["on", "off"])),
            [word, ..] => invalid(text, &nearest("", word, &WORDS)),
        }
    }

    /// Whether it changes anything, which only operators may do.
    pub fn acts(&self) -> bool {
        match self {
            Self::AutoResponse(Some(_)) | Self::Fix(_) | Self::Ignore(_) | Self::Undo(_) => true,
            Self::Status
            | Self::AutoResponse(None)
            | Self::Findings(_)
            | Self::History(_)
            | Self::Show(_)
            | Self::Help
            | Self::Invalid { .. } => false,
        }
    }
}

fn with_id(word: &str, id: &str, command: fn(FindingId) -> Command) -> Command {
    match id.parse() {
        Ok(id) => command(id),
        Err(_) => Command::Invalid {
            problem: format!(
                "{} is no finding's id. Try `/dd {word} f-3fa9c01b22de`; `/dd findings` shows the ids.",
                code(id)
            ),
        },
    }
}

fn invalid(text: &str, suggestion: &str) -> Command {
    let typed = code(&format!("/dd {}", text.trim()));
    Command::Invalid {
        problem: format!("I do not know {typed}. Did you mean {suggestion}? `/dd help` lists what I know."),
    }
}

fn nearest(before: &str, word: &str, words: &[&str]) -> String {
    let nearest = words.iter().min_by_key(|candidate| strsim::damerau_levenshtein(word, candidate));
    format!("`/dd {before}{}`", nearest.copied().unwrap_or("help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_whatever_their_case_and_spacing() {
        assert_eq!(Command::parse("  Status "), Command::Status);
        assert_eq!(Command::parse(""), Command::Help);
        assert_eq!(Command::parse("autoresponse  ON"), Command::AutoResponse(Some(Switch::On)));
        assert_eq!(Command::parse("findings ignored"), Command::Findings(Some(StateName::Ignored)));
        assert_eq!(Command::parse("fix F-3FA9C01B22DE"), Command::Fix("f-3fa9c01b22de".parse().unwrap()));
    }

    #[test]
    fn what_is_not_a_command_gets_the_nearest_one_suggested() {
        for (typed, suggestion) in [
            ("staus", "`/dd status`"),
            ("autorespons on", "`/dd autoresponse`"),
            ("autoresponse onn", "`/dd autoresponse on`"),
            ("findings opne", "`/dd findings open`"),
            ("fix", "`/dd fix <finding id>`"),
            ("fix it", "`/dd findings`"),
        ] {
            match Command::parse(typed) {
                Command::Invalid { problem } => assert!(problem.contains(suggestion), "{typed}: {problem}"),
                command => panic!("{typed}: {command:?}"),
            }
        }
        let Command::Invalid { problem } = Command::parse("<!channel>") else { panic!() };
        assert!(problem.contains("&lt;!channel&gt;"), "{problem}");
    }
}
