//! A disk that is small or read-only: a tmpfs, for which the tests must run as root.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Unmounted when this is dropped.
pub(crate) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// An empty one of so many KiB.
    pub(crate) fn of(kib: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        let mounted = mounted.unwrap();
        assert!(mounted.status.success(), "run as root: {}", String::from_utf8_lossy(&mounted.stderr));
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills what is left; gives the file that does.
    pub(crate) fn fill(&self) -> PathBuf {
        let file = self.path().join("filler");
        // Its end is the error of a full disk.
        let _ = std::fs::write(&file, vec![0; 64 << 20]);
        file
    }

    /// Makes it `ro` or `rw`; false while a file is open for writing.
    pub(crate) fn remount(&self, mode: &str) -> bool {
        let remount = format!("remount,{mode}");
        Command::new("mount").args(["-o", &remount]).arg(self.path()).output().unwrap().status.success()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
