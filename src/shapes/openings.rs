//! Which of a group's ingress ranges open a prohibited port to the internet, taken together: what stands
//! in two ranges, or in two rules, may be the internet too.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ipnet::IpNet;

use super::address_block::{Broadest, that_let_the_internet_in};
use super::ingress::opened_ports;
use super::ports::{PortRange, ProhibitedPorts};

/// One source of a group's ingress: a range, some ranges of one permission, or what a prefix list holds.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// `tcp`, `-1`
    pub protocol: &'a str,
    /// The first port, or ICMP type.
    pub from_port: Option<i64>,
    /// The last port, or ICMP code.
    pub to_port: Option<i64>,
    /// The address ranges that are let in.
    pub ranges: &'a BTreeSet<IpNet>,
}

/// The sources, by their places, that have ranges that have to go so that no prohibited port is open to the
/// internet, with these ranges.
pub fn open<'a>(
    sources: impl Iterator<Item = Source<'a>>,
    ports: &ProhibitedPorts,
    broadest: Broadest,
) -> BTreeMap<usize, BTreeSet<IpNet>> {
    let of_source = |(place, source): (usize, Source<'a>)| {
        let Source {
            protocol,
            from_port,
            to_port,
            ranges,
        } = source;
        ranges.iter().filter_map(move |range| {
            Some((place, Opening::new(protocol, from_port, to_port, *range)?))
        })
    };
    let (places, openings): (Vec<usize>, Vec<Opening>) =
        sources.enumerate().flat_map(of_source).unzip();
    let mut open: BTreeMap<usize, BTreeSet<IpNet>> = BTreeMap::new();
    for gone in prohibited(&openings, ports, broadest) {
        open.entry(places[gone])
            .or_default()
            .insert(openings[gone].range);
    }
    open
}

/// One ingress range: which ports it opens, to which addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Opening {
    protocol: Protocol,
    ports: PortRange,
    range: IpNet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
    Every,
}

impl Opening {
    /// What a range opens; `None` where that is no port of TCP or UDP.
    fn new(
        protocol: &str,
        from_port: Option<i64>,
        to_port: Option<i64>,
        range: IpNet,
    ) -> Option<Self> {
        let ports = opened_ports(protocol, from_port, to_port)?;
        let protocol = match protocol {
            "tcp" | "6" => Protocol::Tcp,
            "udp" | "17" => Protocol::Udp,
            _ => Protocol::Every,
        };
        Some(Self {
            protocol,
            ports,
            range,
        })
    }

    fn opens(&self, protocol: Protocol, port: u16) -> bool {
        (self.protocol == protocol || self.protocol == Protocol::Every) && self.ports.has(port)
    }
}

/// The openings, by their places, that have to go so that no prohibited port is open to the internet.
fn prohibited(
    openings: &[Opening],
    ports: &ProhibitedPorts,
    broadest: Broadest,
) -> BTreeSet<usize> {
    let mut looked_at = HashSet::new();
    let mut gone = BTreeSet::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for port in ports_to_look_at(openings, ports) {
            let opens = |place: &usize| openings[*place].opens(protocol, port);
            let together: Vec<usize> = (0..openings.len()).filter(opens).collect();
            if together.is_empty() || looked_at.contains(&together) {
                continue;
            }
            let ranges: Vec<IpNet> = together
                .iter()
                .map(|place| openings[*place].range)
                .collect();
            gone.extend(
                that_let_the_internet_in(&ranges, broadest)
                    .into_iter()
                    .map(|place| together[place]),
            );
            looked_at.insert(together);
        }
    }
    gone
}

