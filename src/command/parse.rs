//! What follows `/dd`, parsed.

use super::FindingsFilter;
use super::authorise::Subject;
use crate::contracts::Switch;
use crate::controls::evaluation::RuleDefaults;
use crate::finding::StateName;
use crate::finding::table::{Table, TableError};
use crate::ids::FindingId;
use crate::slack::text::code;

/// A slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `/dd status`
    Status,
    /// `/dd autoresponse [on|off]`
    AutoResponse(Option<Switch>),
    /// `/dd findings [open|fixing|ignored|fixed|undoing|deleted] [words]`
    Findings(FindingsFilter),
    /// `/dd fix <id>`
    Fix(FindingId),
    /// `/dd ignore <id>`
    Ignore(FindingId),
    /// `/dd queue`
    Queue,
    /// `/dd retry`
    Retry,
    /// `/dd history [id]`
    History(Option<FindingId>),
    /// `/dd show <id>`
    Show(FindingId),
    /// `/dd undo <id>`
    Undo(FindingId),
    /// `/dd approve <id>`
    Approve(FindingId),
    /// `/dd decline <id>`
    Decline(FindingId),
    /// `/dd report`
    Report,
    /// `/dd report weekly on|off`
    WeeklyReport(Switch),
    /// `/dd help`
    Help,
    /// Anything else, with what to say about it.
    Invalid {
        /// For people, in mrkdwn.
        problem: String,
    },
}

/// The commands' words.
const WORDS: [&str; 15] = [
    "status",
    "autoresponse",
    "findings",
    "show",
    "history",
    "ignored",
    "queue",
    "retry",
    "fix",
    "ignore",
    "undo",
    "approve",
    "decline",
    "report",
    "help",
];

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
            ["findings", rest @ ..] => Self::Findings(filter(rest)),
            ["fix", id] => with_id("fix", id, Self::Fix),
            ["ignore", id] => with_id("ignore", id, Self::Ignore),
            ["approve", id] => with_id("approve", id, Self::Approve),
            ["decline", id] => with_id("decline", id, Self::Decline),
            ["report"] => Self::Report,
            ["report", "weekly", "on"] => Self::WeeklyReport(Switch::On),
            ["report", "weekly", "off"] => Self::WeeklyReport(Switch::Off),
            ["undo", id] => with_id("undo", id, Self::Undo),
            ["ignored", words @ ..] => Self::Findings(filter(&[&["ignored"], words].concat())),
            ["show", id] => with_id("show", id, Self::Show),
            ["queue"] => Self::Queue,
            ["retry"] => Self::Retry,
            ["history"] => Self::History(None),
            ["history", id] => with_id("history", id, |id| Self::History(Some(id))),
            [word @ ("fix" | "ignore" | "undo" | "show" | "approve" | "decline")] => invalid(
                text,
                &format!("`/dd {word} <finding id>`; `/dd findings` shows the ids"),
            ),
            ["report", ..] => invalid(text, "`/dd report` or `/dd report weekly on|off`"),
            ["autoresponse", word, ..] => {
                invalid(text, &nearest("autoresponse ", word, &["on", "off"]))
            }
            [word, ..] => invalid(text, &nearest("", word, &WORDS)),
        }
    }

    /// The command about the id under which its finding is kept: people may type an old one.
    pub(super) async fn resolved(
        self,
        table: &Table,
        rules: &RuleDefaults,
    ) -> Result<Self, TableError> {
        let of = async |id: FindingId| table.resolve(&id, rules).await;
        Ok(match self {
            Self::Fix(id) => Self::Fix(of(id).await?),
            Self::Ignore(id) => Self::Ignore(of(id).await?),
            Self::Undo(id) => Self::Undo(of(id).await?),
            Self::Show(id) => Self::Show(of(id).await?),
            Self::Approve(id) => Self::Approve(of(id).await?),
            Self::Decline(id) => Self::Decline(of(id).await?),
            Self::History(Some(id)) => Self::History(Some(of(id).await?)),
            about_no_finding @ (Self::Status
            | Self::AutoResponse(_)
            | Self::Findings(_)
            | Self::Queue
            | Self::Retry
            | Self::History(None)
            | Self::Report
            | Self::WeeklyReport(_)
            | Self::Help
            | Self::Invalid { .. }) => about_no_finding,
        })
    }

    /// What it changes, which only operators may.
    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::AutoResponse(Some(Switch::Off)) => Subject::Off,
            Self::AutoResponse(Some(Switch::On)) | Self::WeeklyReport(_) | Self::Retry => {
                Subject::Everything
            }
            // A fix is asked for by the button under the plan that it shows; only operators are shown one.
            Self::Fix(id)
            | Self::Ignore(id)
            | Self::Undo(id)
            | Self::Approve(id)
            | Self::Decline(id) => Subject::Finding(id.clone()),
            Self::Status
            | Self::AutoResponse(None)
            | Self::Findings(_)
            | Self::History(_)
            | Self::Queue
            | Self::Show(_)
            | Self::Report
            | Self::Help
            | Self::Invalid { .. } => Subject::Nothing,
        }
    }
}

