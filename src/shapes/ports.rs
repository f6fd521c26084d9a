//! Sets of TCP and UDP ports, as ranges: a range costs the same whatever its width.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An inclusive range of ports, `first <= last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    /// The range from `first` to `last`, both included; `None` where it would be empty or
    /// outside 0 to 65535 (AWS writes -1 for "no ports").
    pub fn new(first: i64, last: i64) -> Option<Self> {
        let (first, last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
        (first <= last).then_some(Self { first, last })
    }

    /// The first port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// Whether it has a port.
    pub fn has(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// The first port behind it, where there is one.
    pub fn next(self) -> Option<u16> {
        self.last.checked_add(1)
    }

    fn intersection(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Self { first, last })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// The ports that nobody may open to the internet: `22,1433,3306,3389`, `22, 3389, 5432-5433`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProhibitedPorts(Vec<PortRange>);

/// Why a text is not a list of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a port or a range of ports: expected numbers from 0 to 65535, such as \"22, 3389, 5432-5433\""
)]
pub struct InvalidPorts(String);

impl Default for ProhibitedPorts {
    /// What DD-AWS deploys: SSH, SQL Server, MySQL and Remote Desktop.
    fn default() -> Self {
        Self(
            [22, 1433, 3306, 3389]
                .map(|port| PortRange {
                    first: port,
                    last: port,
                })
                .to_vec(),
        )
    }
}

impl FromStr for ProhibitedPorts {
    type Err = InvalidPorts;

    fn from_str(text: &str) -> Result<Self, InvalidPorts> {
        text.split(',')
            .map(|part| parse_range(part.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn parse_range(part: &str) -> Result<PortRange, InvalidPorts> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let number = |text: &str| text.trim().parse::<u16>().ok();
    number(first)
        .zip(number(last))
        .and_then(|(first, last)| PortRange::new(first.into(), last.into()))
        .ok_or_else(|| InvalidPorts(part.chars().take(40).collect()))
}

impl fmt::Display for ProhibitedPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .0
                .iter()
                .map(PortRange::to_string)
                .collect::<Vec<_>>()
                .join(","),
        )
    }
}

impl ProhibitedPorts {
    /// The prohibited ports inside `range`, in the order in which they were configured.
    pub fn within(&self, range: PortRange) -> impl Iterator<Item = PortRange> + '_ {
        self.0
            .iter()
            .filter_map(move |prohibited| prohibited.intersection(range))
    }

    /// Whether `range` holds at least one prohibited port.
    pub fn touch(&self, range: PortRange) -> bool {
        self.within(range).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ports_and_ranges_are_read_and_written_back() {
        let ports: ProhibitedPorts = "22, 3389, 5432-5433".parse().unwrap();
        assert_eq!(ports.to_string(), "22,3389,5432-5433");
        assert_eq!(ProhibitedPorts::default().to_string(), "22,1433,3306,3389");
    }

    #[test]
    fn behind_a_range_comes_the_next_port_if_there_is_one() {
        let behind = |first, last| PortRange { first, last }.next();
        assert_eq!([behind(20, 22), behind(7, 7)], [Some(23), Some(8)]);
        assert_eq!(behind(1024, 65535), None);
    }

    #[test]
    fn values_that_are_no_port_are_refused() {
        for text in ["", "22,", "ssh", "70000", "10-5", "-1", "1-2-3"] {
            assert!(text.parse::<ProhibitedPorts>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn ranges_touch_when_a_port_is_in_both(
            prohibited in prop::collection::vec((0u16..200, 0u16..20), 1..5),
            first in 0u16..200,
            width in 0u16..50,
        ) {
            let text = prohibited.iter().map(|(start, width)| format!("{start}-{}", start + width));
            let ports: ProhibitedPorts = text.collect::<Vec<_>>().join(",").parse().unwrap();
            let range = PortRange { first, last: first + width };
            let slow = (range.first..=range.last)
                .any(|port| prohibited.iter().any(|(start, width)| (*start..=start + width).contains(&port)));
            prop_assert_eq!(ports.touch(range), slow);
        }
    }
}
