//! Values that are too large for a line: stored once, compressed, under the SHA-256 of their content.
//!
//! The line holds a marker instead: `{"$blob": "<sha256>", "size": <bytes>, "kind": "text" | "json"}`. An object of a
//! caller's with the key `$blob` becomes a blob itself, so that no caller can forge a marker. A blob is durable before the
//! line that refers to it is written, and is touched for every further reference. So a blob older than every line that is
//! kept has no reference.

use std::{io, time::SystemTime};

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::fs::{Disk, Failed, Fs, UNFINISHED, at, folder_of, write_whole};
use crate::log::format::fs::Stage;

const FOLDER: &str = "blobs";
const MARK: &str = "$blob";
const LEVEL: i32 = 3;
/// Deeper nesting would make a line that common JSON readers refuse.
const DEEP: usize = 100;
/// The number of blobs that are written at a time. The name of a blob determines its lock.
const LOCKS: usize = 16;

/// How the content of a blob is read, written as the marker's `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) enum Encoding {
    Text,
    Json,
}

impl Encoding {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    fn read(kind: &str) -> Self {
        if kind == "json" { Self::Json } else { Self::Text }
    }
}

/// Content that is stored beside the log.
#[derive(Debug)]
pub(in crate::log) struct Blob {
    sha256: String,
    bytes: Vec<u8>,
}

impl Blob {
    pub(in crate::log) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Replaces every text larger than `from` bytes by a marker, and the whole value where it is still larger than `whole`.
pub(in crate::log) fn spill(value: &mut Value, from: usize, whole: usize, blobs: &mut Vec<Blob>) {
    if (Stays { from, room: whole }).value(value, DEEP) {
        return;
    }
    spill_texts(value, from, blobs);
    if let Value::Array(_) | Value::Object(_) = value
        && (json_size(value) > whole || depth(value) > DEEP)
    {
        *value = json_blob(value, blobs);
    }
}

/// Whether [`spill`] would certainly leave an object as it is: a look that writes nothing, and says no where it is not sure.
pub(in crate::log) fn stays(object: &Map<String, Value>, from: usize, whole: usize) -> bool {
    Stays { from, room: whole }.object(object, DEEP)
}

/// The most that one byte of a text takes in JSON: `\u0000`.
const ESCAPED: usize = 6;
/// The most that a number or a word takes.
const SCALAR: usize = 32;
/// Brackets, quotation marks, a colon and a comma.
const SIGNS: usize = 4;

/// A look at a value that nearly always stays in its line, since it is far smaller than a line may be.
struct Stays {
    from: usize,
    /// What is left of the most bytes that the value may take as JSON.
    room: usize,
}

impl Stays {
    fn value(&mut self, value: &Value, deep: usize) -> bool {
        match value {
            Value::String(text) => text.len() <= self.from && self.take(ESCAPED * text.len()),
            Value::Array(items) => deep > 0 && self.take(0) && items.iter().all(|item| self.value(item, deep - 1)),
            Value::Object(entries) => self.object(entries, deep),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.take(SCALAR),
        }
    }

    fn object(&mut self, entries: &Map<String, Value>, deep: usize) -> bool {
        let mut entry = |(key, value): (&String, &Value)| {
            key != MARK && self.take(ESCAPED * key.len()) && self.value(value, deep - 1)
        };
        deep > 0 && entries.iter().all(&mut entry) && self.take(0)
    }

