//! A copy of the store in a file, made while a gateway uses it.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::Error as SqlError;

use super::{
    Error, PlaceOfStore, Store,
    backend::{Operation, Tx},
    sqlite,
};

/// `VACUUM INTO` copies what one read transaction sees (SQLite 3.27), without what was deleted.
struct CopyInto(PathBuf);

impl Operation for CopyInto {
    type Reply = ();

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), SqlError>> {
        async move {
            let path = self.0.to_string_lossy().into_owned();
            sqlx::query("VACUUM INTO $1").bind(path).execute(&mut *tx.connection).await?;
            Ok(())
        }
        .boxed()
    }
}

impl Store {
    /// Copies the store into a file in this folder, as it is at one moment. False where it is a PostgreSQL, which has its own tools.
    ///
    /// # Errors
    /// There is such a file already, it cannot be written, or the store cannot be read.
    pub async fn copy_into(&self, folder: &Path) -> Result<bool, Error> {
        if self.is_shared() {
            return Ok(false);
        }
        let path = folder.join(sqlite::FILE);
        let unusable = |error: io::Error| Error::Unusable { at: path.display().to_string(), why: error.to_string() };
        // SQLite takes an empty file, and would make one that others may read.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(unusable)?;
        match &self.place {
            PlaceOfStore::Sqlite(place) => place.whole(CopyInto(path.clone())).await?,
            PlaceOfStore::Postgres(_) => return Ok(false),
        }
        File::open(&path).and_then(|file| file.sync_all()).map_err(unusable)?;
        Ok(true)
    }

    /// Puts a copy in place, where a gateway has no store yet.
    ///
    /// # Errors
    /// There is a store already, or a file cannot be read or written.
    pub fn put_copy(from: &Path, folder: &Path) -> Result<(), Error> {
        let path = folder.join(sqlite::FILE);
        let unusable = |error: io::Error| Error::Unusable { at: path.display().to_string(), why: error.to_string() };
        sqlite::make_folder(folder).map_err(unusable)?;
        let mut copy = File::open(from.join(sqlite::FILE)).map_err(unusable)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(unusable)?;
        io::copy(&mut copy, &mut file).and_then(|_| file.sync_all()).map_err(unusable)
    }
}
