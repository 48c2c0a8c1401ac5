//! The journal: the chain of segments, which is appended to.
//!
//! Invariants: a line is acknowledged after it is durable in the file under the segment's name, and is never lost
//! afterwards; numbers have no gaps; after a failed sync the file is never written or synced again, since the kernel may
//! have dropped pages and would report the next sync as a success. A journal whose file was moved or replaced has failed in
//! the same way, since no reader would find its lines. The module has no threads and no clock, so that a test can run it on
//! its own file system.

#[cfg(test)]
mod model;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::log::format::{
    event::Event,
    fs::{Append, Failed, Fs, Stage, UNFINISHED, at, check_in_place, write_whole},
    line::{Body, Line},
    recovery::{End, recover},
    segment::{FORMAT, Header, Segment, decompress},
};

/// Why the log cannot be opened or written.
#[derive(Debug)]
pub(in crate::log) enum Error {
    /// None of these lines is in the log; later ones may be tried.
    Refused(Failed),
    /// Nothing can be written any more.
    Poisoned(Failed),
    /// A segment is damaged in a way that no crash causes.
    Damaged { file: String, offset: usize, seq: u64 },
    /// A later version of the gateway wrote this file.
    Newer { file: String, format: u32 },
}

/// The bytes that the start found after the last whole line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log) struct TornTail {
    pub(in crate::log) file: String,
    pub(in crate::log) offset: usize,
    pub(in crate::log) bytes: usize,
    /// The file that these bytes were moved to.
    pub(in crate::log) kept_in: String,
}

pub(in crate::log) struct Journal<F: Fs> {
    fs: F,
    segment_size: u64,
    active: Active<F::File>,
    /// The number of the next line.
    next: u64,
    /// The highest number that is durable.
    durable: u64,
    is_poisoned: bool,
    /// What is written at once; kept, since it is written many times a second.
    batch: Vec<u8>,
}

/// A batch that took more is not kept.
const KEPT: usize = 1 << 20;

/// The segment that is appended to.
struct Active<File> {
    segment: Segment,
    file: File,
    length: u64,
    hash: Sha256,
    day: Date,
}

