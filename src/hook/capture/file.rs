//! The file of captured requests: JSON lines, the newest at the end, of which the older half goes when it is full.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The bounds of a file.
const REQUESTS: usize = 100;
const BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Adds a request. Without room for it, the older ones go, so that half of the room is free.
    pub(super) fn append(&self, record: &Value) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let line = format!("{record}\n");
        let kept = self.text()?;
        if kept.lines().count() < REQUESTS && kept.len() + line.len() <= BYTES {
            return self.open()?.write_all(line.as_bytes());
        }
        let (mut number, mut bytes) = (1, line.len());
        let mut newest: Vec<&str> = Vec::new();
        for older in kept.lines().rev() {
            (number, bytes) = (number + 1, bytes + older.len() + 1);
            if number > REQUESTS / 2 || bytes > BYTES / 2 {
                break;
            }
            newest.push(older);
        }
        let text: String = newest.iter().rev().flat_map(|older| [older, "\n"]).chain([&*line]).collect();
        let made = Self(self.0.with_extension("tmp"));
        made.remove()?;
        made.open()?.write_all(text.as_bytes())?;
        fs::rename(&made.0, &self.0)
    }

    /// All requests, the earliest first. A line that is being written is left out.
    pub(super) fn read(&self) -> io::Result<Vec<Value>> {
        Ok(self.text()?.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// False where there was none.
    pub(super) fn remove(&self) -> io::Result<bool> {
        match fs::remove_file(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> io::Result<String> {
        match fs::read(&self.0) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    fn open(&self) -> io::Result<fs::File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_full_file_keeps_the_newest_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::at(&folder.path().join("captured/shop.ndjson"));
        assert!(file.read().unwrap().is_empty());
        for number in 0..250 {
            file.append(&json!({"number": number})).unwrap();
            let kept = file.read().unwrap();
            assert!(kept.len() <= REQUESTS && kept.last().unwrap()["number"] == number, "{number}");
            assert!(number < 50 || kept.len() >= REQUESTS / 2, "{number}");
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.0), mode(file.0.parent().unwrap())), (0o600, 0o700));
        assert!(file.remove().unwrap() && !file.remove().unwrap());
    }

    #[test]
    fn a_file_does_not_grow_beyond_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::at(&folder.path().join("shop.ndjson"));
        let body = "x".repeat(1 << 20);
        for number in 0..40 {
            file.append(&json!({"number": number, "body": body})).unwrap();
            assert!(fs::metadata(&file.0).unwrap().len() <= BYTES as u64);
        }
        assert_eq!(file.read().unwrap().last().unwrap()["number"], 39);
    }
}
