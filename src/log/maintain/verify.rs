//! Verifies that the log is complete and unchanged: every line, the chain of segments, every blob.
//!
//! Three kinds of findings are distinguished. *Lost*: something is missing, and no line records that it was dropped.
//! *Damaged*: bytes are not what was written. *Edited*: whole lines with right checksums that the rest of the log
//! contradicts.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    control::FILE as CONTROL,
    log::{
        Error,
        format::{
            blob,
            event::Event,
            fs::{Disk, Fs},
            line::Line,
            lock::{LOCK, directory_error, is_in_use},
            recovery::{End, later_lines, recover},
            segment::{Header, Segment, decompress, decompress_what_can_be, list},
        },
        step::{Step, StepOf},
    },
};

/// Something that is wrong, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub grade: Grade,
    /// The file.
    pub file: String,
    pub words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    Lost,
    Damaged,
    Edited,
    /// Nothing to worry about now.
    Note,
}

impl Grade {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "LOST",
            Self::Damaged => "DAMAGED",
            Self::Edited => "EDITED",
            Self::Note => "note",
        }
    }
}

/// The extent of a verification, and its findings.
#[derive(Debug, Default)]
pub struct Verified {
    pub segments: usize,
    pub lines: u64,
    pub blobs: usize,
    /// The number of the last whole line, and the SHA-256 of the last segment up to it. Stored elsewhere, they show later
    /// whether the end of the log was rewritten.
    pub head: Option<(u64, String)>,
    pub findings: Vec<Finding>,
}

impl Verified {
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.grade == Grade::Note)
    }

    fn note(&mut self, grade: Grade, file: &str, words: String) {
        self.findings.push(Finding { grade, file: file.to_owned(), words });
    }
}

/// Verifies the log in this folder, and changes nothing. `told` is called after each segment and each blob.
///
/// # Errors
/// The folder of the log cannot be read.
pub fn verify(folder: &Path, mut told: impl FnMut(Step)) -> Result<Verified, Error> {
    let failed = |source| directory_error(folder, source);
    let disk = Disk::new(folder);
    let is_live = is_in_use(folder);
    let segments = list(&disk).map_err(failed)?;
    let mut verification = Verification::default();
    let count = segments.len();
    if count > 0 {
        verification.check_lock(&disk);
    }
    for (number, (segment, _)) in segments.into_iter().enumerate() {
        let (name, bytes) = read(&disk, segment, &mut verification.verified).map_err(failed)?;
        // It may have been dropped since the list was made.
        if !bytes.is_empty() || !is_live {
            verification.segment(&disk, segment, (&name, &bytes), number + 1 == count, is_live);
        }
        told(Step { what: StepOf::Segments, done: number + 1, all: count });
    }
    verification.check_chain();
    verification.check_blobs(&disk, is_live, told);
    Ok(verification.verified)
}

/// A segment's file and its readable bytes.
fn read(disk: &Disk, segment: Segment, verified: &mut Verified) -> io::Result<(String, Vec<u8>)> {
    match disk.read(&segment.open()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        bytes => return Ok((segment.open(), bytes?)),
    }
    let name = segment.sealed();
    let sealed = match disk.read(&name) {
        // Dropped since the list was made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((name, Vec::new())),
        sealed => sealed?,
    };
    let bytes = decompress(&sealed).unwrap_or_else(|error| {
        verified.note(Grade::Damaged, &name, format!("it cannot be decompressed whole: {error}"));
        decompress_what_can_be(&sealed)
    });
    Ok((name, bytes))
}

#[derive(Default)]
struct Verification {
    verified: Verified,
    chain: Vec<Link>,
    /// The dropped segments that lines record: `from` to `to`.
    dropped: HashMap<String, u64>,
    /// The rewritten segments that lines record, with their SHA-256 since.
    repaired: HashMap<String, HashSet<String>>,
    blobs: HashMap<String, String>,
}

/// A segment, as a link of the chain.
struct Link {
    file: String,
    segment: Segment,
    header: Option<Header>,
    next: u64,
    sha256: String,
    is_whole: bool,
}

#[derive(Deserialize)]
struct Members {
    ts: Timestamp,
    #[serde(default)]
    file: String,
    #[serde(default)]
    to: u64,
    #[serde(default)]
    sha256: String,
}

