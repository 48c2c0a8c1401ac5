//! Retention: complete segments are sealed, indexed, and dropped when they are too old or the log is too large.
//!
//! It runs in a thread of its own, which ends with the writer. The oldest segments are dropped first, each as a whole and
//! after a line records it. Calls in doubt in such a segment are carried forward before: their lines are written again at
//! the end of the log.
//!
//! Invariant: the segments that are dropped together hold at least twice as many bytes as are carried forward. So each pass
//! makes the log smaller, retention comes to rest when nothing else is written, and keeping calls in doubt never costs more
//! than the lines written since. Where that leaves the log larger than `max_total`, a warning says so; no call in doubt is
//! dropped.

mod choose;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Read},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use self::choose::{Candidate, Choice, InDoubt, Reason, is_in_doubt};
use crate::{
    config,
    log::{
        Error,
        format::{
            blob::{self, Blobs},
            event::Event,
            fs::{Disk, Failed, Fs, Stage, at, write_whole},
            index::{self, file::OfSealed},
            line::{Body, Line},
            lock::FolderLock,
            recovery::{End, recover},
            segment::{Header, Segment, compress},
            total::size_of_all,
        },
        read::{archive::Archive, call::Position, filter::Filter},
        write::{
            open_calls::OpenCalls,
            writer::{Purpose, Writer},
        },
    },
};

/// The most bytes of a header.
const HEAD: u64 = 4096;
/// The interval of passes without a new segment.
const PASS_EVERY: Duration = Duration::from_secs(3600);
/// A blob is durable before its line, and the line may be in a later segment, but not by this much.
const MARGIN: Duration = Duration::from_secs(3600);

pub(in crate::log) struct Retention {
    pub(in crate::log) disk: Disk,
    pub(in crate::log) config: config::Log,
    pub(in crate::log) writer: Arc<Writer>,
    pub(in crate::log) blobs: Arc<Blobs>,
    /// The calls that are being processed.
    pub(in crate::log) open: OpenCalls,
    pub(in crate::log) settlement_lock: Arc<Mutex<()>>,
    pub(in crate::log) is_closing: Arc<AtomicBool>,
    /// Held until this thread has ended, too: no other gateway may touch the segments before.
    pub(in crate::log) lock: Arc<FolderLock>,
}

/// Why a pass failed. The next one tries again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error(transparent)]
    Log(#[from] Error),
}

