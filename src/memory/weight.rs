//! What JSON takes in memory once it is parsed, from a look at its bytes alone.
//!
//! An estimate, within a factor of two of what `serde_json::Value` takes with the allocator that the program has.

use serde_json::Value;

/// A place for a value in a list or an object.
const VALUE: usize = size_of::<Value>();
/// A list grows by doubling, so that it has up to half of its places free.
const ITEM: usize = VALUE + VALUE / 2;
/// A member of an object: its hash, its key, its value; and the same for free places.
const MEMBER: usize = (8 + size_of::<String>() + VALUE) * 3 / 2;
/// The index of an object by its keys, as small as there is one.
const OBJECT: usize = 64;
/// A text, besides its bytes: what the allocator rounds up.
const TEXT: usize = 12;
/// No byte of JSON takes more than so many: `[{"a":0},` has the most, and `[0,` half of it.
pub(super) const AT_MOST: usize = 64;

/// What a parser would make of some JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// How deep brackets stand within each other.
    pub depth: usize,
    /// How many values there are, the whole and what it consists of; keys are none.
    pub values: usize,
    /// How many bytes they take in memory.
    pub parsed: usize,
}

impl Weight {
    /// What a call takes besides its body of so many bytes: the payload, the plan that is made of it, and the words in which
    /// Odoo gets it.
    pub fn in_call(self, body: usize) -> usize {
        self.parsed.saturating_mul(2).saturating_add(body)
    }
}

/// Looks at brackets, commas, colons and texts, in one pass without any memory. What is not JSON is weighed too.
pub fn weigh(json: &[u8]) -> Weight {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut commas, mut members, mut objects, mut lists, mut empty) = (0, 0, 0, 0, 0);
    let (mut texts, mut text_bytes) = (0, 0);
    let mut rest = json;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => {
                let length = text(rest);
                texts += 1;
                text_bytes += length;
                rest = rest.get(length + 1..).unwrap_or_default();
            }
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                empty += usize::from(matches!(rest.first(), Some(b'}' | b']')));
                if byte == b'{' { objects += 1 } else { lists += 1 }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => commas += 1,
            b':' => members += 1,
            _ => {}
        }
    }
    // Each comma has a value behind it, each bracket one within, if it is not empty.
    let values: usize = 1 + commas + objects + lists - empty;
    let items = values.saturating_sub(members);
    let parsed = items * ITEM + members * MEMBER + objects * OBJECT + texts * TEXT + text_bytes;
    Weight { depth: deepest, values, parsed }
}

/// The same of a Python literal, whose texts are not told apart: what stands in them counts as well.
pub fn weigh_literal(literal: &str) -> Weight {
    let count = |signs: &[u8]| literal.bytes().filter(|byte| signs.contains(byte)).count();
    let (commas, members, objects, lists) = (count(b","), count(b":"), count(b"{"), count(b"[("));
    let values = 1 + commas + objects + lists;
    let items = values.saturating_sub(members);
    // Its characters are taken apart, four bytes each, and its texts are part of it.
    let parsed = items * (ITEM + TEXT) + members * (MEMBER + TEXT) + objects * OBJECT + literal.len() * 5;
    Weight { depth: 0, values, parsed }
}

/// The length of a text up to the quotation mark that ends it.
fn text(json: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += found;
        if json[at] == b'"' {
            return at;
        }
        at += 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a value takes, by its own count: capacities are those of the containers.
    fn taken(value: &Value) -> usize {
        match value {
            Value::String(text) => text.capacity().next_multiple_of(16),
            Value::Array(items) => items.capacity() * VALUE + items.iter().map(taken).sum::<usize>(),
            Value::Object(entries) => {
                // An index has 3, 7, 14, 28 … places, and the entries as many.
                let mut places = 3;
                while places < entries.len() {
                    places = (places + 1) / 7 * 14 + if places == 3 { 7 } else { 0 };
                }
                let own = places * (8 + size_of::<String>() + VALUE) + (places + 1) * 10 + 16;
                let inner: usize =
                    entries.iter().map(|(key, value)| key.len().next_multiple_of(16) + taken(value)).sum();
                own + inner
            }
            _ => 0,
        }
    }

    #[test]
    fn depth_and_values_are_counted_outside_of_texts() {
        let weight = |json: &str| weigh(json.as_bytes());
        assert_eq!(weight(r#"{"a": [1, {"b": "[[[[,,"}], "c": "\"[[\\"}"#).depth, 3);
        assert_eq!(weigh(&[b'['; 200_000]).depth, 200_000);
        assert_eq!(weight("1").values, 1);
        assert_eq!(weight("[0,0,0]").values, 4);
        assert_eq!(weight(r#"[{"a":0},{"a":0}]"#).values, 5);
        assert_eq!(weight(r#"{"a": "1,2", "b": "\\", "c": ":"}"#).values, 4);
    }

    #[test]
    fn the_estimate_is_within_a_factor_of_two() {
        let line = r#"{"product_id":{"default_code":"FURN_7800"},"product_uom_qty":3,"price_unit":12.5,"name":"A chair, black","discount":0}"#;
        for (kind, item, count) in [
            ("objects of one member", r#"{"a":0}"#, 100_000),
            ("zeros", "0", 1_000_000),
            ("order lines", line, 10_000),
            ("lists of one", "[0]", 100_000),
            ("empty lists", "[]", 100_000),
            ("texts", r#""a text of some length""#, 100_000),
        ] {
            let json = format!("[{}]", vec![item; count].join(","));
            let (estimate, taken) = (weigh(json.as_bytes()).parsed, taken(&serde_json::from_str(&json).unwrap()));
            println!("{kind}: {} bytes, estimate {estimate}, taken {taken}", json.len());
            assert!(estimate <= 2 * taken && taken <= 2 * estimate, "{kind}: {estimate}, {taken}");
            assert!(estimate <= AT_MOST * json.len(), "{kind}: {estimate} of {}", json.len());
        }
        let file = format!(r#"{{"datas":"{}"}}"#, "QUJD".repeat(1_000_000));
        let estimate = weigh(file.as_bytes()).parsed;
        assert!((4_000_000..4_100_000).contains(&estimate), "{estimate}");
    }
}
