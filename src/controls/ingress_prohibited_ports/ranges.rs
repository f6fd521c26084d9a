//! Lists of address ranges, read as numbers: AWS Config may send a great many groups.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use ipnet::IpNet;

/// `0.0.0.0/0`, and nothing for what is no range.
pub(super) struct Cidr(Option<IpNet>);

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Cidr;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address range")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Cidr, E> {
                Ok(Cidr(text.parse().ok()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A list of ranges, or `null`. `R` is how one is written.
pub(super) struct Ranges<R>(Vec<IpNet>, PhantomData<R>);

impl<R> Ranges<R> {
    pub(super) fn iter(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().copied()
    }
}

impl<R> Default for Ranges<R> {
    fn default() -> Self {
        Self(Vec::new(), PhantomData)
    }
}

impl<'de, R: Deserialize<'de> + Into<Cidr>> Deserialize<'de> for Ranges<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self::default())
    }
}

impl<'de, R: Deserialize<'de> + Into<Cidr>> Visitor<'de> for Ranges<R> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of address ranges")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut ranges: A) -> Result<Self, A::Error> {
        while let Some(range) = ranges.next_element::<R>()? {
            self.0.extend(range.into().0);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_a_list_says_what_is_expected() {
        let said = |text: &str| {
            let ranges = serde_json::from_str::<Ranges<Cidr>>(text);
            ranges.err().map(|error| error.to_string())
        };
        let says = |text: &str, words: &str| said(text).is_some_and(|said| said.contains(words));
        assert!(says("[7]", "expected an address range"));
        assert!(says("7", "expected a list of address ranges"));
        assert_eq!((said("null"), said(r#"["no range"]"#)), (None, None));
    }
}
