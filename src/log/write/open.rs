//! Opens the journal of a folder whose lock this process holds.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::{
    content::io_words,
    journal::{self, Journal, TornTail},
};
use crate::{
    config,
    log::{
        Error,
        format::{
            event::Event,
            fs::{Disk, Failed},
            line::Body,
            lock::directory_error,
        },
    },
};

/// The journal, ready for appending; a torn tail is put aside and recorded. The caller holds the lock.
pub(in crate::log) fn open_journal(config: &config::Log) -> Result<Journal<Disk>, Error> {
    let folder = &config.directory;
    let unusable = |error| open_error(folder, error);
    let now = Timestamp::now();
    let (mut journal, torn) = Journal::open(Disk::new(folder), config.segment_size.as_u64(), now).map_err(unusable)?;
    if let Some(TornTail { file, offset, bytes, kept_in }) = torn {
        tracing::warn!(file, offset, bytes, kept_in, "the log ended in half a write, which has been put aside");
        let line = json!({"ts": now, "file": file, "offset": offset, "bytes": bytes, "kept_in": kept_in});
        journal.append(&[&Body::new(Event::Recovered, &line)], now).map_err(unusable)?;
    }
    Ok(journal)
}

pub(in crate::log) fn open_error(folder: &Path, error: journal::Error) -> Error {
    match error {
        journal::Error::Damaged { file, offset, seq } => Error::Damaged { file: folder.join(file), offset, seq },
        journal::Error::Newer { file, format } => Error::Newer { file: folder.join(file), format },
        journal::Error::Refused(Failed { stage, source }) | journal::Error::Poisoned(Failed { stage, source }) => {
            directory_error(folder, io_words(stage, &source))
        }
    }
}
