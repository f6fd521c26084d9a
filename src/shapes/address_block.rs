//! Address ranges as blocks: what touches or overlaps is one block, however it is written.
//! `0.0.0.0/1` with `128.0.0.0/1` is the internet.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use ipnet::IpNet;

/// A prefix length from 1 to `LONGEST`, 32 or 128.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixLength<const LONGEST: u8>(u8);

/// Why a text is no prefix length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no prefix length from 1 to {longest}")]
pub struct InvalidPrefixLength {
    found: String,
    longest: u8,
}

impl<const LONGEST: u8> FromStr for PrefixLength<LONGEST> {
    type Err = InvalidPrefixLength;

    fn from_str(text: &str) -> Result<Self, InvalidPrefixLength> {
        let length = text
            .parse()
            .ok()
            .filter(|length| (1..=LONGEST).contains(length));
        let found = || text.chars().take(40).collect();
        length.map(Self).ok_or_else(|| InvalidPrefixLength {
            found: found(),
            longest: LONGEST,
        })
    }
}

impl<const LONGEST: u8> fmt::Display for PrefixLength<LONGEST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

/// The prefix lengths of the broadest ranges that do not let the internet in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broadest {
    /// Of IPv4.
    pub ipv4: PrefixLength<32>,
    /// Of IPv6.
    pub ipv6: PrefixLength<128>,
}

impl Default for Broadest {
    /// AWS's own bounds for the ranges of a bucket policy, S3 user guide,
    /// [The meaning of "public"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status).
    fn default() -> Self {
        Self {
            ipv4: PrefixLength(8),
            ipv6: PrefixLength(32),
        }
    }
}

/// Ranges from which nobody comes over the internet: private, shared, documentation, multicast, reserved.
/// IANA's registries of special-purpose addresses for
/// [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry) and
/// [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry).
const SPECIAL: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "100::/64",
    "2001:db8::/32",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

static SPECIAL_BLOCKS: LazyLock<Vec<AddressBlock>> = LazyLock::new(|| {
    blocks(
        SPECIAL
            .iter()
            .map(|range| range.parse().expect("a range of IANA's registry")),
    )
});

/// The addresses from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AddressBlock {
    is_ipv6: bool,
    first: u128,
    last: u128,
}

impl From<IpNet> for AddressBlock {
    fn from(range: IpNet) -> Self {
        match range {
            IpNet::V4(range) => Self {
                is_ipv6: false,
                first: u32::from(range.network()).into(),
                last: u32::from(range.broadcast()).into(),
            },
            IpNet::V6(range) => Self {
                is_ipv6: true,
                first: range.network().into(),
                last: range.broadcast().into(),
            },
        }
    }
}

impl AddressBlock {
    /// Whether it has more addresses than a range of the broadest allowed prefix length.
    pub fn is_broader_than(self, broadest: Broadest) -> bool {
        self.last - self.first >= self.addresses(broadest)
    }

    /// The same of those of its addresses that are not special.
    fn lets_the_internet_in(self, broadest: Broadest) -> bool {
        // Most blocks are not even broad.
        self.is_broader_than(broadest)
            && (self.last - self.first)
                .checked_sub(self.special_addresses())
                .is_some_and(|last| last >= self.addresses(broadest))
    }

    /// How many addresses a range of the broadest allowed prefix length has.
    fn addresses(self, broadest: Broadest) -> u128 {
        match self.is_ipv6 {
            false => 1 << (32 - broadest.ipv4.0),
            true => 1 << (128 - broadest.ipv6.0),
        }
    }

    fn special_addresses(self) -> u128 {
        let overlap = |special: &Self| {
            let (first, last) = (self.first.max(special.first), self.last.min(special.last));
            (self.is_ipv6 == special.is_ipv6 && first <= last).then(|| last - first + 1)
        };
        SPECIAL_BLOCKS.iter().filter_map(overlap).sum()
    }

    fn has(self, other: Self) -> bool {
        self.is_ipv6 == other.is_ipv6 && self.first <= other.first && other.last <= self.last
    }

