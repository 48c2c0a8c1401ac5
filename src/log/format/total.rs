//! What a log takes on disk.

use std::io;

use super::{
    blob,
    fs::{Disk, Fs},
};

/// The size of everything in the folder, including files that were put aside.
pub(in crate::log) fn size_of_all(disk: &Disk) -> io::Result<u64> {
    let mut total = blob::size(disk)?;
    for folder in ["", "index/"] {
        for name in disk.list(folder).unwrap_or_default() {
            total += disk.stat(&format!("{folder}{name}")).map_or(0, |(size, _)| size);
        }
    }
    Ok(total)
}
