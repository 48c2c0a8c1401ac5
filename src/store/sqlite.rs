//! The store in one SQLite file, for one gateway.
//!
//! One task writes. It takes every operation that waits, runs them in one transaction, and answers them when that is on disk: so
//! the cost of a sync is shared by all calls that come meanwhile. Where an operation fails, the transaction is rolled back and each
//! is run alone. Readers have connections of their own. A lock file keeps a second gateway out; `sqlite3` and the command line may
//! open the file beside it. Nothing is acknowledged whose file has been moved or deleted, which SQLite does not notice.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Error as SqlError, any::AnyPoolOptions};
use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};

use super::{
    Clock, Error,
    backend::{Backend, Dialect, Operation, Tx},
    schema,
    upkeep::Release,
};
use crate::control::Holder;

pub(super) const FILE: &str = "store.sqlite";
const LOCK: &str = "store.lock";
/// So many operations wait for the writer at most.
const WAITING: usize = 4096;
/// So many share a transaction at most.
const TOGETHER: usize = 512;
/// Other processes, such as `sqlite3`, may hold the file for so long.
const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 3;
/// How long a lock of another process is waited for.
const LOCKED: Duration = Duration::from_secs(1);

const ELSEWHERE: &str =
    "its file is not where it was opened any more; put it back, or restart the gateway with another one";

/// A store in a file.
#[derive(Debug)]
pub(super) struct Sqlite {
    queue: mpsc::Sender<Box<dyn Waiting>>,
    readers: AnyPool,
    clock: Clock,
    /// When it was opened.
    began: i64,
    /// Held until the store is dropped, where this process writes for a gateway.
    _lock: Option<File>,
}

impl Sqlite {
    /// Whether there is a file in this folder.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Opens the file in this folder, or makes it. As a `gateway`, no other one may have it open.
    ///
    /// # Errors
    /// Another gateway has it, it is of a newer version, or cannot be read or written.
    pub(super) async fn open(folder: &Path, clock: Clock, gateway: bool) -> Result<Self, Error> {
        let unusable = |why: &dyn std::fmt::Display| Error::Unusable {
            at: folder.join(FILE).display().to_string(),
            why: why.to_string(),
        };
        let path = folder.join(FILE);
        let lock = if gateway {
            make_folder(folder).map_err(|error| unusable(&error))?;
            Some(lock(folder).await?)
        } else {
            None
        };
        // Its side files get the mode of the file. A gateway alone makes it, so that it is the gateway's user's.
        let made = OpenOptions::new().write(true).create(gateway).truncate(false).mode(0o600).open(&path);
        made.map_err(|error| unusable(&error))?;
        let mut writer = connect(&path).await.map_err(|error| unusable(&error))?;
        schema::migrate(&mut writer, Dialect::Sqlite, &path.display().to_string()).await?;
        let began = clock.now();
        if gateway {
            let mut tx = writer.begin().await.map_err(|error| unusable(&error))?;
            Release.run(&mut Tx { connection: &mut tx, dialect: Dialect::Sqlite, now: began, began }).await?;
            tx.commit().await?;
        }
        let readers = AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .after_connect(|connection, _| prepare(connection).boxed())
            .connect_lazy(&url(&path))
            .map_err(|error| unusable(&error))?;
        let (queue, waiting) = mpsc::channel(WAITING);
        let opened = identity(&path).map_err(|error| unusable(&error))?;
        tokio::spawn(Writer { path, opened, connection: Some(writer), clock: clock.clone(), began }.run(waiting));
        Ok(Self { queue, readers, clock, began, _lock: lock })
    }
}

/// Makes the folder where it is missing.
pub(super) fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Keeps a second gateway out, for as long as the file is open. A process that is being replaced, or one that it has just started,
/// may have the lock for a moment.
async fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let unusable = |error: std::io::Error| Error::Unusable { at: path.display().to_string(), why: error.to_string() };
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(unusable)?;
    let until = Instant::now() + LOCKED;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => time::sleep(LOCKED / 20).await,
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(folder.join(FILE), Holder::of(&path))),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
    }
}

/// The process that has the store of this folder, where one has it.
pub fn holder(folder: &Path) -> Option<Holder> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().write(true).open(&path).ok()?;
    matches!(file.try_lock(), Err(TryLockError::WouldBlock)).then(|| Holder::of(&path))
}

/// What tells a file from any other one while it is open: its device and inode.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

fn url(path: &Path) -> String {
    let path =
        percent_encoding::utf8_percent_encode(&path.to_string_lossy(), percent_encoding::NON_ALPHANUMERIC).to_string();
    format!("sqlite://{path}?mode=rwc")
}

async fn connect(path: &Path) -> Result<AnyConnection, SqlError> {
    let options: sqlx::any::AnyConnectOptions = url(path).parse()?;
    let mut connection = options.disable_statement_logging().connect().await?;
    prepare(&mut connection).await?;
    Ok(connection)
}

