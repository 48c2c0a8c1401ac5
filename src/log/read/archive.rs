//! Reads the log, while a gateway writes it and when none does.
//!
//! A reader takes no lock and changes nothing but the derived index. An incomplete line at the end is being written. A
//! segment may be sealed or dropped at any time, so a missing file is looked for under its other name.

use std::{collections::HashSet, fmt, io, ops::ControlFlow, path::Path, rc::Rc, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use uuid::Uuid;

use super::{
    call::{Call, Position, View},
    filter::Filter,
    parallel,
};
use crate::log::{
    Error,
    format::{
        blob,
        fs::Disk,
        index::Index,
        line::Line,
        lock::{directory_error, is_in_use},
        segment::{Segment, list, read_segment},
    },
    read::{
        assembly::{Assembly, Met},
        route::RecordedRoute,
    },
};

/// The log of a folder.
pub struct Archive {
    pub(super) disk: Disk,
    folder: std::path::PathBuf,
    /// Whether a gateway writes the log.
    is_live: bool,
    /// The segment that was read last, uncompressed.
    last_read: Mutex<Option<(Segment, Arc<Vec<u8>>)>>,
}

/// Omits the segment in memory.
impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("folder", &self.folder).field("is_live", &self.is_live).finish_non_exhaustive()
    }
}

impl Archive {
    /// Opens the log in this folder for reading.
    ///
    /// # Errors
    /// The folder is missing.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let disk = Disk::new(folder);
        if !disk.exists() {
            let missing = io::Error::new(io::ErrorKind::NotFound, "there is no such folder");
            return Err(directory_error(folder, missing));
        }
        Ok(Self { disk, folder: folder.to_owned(), is_live: is_in_use(folder), last_read: Mutex::default() })
    }

    /// Calls `each` with every matching call, the latest first.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn for_each(&self, filter: &Filter, mut each: impl FnMut(Call)) -> Result<(), Error> {
        self.each(filter, |call| {
            each(call.to_call());
            ControlFlow::Continue(())
        })
    }

    /// The calls whose id contains this text.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn find(&self, part: &str) -> Result<Vec<Call>, Error> {
        let mut found = Vec::new();
        let part = part.to_lowercase();
        for route in [None, Some(RecordedRoute::Passed)] {
            self.each(&Filter { route, ..Filter::default() }, |call| {
                if Uuid::from_u128(call.first.row.id).to_string().contains(&part) {
                    found.push(call.to_call());
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(found)
    }

    /// The lines of a call, in order, with the contents of blobs.
    ///
    /// Each is an object as docs/log-format.md describes it. Where a blob is missing, its marker stays, with `"missing":
    /// true` added.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn lines(&self, call: &Call) -> Result<Vec<Value>, Error> {
        let mut story = Vec::new();
        for position in &call.positions {
            if let Some(mut line) = self.line(*position)? {
                blob::inflate(&self.disk, &mut line);
                story.push(line);
            }
        }
        Ok(story)
    }

    /// Calls `each` with every matching call, the latest first.
    pub(in crate::log) fn each(
        &self,
        filter: &Filter,
        mut each: impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let needle = filter.text.as_deref().map(needle);
        let mut assembly = Assembly::default();
        let mut segments = self.segments()?;
        segments.reverse();
        let disk = &self.disk;
        let outcome = parallel::each(
            &segments,
            |segment| look_up(disk, *segment, needle.as_deref()),
            |(segment, _), looked_up| {
                let (index, hits) = match looked_up {
                    Ok((index, hits)) => (Rc::new(index), hits),
                    Err(source) => return ControlFlow::Break(Err(self.failed(source))),
                };
                let latest = index.times.map(|(_, latest)| latest);
                let is_before = |since: Timestamp| latest.is_some_and(|latest| latest < since.as_microsecond());
                if filter.since.is_some_and(is_before) && !assembly.has_open_ends() {
                    return ControlFlow::Break(Ok(true));
                }
                for row in (0..index.rows.len()).rev() {
                    let met = Met::new(&index, row, *segment, hits.as_ref());
                    if assembly.add(met, self.is_live, filter, &mut each).is_break() {
                        return ControlFlow::Break(Ok(false));
                    }
                }
                ControlFlow::Continue(())
            },
        );
        match outcome {
            ControlFlow::Break(Err(error)) => return Err(error),
            ControlFlow::Break(Ok(false)) => return Ok(()),
            ControlFlow::Break(Ok(true)) | ControlFlow::Continue(()) => {}
        }
        assembly.rest(filter, &mut each);
        Ok(())
    }

    pub(in crate::log) fn segments(&self) -> Result<Vec<(Segment, bool)>, Error> {
        list(&self.disk).map_err(|source| self.failed(source))
    }

    /// The bytes of a segment, uncompressed; empty where it was dropped.
    pub(in crate::log) fn bytes(&self, segment: Segment) -> Result<Arc<Vec<u8>>, Error> {
        if let Some((read, bytes)) = &*self.last_read.lock()
            && *read == segment
        {
            return Ok(bytes.clone());
        }
        let bytes = Arc::new(read_segment(&self.disk, segment).map_err(|source| self.failed(source))?);
        *self.last_read.lock() = Some((segment, bytes.clone()));
        Ok(bytes)
    }

    fn line(&self, position: Position) -> Result<Option<Value>, Error> {
        let bytes = self.bytes(position.segment)?;
        let at = usize::try_from(position.offset).unwrap_or(usize::MAX);
        Ok(bytes.get(at..).and_then(Line::at).and_then(|line| line.parse()))
    }

    pub(super) fn failed(&self, source: io::Error) -> Error {
        directory_error(&self.folder, source)
    }
}

/// The index of a segment: from its file, or made of its bytes.
pub(super) fn index_of(disk: &Disk, segment: Segment, is_sealed: bool) -> io::Result<Index> {
    let kept = if is_sealed { Index::of_sealed(disk, segment).ok() } else { None };
    match kept {
        Some(index) => Ok(index),
        None => Ok(Index::of(&read_segment(disk, segment)?)),
    }
}

/// A segment's index, and the offsets of the lines that contain this text.
fn look_up(
    disk: &Disk,
    (segment, is_sealed): (Segment, bool),
    needle: Option<&str>,
) -> io::Result<(Index, Option<HashSet<u64>>)> {
    let index = index_of(disk, segment, is_sealed)?;
    let hits = match needle {
        Some(needle) => Some(lines_with(&read_segment(disk, segment)?, needle)),
        None => None,
    };
    Ok((index, hits))
}

/// A text as it stands in a line.
pub(super) fn needle(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The offsets of the lines that contain this text.
pub(super) fn lines_with(bytes: &[u8], needle: &str) -> HashSet<u64> {
    let found = memchr::memmem::find_iter(bytes, needle.as_bytes());
    found.map(|at| memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |end| end as u64 + 1)).collect()
}
