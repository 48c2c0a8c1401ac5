//! The indexes of the segments that are not sealed. They are kept in memory and extended, for all readers of the process.
//!
//! Invariant: what is kept is bounded: the latest two segments, none of them larger than [`LARGEST`].

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Weak},
};

use parking_lot::{Mutex, RwLock};

use crate::log::format::{
    fs::Disk,
    index::{columns::Columns, table::Table},
    segment::Segment,
};

/// A larger segment is indexed anew by each query. In memory, an index takes about half as much as the lines.
const LARGEST: u64 = 32 << 20;
/// A segment is sealed soon after the next one begins.
const KEPT: usize = 2;

/// The readers of each folder share what they read, as long as there is one of them.
static FOLDERS: LazyLock<Mutex<HashMap<PathBuf, Weak<OpenTables>>>> = LazyLock::new(Mutex::default);

/// The indexes of a folder's open segments.
#[derive(Debug, Default)]
pub(super) struct OpenTables(Mutex<HashMap<Segment, Arc<RwLock<Table>>>>);

impl OpenTables {
    pub(super) fn of(folder: &Path) -> Arc<Self> {
        let mut folders = FOLDERS.lock();
        folders.retain(|_, tables| tables.strong_count() > 0);
        if let Some(tables) = folders.get(folder).and_then(Weak::upgrade) {
            return tables;
        }
        let tables = Arc::new(Self::default());
        folders.insert(folder.to_owned(), Arc::downgrade(&tables));
        tables
    }

    /// Forgets all segments but the latest open ones.
    pub(super) fn keep(&self, segments: &[(Segment, bool)]) {
        let latest = segments.iter().rev().take(KEPT).filter(|(_, is_sealed)| !is_sealed);
        let latest: Vec<Segment> = latest.map(|(segment, _)| *segment).collect();
        self.0.lock().retain(|segment, table| {
            latest.contains(segment) && table.try_read().is_none_or(|table| table.head().length <= LARGEST)
        });
    }

    /// The index of an open segment, up to its present end.
    ///
    /// # Errors
    /// The file cannot be read; there is none where the segment has been sealed.
    pub(super) fn read(&self, disk: &Disk, segment: Segment) -> io::Result<Arc<RwLock<Table>>> {
        let table = self.0.lock().entry(segment).or_insert_with(|| Arc::new(RwLock::new(Table::new(segment)))).clone();
        {
            let mut table = table.write();
            if table.is_of_another(disk) {
                *table = Table::new(segment);
            }
            table.extend(disk)?;
        }
        Ok(table)
    }
}

/// The index of a segment with these bytes, for one query.
pub(super) fn new_table(segment: Segment, bytes: &[u8]) -> Arc<RwLock<Table>> {
    Arc::new(RwLock::new(Table::of(segment, bytes)))
}
