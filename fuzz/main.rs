//! One of the targets, as `DEFENDABLE_FUZZ` says, for libFuzzer.

#![no_main]

mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use targets::{TARGETS, Target};

static CHOSEN: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let wanted = std::env::var("DEFENDABLE_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    found
        .unwrap_or_else(|| panic!("DEFENDABLE_FUZZ is {wanted:?}: expected the name of a target"))
        .1
}

fuzz_target!(|input: &[u8]| CHOSEN.get_or_init(chosen)(input));