    fn take(&mut self, bytes: usize) -> bool {
        let left = self.room.checked_sub(bytes + SIGNS);
        self.room = left.unwrap_or_default();
        left.is_some()
    }
}

fn spill_texts(value: &mut Value, from: usize, blobs: &mut Vec<Blob>) {
    match value {
        Value::String(text) if text.len() > from => {
            *value = marker(std::mem::take(text).into_bytes(), Encoding::Text, blobs);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spill_texts(item, from, blobs)),
        Value::Object(entries) if entries.contains_key(MARK) => *value = json_blob(value, blobs),
        Value::Object(entries) => entries.values_mut().for_each(|inner| spill_texts(inner, from, blobs)),
        _ => {}
    }
}

fn json_blob(value: &Value, blobs: &mut Vec<Blob>) -> Value {
    marker(value.to_string().into_bytes(), Encoding::Json, blobs)
}

fn marker(bytes: Vec<u8>, encoding: Encoding, blobs: &mut Vec<Blob>) -> Value {
    let sha256 = const_hex::encode(Sha256::digest(&bytes));
    let marker = json!({MARK: sha256, "size": bytes.len(), "kind": encoding.as_str()});
    blobs.push(Blob { sha256, bytes });
    marker
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// The size of a value as JSON, computed without the text.
fn json_size(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// The hash in a marker and the encoding of its content; `None` for any other value.
pub(in crate::log) fn marker_of(value: &Value) -> Option<(&str, Encoding)> {
    let entries = value.as_object()?;
    let sha256 = entries.get(MARK)?.as_str()?;
    let is_name = sha256.len() == 64 && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_name.then(|| (sha256, entries.get("kind").and_then(Value::as_str).map_or(Encoding::Text, Encoding::read)))
}

/// The hashes of all blobs that a value refers to, directly or from within other blobs.
pub(in crate::log) fn names(disk: &Disk, value: &Value, found: &mut Vec<String>) {
    match (marker_of(value), value) {
        (Some((sha256, encoding)), _) => {
            found.push(sha256.to_owned());
            let content = if encoding == Encoding::Json { read(disk, sha256).ok() } else { None };
            match content.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                Some(Value::Object(entries)) if is_from_caller(&entries) => {}
                Some(Value::Object(entries)) => entries.values().for_each(|inner| names(disk, inner, found)),
                Some(Value::Array(items)) => items.iter().for_each(|item| names(disk, item, found)),
                _ => {}
            }
        }
        (None, Value::Array(items)) => items.iter().for_each(|item| names(disk, item, found)),
        (None, Value::Object(entries)) => entries.values().for_each(|inner| names(disk, inner, found)),
        _ => {}
    }
}

/// Puts the contents back into a value. A marker whose blob is missing or damaged stays, with `missing` added.
pub(in crate::log) fn inflate(disk: &Disk, value: &mut Value) {
    inflate_with(value, &|sha256| read(disk, sha256).ok());
}

/// The same, with what gives the content of a blob by its name.
pub(in crate::log) fn inflate_with(value: &mut Value, content: &dyn Fn(&str) -> Option<Vec<u8>>) {
    if let Some((sha256, encoding)) = marker_of(value) {
        let inner = content(sha256).and_then(|bytes| match encoding {
            Encoding::Json => serde_json::from_slice(&bytes).ok(),
            Encoding::Text => String::from_utf8(bytes).ok().map(Value::String),
        });
        match inner {
            // Inner values were replaced first, so the content may have markers of its own.
            Some(inner) => {
                *value = inner;
                inflate_within(value, content, encoding == Encoding::Json);
            }
            None => value["missing"] = Value::Bool(true),
        }
    } else {
        inflate_within(value, content, true);
    }
}

fn inflate_within(value: &mut Value, content: &dyn Fn(&str) -> Option<Vec<u8>>, may_point: bool) {
    match value {
        Value::Array(items) if may_point => items.iter_mut().for_each(|item| inflate_with(item, content)),
        Value::Object(entries) if may_point && !is_from_caller(entries) => {
            entries.values_mut().for_each(|inner| inflate_with(inner, content));
        }
        _ => {}
    }
}

/// An object that a caller sent with the key of the markers.
fn is_from_caller(entries: &Map<String, Value>) -> bool {
    entries.contains_key(MARK)
}

/// The content that some values have been replaced by, by its name.
#[cfg(any(test, fuzzing))]
pub(in crate::log) fn content_of(blobs: &[Blob], sha256: &str) -> Option<Vec<u8>> {
    blobs.iter().find(|blob| blob.sha256 == sha256).map(|blob| blob.bytes.clone())
}

/// Whether the content of some marker is missing.
pub fn has_missing_content(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_missing_content),
        Value::Object(entries) => {
            entries.contains_key(MARK) && entries.get("missing") == Some(&Value::Bool(true))
                || entries.values().any(has_missing_content)
        }
        _ => false,
    }
}

/// The content of a blob, verified against its name.
pub(in crate::log) fn read(disk: &Disk, sha256: &str) -> io::Result<Vec<u8>> {
    unpacked(&disk.read(&file(sha256))?, sha256)
}

