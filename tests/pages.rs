//! The tables in `docs` and the README say what the code has: settings, Terraform's variables, rules, the
//! actions of fixes.

use std::collections::BTreeSet;
use std::path::Path;

use defendable::controls::ViolationType;
use defendable::controls::evaluation::RuleKind;

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts of all files with an extension in a folder, with its subfolders if `below`.
fn texts(folder: &Path, extension: &str, below: bool) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && below {
            texts.extend(self::texts(&path, extension, below));
        } else if path.extension().is_some_and(|found| found == extension) {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    texts
}

/// The words of a text that begin with `begin`: names of settings.
fn words(text: &str, begin: &str) -> BTreeSet<String> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter| !is_of_name(letter))
        .filter(|word| word.starts_with(begin) && word.len() > begin.len())
        .map(str::to_owned)
        .collect()
}

/// The texts between backticks.
fn code(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_setting_is_on_its_page_and_every_setting_there_is_read() {
    let page = read("docs/settings.md");
    let source = texts(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "rs",
        true,
    )
    .join("\n");
    // The code has the names that it reads in quotation marks; it appends `_PARAMETER` and `_QUEUE_URL` to
    // some.
    let read: BTreeSet<String> = source
        .split('"')
        .filter(|text| words(text, "DEFENDABLE_").contains(*text))
        .map(str::to_owned)
        .collect();
    let named = words(&page, "DEFENDABLE_");
    let is_named =
        |name: &String| named.contains(name) || named.contains(&format!("{name}_PARAMETER"));
    let missing: Vec<&String> = read.iter().filter(|name| !is_named(name)).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let unknown: Vec<&String> = named
        .iter()
        .filter(|name| !name.ends_with("_QUEUE_URL"))
        .filter(|name| !read.contains(name.trim_end_matches("_PARAMETER")) && !read.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "nobody reads: {unknown:?}");
}

#[test]
fn every_variable_of_terraform_is_on_its_page() {
    let page = read("docs/deploying.md");
    // The variables of inner modules are not set by an installation.
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra");
    let infra = texts(&infra, "tf", false).join("\n");
    let declared = infra.lines().filter_map(|line| {
        let name = line.strip_prefix("variable \"")?;
        name.strip_suffix("\" {")
    });
    let declared: BTreeSet<&str> = declared.collect();
    assert!(declared.len() > 20, "{declared:?}");
    let named = code(&page);
    let missing: Vec<&&str> = declared
        .iter()
        .filter(|name| !named.contains(**name))
        .collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
}

#[test]
fn every_fix_has_its_actions_in_the_table_of_controls() {
    let page = read("docs/controls.md");
    for kind in ViolationType::ALL {
        let name = format!("`{}`", kind.name());
        let mut rows = page
            .lines()
            .filter(|line| line.starts_with('|') && line.contains(&name));
        let row = rows.next().unwrap_or_else(|| panic!("{name} has no row"));
        let cell = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        let remediation = kind.remediation();
        let actions = [remediation.plan_actions(), remediation.apply_actions()].concat();
        assert_eq!(code(cell), BTreeSet::from_iter(actions), "{name}");
    }
}

#[test]
fn every_rule_is_in_the_readme_and_on_the_page_of_controls() {
    for rule in RuleKind::ALL {
        let begin = format!("| {} |", rule.name());
        let in_readme = read("README.md");
        assert!(
            in_readme.lines().any(|line| line.starts_with(&begin)),
            "README.md: {begin}"
        );
        let page = read("docs/controls.md");
        assert!(
            page.contains(rule.name()),
            "docs/controls.md: {}",
            rule.name()
        );
    }
}

#[test]
fn every_rule_has_its_scope_in_terraform() {
    let terraform = read("infra/rules.tf");
    for rule in RuleKind::ALL {
        let types: Vec<String> = rule
            .control()
            .scope()
            .iter()
            .map(|of| format!("{of:?}"))
            .collect();
        let (_, of_rule) = terraform
            .split_once(&format!("    {} = {{", rule.name()))
            .unwrap();
        let (_, scope) = of_rule.split_once("resource_types = ").unwrap();
        let begin = format!("[{}]\n", types.join(", "));
        assert!(scope.starts_with(&begin), "{}: {begin}", rule.name());
    }
}
