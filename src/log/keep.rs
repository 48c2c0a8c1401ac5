//! What becomes of segments that are finished: compressed, indexed, and dropped when their time or the space is over.
//!
//! A thread of its own, which ends with the writer. A segment is dropped whole, the oldest first, after a line says so; a
//! call in it of which it is not known whether it was done is written anew at the end of the log before that.

use std::{
    io,
    ops::ControlFlow,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Error,
    archive::Archive,
    blob::{self, Blobs},
    call::{Place, Standing},
    filter::Filter,
    fs::{Disk, Failed, Fs, at, write_whole},
    index::Index,
    line::{Body, Line},
    recovery::{End, recover},
    segment::{Header, Segment},
    writer::{Purpose, Writer},
};
use crate::config;

const LEVEL: i32 = 3;
/// A sealed segment is made of frames of so many bytes, so that a damaged place costs no more than its frame.
const FRAME: usize = 1 << 20;
/// How often ages are looked at where nothing else happens.
const TEND: Duration = Duration::from_secs(3600);
/// A blob is durable before its line, and a line may wait for its segment; but not for so long.
const MARGIN: Duration = Duration::from_secs(3600);

pub(super) struct Keeper {
    disk: Disk,
    config: config::Log,
    writer: Arc<Writer>,
    blobs: Arc<Blobs>,
}