impl Verification {
    /// No gateway removes its lock, and only one that was killed leaves its control file. Where only the lock is missing, it
    /// was removed while a gateway ran, which may have written elsewhere until it noticed.
    fn check_lock(&mut self, disk: &Disk) {
        let is_missing = |name| disk.stat(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if !is_missing(LOCK) {
            return;
        }
        let (grade, words) = match is_missing(CONTROL) {
            true => (Grade::Note, "it is not there, as in a copy of the segments alone; no gateway uses this folder"),
            false => (
                Grade::Lost,
                "it is not there, though a gateway uses this folder or was killed in it: what keeps a second one out is gone; restart the gateway",
            ),
        };
        self.verified.note(grade, LOCK, words.to_owned());
    }

    fn segment(&mut self, disk: &Disk, segment: Segment, (name, bytes): (&str, &[u8]), is_last: bool, is_live: bool) {
        self.verified.segments += 1;
        let recovered = recover(bytes, segment.0);
        match recovered.end {
            End::Whole => {}
            // The line is being written at this moment.
            End::Torn if is_last && is_live => {}
            End::Torn if is_last => {
                let words = format!("half a write from byte {} on; the next start puts it aside", recovered.good);
                self.verified.note(Grade::Note, name, words);
            }
            End::Torn | End::Damaged => self.damage(name, bytes, recovered.good, recovered.next),
        }
        let mut at = 0;
        while let Some(line) = Line::at(&bytes[at..]) {
            self.line(disk, name, &line);
            at += line.bytes.len();
        }
        for (_, line) in later_lines(&bytes[at..]) {
            self.line(disk, name, &line);
        }
        let sha256 = const_hex::encode(Sha256::digest(&bytes[..recovered.good]));
        if is_last {
            self.verified.head = Some((recovered.next.saturating_sub(1), sha256.clone()));
        }
        self.chain.push(Link {
            file: name.to_owned(),
            segment,
            header: Line::at(bytes).filter(|line| line.event() == Some(Event::Segment)).and_then(|line| line.parse()),
            next: recovered.next,
            sha256,
            is_whole: recovered.end == End::Whole || is_last && recovered.end == End::Torn,
        });
    }

    fn damage(&mut self, name: &str, bytes: &[u8], good: usize, next: u64) {
        let (grade, words) = match Line::at(&bytes[good..]) {
            Some(line) => {
                (Grade::Edited, format!("line {} stands where line {next} should be, at byte {good}", line.seq))
            }
            None => {
                let behind = later_lines(&bytes[good..]).map(|(_, line)| line.seq).find(|seq| *seq > next);
                let which = match behind {
                    Some(seq) if seq > next + 1 => format!("lines {next} to {}", seq - 1),
                    Some(_) => format!("line {next}"),
                    None => format!("line {next} and what is behind it"),
                };
                (Grade::Damaged, format!("{which}, from byte {good} on"))
            }
        };
        self.verified.note(grade, name, words);
    }

    fn line(&mut self, disk: &Disk, name: &str, line: &Line<'_>) {
        self.verified.lines += 1;
        match line.event() {
            Some(Event::SegmentDropped) => {
                if let Some(members) = line.parse::<Members>() {
                    self.dropped.insert(members.file, members.to);
                }
            }
            Some(Event::Repaired) => {
                if let Some(members) = line.parse::<Members>() {
                    self.repaired.entry(members.file).or_default().insert(members.sha256);
                }
            }
            Some(Event::Gap) => {
                if let Some(members) = line.parse::<Members>() {
                    let words =
                        format!("lines {} to {} were lost before the repair of {}", line.seq, members.to, members.ts);
                    self.verified.note(Grade::Note, name, words);
                }
            }
            _ if memchr::memmem::find(line.bytes, b"\"$blob\"").is_some() => {
                let mut names = Vec::new();
                blob::names(disk, &line.parse::<Value>().unwrap_or_default(), &mut names);
                self.blobs.extend(names.into_iter().map(|sha256| (sha256, name.to_owned())));
            }
            _ => {}
        }
    }

    /// Each segment names the previous one and its SHA-256.
    fn check_chain(&mut self) {
        let chain = std::mem::take(&mut self.chain);
        let mut before: Option<&Link> = None;
        for link in &chain {
            let previous = link.header.as_ref().and_then(|header| header.prev.clone().zip(header.prev_sha256.clone()));
            match (before, previous) {
                (Some(before), Some((prev, sha256))) if prev == before.segment.open() => {
                    let is_repaired = self.repaired.get(&prev).is_some_and(|known| known.contains(&before.sha256));
                    if sha256 != before.sha256 && before.is_whole && !is_repaired {
                        let words = format!("its lines are whole, but not those that {} has the SHA-256 of", link.file);
                        self.verified.note(Grade::Edited, &before.file, words);
                    } else if before.is_whole && before.next != link.segment.0 {
                        let words = format!("lines {} to {} are missing", before.next, link.segment.0 - 1);
                        self.verified.note(Grade::Lost, &before.file, words);
                    }
                }
                (_, Some((prev, _))) if self.dropped.contains_key(&prev) => {}
                (_, Some((prev, _))) => {
                    let words = "it is not there, and no line says that it was dropped".to_owned();
                    self.verified.note(Grade::Lost, &prev, words);
                }
                // The repair could not know the previous segment.
                (_, None) if self.repaired.contains_key(&link.segment.open()) => {}
                (Some(before), None) if link.header.is_some() => {
                    let words = format!("it says that it is the first, but {} is before it", before.file);
                    self.verified.note(Grade::Edited, &link.file, words);
                }
                (None, None) if link.header.is_some() && link.segment != Segment(1) => {
                    self.verified.note(Grade::Edited, &link.file, "it says that it is the first".to_owned());
                }
                (_, None) => {}
            }
            before = Some(link);
        }
    }

    fn check_blobs(&mut self, disk: &Disk, is_live: bool, mut told: impl FnMut(Step)) {
        let blobs = std::mem::take(&mut self.blobs);
        let all = blobs.len();
        self.verified.blobs = all;
        for (number, (sha256, line_in)) in (1..).zip(blobs) {
            let name = blob::file(&sha256);
            match blob::read(disk, &sha256) {
                Ok(_) => {}
                // Its segment has been dropped since, and the blob with it.
                Err(_) if is_live && disk.stat(&line_in).is_err() => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.verified.note(
                        Grade::Lost,
                        &name,
                        format!("a line of {line_in} names it, and it is not there"),
                    );
                }
                Err(error) => self.verified.note(Grade::Damaged, &name, error.to_string()),
            }
            told(Step { what: StepOf::Blobs, done: number, all });
        }
    }
}
