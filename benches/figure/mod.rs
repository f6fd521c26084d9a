//! One table for all benchmarks: `| what | runs | figures |`, whose head `scripts/bench` prints.

#![allow(dead_code, reason = "not every benchmark has times")]

use std::time::Duration;

/// A line of the table.
pub fn row(what: &str, runs: usize, figures: &str) {
    println!("| {what} | {runs} | {figures} |");
}

/// A percentile, in milliseconds.
pub fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1000.0
}

/// Percentiles in words.
pub fn spread(times: &[Duration]) -> String {
    let [half, most] = [50, 99].map(|percent| percentile(times, percent));
    let digits = if half < 10.0 { 2 } else { 0 };
    format!("p50 {half:.digits$} ms, p99 {most:.digits$} ms")
}