impl<F: Fs> Journal<F> {
    /// Opens the journal at its end, or begins one. A torn tail is put aside first.
    pub(in crate::log) fn open(fs: F, segment_size: u64, now: Timestamp) -> Result<(Self, Option<TornTail>), Error> {
        // A segment's name must be durable before its lines are.
        fs.sync_folder("").map_err(at(Stage::SyncFolder)).map_err(Error::Refused)?;
        let names = fs.list("").map_err(at(Stage::List)).map_err(Error::Refused)?;
        for unfinished in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
            fs.remove(unfinished).map_err(at(Stage::Remove)).map_err(Error::Refused)?;
        }
        let mut segments: Vec<(Segment, bool)> = names.iter().filter_map(|name| Segment::of(name)).collect();
        // Where both files of a segment exist, its sealing was interrupted, and the uncompressed file is complete.
        segments.sort_by_key(|(segment, is_sealed)| (*segment, !is_sealed));
        match segments.last() {
            None => {
                let active = begin(&fs, Segment(1), 0, &Header::new(now, None)).map_err(Error::Refused)?;
                Ok((
                    Self { fs, segment_size, active, next: 2, durable: 1, is_poisoned: false, batch: Vec::new() },
                    None,
                ))
            }
            Some((segment, false)) => Self::resume(fs, segment_size, *segment),
            Some((segment, true)) => Self::begin_after(fs, segment_size, *segment, now).map(|journal| (journal, None)),
        }
    }

    /// Continues after the last whole line of the last segment.
    fn resume(fs: F, segment_size: u64, segment: Segment) -> Result<(Self, Option<TornTail>), Error> {
        let name = segment.open();
        let bytes = fs.read(&name).map_err(at(Stage::Read)).map_err(Error::Refused)?;
        let recovered = recover(&bytes, segment.0);
        let (good, torn) = bytes.split_at(recovered.good);
        if recovered.end == End::Damaged {
            return Err(Error::Damaged { file: name, offset: recovered.good, seq: recovered.next });
        }
        let header: Option<Header> = Line::at(good).and_then(|line| line.parse());
        let Some(header) = header else {
            return Err(Error::Damaged { file: name, offset: 0, seq: segment.0 });
        };
        if header.format > FORMAT {
            return Err(Error::Newer { file: name, format: header.format });
        }
        let mut tail = None;
        if recovered.end == End::Torn {
            let kept_in = format!("{name}.torn-{}-{:08x}", good.len(), crc32fast::hash(torn));
            write_whole(&fs, &kept_in, torn).map_err(Error::Refused)?;
            tail = Some(TornTail { file: name.clone(), offset: good.len(), bytes: torn.len(), kept_in });
        }
        let file = if tail.is_none() && is_proven(good) {
            fs.open(&name).map_err(at(Stage::Open))
        } else {
            // Lines that no later line proves to be durable may be in memory only. If a sync of this file failed, no other
            // sync would write them, so the file is rewritten.
            write_whole(&fs, &name, good)
        };
        let file = file.map_err(Error::Refused)?;
        let hash = Sha256::new_with_prefix(good);
        let active = Active { segment, file, length: good.len() as u64, hash, day: day(header.ts) };
        let (next, durable) = (recovered.next, recovered.next - 1);
        Ok((Self { fs, segment_size, active, next, durable, is_poisoned: false, batch: Vec::new() }, tail))
    }

    /// Begins a segment after a sealed one.
    fn begin_after(fs: F, segment_size: u64, last: Segment, now: Timestamp) -> Result<Self, Error> {
        let name = last.sealed();
        let bytes = fs.read(&name).map_err(at(Stage::Read)).map_err(Error::Refused)?;
        let bytes = decompress(&bytes).map_err(|_| Error::Damaged { file: name.clone(), offset: 0, seq: last.0 })?;
        let recovered = recover(&bytes, last.0);
        if recovered.end != End::Whole {
            return Err(Error::Damaged { file: name, offset: recovered.good, seq: recovered.next });
        }
        let header = Header::new(now, Some((last, const_hex::encode(Sha256::digest(&bytes)))));
        let seq = recovered.next;
        let active = begin(&fs, Segment(seq), seq - 1, &header).map_err(Error::Refused)?;
        Ok(Self { fs, segment_size, active, next: seq + 1, durable: seq, is_poisoned: false, batch: Vec::new() })
    }

    /// Makes the lines durable with one write and one sync, and returns the number of the first.
    pub(in crate::log) fn append(&mut self, bodies: &[&Body], now: Timestamp) -> Result<u64, Error> {
        // Checked before, so that nothing is written where another gateway writes, and after the sync.
        self.check()?;
        let size: usize = bodies.iter().map(|body| body.len()).sum();
        // A segment with a header only is never full.
        let has_lines = self.next > self.active.segment.0 + 1;
        let is_full = has_lines && self.active.length + size as u64 > self.segment_size;
        if is_full || day(now) != self.active.day {
            self.rotate(now)?;
        }
        let mut bytes = std::mem::take(&mut self.batch);
        bytes.clear();
        bytes.reserve(size + 64 * bodies.len());
        let outcome = self.append_framed(bodies, &mut bytes);
        self.batch = if bytes.capacity() <= KEPT { bytes } else { Vec::new() };
        outcome
    }

    fn append_framed(&mut self, bodies: &[&Body], bytes: &mut Vec<u8>) -> Result<u64, Error> {
        let first = self.next;
        for (seq, body) in (first..).zip(bodies) {
            body.frame(seq, self.durable, bytes);
        }
        if let Err(source) = self.active.file.append(bytes) {
            let failed = Failed { stage: Stage::Write, source };
            // A partial write must not precede the next lines.
            return match self.active.file.cut(self.active.length) {
                Ok(()) => Err(Error::Refused(failed)),
                Err(_) => Err(self.poison(failed)),
            };
        }
        if let Err(source) = self.active.file.sync() {
            // The next start must not take these lines for durable.
            let _ = self.active.file.cut(self.active.length);
            return Err(self.poison(Failed { stage: Stage::Sync, source }));
        }
        self.active.length += bytes.len() as u64;
        self.active.hash.update(&*bytes);
        self.next += bodies.len() as u64;
        self.durable = self.next - 1;
        self.check()?;
        Ok(first)
    }

    /// Fails where nothing can be written any more: an earlier write or sync failed, or the segment was moved or replaced.
    pub(in crate::log) fn check(&mut self) -> Result<(), Error> {
        if self.is_poisoned {
            let source = std::io::Error::other("an earlier write or sync failed");
            return Err(Error::Poisoned(Failed { stage: Stage::Write, source }));
        }
        check_in_place(&self.fs, &self.active.segment.open(), &self.active.file).map_err(|failed| self.poison(failed))
    }

    /// The segment that is appended to; all earlier ones are complete.
    pub(in crate::log) fn active(&self) -> Segment {
        self.active.segment
    }

    /// Begins the next segment. Where that fails before anything was changed, the current segment continues.
    fn rotate(&mut self, now: Timestamp) -> Result<(), Error> {
        let sha256 = const_hex::encode(self.active.hash.clone().finalize());
        let header = Header::new(now, Some((self.active.segment, sha256)));
        match begin(&self.fs, Segment(self.next), self.durable, &header) {
            Ok(active) => {
                self.active = active;
                self.durable = self.next;
                self.next += 1;
                Ok(())
            }
            Err(failed) if matches!(failed.stage, Stage::Create | Stage::Write) => {
                tracing::warn!(stage = failed.stage.as_str(), error = %failed.source, "the log goes on in its old segment");
                Ok(())
            }
            Err(failed) => Err(self.poison(failed)),
        }
    }

    fn poison(&mut self, failed: Failed) -> Error {
        self.is_poisoned = true;
        Error::Poisoned(failed)
    }
}

/// Whether the last line is a mark, whose watermark covers all lines before it.
fn is_proven(lines: &[u8]) -> bool {
    let start = memchr::memrchr(b'\n', lines.get(..lines.len().saturating_sub(1)).unwrap_or_default());
    let last = start.map_or(lines, |end| &lines[end + 1..]);
    Line::at(last).is_some_and(|line| line.event() == Some(Event::Mark) && line.durable + 1 == line.seq)
}

/// The content of the line by which a repair replaces lost lines.
pub(in crate::log) fn gap_body(now: Timestamp, to: u64) -> Body {
    Body::new(Event::Gap, &json!({"ts": now, "to": to}))
}

/// A new segment with its header, which is durable when this returns.
fn begin<F: Fs>(fs: &F, segment: Segment, durable: u64, header: &Header) -> Result<Active<F::File>, Failed> {
    let mut bytes = Vec::new();
    header.body().frame(segment.0, durable, &mut bytes);
    let file = write_whole(fs, &segment.open(), &bytes)?;
    let hash = Sha256::new_with_prefix(&bytes);
    Ok(Active { segment, file, length: bytes.len() as u64, hash, day: day(header.ts) })
}

fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}
