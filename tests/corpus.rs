//! Every parser reads the fuzzers' corpus, whole and damaged: truncated, with bytes of other files, and with
//! bytes that have a meaning in JSON and forms.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::PathBuf;

use targets::TARGETS;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn parsers_survive_the_corpus_and_its_damaged_copies() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for input in &corpus {
            target(input);
            for end in (0..input.len()).step_by(1 + input.len() / 200) {
                target(&input[..end]);
                for byte in b"\0\"\\{}[],:%&=\xff9-" {
                    let mut damaged = input.clone();
                    damaged[end] = *byte;
                    target(&damaged);
                }
                let other = &corpus[end % corpus.len()];
                target(&[&input[..end], &other[end.min(other.len())..]].concat());
            }
        }
    }
}
