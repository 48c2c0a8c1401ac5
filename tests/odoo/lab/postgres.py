"""A PostgreSQL cluster for the laboratory alone: a socket in the cache folder, no TCP, no password.

PostgreSQL refuses to run as root, so root runs it as the `postgres` user that Debian's package brings.
"""
import os
import pathlib
import pwd
import subprocess
import time

from . import CACHE, ROOT, LabError, install, run, say

FOLDER = CACHE / "postgres"
PORT = "5432"  # part of the socket's name only
ROLE = "odoo"
ACCOUNT = "postgres"
LOCK_SECONDS = 15
LOG = FOLDER / "server.log"
# A test cluster may lose its last second when the machine dies, but not its integrity.
SETTINGS = ["listen_addresses=''", f"unix_socket_directories='{FOLDER}'", "unix_socket_permissions=0700", f"port={PORT}",
            "synchronous_commit=off", "wal_level=minimal", "max_wal_senders=0", "max_connections=300", "shared_buffers=256MB"]


def ensure():
    """Make the cluster where there is none, start it where it does not run."""
    if not (FOLDER / "data.done").exists():
        say("making a PostgreSQL cluster")
        _make()
    if not is_running():
        say("starting PostgreSQL")
        _clear_lock()
        options = " ".join(f"-c {setting}" for setting in SETTINGS)
        as_account([_program("pg_ctl"), "-D", FOLDER / "data", "-l", LOG, "-w", "-t", "60", "-o", options, "start"], "starting PostgreSQL")
    if "1" not in psql("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'", user=_superuser()):
        psql("postgres", f"CREATE ROLE {ROLE} LOGIN CREATEDB", user=_superuser())


def _clear_lock():
    """A server that was killed leaves its lock behind, with a process number that may be another's by now."""
    lock = FOLDER / "data/postmaster.pid"
    deadline = time.monotonic() + LOCK_SECONDS
    while lock.exists():
        process = lock.read_text(encoding="utf8").split("\n", 1)[0]
        try:
            command = pathlib.Path(f"/proc/{process}/cmdline").read_text(encoding="utf8", errors="replace")
        except OSError:
            command = ""
        if str(FOLDER / "data") not in command:
            lock.unlink()
            (FOLDER / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            raise LabError(f"a PostgreSQL (process {process}) holds {FOLDER} and does not answer; stop it and try again")
        time.sleep(0.1)


def is_running():
    if not (FOLDER / "data/postmaster.pid").exists():
        return False
    return subprocess.run([str(_program("pg_isready")), "-q", "-h", str(FOLDER), "-p", PORT], check=False).returncode == 0


def stop():
    if install.postgres_programs() and is_running():
        as_account([_program("pg_ctl"), "-D", FOLDER / "data", "-m", "fast", "-w", "stop"], "stopping PostgreSQL")


def psql(database, statement, user=ROLE):
    return run([_program("psql"), "-h", FOLDER, "-p", PORT, "-U", user, "-d", database, "-XAtqc", statement], "psql")


def database_exists(name):
    return "1" in psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{name}'")


def copy_database(source, target):
    """A copy takes about a second; nobody may be connected to the source."""
    psql("postgres", f'CREATE DATABASE "{target}" TEMPLATE "{source}"')


def drop_database(name):
    psql("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _make():
    # Whoever reaches the socket is let in, so nobody else may.
    make_private(FOLDER)
    run(["rm", "-rf", FOLDER / "data"], "removing a half-made cluster")
    as_account([_program("initdb"), "-D", FOLDER / "data", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", _superuser()], "initdb")
    (FOLDER / "data.done").touch()


def make_private(folder):
    """A folder of the account that the server runs as."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if ROOT:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(folder, account.pw_uid, account.pw_gid)
        _check_reachable(folder)


def _check_reachable(folder):
    reach = subprocess.run(within_account(["test", "-x", str(folder)]), check=False)
    if reach.returncode:
        raise LabError(f"{folder} must be reachable for the user {ACCOUNT}: set ODOO_GATEWAY_TEST_CACHE to a folder that is")


def _superuser():
    return ACCOUNT if ROOT else pwd.getpwuid(os.geteuid()).pw_name


def _program(name):
    programs = install.postgres_programs()
    if not programs:
        raise LabError("PostgreSQL's programs are gone; run tests/odoo/up to install them")
    return programs / name


def within_account(command):
    """The command as the account that the server runs as."""
    if not ROOT:
        return command
    account = pwd.getpwnam(ACCOUNT)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--", *command]


def as_account(command, what, run_log=FOLDER / "command.log"):
    """Run a command as that account; if it fails, say `what` failed and the last lines that it printed."""
    command = within_account(command)
    # pg_ctl's server keeps standard output open for ever: a pipe would never see its end.
    with open(run_log, "w", encoding="utf8") as log:
        done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                              env={**os.environ, "LC_ALL": "C.UTF-8"}, start_new_session=True, check=False)
    if done.returncode:
        raise LabError(f"{what} failed (exit {done.returncode}):\n{run_log.read_text(encoding='utf8')[-2000:]}")
