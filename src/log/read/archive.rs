//! Reads the log, while a gateway writes it and when none does.
//!
//! A reader takes no lock and changes nothing but the derived index. An incomplete line at the end is being written. A
//! segment may be sealed or dropped at any time, so a missing file is looked for under its other name.

use std::{
    collections::{HashSet, VecDeque},
    fmt, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;

use super::{
    call::{Call, Position, View},
    filter::Filter,
    open_tables::{OpenTables, new_table},
    parallel,
    select::{IdPart, Selection},
};
use crate::log::{
    Error,
    format::{
        blob,
        fs::Disk,
        index::{
            columns::{BLOCK, Block, Columns},
            file::OfSealed,
            rows::Rows,
            table::Table,
        },
        line::Line,
        lock::{directory_error, is_in_use},
        segment::{Segment, list, read_segment},
    },
    read::{
        assembly::{Assembly, Met},
        route::RecordedRoute,
    },
    step::{Step, StepOf},
};

/// So many blocks of a segment are held while its calls are handed out: calls that began together may have ended apart.
const BLOCKS: usize = 4;

/// The log of a folder.
pub struct Archive {
    pub(super) disk: Disk,
    folder: PathBuf,
    open_tables: Arc<OpenTables>,
    /// The segment that was read last, uncompressed.
    last_read: Mutex<Option<(Segment, Arc<Vec<u8>>)>>,
}

/// Omits the segment in memory.
impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("folder", &self.folder).finish_non_exhaustive()
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
        let open_tables = OpenTables::of(folder);
        Ok(Self { disk, folder: folder.to_owned(), open_tables, last_read: Mutex::default() })
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
        let part = IdPart::new(part);
        for route in [None, Some(RecordedRoute::Passed)] {
            let filter = Filter { route, ..Filter::default() };
            self.select(&Selection { id: Some(&part), ..Selection::of(&filter) }, |call| {
                if part.is_of(call.first.row.id) {
                    found.push(call.to_call());
                }
                if part.is_whole() && !found.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if part.is_whole() && !found.is_empty() {
                break;
            }
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
        each: impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.select(&Selection::of(filter), each)
    }

    /// Calls `each` with every call that is selected, the latest first. Of calls that lie in several segments, only the
    /// conditions of the filter are checked.
    pub(super) fn select(
        &self,
        selection: &Selection<'_>,
        mut each: impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let filter = selection.filter;
        let needle = filter.text.as_deref().map(needle);
        let is_live = is_in_use(&self.folder);
        let mut assembly = Assembly::default();
        let mut segments = self.segments_to_read()?;
        segments.reverse();
        let outcome = parallel::each(
            &segments,
            |segment| self.look_up(*segment, selection, needle.as_deref()),
            |(segment, _), looked_up| {
                let looked_up = match looked_up {
                    Ok(looked_up) => looked_up,
                    Err(source) => return ControlFlow::Break(Err(self.failed(source))),
                };
                let is_before = |since: Timestamp| looked_up.latest.is_some_and(|at| at < since.as_microsecond());
                if filter.since.is_some_and(is_before) && !assembly.has_open_ends() {
                    return ControlFlow::Break(Ok(true));
                }
                match looked_up.hand_out(&self.disk, *segment, is_live, &mut assembly, filter, &mut each) {
                    Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                    Ok(ControlFlow::Break(())) => ControlFlow::Break(Ok(false)),
                    Err(source) => ControlFlow::Break(Err(self.failed(source))),
                }
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

    /// What the selection needs of a segment.
    fn look_up(
        &self,
        (segment, is_sealed): (Segment, bool),
        selection: &Selection<'_>,
        needle: Option<&str>,
    ) -> io::Result<LookedUp> {
        let mut index = self.index(segment, is_sealed)?;
        let (latest, calls, strays) = index.read_or_mend(&self.disk, segment, |columns| {
            let calls = selection.calls(segment, columns)?;
            Ok((columns.head().times.map(|(_, latest)| latest), calls, columns.strays()?))
        })?;
        let hits = match needle {
            Some(needle) if !calls.is_empty() || !strays.rows.is_empty() => {
                Some(lines_with(&read_segment(&self.disk, segment)?, needle))
            }
            _ => None,
        };
        Ok(LookedUp { index, latest, calls, strays, hits })
    }

    /// Makes the indexes that are missing or of another version, so that no query has to. `told` is called after each segment where
    /// there are any.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn make_indexes(&self, mut told: impl FnMut(Step)) -> Result<(), Error> {
        let sealed: Vec<Segment> =
            self.segments()?.into_iter().filter(|(_, is_sealed)| *is_sealed).map(|(segment, _)| segment).collect();
        let missing: Vec<Segment> =
            sealed.into_iter().filter(|segment| !OfSealed::is_there(&self.disk, *segment)).collect();
        let mut done = 0;
        let _: ControlFlow<()> = parallel::each(
            &missing,
            |segment| {
                let made = OfSealed::make_anew(&self.disk, *segment);
                matches!(made, Ok(OfSealed::File(_)))
            },
            |_, is_kept| {
                // A reader without the right to write makes them for each query.
                if !is_kept {
                    return ControlFlow::Break(());
                }
                done += 1;
                told(Step { what: StepOf::Segments, done, all: missing.len() });
                ControlFlow::Continue(())
            },
        );
        Ok(())
    }

    pub(super) fn index(&self, segment: Segment, is_sealed: bool) -> io::Result<SegmentIndex> {
        if is_sealed && let Ok(index) = OfSealed::open(&self.disk, segment) {
            return Ok(SegmentIndex::Sealed(index));
        }
        match self.open_tables.read(&self.disk, segment) {
            // It has been sealed meanwhile, or dropped, or its index cannot be read.
            Err(_) => match OfSealed::open(&self.disk, segment) {
                Ok(index) => Ok(SegmentIndex::Sealed(index)),
                Err(_) => Ok(SegmentIndex::Open(new_table(segment, &read_segment(&self.disk, segment)?))),
            },
            Ok(table) => Ok(SegmentIndex::Open(table)),
        }
    }

    /// The segments, the oldest first, before their indexes are read.
    pub(super) fn segments_to_read(&self) -> Result<Vec<(Segment, bool)>, Error> {
        let segments = self.segments()?;
        self.open_tables.keep(&segments);
        Ok(segments)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
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

/// The index of a segment, as far as a query reads it.
pub(super) enum SegmentIndex {
    Sealed(OfSealed),
    Open(Arc<RwLock<Table>>),
}

impl SegmentIndex {
    /// Reads the index. Where its file is damaged, it is made anew.
    pub(super) fn read_or_mend<T>(
        &mut self,
        disk: &Disk,
        segment: Segment,
        work: impl Fn(&dyn Columns) -> io::Result<T>,
    ) -> io::Result<T> {
        match self {
            Self::Open(table) => work(&*table.read()),
            Self::Sealed(index) => work(index.columns()).or_else(|_| {
                *index = OfSealed::make_anew(disk, segment)?;
                work(index.columns())
            }),
        }
    }
}

/// What a selection needs of a segment.
struct LookedUp {
    index: SegmentIndex,
    /// The time of the latest line in microseconds.
    latest: Option<i64>,
    /// The calls that it may admit: the number of each call's first line, and its own; the latest first.
    calls: Vec<(u64, u32)>,
    strays: Rows,
    hits: Option<HashSet<u64>>,
}

impl LookedUp {
    /// Gives the calls and the strays to the assembly, the latest first.
    fn hand_out(
        self,
        disk: &Disk,
        segment: Segment,
        is_live: bool,
        assembly: &mut Assembly,
        filter: &Filter,
        each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let Self { mut index, calls, strays, hits, .. } = self;
        let (strays, hits) = (Rc::new(strays), hits.as_ref());
        let mut left = strays.rows.len();
        let mut blocks: VecDeque<(u32, Block)> = VecDeque::new();
        for (line, number) in calls {
            while left > 0 && strays.rows[left - 1].seq > line {
                left -= 1;
                if assembly.add(Met::new(&strays, left, segment, hits), is_live, filter, each).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            let wanted = number / BLOCK;
            if !blocks.iter().any(|(known, _)| *known == wanted) {
                blocks.truncate(BLOCKS - 1);
                blocks.push_front((wanted, index.read_or_mend(disk, segment, |columns| columns.block(wanted))?));
            }
            let Some((_, block)) = blocks.iter().find(|(known, _)| *known == wanted) else { continue };
            if assembly.add_whole((block, number, segment), hits, filter, each).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        while left > 0 {
            left -= 1;
            if assembly.add(Met::new(&strays, left, segment, hits), is_live, filter, each).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
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

#[cfg(test)]
mod tests;
