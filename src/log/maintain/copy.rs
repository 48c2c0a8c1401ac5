//! A copy of the log, while a gateway writes it or when none does.
//!
//! Invariants: what is copied is whole lines from the beginning of the log on, without a gap, and each blob that they refer to; the
//! log itself is not changed. A sealed segment and a blob never change, so they are linked where the disk is the same. The segment
//! that is written to is copied up to its last whole line. The index is derived and not copied; `LOCK` and `control.json` belong
//! to a gateway.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::log::{
    Error,
    format::{
        blob,
        fs::{Disk, Failed, Fs, write_whole},
        lock::directory_error,
        recovery::recover,
        segment::{Segment, list},
    },
};

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub segments: usize,
    pub blobs: usize,
    /// The number of the last line, where the last segment has been copied line by line.
    pub last_line: Option<u64>,
}

/// Whether files that never change are linked, or each is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    WherePossible,
    Never,
}

/// Copies the log in `from` into the folder `into`, which is made.
///
/// # Errors
/// The log cannot be read, `into` has a log already, or cannot be written.
pub fn copy(from: &Path, into: &Path, links: Links) -> Result<Copied, Error> {
    let source = Disk::new(from);
    if !source.exists() {
        return Err(directory_error(from, io::Error::new(io::ErrorKind::NotFound, "there is no such folder")));
    }
    let failed = |source| directory_error(into, source);
    Disk::make(into).map_err(failed)?;
    let target = Disk::new(into);
    if !list(&target).map_err(failed)?.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "there is a log in it already")));
    }
    Copying { source, target, links, into: into.to_owned(), blobs: BTreeSet::new() }.run()
}

struct Copying {
    source: Disk,
    target: Disk,
    links: Links,
    into: PathBuf,
    /// The names of those that are copied.
    blobs: BTreeSet<String>,
}

impl Copying {
    fn run(mut self) -> Result<Copied, Error> {
        // Before the segments, as one may be dropped with its blobs meanwhile; and after them, for what came in meanwhile.
        self.blobs()?;
        let (mut segments, mut last_line) = (0, None);
        for (segment, _) in list(&self.source).map_err(|error| self.failed(error))? {
            if let Some(line) = self.segment(segment)? {
                segments += 1;
                last_line = line.or(last_line);
            }
        }
        self.blobs()?;
        self.put_aside()?;
        for folder in ["", "blobs"] {
            match self.target.sync_folder(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.failed(error)),
                _ => {}
            }
        }
        Ok(Copied { segments, blobs: self.blobs.len(), last_line })
    }

    /// Copies one segment, under whichever of its names it exists; none where it was dropped meanwhile. Gives the number of its
    /// last line where it was copied line by line.
    fn segment(&self, segment: Segment) -> Result<Option<Option<u64>>, Error> {
        // A segment may be sealed between a look for the one and for the other.
        for _ in 0..2 {
            match self.source.read(&segment.open()) {
                Ok(bytes) => {
                    let recovered = recover(&bytes, segment.0);
                    // Of a damaged one everything is copied, so that it can be repaired.
                    let is_damaged = later_line_follows(&bytes, recovered.good);
                    let whole = if is_damaged { &bytes[..] } else { &bytes[..recovered.good] };
                    write_whole(&self.target, &segment.open(), whole).map_err(|error| self.not_written(error))?;
                    return Ok(Some(Some(recovered.next.saturating_sub(1))));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed(error)),
            }
            if self.file(&segment.sealed())? {
                return Ok(Some(None));
            }
        }
        Ok(None)
    }

    fn blobs(&mut self) -> Result<(), Error> {
        let mut names = Vec::new();
        blob::for_each(&self.source, |name, _| {
            names.push(name.to_owned());
            Ok(())
        })
        .map_err(|error| self.failed(error))?;
        for name in names {
            if name.ends_with(".zst") && !self.blobs.contains(&name) && self.file(&name)? {
                self.blobs.insert(name);
            }
        }
        Ok(())
    }

    /// Files that were put aside by a start or a repair: nobody deletes them but a person.
    fn put_aside(&self) -> Result<(), Error> {
        let names = self.source.list("").map_err(|error| self.failed(error))?;
        for name in names.iter().filter(|name| name.contains(".torn-") || name.contains(".damaged-")) {
            self.file(name)?;
        }
        Ok(())
    }

    /// Links or copies a file that does not change; false where it is not there any more.
    fn file(&self, name: &str) -> Result<bool, Error> {
        let may_link = self.links == Links::WherePossible;
        match self.source.copy_to(name, &self.target, may_link) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        directory_error(&self.into, source)
    }

    fn not_written(&self, Failed { stage, source }: Failed) -> Error {
        Error::Refused { stage, source: Arc::new(source) }
    }
}

/// Whether what follows the good lines has whole lines in it: then it is damage and no torn tail.
fn later_line_follows(bytes: &[u8], good: usize) -> bool {
    crate::log::format::recovery::later_lines(&bytes[good..]).next().is_some()
}
