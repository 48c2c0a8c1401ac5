//! Waits until one of some files changes. Their times and sizes are looked at: editors replace files, so that no watch on an
//! open file would last.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Files as they were.
pub(super) struct Seen(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Seen {
    pub(super) fn of(files: Vec<PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), state(&file))).collect())
    }

    /// Waits for the first change.
    pub(super) async fn changed(&self) -> &Path {
        loop {
            if let Some((file, _)) = self.0.iter().find(|(file, was)| state(file) != *was) {
                return file;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// None where it cannot be looked at, as while an editor replaces it.
fn state(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_written_made_or_removed_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        std::fs::write(&one, "a").unwrap();
        let seen = Seen::of(vec![one.clone(), other.clone()]);
        std::fs::write(&other, "").unwrap();
        assert_eq!(seen.changed().await, other);
        let seen = Seen::of(vec![one.clone(), other]);
        std::fs::write(&one, "ab").unwrap();
        assert_eq!(seen.changed().await, one);
        let seen = Seen::of(vec![one.clone()]);
        std::fs::remove_file(&one).unwrap();
        assert_eq!(seen.changed().await, one);
    }
}
