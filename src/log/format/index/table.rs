//! The index of a segment in memory: of one that is being written, to which lines are added, or of one that is indexed anew.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    io,
};

use super::{
    columns::{BLOCK, Block, Column, Columns, Filling, Head, is_complete, widened},
    rows::{Making, Rows},
};
use crate::log::format::{event::Event, fs::Disk, recovery::later_lines, segment::Segment};

/// The index of the lines that have been read so far.
#[derive(Debug)]
pub(in crate::log) struct Table {
    segment: Segment,
    making: Making,
    /// The lines of each call in the columns.
    calls: Vec<Lines>,
    /// Calls that have begun and may still end here, by their ids.
    begun: HashMap<u128, Lines>,
    /// The lines that are of no call in the columns.
    strays: BTreeSet<u32>,
    pub(super) filling: Filling,
}

/// The rows of a call.
#[derive(Debug, Clone, Copy)]
struct Lines {
    first: u32,
    planned: Option<u32>,
    /// The first one where the call has one line.
    last: u32,
}

impl Table {
    pub(in crate::log) fn new(segment: Segment) -> Self {
        Self {
            segment,
            making: Making::default(),
            calls: Vec::new(),
            begun: HashMap::new(),
            strays: BTreeSet::new(),
            filling: Filling::default(),
        }
    }

    /// The index of all whole lines in a segment's bytes.
    pub(in crate::log) fn of(segment: Segment, bytes: &[u8]) -> Self {
        let mut table = Self::new(segment);
        // At once: growing would hold it up to three times.
        table.making.rows.rows.reserve_exact(memchr::memchr_iter(b'\n', bytes).count());
        table.add(bytes);
        table.filling.head.length = bytes.len() as u64;
        table
    }

    /// Adds what was written to the segment since. What is not a whole line at the end is still being written.
    ///
    /// # Errors
    /// The file cannot be read; there is none where the segment has been sealed.
    pub(in crate::log) fn extend(&mut self, disk: &Disk) -> io::Result<()> {
        let bytes = disk.read_from(&self.segment.open(), self.filling.head.length)?;
        self.add(&bytes);
        Ok(())
    }

    /// Whether the file is shorter than what has been read of it: it is not the same file any more.
    pub(in crate::log) fn is_of_another(&self, disk: &Disk) -> bool {
        disk.stat(&self.segment.open()).is_ok_and(|(size, _)| size < self.filling.head.length)
    }

    /// The calls of each block, as a file has them.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block> {
        let blocks = u32::try_from(self.calls.len().div_ceil(BLOCK as usize)).unwrap_or(u32::MAX);
        (0..blocks).map(|number| self.block_of(number))
    }

    fn block_of(&self, number: u32) -> Block {
        let from = (number * BLOCK) as usize;
        let to = self.calls.len().min(from + BLOCK as usize);
        let (mut rows, mut starts) = (Vec::new(), Vec::new());
        for lines in self.calls.get(from..to).unwrap_or_default() {
            starts.push(u32::try_from(rows.len()).unwrap_or(u32::MAX));
            let later = [lines.planned, Some(lines.last).filter(|last| *last != lines.first)];
            rows.extend([Some(lines.first)].into_iter().chain(later).flatten().map(|row| row as usize));
        }
        Block { rows: self.making.rows.copied(rows), starts }
    }

    fn add(&mut self, bytes: &[u8]) {
        let start = self.filling.head.length;
        for (at, line) in later_lines(bytes) {
            let known = self.making.rows.rows.len();
            if let Some(ts) = self.making.add(&line, start + at as u64) {
                self.filling.head.times = Some(widened(self.filling.head.times, ts));
            }
            if self.making.rows.rows.len() > known {
                self.place(known);
            }
            self.filling.head.length = start + (at + line.bytes.len()) as u64;
        }
    }

    /// Finds out whether a call is complete with this row.
    fn place(&mut self, row: usize) {
        let rows = &self.making.rows.rows;
        let Ok(number) = u32::try_from(row) else { return };
        let (id, event) = (rows[row].id, rows[row].event);
        self.strays.insert(number);
        let lines = match event {
            Event::CallReceived | Event::RequestReceived => {
                self.begun.insert(id, Lines { first: number, planned: None, last: number });
                return;
            }
            Event::CallPlanned => {
                if let Some(lines) = self.begun.get_mut(&id)
                    && let Some(earlier) = lines.planned.replace(number)
                {
                    // The last plan is the one that was carried out.
                    self.strays.remove(&earlier);
                }
                return;
            }
            Event::CallFinished | Event::RequestFinished => match self.begun.remove(&id) {
                Some(begun) => Lines { last: number, ..begun },
                None => return,
            },
            Event::CallRefused | Event::RequestRefused => Lines { first: number, planned: None, last: number },
            _ => return,
        };
        let (first, last) = (&rows[lines.first as usize], &rows[row]);
        if let Some(state) = is_complete(first, last) {
            for row in [Some(lines.first), lines.planned, Some(lines.last)].into_iter().flatten() {
                self.strays.remove(&row);
            }
            self.filling.add(self.segment.0, &self.making.rows, first, last, state);
            // That it was a dry run, the last line of an old log does not tell.
            self.making.rows.rows[row].state = Some(state);
            self.calls.push(lines);
        }
    }
}

impl Columns for Table {
    fn head(&self) -> &Head {
        &self.filling.head
    }

    fn column(&self, column: Column) -> io::Result<Cow<'_, [u8]>> {
        Ok(self.filling.column(column).into())
    }

    fn records(&self) -> io::Result<Cow<'_, [u8]>> {
        Ok(self.filling.records.as_slice().into())
    }

    fn keys(&self) -> io::Result<Cow<'_, [u8]>> {
        Ok(self.filling.keys.as_slice().into())
    }

    fn block(&self, number: u32) -> io::Result<Block> {
        Ok(self.block_of(number))
    }

    fn strays(&self) -> io::Result<Rows> {
        Ok(self.making.rows.copied(self.strays.iter().map(|row| *row as usize)))
    }
}
