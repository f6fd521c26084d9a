//! The modules of the crate are layers, and each uses only those below it. The test reads every path in `src`,
//! and fails on one that leads upwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, UseTree};

/// The modules of the crate from the top to the bottom: each may use those that come after it.
const LAYERS: &[&str] = &[
    "doctor",
    "sandbox",
    "serve",
    "lambda",
    "wiring",
    "functions",
    "notifier",
    "command",
    "coordinator",
    "fix",
    "schedule",
    "attribution",
    "report",
    "settings",
    "routing",
    "slack",
    "store",
    "finding",
    "contracts",
    "controls",
    "shapes",
    "queue",
    "secrets",
    "aws",
    "metrics",
    "ids",
    "clock",
    "text",
];

/// The files of the binary, and the list of modules.
const ABOVE_ALL: [&str; 3] = ["cli", "lib", "main"];

/// The modules that a file uses, by their names in the crate's root.
struct Uses {
    /// The module path of the file: `["remediation", "plan"]`.
    here: Vec<String>,
    used: BTreeSet<String>,
}

impl Uses {
    fn of(here: &[&str], source: &str) -> BTreeSet<String> {
        let here = here.iter().map(|name| (*name).to_owned()).collect();
        let mut uses = Self {
            here,
            used: BTreeSet::new(),
        };
        uses.visit_file(&syn::parse_file(source).expect("a source file is Rust"));
        uses.used
    }

    /// Records the module that a path leads to, where the path begins at the crate or at a parent.
    fn path(&mut self, names: &[String]) {
        let mut at = match names.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self") => self.here.clone(),
            Some("super") => self.here[..self.here.len().saturating_sub(1)].to_vec(),
            _ => return,
        };
        for name in &names[1..] {
            if name == "super" {
                at.pop();
            } else {
                at.push(name.clone());
            }
        }
        self.used.extend(at.into_iter().next());
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.path(&with(&name.ident)),
            UseTree::Rename(rename) => self.path(&with(&rename.ident)),
            UseTree::Glob(_) => self.path(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }

    /// Records the paths among a macro's tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut names: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if names.is_empty() || colons == 2 => {
                    names.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct)
                    if punct.as_char() == ':' && !names.is_empty() && colons < 2 =>
                {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) => {
                    self.path(&std::mem::replace(&mut names, vec![ident.to_string()]));
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.path(&std::mem::take(&mut names));
            colons = 0;
        }
        self.path(&names);
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.path(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(crate)` and `pub(super)` are visibilities, not uses.
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        // Unit tests may use modules above theirs to set up their input.
        if module.ident == "tests" {
            return;
        }
        self.here.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.here.pop();
    }
}

/// Every source file with its module path.
fn sources(folder: &Path, here: &[String], found: &mut Vec<(Vec<String>, PathBuf)>) {
    for entry in std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let name = entry.file_stem().unwrap().to_string_lossy().into_owned();
        // Unit tests may use modules above theirs to set up their input.
        if name == "tests" {
            continue;
        }
        if entry.is_dir() {
            sources(&entry, &[here, &[name]].concat(), found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let below = if name == "mod" {
                here.to_vec()
            } else {
                [here, &[name]].concat()
            };
            found.push((below, entry));
        }
    }
}

/// The modules that each module uses.
fn used_by_module() -> BTreeMap<String, BTreeSet<String>> {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &[],
        &mut files,
    );
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (here, path) in files {
        let names: Vec<&str> = here.iter().map(String::as_str).collect();
        let uses = Uses::of(&names, &std::fs::read_to_string(&path).unwrap());
        let of_module = used.entry(here[0].clone()).or_default();
        of_module.extend(uses.into_iter().filter(|other| *other != here[0]));
    }
    used
}

/// The uses of a module that is not below the user.
fn upwards(used: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<(String, String)> {
    let height = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let all = used
        .iter()
        .flat_map(|(from, to)| to.iter().map(move |to| (from.clone(), to.clone())));
    // A name that is not in the list is no module of the crate, or may use all of them.
    let is_upwards = |(from, to): &(String, String)| {
        from != to
            && height(from)
                .zip(height(to))
                .is_some_and(|(from, to)| to <= from)
    };
    all.filter(is_upwards).collect()
}

#[test]
fn no_module_uses_one_that_is_above_it() {
    let used = used_by_module();
    let is_known = |name: &str| LAYERS.contains(&name) || ABOVE_ALL.contains(&name);
    let unknown: Vec<&String> = used.keys().filter(|name| !is_known(name)).collect();
    assert!(
        unknown.is_empty(),
        "these modules have no place in LAYERS: {unknown:?}"
    );
    assert_eq!(upwards(&used), BTreeSet::new(), "these lead upwards");
}

#[test]
fn a_planted_path_upwards_is_found() {
    for planted in [
        "use crate::notifier::Notifier;",
        "fn f() { crate::slack::text::escape(&x); }",
        "pub use super::super::coordinator::Decider;",
    ] {
        let uses = Uses::of(&["finding", "plan"], planted);
        let found = upwards(&BTreeMap::from([("finding".to_owned(), uses)]));
        assert_eq!(found.len(), 1, "{planted}: {found:?}");
    }
    let downwards = Uses::of(
        &["finding", "plan"],
        "use crate::controls::Change; use super::Finding;",
    );
    assert_eq!(
        upwards(&BTreeMap::from([("finding".to_owned(), downwards)])).len(),
        0
    );
}

#[test]
fn every_kind_of_path_is_seen() {
    for (source, used) in [
        ("use crate::slack::{text::escape, Client};", &["slack"][..]),
        (
            "use crate::{aws, finding::Finding as F};",
            &["aws", "finding"],
        ),
        ("pub use super::super::notifier::*;", &["notifier"]),
        ("fn f() { crate::store::get(); }", &["store"]),
        ("fn f(x: super::super::queue::Queues) {}", &["queue"]),
        (
            "fn f() { println!(\"{}\", crate::report::text(1)); }",
            &["report"],
        ),
        (
            "mod inner { use super::super::super::metrics; }",
            &["metrics"],
        ),
        ("impl crate::wiring::Made for X {}", &["wiring"]),
        (
            "use std::fmt; fn f() { self::g(); tokio::spawn(x); }",
            &["remediation"],
        ),
        ("#[cfg(test)] mod tests { use crate::serve; }", &[]),
    ] {
        let uses = Uses::of(&["remediation", "plan"], source);
        let used: BTreeSet<String> = used.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(uses, used, "{source}");
    }
}

#[test]
fn only_the_store_calls_dynamodb() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &[], &mut found);
    let calls = |file: &PathBuf| {
        std::fs::read_to_string(file)
            .unwrap()
            .contains("aws_sdk_dynamodb")
    };
    let callers: BTreeSet<String> = found
        .into_iter()
        .filter(|(_, file)| calls(file))
        .filter_map(|(place, _)| place.into_iter().next())
        .collect();
    assert_eq!(callers, BTreeSet::from(["store".to_owned()]));
}

#[test]
fn no_file_is_too_long() {
    let mut found = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &[],
        &mut found,
    );
    let mut lengths: Vec<(usize, PathBuf)> = found
        .into_iter()
        .map(|(_, file)| {
            let source = std::fs::read_to_string(&file).unwrap();
            let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
            (code.lines().count(), file)
        })
        .collect();
    lengths.sort();
    let (longest, file) = lengths.last().unwrap();
    assert!(*longest <= 400, "{} has {longest} lines", file.display());
    let (median, _) = lengths[lengths.len() / 2];
    assert!(
        median <= 120,
        "half of the files have {median} lines or more"
    );
}

#[test]
fn findings_call_nobody() {
    let used = used_by_module();
    for of_the_world in ["aws", "queue", "secrets"] {
        assert!(!used["finding"].contains(of_the_world), "{of_the_world}");
    }
}

#[test]
fn the_pure_layers_do_not_read_the_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for layer in ["finding", "contracts", "shapes", "controls"] {
        let mut found = Vec::new();
        sources(&root.join(layer), &[], &mut found);
        for (_, file) in found {
            let source = std::fs::read_to_string(&file).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap();
            assert!(!code.contains("Timestamp::now"), "{}", file.display());
        }
    }
}

/// The texts between backticks.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_page_about_the_code_has_these_layers_and_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|')).skip(2);
    let layers: Vec<&str> = rows
        .flat_map(|row| code(row.split('|').nth(2).unwrap()))
        .collect();
    assert_eq!(layers, LAYERS);
    let files = code(&page).into_iter().filter(|name| name.ends_with(".rs"));
    let exists = |name: &str| root.join(name).exists() || root.join("src").join(name).exists();
    let missing: Vec<&str> = files.filter(|name| !exists(name)).collect();
    assert!(
        missing.is_empty(),
        "the page names files that are not there: {missing:?}"
    );
}
