//! CSV (RFC 4180) with a header row, as a list of objects of texts. Semicolons, tabs and bars separate as well: what the header row
//! has most of.

use bytes::Bytes;
use csv_core::{ReadFieldResult, Reader, ReaderBuilder};
use serde_json::{Map, Value};

use super::{
    add,
    bounds::{Bounds, Budget, Json, Why},
    charset::decoded_by,
    kind::ContentType,
};

/// The most columns.
const MOST: usize = 10_000;
/// The charset of a table that is not UTF-8 and names none: that of Excel in Europe.
const OLD: &str = "windows-1252";

/// Reads a table.
pub(super) fn read(body: &[u8], content_type: &ContentType, bounds: &Bounds) -> Result<Bytes, Why> {
    let mut budget = Budget::new(bounds);
    let old = || std::str::from_utf8(body).is_err().then(|| OLD.to_owned());
    let charset = content_type.parameter("charset").or_else(old);
    let text = decoded_by(body, charset.as_deref(), &mut budget)?;
    let mut fields = Fields {
        reader: ReaderBuilder::new().delimiter(delimiter(&text)).build(),
        rest: text.as_bytes(),
        field: vec![0; 1024],
    };
    let mut names = Vec::new();
    while let Some((name, is_last)) = fields.next(&mut budget)? {
        if names.len() >= MOST {
            return Err(Why::unreadable(format!("it has more than {MOST} columns")));
        }
        budget.value(name.len())?;
        names.push(name);
        if is_last {
            break;
        }
    }
    let mut json = Json::new(budget);
    json.write_raw(b"[")?;
    let mut is_first = true;
    while let Some(row) = row(&mut fields, &names, &mut json.budget)? {
        if !std::mem::take(&mut is_first) {
            json.write_raw(b",")?;
        }
        json.write(&row)?;
    }
    json.write_raw(b"]")?;
    Ok(json.finish())
}

/// The next row, by the names of its columns.
fn row(fields: &mut Fields<'_>, names: &[String], budget: &mut Budget<'_>) -> Result<Option<Map<String, Value>>, Why> {
    let mut row = Map::new();
    let mut count = 0;
    while let Some((value, is_last)) = fields.next(budget)? {
        let uneven = |has: &str| {
            let (line, columns) = (fields.reader.line(), names.len());
            Why::unreadable(format!(
                "it is no table: the row before line {line} has {has} columns than the {columns} of its header row"
            ))
        };
        let name = names.get(count).ok_or_else(|| uneven("more"))?;
        budget.value(0)?;
        add(&mut row, name, Value::from(value));
        count += 1;
        if is_last {
            return if count == names.len() { Ok(Some(row)) } else { Err(uneven("fewer")) };
        }
    }
    Ok(None)
}

/// The fields of a table, one after another.
struct Fields<'t> {
    reader: Reader,
    rest: &'t [u8],
    field: Vec<u8>,
}

impl Fields<'_> {
    /// The next field, and whether it is the last one of its row.
    fn next(&mut self, budget: &mut Budget<'_>) -> Result<Option<(String, bool)>, Why> {
        let mut filled = 0;
        loop {
            let (result, read, written) = self.reader.read_field(self.rest, &mut self.field[filled..]);
            self.rest = &self.rest[read..];
            filled += written;
            match result {
                // Once more, with nothing: the last row may have no end.
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => {
                    budget.take(self.field.len())?;
                    self.field.resize(self.field.len() * 2, 0);
                }
                ReadFieldResult::Field { record_end } => {
                    let no_text = |_| Why::unreadable("a field of it is not text");
                    return Ok(Some((
                        std::str::from_utf8(&self.field[..filled]).map_err(no_text)?.to_owned(),
                        record_end,
                    )));
                }
                ReadFieldResult::End => return Ok(None),
            }
        }
    }
}

/// What separates the columns: what stands most often in the header row, outside of quotation marks.
fn delimiter(text: &str) -> u8 {
    let header = text.trim_start_matches(['\r', '\n']).bytes();
    let (mut is_quoted, mut counts) = (false, [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)]);
    for byte in header {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\r' | b'\n' if !is_quoted => break,
            _ if is_quoted => {}
            byte => counts.iter_mut().filter(|(own, _)| *own == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // The first of equals.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}
