//! The log's files: the only module that accesses the file system for the log.
//!
//! [`Fs`] is as small as the log allows, so that tests can replace it by a file system that fails at any step and forgets
//! what was not synced. Names are relative to the log's folder. A name is durable only after [`Fs::sync_folder`].

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, chown},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A folder of files.
pub(in crate::log) trait Fs {
    type File: Append;
    /// The names of the files in a folder; none where the folder is missing.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Opens an existing file.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Creates a new file, replacing an existing one, and the folder that it is in.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Whether the name still refers to this open file: neither it nor the folder was moved, deleted or replaced.
    fn is_at(&self, name: &str, file: &Self::File) -> io::Result<bool>;
}

/// A file that is written only at its end.
pub(in crate::log) trait Append {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    /// Truncates the file to this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// An operation on the log's files, as errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    List,
    Open,
    Read,
    Create,
    Write,
    Sync,
    Rename,
    Remove,
    Touch,
    SyncFolder,
    Compress,
    /// The check that a name still refers to the file that was opened under it.
    Look,
}

impl Stage {
    /// Its name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Open => "open",
            Self::Read => "read",
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Touch => "touch",
            Self::SyncFolder => "sync folder",
            Self::Compress => "compress",
            Self::Look => "look",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("{stage}: {source}")]
pub(in crate::log) struct Failed {
    pub(in crate::log) stage: Stage,
    pub(in crate::log) source: io::Error,
}

pub(in crate::log) fn at(stage: Stage) -> impl Fn(io::Error) -> Failed {
    move |source| Failed { stage, source }
}

/// Fails where the name does not refer to this open file any more.
pub(in crate::log) fn check_in_place<F: Fs>(fs: &F, name: &str, file: &F::File) -> Result<(), Failed> {
    match fs.is_at(name, file).map_err(at(Stage::Look))? {
        true => Ok(()),
        false => {
            let words = format!("`{name}` was moved, deleted or replaced, or the folder that it is in");
            Err(Failed { stage: Stage::Look, source: io::Error::new(io::ErrorKind::NotFound, words) })
        }
    }
}

/// The folder that a file is in.
pub(in crate::log) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The suffix of a file's name until it is complete. A crash leaves such files behind; nothing refers to them.
pub(in crate::log) const UNFINISHED: &str = ".tmp";

/// Writes a complete file atomically: it exists with all of its bytes or not at all, also after a power loss.
pub(in crate::log) fn write_whole<F: Fs>(fs: &F, name: &str, bytes: &[u8]) -> Result<F::File, Failed> {
    let unfinished = format!("{name}{UNFINISHED}");
    let mut file = fs.create(&unfinished).map_err(at(Stage::Create))?;
    file.append(bytes).map_err(at(Stage::Write))?;
    file.sync().map_err(at(Stage::Sync))?;
    fs.rename(&unfinished, name).map_err(at(Stage::Rename))?;
    fs.sync_folder(folder_of(name)).map_err(at(Stage::SyncFolder))?;
    Ok(file)
}

/// The real folder. Only the owner may read the files that are created in it.
#[derive(Debug, Clone)]
pub(in crate::log) struct Disk {
    folder: PathBuf,
    /// The folder's owner, where root runs this process for another user: the gateway must be able to use the files.
    owner: Option<(u32, u32)>,
}

impl Disk {
    pub(in crate::log) fn new(folder: &Path) -> Self {
        let own = rustix::process::geteuid();
        let owner = fs::metadata(folder).ok().filter(|folder| own.is_root() && folder.uid() != own.as_raw());
        Self { folder: folder.to_owned(), owner: owner.map(|folder| (folder.uid(), folder.gid())) }
    }

    /// Creates the folder itself where it is missing.
    pub(in crate::log) fn make(folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()
    }

