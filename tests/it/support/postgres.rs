//! A PostgreSQL of a test's own, which the test stops, suspends and kills.
//!
//! Its data is a copy of a template that `tests/postgres` makes; its socket stands beside the data. It syncs each commit, as in
//! production. It ends with this value, and with the test process at the latest at the next run.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use serde::Deserialize;

use super::{
    poll,
    processes::{children, signal, wait_for_ends},
};

/// Part of the socket's name only.
const PORT: &str = "5432";

/// What `tests/postgres` prints.
#[derive(Debug, Deserialize)]
struct Prepared {
    programs: PathBuf,
    template: PathBuf,
    folder: PathBuf,
    /// User and group that the server runs as, where it is not ours: PostgreSQL refuses to run as root.
    account: Option<(u32, u32)>,
}

static PREPARED: LazyLock<Prepared> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres");
    let run = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(run.status.success(), "tests/postgres failed; these tests need the PostgreSQL that it installs");
    serde_json::from_slice(&run.stdout).unwrap()
});

#[derive(Debug)]
pub(crate) struct Postgres {
    folder: PathBuf,
    server: Option<Child>,
}

impl Postgres {
    /// A new one that answers.
    pub(crate) async fn start() -> Self {
        let mut new = tokio::task::spawn_blocking(Self::copied).await.unwrap();
        new.start_again().await;
        new
    }

    /// A new one that has not been started.
    pub(crate) fn copied() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let folder = PREPARED.folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        if let Some((user, group)) = PREPARED.account {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let copied = Command::new("cp").arg("-a").arg(&PREPARED.template).arg(folder.join("data")).status().unwrap();
        assert!(copied.success());
        Self { folder, server: None }
    }

    /// The address for `[cluster] url`: an ordinary role that owns the database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://gateway@localhost:{PORT}/gateway?host={}", self.folder.display())
    }

    /// The socket at which it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{PORT}"))
    }

    /// Starts it on what it left, and waits until it answers.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let log = File::options().create(true).append(true).open(self.folder.join("server.log")).unwrap();
        let mut server = Command::new(PREPARED.programs.join("postgres"));
        server.arg("-D").arg(self.folder.join("data"));
        let sockets = format!("unix_socket_directories={}", self.folder.display());
        let settings = ["listen_addresses=", &sockets, "port=5432", "shared_buffers=16MB", "fsync=on"];
        server.args(settings.iter().flat_map(|setting| ["-c", setting]));
        if let Some((user, group)) = PREPARED.account {
            server.uid(user).gid(group);
        }
        server.current_dir("/").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.server = Some(server.spawn().unwrap());
        poll(|| {
            if let Some(status) = self.server.as_mut().unwrap().try_wait().unwrap() {
                let said = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
                panic!("PostgreSQL ended with {status}: {said}");
            }
            self.readiness() == Some(0)
        })
        .await;
    }

    /// What `pg_isready` says: 0 where it takes connections, 1 where it sends them away, 2 where it does not answer.
    fn readiness(&self) -> Option<i32> {
        let mut asked = Command::new(PREPARED.programs.join("pg_isready"));
        asked.arg("-qh").arg(&self.folder).args(["-p", PORT, "-U", "gateway", "-d", "gateway", "-t", "1"]);
        asked.status().unwrap().code()
    }

    /// Stops it in order; its clients are sent away.
    pub(crate) async fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        assert!(signal("INT", &[server.id().to_string()]));
        poll(|| server.try_wait().unwrap().is_some()).await;
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Ends it as a machine that loses its power does, but for what the operating system had not written yet.
    pub(crate) fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // It starts no more children while they are killed; a restart must not find one of them.
        let mut all = vec![server.id().to_string()];
        signal("STOP", &all);
        all.extend(children(server.id()));
        signal("KILL", &all);
        let _ = server.wait();
        wait_for_ends(&all);
    }

    /// It holds its connections, takes new ones, and answers nothing.
    pub(crate) fn suspend(&self) {
        let server = self.server.as_ref().expect("it runs").id();
        assert!(signal("STOP", &[server.to_string()]));
        // A child that ends meanwhile needs no signal.
        signal("STOP", &children(server));
    }

    pub(crate) fn resume(&self) {
        let server = self.server.as_ref().expect("it runs").id();
        signal("CONT", &children(server));
        assert!(signal("CONT", &[server.to_string()]));
    }

    /// What a statement gives in the gateway's database: a row a line, columns with `|` between them.
    pub(crate) fn query(&self, statement: &str) -> String {
        let mut psql = Command::new(PREPARED.programs.join("psql"));
        psql.arg("-h").arg(&self.folder).args(["-p", PORT, "-U", "postgres", "-d", "gateway", "-XAtqc", statement]);
        let run = psql.output().unwrap();
        assert!(run.status.success(), "{statement}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap().trim_end().to_owned()
    }

    /// Ends the connections of all clients; gives their number.
    pub(crate) fn cut_connections(&self) -> usize {
        let ended = self.query(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
        ended.parse().unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

mod tests {
    use super::*;

    #[tokio::test]
    async fn a_postgresql_of_a_test_keeps_what_it_committed_when_it_is_killed_or_restarted() {
        let mut postgres = Postgres::start().await;
        postgres.query("CREATE TABLE kept (number int)");
        for number in 0..3 {
            postgres.query(&format!("INSERT INTO kept VALUES ({number})"));
            match number {
                0 => postgres.restart().await,
                1 => {
                    postgres.kill();
                    postgres.start_again().await;
                }
                _ => {
                    postgres.suspend();
                    postgres.kill();
                    postgres.start_again().await;
                }
            }
        }
        assert_eq!(postgres.query("SELECT string_agg(number::text, ' ' ORDER BY number) FROM kept"), "0 1 2");
        let folder = postgres.folder.clone();
        drop(postgres);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_suspended_postgresql_answers_nothing_until_it_is_resumed() {
        let postgres = Postgres::start().await;
        let answers = || {
            let program = PREPARED.programs.join("pg_isready");
            Command::new(program)
                .arg("-qh")
                .arg(&postgres.folder)
                .args(["-p", PORT, "-t", "1"])
                .status()
                .unwrap()
                .code()
        };
        postgres.suspend();
        assert_eq!(answers(), Some(2));
        postgres.resume();
        poll(|| answers() == Some(0)).await;
    }

    #[tokio::test]
    async fn the_address_of_a_postgresql_leads_to_the_role_that_owns_the_database_and_connections_can_be_cut() {
        let postgres = Postgres::start().await;
        let mut session = Command::new(PREPARED.programs.join("psql"));
        session.args([&postgres.url(), "-XAtqc", "CREATE TABLE owned ()", "-c", "SELECT pg_sleep(60)"]);
        let mut session = session.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        poll(|| postgres.query("SELECT tableowner FROM pg_tables WHERE tablename = 'owned'") == "gateway").await;
        assert_eq!(postgres.cut_connections(), 1);
        poll(|| session.try_wait().unwrap().is_some_and(|status| !status.success())).await;
    }
}
