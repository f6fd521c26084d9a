//! Lists of address ranges, of which only those are kept that let everybody in. Most groups have
//! many ranges and open none, and AWS Config may send a great many groups.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::ingress::is_everybody;

/// `0.0.0.0/0` as it is written, and nothing for what lets in less than everybody.
pub(super) struct Cidr(Option<String>);

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Cidr;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address range")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Cidr, E> {
                Ok(Cidr(is_everybody(text).then(|| text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// What of a list of ranges, or of `null`, lets everybody in. `R` is how one is written.
pub(super) struct OpenRanges<R>(Vec<String>, PhantomData<R>);

impl<R> OpenRanges<R> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<R> Default for OpenRanges<R> {
    fn default() -> Self {
        Self(Vec::new(), PhantomData)
    }
}

impl<'de, R: Deserialize<'de> + Into<Cidr>> Deserialize<'de> for OpenRanges<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self::default())
    }
}

impl<'de, R: Deserialize<'de> + Into<Cidr>> Visitor<'de> for OpenRanges<R> {
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