    pub(in crate::log) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn make_folder(&self, name: &str) -> io::Result<()> {
        for (end, _) in name.match_indices('/').chain([(name.len(), "")]) {
            let path = self.path(&name[..end]);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => self.give_to_owner(&path)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn give_to_owner(&self, path: &Path) -> io::Result<()> {
        match self.owner {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Whether the folder itself exists.
    pub(in crate::log) fn exists(&self) -> bool {
        self.folder.is_dir()
    }

    /// Locks a file, which is created where it is missing; `None` where another process holds the lock. The lock ends with
    /// the returned file, and with the process.
    pub(in crate::log) fn try_lock(&self, name: &str) -> io::Result<Option<File>> {
        let path = self.path(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        self.give_to_owner(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether another process holds the lock of this file.
    pub(in crate::log) fn is_locked(&self, name: &str) -> bool {
        let file = File::open(self.path(name));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The bytes that an unprivileged user may still write.
    pub(in crate::log) fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The size in bytes, and the time of the last write or touch.
    pub(in crate::log) fn stat(&self, name: &str) -> io::Result<(u64, SystemTime)> {
        let metadata = fs::metadata(self.path(name))?;
        Ok((metadata.len(), metadata.modified()?))
    }

    pub(in crate::log) fn touch(&self, name: &str, time: SystemTime) -> io::Result<()> {
        File::open(self.path(name))?.set_modified(time)
    }

    /// Puts a file of this folder into another one, under the same name, as a link where that may and can be.
    pub(in crate::log) fn copy_to(&self, name: &str, other: &Self, may_link: bool) -> io::Result<()> {
        other.make_folder(folder_of(name))?;
        let (from, into) = (self.path(name), other.path(name));
        if may_link && fs::hard_link(&from, &into).is_ok() {
            return Ok(());
        }
        let mut target = other.create(name)?;
        io::copy(&mut File::open(&from)?, &mut target)?;
        target.sync_data()
    }

    /// A reader of a file from its beginning.
    pub(in crate::log) fn reader(&self, name: &str) -> io::Result<impl Read + use<>> {
        File::open(self.path(name))
    }

    /// At most so many bytes of a file from an offset on.
    pub(in crate::log) fn read_part(&self, name: &str, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        use io::{Seek, SeekFrom};
        let mut file = File::open(self.path(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of a file from an offset on.
    pub(in crate::log) fn read_from(&self, name: &str, offset: u64) -> io::Result<Vec<u8>> {
        use io::{Seek, SeekFrom};
        let mut file = File::open(self.path(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A file of which parts are read.
    pub(in crate::log) fn range(&self, name: &str) -> io::Result<Range> {
        File::open(self.path(name)).map(Range)
    }
}

/// A file of which parts are read.
#[derive(Debug)]
pub(in crate::log) struct Range(File);

impl Range {
    /// Parts of an open file.
    #[cfg(any(test, fuzzing))]
    pub(in crate::log) fn of(file: File) -> Self {
        Self(file)
    }

    pub(in crate::log) fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// So many bytes from an offset on; fewer where the file ends before.
    pub(in crate::log) fn at_most(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        // A length that a damaged file names may be anything.
        let most = self.length()?.saturating_sub(offset);
        let length = length.min(usize::try_from(most).unwrap_or(usize::MAX));
        let (mut bytes, mut read) = (vec![0; length], 0);
        while read < length {
            match self.0.read_at(&mut bytes[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }
}

impl Fs for Disk {
    type File = File;

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).open(self.path(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        self.make_folder(folder_of(name))?;
        match self.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.path(name))?;
        self.give_to_owner(&self.path(name))?;
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.path(folder))?.sync_all()
    }

    fn is_at(&self, name: &str, file: &File) -> io::Result<bool> {
        let there = match fs::metadata(self.path(name)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            there => there?,
        };
        let open = file.metadata()?;
        Ok((there.dev(), there.ino()) == (open.dev(), open.ino()))
    }
}

impl Append for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