/// The content in the file of a blob with this name.
pub(in crate::log) fn unpacked(packed: &[u8], sha256: &str) -> io::Result<Vec<u8>> {
    let bytes = zstd::decode_all(packed)?;
    match const_hex::encode(Sha256::digest(&bytes)) == sha256 {
        true => Ok(bytes),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "its content is not what it was")),
    }
}

pub(in crate::log) fn file(sha256: &str) -> String {
    format!("{FOLDER}/{}/{sha256}.zst", sha256.get(..2).unwrap_or_default())
}

/// The blobs of the log that this process writes.
#[derive(Debug)]
pub(in crate::log) struct Blobs {
    disk: Disk,
    locks: [Mutex<()>; LOCKS],
}

impl Blobs {
    pub(in crate::log) fn new(disk: Disk) -> Self {
        Self { disk, locks: Default::default() }
    }

    /// Makes the blobs durable, or touches those that exist.
    pub(in crate::log) fn store(&self, blobs: Vec<Blob>, now: SystemTime) -> Result<(), Failed> {
        for blob in blobs {
            let name = file(&blob.sha256);
            let compressed = zstd::bulk::compress(&blob.bytes, LEVEL).map_err(at(Stage::Compress))?;
            let _guard = self.lock(&blob.sha256);
            // A file of another size is damaged or was written by another version, and is rewritten.
            if self.disk.stat(&name).is_ok_and(|(size, _)| size == compressed.len() as u64) {
                self.disk.touch(&name, now).map_err(at(Stage::Touch))?;
                // The name may not be durable yet, where an earlier gateway died right after giving it.
                self.disk.sync_folder(folder_of(&name)).map_err(at(Stage::SyncFolder))?;
            } else {
                write_whole(&self.disk, &name, &compressed)?;
                for folder in [FOLDER, ""] {
                    self.disk.sync_folder(folder).map_err(at(Stage::SyncFolder))?;
                }
                self.disk.touch(&name, now).map_err(at(Stage::Touch))?;
            }
        }
        Ok(())
    }

    /// Records one more reference to these blobs.
    pub(in crate::log) fn touch(&self, names: &[String], now: SystemTime) -> Result<(), Failed> {
        for sha256 in names {
            let _guard = self.lock(sha256);
            match self.disk.touch(&file(sha256), now) {
                // A missing blob is reported by the reader of the line.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome.map_err(at(Stage::Touch))?,
            }
        }
        Ok(())
    }

    /// Removes the blobs without a reference since `before`; returns how many bytes were freed.
    pub(in crate::log) fn sweep(&self, before: SystemTime) -> io::Result<u64> {
        let mut freed = 0;
        for_each(&self.disk, |name, sha256| {
            let _guard = self.lock(sha256);
            let (size, touched) = self.disk.stat(name)?;
            if touched < before {
                self.disk.remove(name)?;
                freed += size;
            }
            Ok(())
        })?;
        Ok(freed)
    }

    fn lock(&self, sha256: &str) -> MutexGuard<'_, ()> {
        let which = sha256.chars().next().and_then(|digit| digit.to_digit(16)).unwrap_or_default() as usize;
        self.locks[which % LOCKS].lock()
    }
}

/// The size of all blobs in bytes.
pub(in crate::log) fn size(disk: &Disk) -> io::Result<u64> {
    let mut size = 0;
    for_each(disk, |name, _| {
        size += disk.stat(name)?.0;
        Ok(())
    })?;
    Ok(size)
}

/// Calls `each` with every blob's file and hash.
pub(in crate::log) fn for_each(disk: &Disk, mut each: impl FnMut(&str, &str) -> io::Result<()>) -> io::Result<()> {
    for folder in disk.list(FOLDER)? {
        let folder = format!("{FOLDER}/{folder}");
        for name in disk.list(&folder)? {
            // A file that a crash left unfinished takes space, too, and is removed with its age.
            if let Some(sha256) = name.strip_suffix(UNFINISHED).unwrap_or(&name).strip_suffix(".zst") {
                match each(&format!("{folder}/{name}"), sha256) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    outcome => outcome?,
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
