"""The laboratory: a real Odoo on this machine, for tests and for the quickstart.

Everything lives in one cache folder (`CACHE`), shared by all clones of one user:

    install/      the Odoo 19 package, unpacked, and a Python environment for it   (release.py, install.py, apt.py)
                  and, where it was asked for, the addon to measure against        (addon.py)
    template/     the filled database's files and its API key                      (template.py)
    install-14/   Odoo 14 and all that it runs on
    template-14/  its filled database's files and its API key
    postgres/     a database cluster that listens on a socket in this folder       (postgres.py)
    programs/     programs that tests run, from PyPI and npm                         (tools.py)
    scratch/      clusters that tests stop and kill, copies of a template in it      (scratch.py)
    servers/NAME/ a running Odoo: state.json, its log, its file store              (server.py, process.py)

Only the Python standard library is used, since this has to run on a machine that has nothing else yet.
"""
import contextlib
import fcntl
import os
import pathlib
import subprocess
import sys
import time

ROOT = os.geteuid() == 0


def cache_folder():
    """Root's home is closed to the unprivileged user that PostgreSQL insists on, so root keeps its cache in /var/cache."""
    if chosen := os.environ.get("ODOO_GATEWAY_TEST_CACHE"):
        return pathlib.Path(chosen).absolute()
    if ROOT:
        return pathlib.Path("/var/cache/odoo-gateway")
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "odoo-gateway"


CACHE = cache_folder()


class LabError(Exception):
    """What went wrong and what to do about it, in one sentence for the person at the terminal."""


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(command, what, **options):
    """Run a command quietly; if it fails, say `what` failed and the last lines it printed."""
    try:
        done = subprocess.run(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", check=False, **options)
    except OSError as error:
        raise LabError(f"{what} failed: {error}") from error
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise LabError(f"{what} failed (exit {done.returncode}):\n{tail}")
    return done.stdout


@contextlib.contextmanager
def locked(what):
    """One `up` or `down` at a time: two clones that start together must not install over each other.

    The lock file says who holds it, for those who wait.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(os.open(CACHE / "lock", os.O_CREAT | os.O_RDWR, 0o644), "r+", encoding="utf8") as lock:
        _wait_for(lock)
        lock.seek(0)
        lock.truncate()
        lock.write(f"{what} (process {os.getpid()})")
        lock.flush()
        yield


def _wait_for(lock):
    told = None
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            # Whoever took it this moment has not said so yet.
            time.sleep(0.1)
        lock.seek(0)
        holder = lock.read() or "another tests/odoo/up"
        if holder != told:
            say(f"waiting for {holder} to finish")
            told = holder
