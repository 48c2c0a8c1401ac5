//! Reading the log: while a gateway writes it, and when none does.
//!
//! A reader takes no lock and changes nothing but the derived index. Half a line at the end is one that is being written.
//! A segment may be sealed or dropped while it is looked at, so what is gone is looked for once more under its other name.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    io,
    ops::ControlFlow,
    path::Path,
    rc::Rc,
};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{
    call::{Attempt, Call, Place, Standing, Told, View},
    filter::Filter,
    parallel,
};
use crate::log::{
    Error,
    format::{
        blob,
        fs::{Disk, Fs},
        index::{Index, Kind},
        line::Line,
        lock::{directory_error, is_in_use},
        segment::{Segment, decompress_what_can_be},
    },
};

/// The log of a folder.
pub struct Archive {
    disk: Disk,
    folder: std::path::PathBuf,
    /// A gateway writes it.
    is_live: bool,
    /// The segment that was read last, uncompressed.
    last_read: RefCell<Option<(Segment, Rc<Vec<u8>>)>>,
}

impl Archive {
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !folder.is_dir() {
            let missing = io::Error::new(io::ErrorKind::NotFound, "there is no such folder");
            return Err(directory_error(folder, missing));
        }
        Ok(Self {
            disk: Disk::new(folder),
            folder: folder.to_owned(),
            is_live: is_in_use(folder),
            last_read: RefCell::default(),
        })
    }

    /// The matching calls, the latest first, and at most so many.
    pub fn calls(&self, filter: &Filter, limit: Option<usize>) -> Result<Vec<Call>, Error> {
        let mut calls = Vec::new();
        if limit == Some(0) {
            return Ok(calls);
        }
        self.each(filter, |call| {
            calls.push(call.to_call());
            if limit.is_some_and(|limit| calls.len() >= limit) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(calls)
    }

    /// Calls `each` with every matching call, the latest first.
    pub fn for_each(&self, filter: &Filter, mut each: impl FnMut(Call)) -> Result<(), Error> {
        self.each(filter, |call| {
            each(call.to_call());
            ControlFlow::Continue(())
        })
    }

    /// The calls whose id has this in it.
    pub fn find(&self, part: &str) -> Result<Vec<Call>, Error> {
        let mut found = Vec::new();
        let part = part.to_lowercase();
        for route in [None, Some("proxy".to_owned())] {
            self.each(&Filter { route, ..Filter::default() }, |call| {
                if Uuid::from_u128(call.first.row.id).to_string().contains(&part) {
                    found.push(call.to_call());
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(found)
    }

    /// What the lines of a call say, in their order, with large values put back into them.
    ///
    /// Each is an object as docs/log-format.md has it. A value whose blob is gone stays the marker that it is, with
    /// `"missing": true` in it.
    pub fn story(&self, call: &Call) -> Result<Vec<Value>, Error> {
        let mut story = Vec::new();
        for place in &call.places {
            if let Some(mut line) = self.line(*place)? {
                blob::inflate(&self.disk, &mut line);
                story.push(line);
            }
        }
        Ok(story)
    }

    /// Where the log ends at the moment.
    pub fn end(&self) -> Result<Position, Error> {
        let segment = self.segments()?.last().map_or(Segment(1), |(segment, _)| *segment);
        let bytes = read_segment(&self.disk, segment).map_err(|source| self.failed(source))?;
        Ok(Position { segment, offset: whole_lines(&bytes) as u64 })
    }

    /// The matching calls that have ended since, each with the line that says so; moves the position behind them.
    pub fn ended_since(&self, position: &mut Position, filter: &Filter) -> Result<Vec<(Call, Value)>, Error> {
        let mut ended = Vec::new();
        let mut segments = self.segments()?;
        segments.retain(|(segment, _)| *segment >= position.segment);
        for (segment, _) in &segments {
            if *segment > position.segment {
                *position = Position { segment: *segment, offset: 0 };
            }
            let bytes = match self.disk.read_from(&segment.open(), position.offset) {
                // It has been sealed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let bytes = read_segment(&self.disk, *segment).map_err(|source| self.failed(source))?;
                    bytes.get(usize::try_from(position.offset).unwrap_or(usize::MAX)..).unwrap_or_default().to_vec()
                }
                bytes => bytes.map_err(|source| self.failed(source))?,
            };
            let bytes = &bytes[..whole_lines(&bytes)];
            position.offset += bytes.len() as u64;
            let index = Index::of(bytes);
            for row in &index.rows {
                let is_end =
                    matches!(row.kind, Kind::Finished | Kind::Refused | Kind::PassedFinished | Kind::PassedRefused);
                if !is_end || row.is_carried {
                    continue;
                }
                let first = Told { index: &index, row, segment: *segment };
                let standing = Standing::of_state(index_state(&first));
                let view = View { first, last: None, planned: None, settled: None, standing, attempts: &[] };
                let line = bytes.get(usize::try_from(row.offset).unwrap_or(usize::MAX)..).and_then(Line::at);
                if filter.admits(&view)
                    && let Some(line) = line.and_then(|line| line.parse())
                {
                    ended.push((view.to_call(), line));
                }
            }
        }
        Ok(ended)
    }

    /// Calls `each` with every matching call, the latest first.
    pub(in crate::log) fn each(
        &self,
        filter: &Filter,
        mut each: impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let needle = filter.text.as_deref().map(|text| {
            let quoted = Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        });
        let mut open = Open::default();
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
                if filter.since.is_some_and(is_before) && open.ends.is_empty() {
                    return ControlFlow::Break(Ok(true));
                }
                for number in (0..index.rows.len()).rev() {
                    let met = Met { index: index.clone(), number, segment: *segment };
                    if open.add(met, self.is_live, hits.as_ref(), filter, &mut each).is_break() {
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
        open.rest(filter, needle.is_some(), &mut each);
        Ok(())
    }

    /// The segments that are there, the oldest first, and whether each is compressed.
    pub(in crate::log) fn segments(&self) -> Result<Vec<(Segment, bool)>, Error> {
        let names = self.disk.list("").map_err(|source| self.failed(source))?;
        let mut segments: Vec<_> = names.iter().filter_map(|name| Segment::of(name)).collect();
        segments.sort_unstable();
        segments.dedup_by_key(|(segment, _)| *segment);
        Ok(segments)
    }

    /// The bytes of a segment, uncompressed; none where it has been dropped meanwhile.
    pub(in crate::log) fn bytes(&self, segment: Segment) -> Result<Rc<Vec<u8>>, Error> {
        if let Some((read, bytes)) = &*self.last_read.borrow()
            && *read == segment
        {
            return Ok(bytes.clone());
        }
        let bytes = Rc::new(read_segment(&self.disk, segment).map_err(|source| self.failed(source))?);
        *self.last_read.borrow_mut() = Some((segment, bytes.clone()));
        Ok(bytes)
    }

    fn line(&self, place: Place) -> Result<Option<Value>, Error> {
        let bytes = self.bytes(place.segment)?;
        let at = usize::try_from(place.offset).unwrap_or(usize::MAX);
        Ok(bytes.get(at..).and_then(Line::at).and_then(|line| line.parse()))
    }

    fn failed(&self, source: io::Error) -> Error {
        directory_error(&self.folder, source)
    }
}

/// A segment's index, and where lines with this text begin.
fn look_up(
    disk: &Disk,
    (segment, is_sealed): (Segment, bool),
    needle: Option<&str>,
) -> io::Result<(Index, Option<HashSet<u64>>)> {
    let index = if is_sealed { Index::of_sealed(disk, segment).ok() } else { None };
    let index = match index {
        Some(index) => index,
        None => Index::of(&read_segment(disk, segment)?),
    };
    let hits = match needle {
        Some(needle) => Some(lines_with(&read_segment(disk, segment)?, needle)),
        None => None,
    };
    Ok((index, hits))
}

/// Where lines with this text begin.
fn lines_with(bytes: &[u8], needle: &str) -> HashSet<u64> {
    let found = memchr::memmem::find_iter(bytes, needle.as_bytes());
    found.map(|at| memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |end| end as u64 + 1)).collect()
}

/// A place between two lines.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    segment: Segment,
    offset: u64,
}

/// How many bytes at the beginning are whole lines.
fn whole_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(line) = Line::at(&bytes[at..]) {
        at += line.bytes.len();
    }
    at
}

/// A segment's bytes, as many as can be had, under whichever of its names it is there; nothing where it is gone.
pub(in crate::log) fn read_segment(disk: &Disk, segment: Segment) -> io::Result<Vec<u8>> {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match disk.read(&segment.open()) {
        Err(error) if is_gone(&error) => match disk.read(&segment.sealed()) {
            Err(error) if is_gone(&error) => Ok(Vec::new()),
            sealed => Ok(decompress_what_can_be(&sealed?)),
        },
        bytes => bytes,
    }
}

/// What is known of calls whose first line has not been met yet, from the end of the log backwards.
#[derive(Default)]
struct Open {
    /// The last line of a call, by the call's id, and whether it has the text that is looked for.
    ends: HashMap<u128, (Met, bool)>,
    plans: HashMap<u128, (Place, bool)>,
    /// What an operator said of a call, by the call's id, and whether it has the text.
    settled: HashMap<u128, (Met, bool)>,
    /// The calls that repeat another one, by the latter's id.
    attempts: HashMap<u128, Vec<Attempt>>,
    /// Calls whose first line was carried forward from a segment that was dropped.
    carried: HashSet<u128>,
    /// The start of the run that is, or was, the last.
    has_met_start: bool,
}

/// A line that was met.
struct Met {
    index: Rc<Index>,
    number: usize,
    segment: Segment,
}

impl Met {
    fn told(&self) -> Told<'_> {
        Told { index: &self.index, row: &self.index.rows[self.number], segment: self.segment }
    }
}

impl Open {
    fn add(
        &mut self,
        met: Met,
        is_live: bool,
        hits: Option<&HashSet<u64>>,
        filter: &Filter,
        each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let told = met.told();
        let row = told.row;
        let is_hit = hits.is_none_or(|hits| hits.contains(&row.offset));
        match row.kind {
            Kind::Start => self.has_met_start = true,
            // What was carried forward has been met already.
            Kind::Finished | Kind::Planned if self.carried.contains(&row.id) => {}
            Kind::Finished | Kind::PassedFinished => {
                let id = row.id;
                self.ends.insert(id, (met, is_hit));
            }
            Kind::Settled => {
                let id = row.id;
                self.settled.entry(id).or_insert((met, is_hit));
            }
            // The last plan is the one that was carried out.
            Kind::Planned => {
                self.plans.entry(row.id).or_insert((told.place(), is_hit));
            }
            Kind::Received | Kind::PassedReceived | Kind::Refused | Kind::PassedRefused => {
                if row.is_carried && !self.carried.insert(row.id) || !row.is_carried && self.carried.contains(&row.id) {
                    return ControlFlow::Continue(());
                }
                let end = self.ends.remove(&row.id);
                let plan = self.plans.remove(&row.id);
                let settled = self.settled.remove(&row.id);
                let standing = match (&end, row.kind) {
                    _ if let Some((settled, _)) = &settled => Standing::of_state(index_state(&settled.told())),
                    (Some((end, _)), _) => Standing::of_state(index_state(&end.told())),
                    (None, Kind::Refused | Kind::PassedRefused) => Standing::of_state(index_state(&told)),
                    (None, _) if is_live && !self.has_met_start && !row.is_carried => Standing::Running,
                    (None, _) => Standing::InDoubt,
                };
                // Of a repetition, those of the same call that came after it.
                let attempts = self.attempts.get(&row.replay_of.unwrap_or(row.id)).cloned().unwrap_or_default();
                if let Some(of) = row.replay_of {
                    let attempt = Attempt { id: Uuid::from_u128(row.id), state: standing };
                    self.attempts.entry(of).or_default().push(attempt);
                }
                let is_hit = is_hit
                    || [&end, &settled].into_iter().flatten().any(|(_, hit)| *hit)
                    || plan.is_some_and(|(_, hit)| hit);
                let view = View {
                    first: told,
                    last: end.as_ref().map(|(end, _)| end.told()),
                    planned: plan.map(|(place, _)| place),
                    settled: settled.as_ref().map(|(settled, _)| settled.told()),
                    standing,
                    attempts: &attempts,
                };
                if is_hit && filter.admits(&view) {
                    return each(&view);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Calls whose first lines are gone with their segment.
    fn rest(&self, filter: &Filter, needs_hit: bool, each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>) {
        let mut rest: Vec<&(Met, bool)> = self.ends.values().collect();
        rest.sort_by_key(|(end, _)| std::cmp::Reverse(end.told().row.seq));
        for (end, is_hit) in rest {
            let told = end.told();
            let attempts = self.attempts.get(&told.row.id).map_or(&[][..], Vec::as_slice);
            let settled = self.settled.get(&told.row.id).map(|(settled, _)| settled.told());
            let standing = Standing::of_state(index_state(&settled.unwrap_or(told)));
            let view = View { first: told, last: None, planned: None, settled, standing, attempts };
            if (*is_hit || !needs_hit) && filter.admits(&view) && each(&view).is_break() {
                break;
            }
        }
    }
}

fn index_state<'i>(told: &Told<'i>) -> &'i str {
    told.index.word(told.row.state)
}
