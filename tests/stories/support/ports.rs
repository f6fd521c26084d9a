//! Ports to listen on.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the kernel gives to connections, and to whoever listens on port 0: 32768 and more on
/// Linux, 49152 and more elsewhere. One of those may be gone before its process has started.
const PORTS: Range<u16> = 10_000..32_000;

/// How many a test may have.
const SHARE: u16 = 200;

/// How many of this process's share have been given.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// Ports that nobody has at this moment, and that no other test of this run is given.
pub fn free_ports<const N: usize>() -> [u16; N] {
    [(); N].map(|()| free_port())
}

fn free_port() -> u16 {
    let mine = (0..SHARE)
        .map(|_| next())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    mine.expect("one of this test's ports is free")
}

fn next() -> u16 {
    let given = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed));
    // Another process begins elsewhere: what the last one had may still be closing.
    let offset = (std::process::id().wrapping_mul(8) + given) % u32::from(SHARE);
    PORTS.start + slot() % (PORTS.len() as u16 / SHARE) * SHARE + offset as u16
}

/// Which of the tests that run at this moment this is:
/// <https://nexte.st/docs/configuration/env-vars/#environment-variables-nextest-sets>.
fn slot() -> u16 {
    std::env::var("NEXTEST_TEST_GLOBAL_SLOT").map_or(0, |slot| slot.parse().unwrap())
}
