//! A JSON value on each line (NDJSON, JSON Lines), or behind each record separator (RFC 7464), as a list.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::{
    bounds::{Bounds, Budget, Json, Why},
    charset::decoded,
    kind::ContentType,
};

/// Reads the lines; blank ones are none.
pub(super) fn read(body: &[u8], content_type: &ContentType, bounds: &Bounds) -> Result<Bytes, Why> {
    let mut budget = Budget::new(bounds);
    let text = decoded(body, content_type, &mut budget)?;
    let mut json = Json::new(budget);
    json.write_raw(b"[")?;
    let mut is_first = true;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_matches(|c: char| c == '\u{1e}' || c.is_ascii_whitespace());
        if line.is_empty() {
            continue;
        }
        bounds.check(line.as_bytes())?;
        serde_json::from_str::<IgnoredAny>(line)
            .map_err(|error| Why::unreadable(format!("line {} is not JSON: {error}", number + 1)))?;
        if !std::mem::take(&mut is_first) {
            json.write_raw(b",")?;
        }
        json.budget.value(0)?;
        json.write_raw(line.as_bytes())?;
    }
    json.write_raw(b"]")?;
    Ok(json.finish())
}
