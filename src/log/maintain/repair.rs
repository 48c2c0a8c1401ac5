//! Repairs a damaged log, without losing a byte of it.
//!
//! Each damaged segment stays beside the log as it is, and a new one takes its place with the whole lines; a line of its own
//! stands for each gap. A last line of the log records the repair.

use std::{collections::HashSet, io, path::Path};

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    config,
    log::{
        Error,
        format::{
            event::Event,
            fs::{Disk, Failed, Fs, write_whole},
            line::{Body, Line},
            lock::{FolderLock, directory_error},
            recovery::{End, later_lines, recover},
            segment::{Header, Segment, decompress, decompress_what_can_be, list, read_segment},
        },
        step::{Step, StepOf},
        write::{
            journal::gap_body,
            open::{open_error, open_journal},
        },
    },
};

/// Part of the name of a file that was put aside.
const DAMAGED: &str = ".damaged-";

/// A segment that was rewritten.
#[derive(Debug, Clone)]
pub struct Repaired {
    pub file: String,
    /// The file with the original bytes.
    pub kept_in: String,
    /// The lost lines, first to last.
    pub gaps: Vec<(u64, u64)>,
}

/// Repairs every damaged segment, and returns them. No gateway may be running.
///
/// The next repair completes one that was interrupted: every file that was put aside gets its line in the log. `told` is called after
/// each segment.
///
/// # Errors
/// The folder cannot be used, or a gateway uses it.
pub fn repair(config: &config::Log, told: impl FnMut(Step)) -> Result<Vec<Repaired>, Error> {
    let folder = &config.directory;
    let failed = |source| directory_error(folder, source);
    let _lock = FolderLock::take(folder)?;
    let disk = Disk::new(folder);
    let mut repaired = repair_segments(&disk, folder, told)?;
    repaired.extend(unrecorded(&disk, &repaired).map_err(failed)?);
    if !repaired.is_empty() {
        let now = Timestamp::now();
        let mut journal = open_journal(config)?;
        for Repaired { file, kept_in, gaps } in &repaired {
            let sha256 = const_hex::encode(Sha256::digest(disk.read(file).map_err(failed)?));
            let line = json!({"ts": now, "file": file, "kept_in": kept_in, "gaps": gaps, "sha256": sha256});
            let recorded = journal.append(&[&Body::new(Event::Repaired, &line)], now);
            recorded.map_err(|error| open_error(folder, error))?;
        }
    }
    Ok(repaired)
}

/// Segments that an earlier repair rewrote without recording it.
fn unrecorded(disk: &Disk, repaired: &[Repaired]) -> io::Result<Vec<Repaired>> {
    let names = disk.list("")?;
    let mut recorded: HashSet<String> = repaired.iter().map(|repaired| repaired.kept_in.clone()).collect();
    for (segment, _) in names.iter().filter_map(|name| Segment::of(name)) {
        for (_, line) in later_lines(&read_segment(disk, segment)?) {
            if line.event() == Some(Event::Repaired) {
                recorded.extend(line.parse::<KeptIn>().map(|line| line.kept_in));
            }
        }
    }
    let mut unrecorded = Vec::new();
    for kept_in in names.into_iter().filter(|name| name.contains(DAMAGED) && !recorded.contains(name)) {
        let (name, _) = kept_in.split_once(DAMAGED).unwrap_or_default();
        // A segment that was sealed or dropped since is left out.
        let file = Segment::of(name).map(|(segment, _)| segment.open());
        if let Some(file) = file.filter(|file| disk.stat(file).is_ok()) {
            unrecorded.push(Repaired { file, kept_in, gaps: Vec::new() });
        }
    }
    Ok(unrecorded)
}

#[derive(serde::Deserialize)]
struct KeptIn {
    kept_in: String,
}

fn repair_segments(disk: &Disk, folder: &Path, mut told: impl FnMut(Step)) -> Result<Vec<Repaired>, Error> {
    let failed = |source| directory_error(folder, source);
    let unwritten = |Failed { source, .. }| directory_error(folder, source);
    let segments = list(disk).map_err(failed)?;
    let mut repaired = Vec::new();
    let mut before: Option<(Segment, String)> = None;
    for (number, (segment, is_sealed)) in segments.iter().enumerate() {
        let name = if *is_sealed { segment.sealed() } else { segment.open() };
        let file = disk.read(&name).map_err(failed)?;
        let (bytes, is_readable) = match is_sealed {
            true => decompress(&file).map_or_else(|_| (decompress_what_can_be(&file), false), |bytes| (bytes, true)),
            false => (file.clone(), true),
        };
        let next_segment = segments.get(number + 1).map(|(segment, _)| segment.0);
        let end = recover(&bytes, segment.0).end;
        // The next start handles the tail of the last segment.
        let is_sound = is_readable && (end == End::Whole || end == End::Torn && next_segment.is_none());
        let bytes = if is_sound {
            bytes
        } else {
            let kept_in = format!("{name}{DAMAGED}{:08x}", crc32fast::hash(&file));
            write_whole(disk, &kept_in, &file).map_err(unwritten)?;
            let (bytes, gaps) = rebuilt(*segment, &bytes, next_segment, before.take());
            write_whole(disk, &segment.open(), &bytes).map_err(unwritten)?;
            if *is_sealed {
                disk.remove(&name).map_err(failed)?;
                disk.sync_folder("").map_err(failed)?;
            }
            repaired.push(Repaired { file: segment.open(), kept_in, gaps });
            bytes
        };
        before = Some((*segment, const_hex::encode(Sha256::digest(&bytes))));
        told(Step { what: StepOf::Segments, done: number + 1, all: segments.len() });
    }
    Ok(repaired)
}

#[derive(serde::Deserialize)]
struct Stamped {
    ts: Timestamp,
}

/// The whole lines in their order, with a line for each gap between them.
fn rebuilt(
    segment: Segment,
    bytes: &[u8],
    next_segment: Option<u64>,
    before: Option<(Segment, String)>,
) -> (Vec<u8>, Vec<(u64, u64)>) {
    let now = Timestamp::now();
    let mut made = Vec::new();
    let mut gaps = Vec::new();
    let mut lines = later_lines(bytes).map(|(_, line)| line).filter(|line| line.seq >= segment.0).peekable();
    let mut next = segment.0;
    if lines.peek().is_none_or(|line: &Line<'_>| line.seq != segment.0 || line.event() != Some(Event::Segment)) {
        // With the time of its lines: the blobs that they refer to must not count as older.
        let ts = lines.peek().and_then(|line| line.parse::<Stamped>()).map_or(now, |line| line.ts);
        Header::new(ts, before).body().frame(next, next - 1, &mut made);
        next += 1;
    }
    let mut close = |made: &mut Vec<u8>, next: u64, behind: u64| {
        if behind > next {
            gap_body(now, behind - 1).frame(next, next - 1, made);
            gaps.push((next, behind - 1));
        }
    };
    for line in lines {
        let belongs = line.seq >= next && next_segment.is_none_or(|end| line.seq < end);
        if belongs {
            close(&mut made, next, line.seq);
            made.extend_from_slice(line.bytes);
            next = line.next();
        }
    }
    if let Some(end) = next_segment {
        close(&mut made, next, end);
    }
    (made, gaps)
}
