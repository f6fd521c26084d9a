//! Ports to listen on.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the kernel gives to connections and to port 0: 32768 and more on Linux, 49152 and more
/// elsewhere. Such a port may be taken before its process has started.
const PORTS: Range<u16> = 10_000..32_000;

/// The number of ports of one test.
const SHARE: u16 = 200;

/// The number of ports that this process has taken of its share.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// Ports that are free now, and that no other test of this run gets.
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
    // Each process begins at another port: those of an earlier process may still be closing.
    let offset = (std::process::id().wrapping_mul(8) + given) % u32::from(SHARE);
    PORTS.start + slot() % (PORTS.len() as u16 / SHARE) * SHARE + offset as u16
}

/// The slot of this test among those that run now:
/// <https://nexte.st/docs/configuration/env-vars/#environment-variables-nextest-sets>.
fn slot() -> u16 {
    std::env::var("NEXTEST_TEST_GLOBAL_SLOT").map_or(0, |slot| slot.parse().unwrap())
}
