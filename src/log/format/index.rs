//! The index of a segment: what a listing needs of its lines, so that a reader finds a few calls among a million in a moment.
//!
//! Most calls begin and end in one segment and need nothing of another one. Of these, the index has columns of fixed width
//! (`columns`), by which a filter selects calls without the rest, and blocks of some calls with all that a listing shows. The
//! other lines stand apart (`strays`), and a reader always reads them: those of calls that cross segments, are in doubt, are
//! carried forward or settled, or repeat another call.
//!
//! The index is derived from the segment. One that is missing, of another version, or made from a file of another size is
//! rebuilt, and the whole folder can be deleted at any time.

pub(in crate::log) mod columns;
pub(in crate::log) mod file;
pub(in crate::log) mod rows;
pub(in crate::log) mod table;

use std::io;

use super::{
    fs::{Disk, Fs},
    segment::Segment,
};

const FOLDER: &str = "index";
/// Must change whenever the content of the files does.
const VERSION: u32 = 8;

pub(in crate::log) fn file(segment: Segment) -> String {
    format!("{FOLDER}/{:020}.idx", segment.0)
}

pub(in crate::log) fn remove(disk: &Disk, segment: Segment) -> io::Result<()> {
    match disk.remove(&file(segment)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