/// One port of each stretch of prohibited ports that the same openings open.
fn ports_to_look_at(openings: &[Opening], ports: &ProhibitedPorts) -> BTreeSet<u16> {
    let borders = |opening: &Opening| [Some(opening.ports.first()), opening.ports.next()];
    let borders: BTreeSet<u16> = openings.iter().flat_map(borders).flatten().collect();
    let inside = |stretch: PortRange| {
        borders
            .iter()
            .copied()
            .filter(move |port| stretch.has(*port))
    };
    ports
        .within(PortRange::ALL)
        .flat_map(|stretch| inside(stretch).chain([stretch.first()]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn gone(openings: &[(&str, i64, i64, &str)]) -> Vec<usize> {
        let openings: Vec<Opening> = openings
            .iter()
            .map(|(protocol, from, to, range)| {
                Opening::new(protocol, Some(*from), Some(*to), range.parse().unwrap()).unwrap()
            })
            .collect();
        prohibited(&openings, &ProhibitedPorts::default(), Broadest::default())
            .into_iter()
            .collect()
    }

    #[test]
    fn halves_of_the_internet_are_merged_over_rules() {
        assert_eq!(
            gone(&[("tcp", 22, 22, "0.0.0.0/1"), ("tcp", 22, 22, "128.0.0.0/1")]),
            [0, 1]
        );
        assert_eq!(
            gone(&[("tcp", 22, 22, "64.0.0.0/8"), ("tcp", 20, 25, "65.0.0.0/8")]),
            [0, 1]
        );
        assert_eq!(
            gone(&[("tcp", 22, 22, "64.0.0.0/8"), ("-1", -1, -1, "65.0.0.0/8")]),
            [0, 1]
        );
    }

    #[test]
    fn other_ports_and_protocols_are_not_covered() {
        assert_eq!(
            gone(&[("tcp", 22, 22, "64.0.0.0/8"), ("udp", 22, 22, "65.0.0.0/8")]),
            [0; 0]
        );
        assert_eq!(
            gone(&[
                ("tcp", 22, 22, "64.0.0.0/8"),
                ("tcp", 3389, 3389, "65.0.0.0/8")
            ]),
            [0; 0]
        );
        assert_eq!(gone(&[("tcp", 443, 443, "0.0.0.0/0")]), [0; 0]);
        assert_eq!(
            gone(&[
                ("tcp", 0, 65535, "0.0.0.0/0"),
                ("tcp", 22, 22, "8.8.8.8/32")
            ]),
            [0]
        );
    }

    /// An opening of a few ports to a few of the 64 addresses from 8.8.8.0 on.
    fn opening() -> impl Strategy<Value = Opening> {
        let protocol = prop::sample::select(vec!["tcp", "udp", "-1"]);
        (protocol, 0i64..12, 0i64..4, 0u8..64, 26u8..=32).prop_map(
            |(protocol, from, width, host, prefix)| {
                let range: IpNet = format!("8.8.8.{host}/{prefix}").parse().unwrap();
                Opening::new(protocol, Some(from), Some(from + width), range.trunc()).unwrap()
            },
        )
    }

    /// Port by port and address by address: the longest run of addresses that a prohibited port is open to.
    fn longest_run(openings: &[&Opening], prohibited: &[u16]) -> usize {
        let mut longest = 0;
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for port in prohibited {
                let mut run = 0;
                for host in 0..64 {
                    let address = IpAddr::from([8, 8, 8, host]);
                    let is_open = openings.iter().any(|opening| {
                        opening.opens(protocol, *port) && opening.range.contains(&address)
                    });
                    run = if is_open { run + 1 } else { 0 };
                    longest = longest.max(run);
                }
            }
        }
        longest
    }

    proptest! {
        /// What has to go is nothing exactly where no run is longer than the bound allows, and enough where
        /// one is; of two ranges that are open for the same, the narrower goes only after the broader.
        #[test]
        fn the_rules_that_stay_open_no_prohibited_port_beyond_the_bound(
            openings in prop::collection::vec(opening(), 0..10),
            first in 0u16..14,
            width in 0u16..4,
        ) {
            let ports: ProhibitedPorts = format!("{first}-{}", first + width).parse().unwrap();
            let numbers: Vec<u16> = (first..=first + width).collect();
            // Eight addresses.
            let broadest = Broadest { ipv4: "29".parse().unwrap(), ..Broadest::default() };
            let gone = prohibited(&openings, &ports, broadest);
            let all: Vec<&Opening> = openings.iter().collect();
            prop_assert_eq!(gone.is_empty(), longest_run(&all, &numbers) <= 8);
            let left = openings.iter().enumerate().filter(|(place, _)| !gone.contains(place));
            let left: Vec<&Opening> = left.map(|(_, opening)| opening).collect();
            prop_assert!(longest_run(&left, &numbers) <= 8);
            for place in &gone {
                let touches = numbers.iter().any(|port| openings[*place].ports.has(*port));
                prop_assert!(touches, "{:?}", openings[*place]);
                // It was not needless: with it, and all that is no broader, something is open.
                let prefix = openings[*place].range.prefix_len();
                let no_broader: Vec<&Opening> =
                    openings.iter().filter(|opening| opening.range.prefix_len() >= prefix).collect();
                prop_assert!(longest_run(&no_broader, &numbers) > 8);
            }
        }
    }
}