/// A state, if the first word is one, and words to look for.
fn filter(words: &[&str]) -> FindingsFilter {
    let state = words.first().and_then(|word| {
        StateName::ALL
            .into_iter()
            .find(|state| state.as_str() == *word)
    });
    let words = &words[usize::from(state.is_some())..];
    let words = crate::text::cut(&words.join(" "), 200);
    FindingsFilter {
        state,
        words: (!words.is_empty()).then_some(words),
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
        problem: format!(
            "I do not know {typed}. Did you mean {suggestion}? `/dd help` lists what I know."
        ),
    }
}

fn nearest(before: &str, word: &str, words: &[&str]) -> String {
    let nearest = words
        .iter()
        .min_by_key(|candidate| strsim::damerau_levenshtein(word, candidate));
    format!("`/dd {before}{}`", nearest.copied().unwrap_or("help"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_any_case_and_spacing() {
        assert_eq!(Command::parse("  Status "), Command::Status);
        assert_eq!(Command::parse(""), Command::Help);
        assert_eq!(
            Command::parse("autoresponse  ON"),
            Command::AutoResponse(Some(Switch::On))
        );
        let filter = |state, words: Option<&str>| {
            Command::Findings(FindingsFilter {
                state,
                words: words.map(str::to_owned),
            })
        };
        assert_eq!(Command::parse("findings"), filter(None, None));
        assert_eq!(
            Command::parse("findings ignored"),
            filter(Some(StateName::Ignored), None)
        );
        assert_eq!(
            Command::parse("ignored"),
            filter(Some(StateName::Ignored), None)
        );
        assert_eq!(
            Command::parse("findings Web Servers"),
            filter(None, Some("web servers"))
        );
        assert_eq!(
            Command::parse("findings open eu-west-1"),
            filter(Some(StateName::Open), Some("eu-west-1"))
        );
        assert_eq!(
            Command::parse("fix F-3FA9C01B22DE"),
            Command::Fix("f-3fa9c01b22de".parse().unwrap())
        );
    }

    #[test]
    fn what_is_not_a_command_gets_the_nearest_one_suggested() {
        for (typed, suggestion) in [
            ("staus", "`/dd status`"),
            ("autorespons on", "`/dd autoresponse`"),
            ("autoresponse onn", "`/dd autoresponse on`"),
            ("fix", "`/dd fix <finding id>`"),
            ("fix it", "`/dd findings`"),
        ] {
            match Command::parse(typed) {
                Command::Invalid { problem } => {
                    assert!(problem.contains(suggestion), "{typed}: {problem}")
                }
                command => panic!("{typed}: {command:?}"),
            }
        }
        let Command::Invalid { problem } = Command::parse("<!channel>") else {
            panic!()
        };
        assert!(problem.contains("&lt;!channel&gt;"), "{problem}");
    }
}