impl Retention {
    /// Makes a pass whenever a segment is begun, and once in a while, until the writer ends.
    pub(in crate::log) fn run(self, begun: &Receiver<Segment>) {
        let Ok(mut active) = begun.recv() else { return };
        loop {
            if let Err(failure) = self.run_pass(active) {
                tracing::warn!(error = %failure, "the log's old segments could not be tended to");
            }
            match begun.recv_timeout(PASS_EVERY) {
                Ok(segment) => active = begun.try_iter().last().unwrap_or(segment),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn run_pass(&self, active: Segment) -> Result<(), Failure> {
        self.check_lock()?;
        let mut finished: Vec<_> = self.disk.list("")?.iter().filter_map(|name| Segment::of(name)).collect();
        finished.retain(|(segment, _)| *segment < active);
        finished.sort_unstable();
        for (segment, is_sealed) in &finished {
            if self.is_closing.load(Relaxed) {
                return Ok(());
            }
            if !is_sealed && let Err(failure) = self.seal(*segment) {
                // The other segments need not wait for this one.
                tracing::warn!(file = segment.open(), error = %failure, "a segment of the log could not be compressed");
            }
        }
        finished.dedup_by_key(|(segment, _)| *segment);
        let finished: Vec<_> = finished.into_iter().map(|(segment, _)| segment).collect();
        self.drop_old(&finished, active)?;
        self.index_all(&finished);
        Ok(())
    }

    /// Makes the indexes that are missing or of another version of the gateway, the latest first, before a reader waits for them.
    fn index_all(&self, finished: &[Segment]) {
        for segment in finished.iter().rev() {
            if self.is_closing.load(Relaxed) {
                return;
            }
            // Of a segment that was dropped or is damaged, readers make what they can.
            let _ = OfSealed::open(&self.disk, *segment);
        }
    }

    /// Fails where the folder was replaced: its segments may be those of another gateway.
    fn check_lock(&self) -> Result<(), Failure> {
        Ok(self.lock.check()?)
    }

    fn seal(&self, segment: Segment) -> Result<(), Failure> {
        self.check_lock()?;
        let Some(bytes) = seal(&self.disk, segment)? else {
            tracing::error!(file = segment.open(), "a segment of the log is damaged; see `odoo-gateway log verify`");
            return Ok(());
        };
        // Built now, from bytes that are in memory anyway, so that no reader waits for it.
        OfSealed::make(&self.disk, segment, &bytes)?;
        Ok(())
    }

    fn drop_old(&self, finished: &[Segment], active: Segment) -> Result<(), Failure> {
        let mut total = size_of_all(&self.disk)?;
        let most = self.config.max_total.as_u64();
        let Choice { to_drop, in_doubt } = self.choose(finished, total)?;
        let mut has_dropped = false;
        for (number, Candidate { segment, reason, has_doubts }) in to_drop.into_iter().enumerate() {
            if self.is_closing.load(Relaxed) {
                return Ok(());
            }
            // Blobs that were removed with other segments may have made enough room.
            if reason == Reason::Size && total <= most {
                break;
            }
            let size = self.size_of(segment)?;
            let next = finished.get(number + 1).copied().unwrap_or(active);
            let carried = if has_doubts { self.carry(segment)? } else { Some(0) };
            let Some(carried) = carried else { break };
            self.drop_segment(segment, next, reason, carried)?;
            has_dropped = true;
            total = total.saturating_sub(size);
            if reason == Reason::Size {
                // Blobs count, too, and those that only this segment referred to can go with it.
                total = total.saturating_sub(self.sweep()?);
            }
        }
        if has_dropped {
            self.sweep()?;
        } else if total > most && in_doubt.calls > 0 {
            let InDoubt { calls, bytes, .. } = in_doubt;
            let advice = "`odoo-gateway log ls --in-doubt` lists them, `log settle` closes them";
            tracing::warn!(
                total,
                calls,
                bytes,
                "the log is larger than [log] max_total, and calls in doubt are not dropped: {advice}"
            );
        } else if total > most {
            tracing::warn!(total, "the log is larger than [log] max_total, and nothing of it can be dropped");
        }
        Ok(())
    }

    /// Records that a segment is dropped, and removes its files.
    fn drop_segment(&self, segment: Segment, next: Segment, reason: Reason, carried: usize) -> Result<(), Failure> {
        let line = json!({
            "ts": Timestamp::now(), "file": segment.open(), "from": segment.0, "to": next.0 - 1,
            "reason": reason.as_str(), "carried": carried,
        });
        self.writer.submit_blocking(Body::new(Event::SegmentDropped, &line), Purpose::Record)?;
        for name in [segment.open(), segment.sealed()] {
            match self.disk.remove(&name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
        }
        if let Err(error) = index::remove(&self.disk, segment) {
            tracing::warn!(%error, "an index could not be removed");
        }
        self.disk.sync_folder("")?;
        tracing::info!(
            file = segment.open(),
            reason = reason.as_str(),
            carried,
            "a segment of the log has been dropped"
        );
        Ok(())
    }

    /// Carries the calls in doubt of a segment forward; returns their number, or `None` where one of its calls is being
    /// processed.
    fn carry(&self, segment: Segment) -> Result<Option<usize>, Failure> {
        let _guard = self.settlement_lock.lock();
        let archive = Archive::open(&self.disk.path(""))?;
        let mut calls = Vec::new();
        let mut is_running = false;
        archive.each(&Filter::default(), |call| {
            if call.first.segment == segment {
                is_running |= self.is_running(call);
                if is_in_doubt(call) {
                    calls.push(call.positions().collect::<Vec<_>>());
                }
            }
            ControlFlow::Continue(())
        })?;
        if is_running {
            return Ok(None);
        }
        // The earliest first, as they arrived.
        for positions in calls.iter().rev() {
            for position in positions {
                self.carry_line(&archive, *position)?;
            }
        }
        Ok(Some(calls.len()))
    }

    fn carry_line(&self, archive: &Archive, position: Position) -> Result<(), Failure> {
        let bytes = archive.bytes(position.segment)?;
        let at = usize::try_from(position.offset).unwrap_or(usize::MAX);
        let Some(line) = bytes.get(at..).and_then(Line::at) else { return Ok(()) };
        let Some(event) = line.event().filter(|event| is_carried(*event)) else { return Ok(()) };
        let Some(mut content) = line.parse::<Map<String, Value>>() else { return Ok(()) };
        for frame in ["seq", "durable", "event", "crc", "received"] {
            content.shift_remove(frame);
        }
        content.entry("carried_from").or_insert_with(|| json!(line.seq));
        let mut names = Vec::new();
        content.values().for_each(|value| blob::names(&self.disk, value, &mut names));
        self.blobs.touch(&names, SystemTime::now())?;
        self.writer.submit_blocking(Body::new(event, &content), Purpose::Record)?;
        Ok(())
    }

    /// Removes the blobs without a reference; returns how many bytes were freed.
    fn sweep(&self) -> Result<u64, Failure> {
        let names = self.disk.list("")?;
        // The earliest of all segments, since a clock may have been wrong for a while.
        let mut earliest: Option<Timestamp> = None;
        for (segment, is_sealed) in names.iter().filter_map(|name| Segment::of(name)) {
            let begun = self.begun(segment, is_sealed)?;
            earliest = Some(earliest.map_or(begun, |earliest| earliest.min(begun)));
        }
        let Some(earliest) = earliest else { return Ok(0) };
        Ok(self.blobs.sweep(SystemTime::from(earliest) - MARGIN)?)
    }

    /// When a segment was begun, by its header; a damaged segment counts as the oldest possible.
    fn begun(&self, segment: Segment, is_sealed: bool) -> io::Result<Timestamp> {
        let mut head = Vec::new();
        let file = self.disk.reader(&if is_sealed { segment.sealed() } else { segment.open() })?;
        let read = match is_sealed {
            true => zstd::Decoder::new(file).and_then(|file| file.take(HEAD).read_to_end(&mut head)),
            false => file.take(HEAD).read_to_end(&mut head),
        };
        let header = Line::at(&head).and_then(|line| line.parse::<Header>());
        Ok(read.ok().and(header).map_or(Timestamp::UNIX_EPOCH + MARGIN, |header| header.ts))
    }
}

/// Whether lines of this event are carried forward. A call in doubt has no settlement.
fn is_carried(event: Event) -> bool {
    matches!(event, Event::CallReceived | Event::CallPlanned | Event::CallFinished | Event::CallRefused)
}

/// Replaces a segment by its compressed file, and returns its bytes; `None` where it is damaged.
pub(in crate::log) fn seal<F: Fs>(fs: &F, segment: Segment) -> Result<Option<Vec<u8>>, Failed> {
    let bytes = fs.read(&segment.open()).map_err(at(Stage::Read))?;
    if recover(&bytes, segment.0).end != End::Whole {
        return Ok(None);
    }
    write_whole(fs, &segment.sealed(), &compress(&bytes).map_err(at(Stage::Compress))?)?;
    fs.remove(&segment.open()).map_err(at(Stage::Remove))?;
    fs.sync_folder("").map_err(at(Stage::SyncFolder))?;
    Ok(Some(bytes))
}
