//! Every slash command, and how what follows `/dd` is read.

use super::definition::Definition;
use super::parse::Command;
use super::{
    approve, autoresponse, decline, discard, findings, fix, help, history, ignore, ignored, queue,
    report, retry, show, status, undo, unignore,
};
use crate::slack::text::code;

/// Every command, in the order in which `/dd help` lists them.
pub(super) const COMMANDS: [&Definition; 17] = [
    &status::DEFINITION,
    &findings::DEFINITION,
    &show::DEFINITION,
    &history::DEFINITION,
    &ignored::DEFINITION,
    &queue::DEFINITION,
    &retry::DEFINITION,
    &discard::DEFINITION,
    &report::DEFINITION,
    &fix::DEFINITION,
    &ignore::DEFINITION,
    &unignore::DEFINITION,
    &undo::DEFINITION,
    &approve::DEFINITION,
    &decline::DEFINITION,
    &autoresponse::DEFINITION,
    &help::DEFINITION,
];

impl Definition {
    /// The definition of a command's word.
    pub(super) fn of(word: &str) -> Option<&'static Self> {
        COMMANDS
            .into_iter()
            .find(|definition| definition.word == word)
    }
}

impl Command {
    /// Reads what follows `/dd`. Case does not matter.
    pub fn parse(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let Some((word, rest)) = words.split_first() else {
            return Self::Help;
        };
        let Some(definition) = Definition::of(word) else {
            let known: Vec<&str> = COMMANDS.iter().map(|definition| definition.word).collect();
            return invalid(text, &nearest("", word, &known));
        };
        (definition.read)(rest).unwrap_or_else(|| {
            if rest.is_empty() && definition.usage.ends_with(" <id>") {
                return which_finding(definition.word);
            }
            let suggestion = match rest.first().filter(|_| !definition.choices.is_empty()) {
                Some(word) => nearest(&format!("{} ", definition.word), word, definition.choices),
                None => format!("`/dd {}`", definition.usage),
            };
            match definition.usage.contains("<id>") {
                true => unknown(text, &suggestion, "`/dd findings` shows the ids."),
                false => invalid(text, &suggestion),
            }
        })
    }
}

fn invalid(text: &str, suggestion: &str) -> Command {
    unknown(text, suggestion, "`/dd help` lists the commands.")
}

fn which_finding(word: &str) -> Command {
    Command::Invalid {
        problem: format!(
            "Which finding? Type `/dd {word} <id>`, for example `/dd {word} f-3fa9c01b22de`; `/dd findings` lists the ids."
        ),
    }
}

fn unknown(text: &str, suggestion: &str, more: &str) -> Command {
    let typed = code(&format!("/dd {}", text.trim()));
    Command::Invalid {
        problem: format!("I do not know {typed}. Did you mean {suggestion}? {more}"),
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
    use super::super::FindingsFilter;
    use super::super::authorise::Subject;
    use super::super::definition::Who;
    use super::*;
    use crate::contracts::Switch;
    use crate::finding::StateName;

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
            Command::parse("findings eu-west-1 open batch"),
            filter(Some(StateName::Open), Some("eu-west-1 batch"))
        );
        assert_eq!(
            Command::parse("fix F-3FA9C01B22DE"),
            Command::Fix("f-3fa9c01b22de".parse().unwrap())
        );
    }

    #[test]
    fn an_unknown_command_gets_the_nearest_one_suggested() {
        for (typed, suggestion) in [
            ("staus", "`/dd status`"),
            ("autorespons on", "`/dd autoresponse`"),
            ("autoresponse onn", "`/dd autoresponse on`"),
            ("fix", "`/dd fix <id>`"),
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

    /// The commands that a usage stands for: `report [weekly on|off]` is `report`, `report weekly on` and
    /// `report weekly off`.
    fn written(usage: &str) -> Vec<String> {
        let usage = usage.replace("<id>", "f-3fa9c01b22de");
        let spellings = match usage.split_once(" [") {
            Some((word, optional)) => {
                let optional = optional
                    .trim_end_matches(']')
                    .replace("id", "f-3fa9c01b22de");
                vec![word.to_owned(), format!("{word} {optional}")]
            }
            None => vec![usage],
        };
        let each = |usage: String| match usage.rsplit_once(' ') {
            Some((before, choices)) => choices
                .split('|')
                .map(|choice| format!("{before} {choice}"))
                .collect(),
            None => vec![usage],
        };
        spellings.into_iter().flat_map(each).collect()
    }

    #[test]
    fn every_usage_parses_and_names_who_may() {
        for definition in COMMANDS {
            let plain = definition.usage.replace("] [words]", "]");
            let commands: Vec<Command> = written(&plain)
                .iter()
                .map(|typed| Command::parse(typed))
                .collect();
            let changes = |command: &Command| command.subject() != Subject::Nothing;
            for command in &commands {
                assert!(
                    !matches!(command, Command::Invalid { .. }),
                    "{plain}: {command:?}"
                );
            }
            let (some, all) = (commands.iter().any(changes), commands.iter().all(changes));
            let who = match (some, all) {
                (false, _) => Who::Everybody,
                (true, false) => Who::OperatorsToSwitch,
                (true, true) => Who::Operators,
            };
            assert_eq!(definition.who, who, "{plain}");
            assert!(plain.starts_with(definition.word));
        }
    }

    #[test]
    fn slack_s_hint_has_every_usage() {
        let manifest = include_str!("../../manifest.yml");
        let hint = manifest
            .lines()
            .find_map(|line| line.trim().strip_prefix("usage_hint: "))
            .unwrap();
        let usages: Vec<&str> = COMMANDS.iter().map(|definition| definition.usage).collect();
        assert_eq!(hint, usages.join(" | "));
    }

    #[test]
    fn the_page_about_slack_has_every_command_and_who_may() {
        let page = include_str!("../../docs/slack.md");
        for definition in COMMANDS {
            let usage = format!("`/dd {}`", definition.usage.replace('|', "\\|"));
            let row = page
                .lines()
                .find(|line| line.starts_with('|') && line.contains(&usage))
                .unwrap_or_else(|| panic!("docs/slack.md has no row with {usage}"));
            let who = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
            assert_eq!(who, definition.who.as_str(), "{usage}");
        }
    }

    #[test]
    fn the_readme_has_every_command_and_who_may() {
        let readme = include_str!("../../README.md");
        let rows: Vec<(Vec<String>, &str)> = readme
            .lines()
            .filter_map(|line| {
                let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
                let (commands, rest) = line.split_once(" | ")?;
                let words = commands.split(|letter: char| !letter.is_alphanumeric());
                let words = words.map(str::to_lowercase).collect();
                let (_, who) = rest.rsplit_once(" | ")?;
                Some((words, who))
            })
            .collect();
        for definition in COMMANDS {
            let of_command = rows
                .iter()
                .filter(|(words, _)| words.iter().any(|word| word == definition.word));
            let who: Vec<&str> = of_command.map(|(_, who)| *who).collect();
            let expected: &[&str] = match definition.who {
                Who::Everybody => &["everybody"],
                Who::Operators => &["operators"],
                Who::OperatorsToSwitch => &["everybody", "operators"],
            };
            assert_eq!(who.len(), 1, "README rows with {}", definition.word);
            assert!(expected.contains(&who[0]), "{}", definition.word);
        }
    }
}