    /// Whether the two are one block: they overlap, or nothing lies between them.
    fn touches(self, next: Self) -> bool {
        self.is_ipv6 == next.is_ipv6 && next.first <= self.last.saturating_add(1)
    }
}

/// The blocks that ranges make up, in the order of their addresses, IPv4 first.
pub fn blocks(ranges: impl IntoIterator<Item = IpNet>) -> Vec<AddressBlock> {
    let mut sorted: Vec<AddressBlock> = ranges.into_iter().map(AddressBlock::from).collect();
    sorted.sort_unstable();
    let mut blocks: Vec<AddressBlock> = Vec::new();
    for block in sorted {
        match blocks.last_mut() {
            Some(before) if before.touches(block) => before.last = before.last.max(block.last),
            _ => blocks.push(block),
        }
    }
    blocks
}

/// Which of the ranges, by their places, have to go so that none of the blocks that are left lets the
/// internet in: of each block that does the broadest ranges, until it does not. What is private or
/// reserved as a whole stays.
pub fn that_let_the_internet_in(ranges: &[IpNet], broadest: Broadest) -> BTreeSet<usize> {
    let is_special = |range: IpNet| {
        SPECIAL_BLOCKS
            .iter()
            .any(|special| special.has(range.into()))
    };
    let (mut left, mut gone) = (Vec::from_iter(0..ranges.len()), BTreeSet::new());
    loop {
        let blocks = blocks(left.iter().map(|place| ranges[*place])).into_iter();
        let open: Vec<AddressBlock> = blocks
            .filter(|block| block.lets_the_internet_in(broadest))
            .collect();
        if open.is_empty() {
            return gone;
        }
        for block in open {
            let inside: Vec<usize> = left
                .iter()
                .copied()
                .filter(|place| block.has(ranges[*place].into()) && !is_special(ranges[*place]))
                .collect();
            let broad = inside.iter().map(|place| ranges[*place].prefix_len()).min();
            gone.extend(
                inside
                    .into_iter()
                    .filter(|place| Some(ranges[*place].prefix_len()) == broad),
            );
        }
        left.retain(|place| !gone.contains(place));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(ranges: &[&str]) -> Vec<IpNet> {
        ranges.iter().map(|range| range.parse().unwrap()).collect()
    }

    fn too_broad(ranges: &[&str]) -> usize {
        let blocks = blocks(nets(ranges)).into_iter();
        blocks
            .filter(|block| block.is_broader_than(Broadest::default()))
            .count()
    }

    fn gone<'a>(ranges: &[&'a str]) -> Vec<&'a str> {
        let gone = that_let_the_internet_in(&nets(ranges), Broadest::default());
        gone.into_iter().map(|place| ranges[place]).collect()
    }

    #[test]
    fn the_broadest_ranges_of_an_open_block_are_removed_first() {
        assert_eq!(
            gone(&["0.0.0.0/0", "198.51.0.0/16", "::/0"]),
            ["0.0.0.0/0", "::/0"]
        );
        assert_eq!(
            gone(&["0.0.0.0/1", "8.8.8.8/32", "128.0.0.0/1"]),
            ["0.0.0.0/1", "128.0.0.0/1"]
        );
        assert_eq!(
            gone(&["0.0.0.0/0", "0.0.0.0/1"]),
            ["0.0.0.0/0", "0.0.0.0/1"]
        );
        assert_eq!(gone(&["64.0.0.0/8", "65.0.0.0/9"]), ["64.0.0.0/8"]);
        assert_eq!(
            gone(&["64.0.0.0/8", "66.0.0.0/8"]),
            [""; 0],
            "never summed up across blocks"
        );
        assert_eq!(gone(&["2000::/31", "2a00::/32"]), ["2000::/31"]);
    }

    #[test]
    fn private_and_reserved_ranges_are_not_the_internet() {
        for ranges in [
            &["10.0.0.0/8", "11.0.0.0/8"][..],
            &["240.0.0.0/4"],
            &["224.0.0.0/3"],
            &["fc00::/7"],
        ] {
            assert_eq!(gone(ranges), [""; 0], "{ranges:?}");
        }
        assert_eq!(
            gone(&["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"]),
            ["11.0.0.0/8", "12.0.0.0/8"]
        );
        assert_eq!(
            gone(&["9.0.0.0/8", "10.0.0.0/8", "11.0.0.0/8"]),
            ["9.0.0.0/8", "11.0.0.0/8"],
            "one block"
        );
        assert_eq!(
            gone(&["8.0.0.0/6"]),
            ["8.0.0.0/6"],
            "three of its four parts are public"
        );
        assert_eq!(gone(&["10.0.0.0/7"]), [""; 0], "one of its two parts is");
    }

    #[test]
    fn the_bound_can_be_set() {
        let gone =
            |range: &str, broadest| !that_let_the_internet_in(&nets(&[range]), broadest).is_empty();
        let broadest = |ipv4: &str, ipv6: &str| Broadest {
            ipv4: ipv4.parse().unwrap(),
            ipv6: ipv6.parse().unwrap(),
        };
        let everybody = broadest("1", "1");
        assert!(gone("0.0.0.0/0", everybody) && gone("::/0", everybody));
        assert!(!gone("128.0.0.0/1", everybody) && !gone("::/1", everybody));
        assert!(gone("8.8.8.0/23", broadest("24", "32")));
        for wrong in ["0", "33", "/8", "eight", ""] {
            assert!(wrong.parse::<PrefixLength<32>>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn halves_merge_into_a_whole() {
        for ranges in [
            &["0.0.0.0/0"][..],
            &["0.0.0.0/1", "128.0.0.0/1"],
            &["128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2"],
            &["64.0.0.0/8", "65.0.0.0/8"],
            &["1.0.0.0/8", "2.0.0.0/8"],
            &["1.0.0.0/8", "1.128.0.0/9", "2.0.0.0/32"],
            &["::/0"],
            &["2001:db8::/32", "2001:db9::/32"],
            &["::/1", "8000::/1"],
        ] {
            assert_eq!(too_broad(ranges), 1, "{ranges:?}");
        }
    }

    #[test]
    fn separate_ranges_are_not_summed() {
        for ranges in [
            &[][..],
            &["10.0.0.0/8"],
            &["1.0.0.0/8", "3.0.0.0/8", "5.0.0.0/8", "7.0.0.0/8"],
            &["1.0.0.0/9", "1.0.0.0/10"],
            &["2001:db8::/32", "2001:dba::/32"],
            // The last IPv4 and the first IPv6 addresses are no neighbours.
            &["255.0.0.0/8", "::/32"],
        ] {
            assert_eq!(too_broad(ranges), 0, "{ranges:?}");
        }
        assert_eq!(too_broad(&["0.0.0.0/7", "64.0.0.0/7"]), 2);
    }

    proptest! {
        /// Address by address, of a space of 256 of them.
        #[test]
        fn an_address_is_in_one_block_when_a_range_has_it(
            ranges in prop::collection::vec((any::<u8>(), 24u8..=32), 0..6),
        ) {
            let nets: Vec<IpNet> = ranges
                .iter()
                .map(|(host, prefix)| format!("203.0.113.{host}/{prefix}").parse::<IpNet>().unwrap().trunc())
                .collect();
            let blocks = blocks(nets.clone());
            prop_assert!(blocks.windows(2).all(|pair| pair[0].last + 1 < pair[1].first), "{blocks:?}");
            for host in 0..=255_u8 {
                let address = std::net::IpAddr::from([203, 0, 113, host]);
                let number = u128::from(u32::from_be_bytes([203, 0, 113, host]));
                let of_blocks = blocks.iter().filter(|block| (block.first..=block.last).contains(&number));
                prop_assert_eq!(of_blocks.count() == 1, nets.iter().any(|net| net.contains(&address)));
            }
        }
    }
}
