"""The laboratory: a real Odoo on this machine, for tests and for the quickstart.

Everything lives in one cache folder (`CACHE`), shared by all clones of one user:

    install/      the Odoo package, unpacked, and a Python environment for it   (install.py)
    postgres/     a database cluster that listens on a socket in this folder    (postgres.py)
    template/     the filled database's files and its API key                   (template.py)
    servers/NAME/ a running Odoo: state.json, its log, its file store           (server.py)

Only the Python standard library is used, since this has to run on a machine that has nothing else yet.
"""
import contextlib
import fcntl
import os
import pathlib
import subprocess
import sys

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
def locked():
    """One `up` or `down` at a time: two clones that start together must not install over each other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="utf8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another tests/odoo/up to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
