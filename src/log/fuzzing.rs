//! What fuzz targets feed of the log's files. What must hold: whatever bytes there are, reading them ends, gives whole lines alone and
//! never more than there is; what was written is read again; a damaged index is an error, after which it is made anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use std::{fs::File, io::Write};

use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::{Value, json};

use super::format::{
    blob,
    event::Event,
    fs::Range,
    index::{
        columns::{BLOCK, Column, Columns, records},
        file::{Sealed, bytes_of},
        rows::Rows,
        table::Table,
    },
    line::{Body, Line},
    recovery::{End, later_lines, recover},
    segment::{Segment, compress, decompress, decompress_what_can_be},
};

pub(crate) fn lines(bytes: &[u8]) {
    let recovered = recover(bytes, 7);
    assert!(recovered.good <= bytes.len());
    assert!((recovered.good == bytes.len() && recovered.good > 0) == (recovered.end == End::Whole));
    let mut at = 0;
    while at < recovered.good {
        let line = Line::at(&bytes[at..]).expect("a good line is whole");
        at += line.bytes.len();
        let _ = (line.event(), line.parse::<Value>());
    }
    assert_eq!(at, recovered.good);
    let mut end = 0;
    for (start, line) in later_lines(bytes) {
        assert!(start >= end);
        end = start + line.bytes.len();
    }
    assert!(end <= bytes.len());
    let _ = Rows::of(bytes);
    // Any text within a line, cut off anywhere, is a torn tail and no damage.
    let body = Body::new(Event::Mark, &json!({"text": String::from_utf8_lossy(bytes)}));
    let mut framed = Vec::new();
    body.frame(7, 6, &mut framed);
    let first = framed.len();
    body.frame(8, 7, &mut framed);
    assert_eq!(recover(&framed, 7).end, End::Whole);
    let cut = first + bytes.len() % (framed.len() - first).max(1);
    let torn = recover(&framed[..cut], 7);
    assert_eq!((torn.good, torn.next), (first, 8));
    assert_eq!(torn.end, if cut == first { End::Whole } else { End::Torn });
}

pub(crate) fn sealed_segment(bytes: &[u8]) {
    let some = decompress_what_can_be(bytes);
    if let Ok(whole) = decompress(bytes) {
        assert_eq!(whole, some);
    }
    let sealed = compress(bytes).unwrap();
    assert_eq!(decompress(&sealed).unwrap(), bytes);
}

fn in_memory(bytes: &[u8]) -> Range {
    let mut file = File::from(memfd_create("index", MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    Range::of(file)
}

/// Reads all that a query may read.
fn read(columns: &dyn Columns) -> std::io::Result<(usize, usize)> {
    let head = columns.head();
    for column in Column::ALL {
        assert_eq!(columns.column(column)?.len() % column.width(), 0);
    }
    let mut rows = 0;
    let found: Vec<(i64, u32)> = records(&columns.records()?).collect();
    let strays = columns.strays()?;
    strays.rows.iter().for_each(|row| drop(strays.word(row.model).to_owned()));
    for number in (0..head.calls).step_by(BLOCK as usize) {
        let block = columns.block(number / BLOCK)?;
        for call in number..head.calls.min(number + BLOCK) {
            let lines = block.call(call);
            rows += block.rows.rows[lines].len();
        }
    }
    Ok((found.len(), rows))
}

pub(crate) fn index_file(bytes: &[u8]) {
    let Ok(Some(sealed)) = Sealed::read(in_memory(bytes)) else { return };
    let _ = read(&sealed);
}

pub(crate) fn index_of_lines(contents: &[u8]) {
    let (mut segment, mut seq) = (Vec::new(), 1);
    for content in contents.split(|byte| *byte == b'\n') {
        let Ok(content @ Value::Object(_)) = serde_json::from_slice::<Value>(content) else { continue };
        let event = content["event"].as_str().and_then(Event::named).unwrap_or(Event::Mark);
        let mut content = content;
        content.as_object_mut().unwrap().remove("event");
        Body::new(event, &content).frame(seq, seq - 1, &mut segment);
        seq += 1;
    }
    let mut table = Table::of(Segment(1), &segment);
    let Some(bytes) = bytes_of(&mut table) else { return };
    let sealed = Sealed::read(in_memory(&bytes)).unwrap().expect("an index of this version");
    assert_eq!(read(&sealed).unwrap(), read(&table).unwrap());
    for column in Column::ALL {
        assert_eq!(sealed.column(column).unwrap(), table.column(column).unwrap());
    }
}

pub(crate) fn blob(bytes: &[u8]) {
    let value =
        serde_json::from_slice::<Value>(bytes).unwrap_or_else(|_| json!({"text": String::from_utf8_lossy(bytes)}));
    let (mut spilt, mut blobs) = (value.clone(), Vec::new());
    blob::spill(&mut spilt, 16, 256, &mut blobs);
    assert!(spilt.is_string() || spilt.to_string().len() <= 256 + 160, "{spilt}");
    let _ = (blob::marker_of(&spilt), blob::has_missing_content(&spilt));
    // The content by its name, as a file of the blob would have it.
    blob::inflate_with(&mut spilt, &|sha256| blob::content_of(&blobs, sha256));
    assert_eq!(spilt, value);
    let _ = blob::unpacked(bytes, "0");
}
