//! Where a path leads to in what was sent, as numbers that can be compared: places in the order in which a sender wrote them.

use serde_json::{Map, Value};

/// The positions of the members and items on the way to `path`, as far as it leads. A path that leads nowhere comes first.
pub(super) fn position(path: &str, vals: &Map<String, Value>) -> Vec<usize> {
    let mut positions = Vec::new();
    let mut rest = path;
    let mut within = Within::Object(vals);
    while !rest.is_empty() {
        let (position, value, left) = match within {
            Within::Object(members) => match member(members, rest) {
                Some(found) => found,
                None => break,
            },
            Within::List(items) => match item(items, rest) {
                Some(found) => found,
                None => break,
            },
        };
        positions.push(position);
        rest = left.strip_prefix('.').unwrap_or(left);
        within = match value {
            Value::Object(members) => Within::Object(members),
            Value::Array(items) => Within::List(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => break,
        };
    }
    positions
}

enum Within<'v> {
    Object(&'v Map<String, Value>),
    List(&'v [Value]),
}

/// The member that a path begins with, and what is left of the path. A key may hold points itself: the longest one counts.
fn member<'v, 'p>(members: &'v Map<String, Value>, path: &'p str) -> Option<(usize, &'v Value, &'p str)> {
    let left = |key: &str| {
        let left = path.strip_prefix(key)?;
        (left.is_empty() || left.starts_with(['.', '['])).then_some(left)
    };
    let found = members.iter().enumerate().filter_map(|(n, (key, value))| Some((key.len(), n, value, left(key)?)));
    let (_, position, value, left) = found.max_by_key(|(length, ..)| *length)?;
    Some((position, value, left))
}

/// The item that a path begins with, such as `[3].name`.
fn item<'v, 'p>(items: &'v [Value], path: &'p str) -> Option<(usize, &'v Value, &'p str)> {
    let (number, left) = path.strip_prefix('[')?.split_once(']')?;
    let number: usize = number.parse().ok()?;
    Some((number, items.get(number)?, left))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_followed_through_objects_lists_and_keys_with_points() {
        let vals = json!({"model": 1, "payload": {"a": {"x.y": 1, "x": {"y": 2}}, "lines": [{"b": 1}, {"c": [7]}]}});
        let at = |path: &str| position(path, vals.as_object().unwrap());
        assert_eq!(at("payload.a.x.y"), [1, 0, 0]);
        assert_eq!(at("payload.lines[1].c[0]"), [1, 1, 1, 0, 0]);
        assert_eq!(at("payload.lines[1].gone"), [1, 1, 1]);
        assert_eq!(at("payload.lines[7]"), [1, 1]);
        assert_eq!(at("when"), [0_usize; 0]);
    }
}