/// WAL with a sync for each transaction; what was deleted is overwritten, since payloads stand in it.
async fn prepare(connection: &mut AnyConnection) -> Result<(), SqlError> {
    let busy = format!("PRAGMA busy_timeout = {}", BUSY.as_millis());
    sqlx::raw_sql(sqlx::AssertSqlSafe(busy)).execute(&mut *connection).await?;
    for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON"] {
        sqlx::raw_sql(pragma).execute(&mut *connection).await?;
    }
    Ok(())
}

impl Sqlite {
    /// Runs what must not be within a transaction and may take long.
    pub(super) async fn whole<O: Operation>(&self, operation: O) -> Result<O::Reply, Error> {
        self.read(operation).await
    }
}

impl Backend for Sqlite {
    async fn write<O: Operation>(&self, operation: O) -> Result<O::Reply, Error> {
        let (sender, reply) = oneshot::channel();
        let waiting = Box::new(Queued { operation, reply: None, sender });
        let stopped = || Error::Unavailable("its writer has stopped".to_owned());
        self.queue.send(waiting).await.map_err(|_| stopped())?;
        reply.await.map_err(|_| stopped())?
    }

    async fn read<O: Operation>(&self, operation: O) -> Result<O::Reply, Error> {
        let mut connection = self.readers.acquire().await?;
        let mut tx =
            Tx { connection: &mut connection, dialect: Dialect::Sqlite, now: self.clock.now(), began: self.began };
        Ok(operation.run(&mut tx).await?)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// An operation that waits for the writer.
trait Waiting: Send {
    /// Runs it, and keeps its reply.
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), SqlError>>;

    /// Answers, when it is on disk or has failed.
    fn answer(self: Box<Self>, ended: Result<(), Error>);
}

struct Queued<O: Operation> {
    operation: O,
    reply: Option<O::Reply>,
    sender: oneshot::Sender<Result<O::Reply, Error>>,
}

impl<O: Operation> Waiting for Queued<O> {
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), SqlError>> {
        async move {
            self.reply = Some(self.operation.run(tx).await?);
            Ok(())
        }
        .boxed()
    }

    fn answer(self: Box<Self>, ended: Result<(), Error>) {
        let Self { reply, sender, .. } = *self;
        let reply = ended.and_then(|()| reply.ok_or_else(|| Error::Unavailable("it gave no reply".to_owned())));
        // Its caller may have hung up; what was done is done.
        let _ = sender.send(reply);
    }
}

/// The one that writes.
struct Writer {
    path: PathBuf,
    opened: (u64, u64),
    /// None after an error, until it is opened again.
    connection: Option<AnyConnection>,
    clock: Clock,
    began: i64,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Box<dyn Waiting>>) {
        let mut together = Vec::with_capacity(TOGETHER);
        while waiting.recv_many(&mut together, TOGETHER).await > 0 {
            match self.commit(&mut together).await {
                Ok(()) => together.drain(..).for_each(|operation| operation.answer(Ok(()))),
                // Each would wait as long again, with its caller.
                Err(failed @ (Failed::ToBegin(_) | Failed::Moved | Failed::MovedSince)) => {
                    let error = Error::from(failed);
                    together.drain(..).for_each(|operation| operation.answer(Err(error.clone())));
                }
                Err(Failed::Within(_)) => {
                    for operation in together.drain(..) {
                        let mut alone = vec![operation];
                        let ended = self.commit(&mut alone).await.map_err(Error::from);
                        alone.into_iter().for_each(|operation| operation.answer(ended.clone()));
                    }
                }
            }
        }
    }

    /// Runs operations in one transaction.
    async fn commit(&mut self, operations: &mut [Box<dyn Waiting>]) -> Result<(), Failed> {
        // A file that is not there would be made anew, without what was in it.
        if !self.is_in_place() {
            return Err(Failed::Moved);
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.path).await.map_err(Failed::ToBegin)?,
        };
        let now = self.clock.now();
        // Dropped where it fails: its transaction is rolled back with the connection.
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.map_err(Failed::ToBegin)?;
        let mut tx = Tx { connection: &mut connection, dialect: Dialect::Sqlite, now, began: self.began };
        for operation in operations {
            operation.run(&mut tx).await.map_err(Failed::Within)?;
        }
        sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(Failed::Within)?;
        self.connection = Some(connection);
        if self.is_in_place() { Ok(()) } else { Err(Failed::MovedSince) }
    }

    /// Whether the file is where it was opened.
    fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|file| file == self.opened)
    }
}

/// Why a transaction failed.
enum Failed {
    /// The file cannot be opened or written, or another process has it: that is so for every operation.
    ToBegin(SqlError),
    Within(SqlError),
    /// The file is no longer where it was opened.
    Moved,
    /// It was moved while it was written: what was written comes back with it.
    MovedSince,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::ToBegin(error) | Failed::Within(error) => error.into(),
            Failed::Moved => Self::Unavailable(ELSEWHERE.to_owned()),
            Failed::MovedSince => Self::Unconfirmed(ELSEWHERE.to_owned()),
        }
    }
}
