//! A process's memory and processor time, as Linux tells them.

use std::time::Duration;

/// In kB: `VmRSS` now, `VmHWM` at most so far.
pub fn memory(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim_start_matches(':')
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// How long processors have worked for a process, and the kernel on its behalf, to a hundredth of
/// a second.
#[allow(dead_code, reason = "not every benchmark asks")]
pub fn cpu_time(process: u32) -> [Duration; 2] {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the name, which may have anything in it: utime and stime are the 12th and 13th.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    [11, 12].map(|field| Duration::from_millis(fields[field].parse::<u64>().unwrap() * 10))
}
