//! From TOML with its places to the types of the configuration.
//!
//! It is a deserializer of its own, since that of the `toml` crate makes texts of errors: here an error keeps what it is about, the
//! key that it is at and the keys that are known there, so that the reading can take the key out and go on.

use std::fmt::{self, Display};

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};
use toml::{
    Spanned,
    de::{DeInteger, DeString, DeTable, DeValue},
};

use crate::config::path::{Path, Step};

/// The first mistake that is met, and where.
#[derive(Debug)]
pub(super) struct Mistake {
    /// The value that it is at; of a key that is unknown or missing, the table.
    pub(super) path: Path,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    MissingKey(&'static str),
    UnknownVariant {
        given: String,
        known: &'static [&'static str],
    },
    /// A number where a text belongs, and the like.
    WrongType {
        given: String,
        expected: String,
    },
    /// Of the right kind, and not within what is possible.
    WrongValue {
        given: String,
        expected: String,
    },
    /// In the words of the type that refuses it.
    Refused(String),
}

impl Mistake {
    fn at_root(kind: Kind) -> Self {
        Self { path: Path::new(), kind }
    }

    fn within(mut self, step: Step) -> Self {
        self.path.insert(0, step);
        self
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Mistake {}

impl serde::de::Error for Mistake {
    fn custom<T: Display>(words: T) -> Self {
        Self::at_root(Kind::Refused(words.to_string()))
    }

    fn invalid_type(given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::at_root(Kind::WrongType { given: given.to_string(), expected: expected.to_string() })
    }

    fn invalid_value(given: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::at_root(Kind::WrongValue { given: words(given), expected: expected.to_string() })
    }

    fn unknown_variant(given: &str, known: &'static [&'static str]) -> Self {
        Self::at_root(Kind::UnknownVariant { given: given.to_owned(), known })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::at_root(Kind::UnknownKey { key: key.to_owned(), known })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::at_root(Kind::MissingKey(key))
    }
}

/// A value as it would stand in the file.
fn words(given: Unexpected<'_>) -> String {
    match given {
        Unexpected::Str(text) => format!("`{text}`"),
        Unexpected::Unsigned(number) => format!("{number}"),
        Unexpected::Signed(number) => format!("{number}"),
        Unexpected::Float(number) => format!("{number}"),
        Unexpected::Bool(value) => format!("{value}"),
        other => other.to_string(),
    }
}

/// The whole file.
pub(super) struct Root<'t, 'i>(pub(super) &'t DeTable<'i>);

impl<'de> Deserializer<'de> for Root<'_, '_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_map(Entries::of(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Value<'t, 'i>(&'t DeValue<'i>);

impl<'de> Deserializer<'de> for Value<'_, '_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(number) => match (signed(number), unsigned(number)) {
                (Some(number), _) => visitor.visit_i64(number),
                (None, Some(number)) => visitor.visit_u64(number),
                (None, None) => Err(Mistake::custom(format!("{number} is too large"))),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Mistake::custom(format!("{number} is not a number"))),
            },
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            // As if it stood in quotes.
            DeValue::Datetime(time) => visitor.visit_string(time.to_string()),
            DeValue::Array(values) => visitor.visit_seq(Elements { rest: values.iter(), place: 0 }),
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            // It would be read as the values of the keys, one after another.
            DeValue::Array(_) => {
                Err(Mistake::at_root(Kind::WrongType { given: "array".to_owned(), expected: "a map".to_owned() }))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            DeValue::String(text) => visitor.visit_enum(name_of(text)),
            DeValue::Table(table) => {
                MapAccessDeserializer::new(Entries::of(table)).deserialize_enum(name, variants, visitor)
            }
            other => Err(Mistake::at_root(Kind::WrongType {
                given: other.type_str().to_owned(),
                expected: "a string".to_owned(),
            })),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

fn name_of<'a>(text: &'a DeString<'_>) -> StrDeserializer<'a, Mistake> {
    let text: &str = text;
    text.into_deserializer()
}

fn signed(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn unsigned(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

struct Entries<'t, 'i> {
    rest: Vec<(&'t Spanned<DeString<'i>>, &'t Spanned<DeValue<'i>>)>,
    open: Option<(&'t str, &'t DeValue<'i>)>,
}

impl<'t, 'i> Entries<'t, 'i> {
    /// In the order of the file, the defaults last: a misspelt section is met before the one that lacks because of it.
    fn of(table: &'t DeTable<'i>) -> Self {
        let mut rest: Vec<_> = table.iter().collect();
        rest.sort_by_key(|(key, _)| std::cmp::Reverse((key.span().end == 0, key.span().start)));
        Self { rest, open: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.rest.pop() else { return Ok(None) };
        self.open = Some((key.get_ref(), value.get_ref()));
        seed.deserialize(name_of(key.get_ref())).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let (key, value) = self.open.take().ok_or_else(|| Mistake::custom("a value was asked for before its key"))?;
        seed.deserialize(Value(value)).map_err(|mistake| mistake.within(Step::Key(key.to_owned())))
    }
}

struct Elements<'t, 'i> {
    rest: std::slice::Iter<'t, Spanned<DeValue<'i>>>,
    place: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let place = self.place;
        self.place += 1;
        seed.deserialize(Value(value.get_ref())).map(Some).map_err(|mistake| mistake.within(Step::Index(place)))
    }
}
