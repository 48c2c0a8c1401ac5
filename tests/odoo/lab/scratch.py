"""PostgreSQL clusters for tests that stop, suspend and kill their own: each is a copy of one template.

A test starts the server itself, so that it has the process in its hand. A copy's folder is named after the test process, and is
removed here when that process ended without doing so.
"""
import os
import pathlib
import pwd
import signal
import subprocess

from . import CACHE, ROOT, install, postgres, process, run, say

FOLDER = CACHE / "scratch"
# Ordinary rights, as in production: the role owns its database and nothing else.
SETUP = "CREATE ROLE gateway LOGIN\nCREATE DATABASE gateway OWNER gateway\n"


def prepare():
    """Where the programs, the template and the copies are, and the account that the server runs as (None: this one)."""
    install.ensure_postgres()
    programs = install.postgres_programs()
    template = FOLDER / f"template-{programs.parent.name}"
    _clear_orphans()
    if not template.with_suffix(".done").exists():
        say("making a PostgreSQL cluster for tests to copy")
        _make(programs, template)
    account = pwd.getpwnam(postgres.ACCOUNT) if ROOT else None
    return {"programs": str(programs), "template": str(template), "folder": str(FOLDER),
            "account": [account.pw_uid, account.pw_gid] if account else None}


def _make(programs, template):
    # A server lets in whoever reaches its socket, so nobody else may.
    postgres.make_private(FOLDER)
    run(["rm", "-rf", template], "removing a half-made cluster")
    postgres.as_account([programs / "initdb", "-D", template, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres", "--no-sync"],
                        "initdb", FOLDER / "command.log")
    single = postgres.within_account([programs / "postgres", "--single", "-D", template, "postgres"])
    subprocess.run([str(part) for part in single], input=SETUP, stdout=subprocess.DEVNULL, text=True, check=True, cwd="/")
    template.with_suffix(".done").touch()


def _clear_orphans():
    """Copies are named `PID-NUMBER`, after the test process."""
    for folder in FOLDER.glob("[0-9]*-[0-9]*"):
        if not process.born(int(folder.name.split("-")[0])):
            _kill_server(folder)
            run(["rm", "-rf", folder], "removing the cluster of a test that ended")


def _kill_server(folder):
    try:
        server = int((folder / "data/postmaster.pid").read_text(encoding="utf8").split("\n", 1)[0])
    except (OSError, ValueError):
        return
    if str(folder / "data") in process.command_line(server):
        # Its children end by themselves, unless they are suspended.
        for pid in [server, *_children(server)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _children(parent):
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        if process.parent(int(folder.name)) == parent:
            yield int(folder.name)