/// Why something could not be tended to. It is tried again later.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{stage}: {source}", stage = .0.stage, source = .0.source)]
    Failed(Failed),
    #[error(transparent)]
    Log(#[from] Error),
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl Keeper {
    pub(super) fn new(disk: Disk, config: &config::Log, writer: Arc<Writer>, blobs: Arc<Blobs>) -> Self {
        Self { disk, config: config.clone(), writer, blobs }
    }

    /// Tends to the log whenever a segment is begun, and once in a while, until the writer ends.
    pub(super) fn run(self, begun: &Receiver<Segment>) {
        let Ok(mut active) = begun.recv() else { return };
        loop {
            if let Err(trouble) = self.tend(active) {
                tracing::warn!(error = %trouble, "the log's old segments could not be tended to");
            }
            match begun.recv_timeout(TEND) {
                Ok(segment) => active = begun.try_iter().last().unwrap_or(segment),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tend(&self, active: Segment) -> Result<(), Trouble> {
        let mut finished: Vec<_> = self.disk.list("")?.iter().filter_map(|name| Segment::of(name)).collect();
        finished.retain(|(segment, _)| *segment < active);
        finished.sort_unstable();
        for (segment, is_sealed) in &finished {
            if !is_sealed {
                self.seal(*segment)?;
            }
        }
        finished.dedup_by_key(|(segment, _)| *segment);
        self.drop_old(finished.into_iter().map(|(segment, _)| segment).collect())
    }

    fn seal(&self, segment: Segment) -> Result<(), Trouble> {
        if !seal(&self.disk, segment)? {
            tracing::error!(file = segment.open(), "a segment of the log is damaged; see `odoo-gateway log verify`");
            return Ok(());
        }
        // Made now, so that nobody waits for it later.
        Index::of_sealed(&self.disk, segment)?;
        Ok(())
    }

    fn drop_old(&self, finished: Vec<Segment>) -> Result<(), Trouble> {
        let sizes = finished.iter().map(|segment| Ok((*segment, self.size_of(*segment)?)));
        let sizes: Vec<(Segment, u64)> = sizes.collect::<io::Result<_>>()?;
        let mut total = self.size_of_all()?;
        let oldest =
            Timestamp::now().as_microsecond() - i64::try_from(self.config.keep.as_micros()).unwrap_or(i64::MAX);
        let mut has_dropped = false;
        for (segment, size) in sizes {
            let latest =
                Index::of_sealed(&self.disk, segment).ok().and_then(|index| index.times).map(|(_, latest)| latest);
            let reason = match latest {
                Some(latest) if latest < oldest => "age",
                _ if total > self.config.max_total.as_u64() => "size",
                _ => break,
            };
            self.drop_segment(segment, reason)?;
            has_dropped = true;
            total = total.saturating_sub(size);
            if reason == "size" {
                // Blobs count too, and those of this segment alone can go with it.
                total = total.saturating_sub(self.sweep()?);
            }
        }
        if has_dropped {
            self.sweep()?;
        } else if total > self.config.max_total.as_u64() {
            tracing::warn!(total, "the log is larger than [log] max_total, and its only segment is in use");
        }
        Ok(())
    }

    fn drop_segment(&self, segment: Segment, reason: &str) -> Result<(), Trouble> {
        let bytes = super::archive::read_segment(&self.disk, segment)?;
        let recovered = recover(&bytes, segment.0);
        let carried = self.carry(segment)?;
        let line = json!({
            "ts": Timestamp::now(), "file": segment.open(), "from": segment.0, "to": recovered.next - 1,
            "reason": reason, "carried": carried,
        });
        self.writer.submit_blocking(Body::new("segment.dropped", &line), Purpose::Tell)?;
        for name in [segment.open(), segment.sealed()] {
            match self.disk.remove(&name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
        }
        Index::remove(&self.disk, segment)?;
        self.disk.sync_folder("")?;
        tracing::info!(file = segment.open(), reason, carried, "a segment of the log has been dropped");
        Ok(())
    }

    /// Writes the calls of a segment that are in doubt anew; gives how many.
    fn carry(&self, segment: Segment) -> Result<usize, Trouble> {
        let archive = Archive::open(self.disk.path("").as_path())?;
        let mut stories = Vec::new();
        archive.each(&Filter::default(), |call| {
            let is_open = matches!(call.standing, Standing::InDoubt | Standing::Running) && !call.is_settled();
            if is_open && call.first.segment == segment {
                stories.push(call.to_call().places);
            }
            ControlFlow::Continue(())
        })?;
        // The earliest first, as they came.
        for places in stories.iter().rev() {
            for place in places {
                self.carry_line(&archive, *place)?;
            }
        }
        Ok(stories.len())
    }

    fn carry_line(&self, archive: &Archive, place: Place) -> Result<(), Trouble> {
        let bytes = archive.bytes(place.segment)?;
        let at = usize::try_from(place.offset).unwrap_or(usize::MAX);
        let Some(line) = bytes.get(at..).and_then(Line::at) else { return Ok(()) };
        let event = match line.event() {
            "call.received" => "call.received",
            "call.planned" => "call.planned",
            "call.finished" => "call.finished",
            "call.refused" => "call.refused",
            _ => return Ok(()),
        };
        let Some(mut content) = line.parse::<Map<String, Value>>() else { return Ok(()) };
        for frame in ["seq", "durable", "event", "crc", "received"] {
            content.shift_remove(frame);
        }
        content.entry("carried_from").or_insert_with(|| json!(line.seq));
        let mut names = Vec::new();
        content.values().for_each(|value| blob::names(value, &mut names));
        self.blobs.touch(&names, SystemTime::now())?;
        self.writer.submit_blocking(Body::new(event, &content), Purpose::Tell)?;
        Ok(())
    }

    /// Removes the blobs that belong to no line any more; gives how many bytes that were.
    fn sweep(&self) -> Result<u64, Trouble> {
        let mut segments: Vec<Segment> =
            self.disk.list("")?.iter().filter_map(|name| Segment::of(name)).map(|(segment, _)| segment).collect();
        segments.sort_unstable();
        let Some(oldest) = segments.first() else { return Ok(0) };
        let bytes = super::archive::read_segment(&self.disk, *oldest)?;
        let Some(header) = Line::at(&bytes).and_then(|line| line.parse::<Header>()) else { return Ok(0) };
        Ok(self.blobs.sweep(SystemTime::from(header.ts) - MARGIN)?)
    }

    fn size_of(&self, segment: Segment) -> io::Result<u64> {
        self.disk.stat(&segment.sealed()).or_else(|_| self.disk.stat(&segment.open())).map(|(size, _)| size)
    }

    /// Everything in the folder, also what recoveries and repairs have put aside.
    fn size_of_all(&self) -> io::Result<u64> {
        let mut total = blob::size(&self.disk)?;
        for name in self.disk.list("")? {
            total += self.disk.stat(&name).map_or(0, |(size, _)| size);
        }
        Ok(total)
    }
}

/// Puts the compressed segment in the place of the one that was written; false where it is not as it was written.
pub(super) fn seal<F: Fs>(fs: &F, segment: Segment) -> Result<bool, Failed> {
    let bytes = fs.read(&segment.open()).map_err(at("read"))?;
    if recover(&bytes, segment.0).end != End::Whole {
        return Ok(false);
    }
    write_whole(fs, &segment.sealed(), &compressed(&bytes)?)?;
    fs.remove(&segment.open()).map_err(at("remove"))?;
    fs.sync_folder("").map_err(at("sync folder"))?;
    Ok(true)
}

fn compressed(bytes: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(at("compress"))?;
    compressor.include_checksum(true).map_err(at("compress"))?;
    let mut sealed = Vec::new();
    for frame in bytes.chunks(FRAME) {
        sealed.extend(compressor.compress(frame).map_err(at("compress"))?);
    }
    Ok(sealed)
}
