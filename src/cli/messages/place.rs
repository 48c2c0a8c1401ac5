//! Where the messages of the process go: standard error, or a file that may be moved away at any time.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// How often it is looked whether the file is still at its place.
const LOOK: Duration = Duration::from_secs(1);

/// A place for messages. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Place {
    StandardError,
    File(Arc<Mutex<MessageFile>>),
}

/// A file that is begun anew where logrotate, or a person, has moved it away.
#[derive(Debug)]
pub(in crate::cli) struct MessageFile {
    path: PathBuf,
    file: File,
    looked: Instant,
}

impl Place {
    pub(super) fn is_standard_error(&self) -> bool {
        matches!(self, Self::StandardError)
    }

    /// A file that messages are added to.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(in crate::cli) fn into_file(path: &Path) -> io::Result<Self> {
        let file = MessageFile { path: path.to_owned(), file: open(path)?, looked: Instant::now() };
        Ok(Self::File(Arc::new(Mutex::new(file))))
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::StandardError) && io::stderr().is_terminal()
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::StandardError => io::stderr().write_all(bytes)?,
            Self::File(file) => file.lock().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::StandardError => io::stderr().flush(),
            Self::File(_) => Ok(()),
        }
    }
}

impl MessageFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            // Where no new one can be opened, the old one still takes messages.
            if !self.is_in_place()
                && let Ok(file) = open(&self.path)
            {
                self.file = file;
            }
        }
        self.file.write_all(bytes)
    }

    fn is_in_place(&self) -> bool {
        let same = |open: fs::Metadata, there: fs::Metadata| (open.dev(), open.ino()) == (there.dev(), there.ino());
        self.file.metadata().ok().zip(fs::metadata(&self.path).ok()).is_some_and(|(open, there)| same(open, there))
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("messages"), folder.path().join("messages.1"));
        let mut messages = Place::into_file(&path).unwrap();
        messages.write_all(b"one\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        if let Place::File(file) = &messages {
            file.lock().looked = Instant::now().checked_sub(LOOK).unwrap();
        }
        messages.write_all(b"two\n").unwrap();
        assert_eq!([fs::read(moved).unwrap(), fs::read(path).unwrap()], [b"one\n".to_vec(), b"two\n".to_vec()]);
    }
}
