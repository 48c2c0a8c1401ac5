//! `[upstream] max_in_flight`: a number, or `"auto"`.

use std::{fmt, num::NonZeroU16};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// How many requests Odoo is given at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxInFlight {
    /// As many as make it do most work, which the gateway finds by itself.
    Auto,
    Fixed(NonZeroU16),
}

const EXPECTED: &str = "neither \"auto\" nor a whole number from 1 to 65535";

impl<'de> Deserialize<'de> for MaxInFlight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = MaxInFlight;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"auto\" or a whole number from 1 to 65535")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MaxInFlight, E> {
                if text == "auto" { Ok(MaxInFlight::Auto) } else { Err(E::custom(format!("`{text}` is {EXPECTED}"))) }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<MaxInFlight, E> {
                let number_in_range = u16::try_from(number).ok().and_then(NonZeroU16::new);
                number_in_range.map(MaxInFlight::Fixed).ok_or_else(|| E::custom(format!("`{number}` is {EXPECTED}")))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<MaxInFlight, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<MaxInFlight, E> {
                Err(E::custom(format!("`{value}` is {EXPECTED}")))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<MaxInFlight, E> {
                Err(E::custom(format!("`{number}` is {EXPECTED}")))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
