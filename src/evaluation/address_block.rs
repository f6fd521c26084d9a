//! Address ranges as blocks: what touches or overlaps is one block, however it is written.
//! `0.0.0.0/1` with `128.0.0.0/1` is the internet.

use ipnet::IpNet;

/// A block broader than this prefix length lets the internet in. AWS's own bound for the ranges of a
/// bucket policy, S3 user guide,
/// [The meaning of "public"](https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status).
pub const BROADEST_IPV4: u8 = 8;

/// The same for IPv6.
pub const BROADEST_IPV6: u8 = 32;

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
            IpNet::V6(range) => {
                Self { is_ipv6: true, first: range.network().into(), last: range.broadcast().into() }
            }
        }
    }
}

impl AddressBlock {
    /// Whether it has more addresses than a range of the broadest allowed prefix length.
    pub fn is_too_broad(self) -> bool {
        let host_bits = match self.is_ipv6 {
            false => 32 - BROADEST_IPV4,
            true => 128 - BROADEST_IPV6,
        };
        self.last - self.first >= 1 << host_bits
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn too_broad(ranges: &[&str]) -> usize {
        let ranges = ranges.iter().map(|range| range.parse::<IpNet>().unwrap());
        blocks(ranges).into_iter().filter(|block| block.is_too_broad()).count()
    }

    #[test]
    fn halves_make_a_whole() {
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
    fn what_does_not_touch_is_never_summed_up() {
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
