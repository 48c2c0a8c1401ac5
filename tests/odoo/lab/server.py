"""Running Odoos: one for people that stays (`main`), and private ones that end with the process they belong to.

A server's folder holds `state.json` once it answers, its log, and its file store. A private server has a keeper: a
process that waits for the owner's end and then stops Odoo and removes its database and folder, however the owner died.
"""
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from . import CACHE, LabError, install, locked, postgres, say, template

SERVERS = CACHE / "servers"
START_SECONDS = 120
STOP_SECONDS = 20


def up(owner=None):
    """Url, database, login, password and key of a running Odoo."""
    name = f"run-{owner}" if owner else "main"
    folder = SERVERS / name
    with locked():
        state = _state(folder)
        if state and state.get("ready") and _is_odoo(state["pid"]) and _answers(state["url"]):
            return _public(state)
        install.ensure()
        postgres.ensure()
        account = template.ensure()
        _clear_orphans()
        _clear(folder)
        state = _start(folder, f"odoo_gateway_{name.replace('-', '_')}", account, owner)
        if owner:
            _start_keeper(owner, folder)
        return _public(state)


def down():
    """Stop every server, then PostgreSQL."""
    with locked():
        for folder in sorted(SERVERS.glob("*")):
            say(f"stopping {folder.name}")
            _clear(folder)
        postgres.stop()


def _start(folder, database, account, owner):
    say("starting Odoo on a fresh copy of the database" if owner else "starting Odoo")
    data = folder / "data"
    data.mkdir(parents=True)
    postgres.drop_database(database)
    template.copy_to(database, data)
    port = _free_port()
    command = [*install.ODOO, "server", "-d", database, f"--db-filter=^{database}$", *template.CONNECTION, "-D", data,
               "--http-interface=127.0.0.1", "-p", port, "--max-cron-threads=0", "--log-handler=odoo.addons.rpc:ERROR"]
    with open(folder / "odoo.log", "w", encoding="utf8") as log:
        process = subprocess.Popen([str(part) for part in command], env=install.ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
    state = {"url": f"http://127.0.0.1:{port}", "database": database, **account, "pid": process.pid, "ready": False}
    _write_state(folder, state)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(state["url"]):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = (folder / "odoo.log").read_text(encoding="utf8", errors="replace")[-2000:]
            _stop_process(process.pid)
            raise LabError(f"Odoo did not start:\n{tail}")
        time.sleep(0.1)
    state["ready"] = True
    _write_state(folder, state)
    return state


def _write_state(folder, state):
    """Written before Odoo answers too, so that an Odoo whose start was interrupted is found and stopped."""
    with open(os.open(folder / "state.json", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf8") as file:
        json.dump(state, file)


def _state(folder):
    try:
        return json.loads((folder / "state.json").read_text(encoding="utf8"))
    except (OSError, ValueError):
        return None


def _public(state):
    return {name: state[name] for name in ("url", "database", "login", "password", "key")}


def _answers(url):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/web/version", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _clear(folder):
    """Stop a server and remove its database and folder; half-made ones too."""
    if state := _state(folder):
        if _is_odoo(state["pid"]):
            _stop_process(state["pid"])
        if postgres.is_running():
            postgres.drop_database(state["database"])
    elif folder.exists() and postgres.is_running():
        postgres.drop_database(f"odoo_gateway_{folder.name.replace('-', '_')}")
    shutil.rmtree(folder, ignore_errors=True)


def _is_odoo(pid):
    """Process numbers are used again: kill only what is still an Odoo of this laboratory."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf8", errors="replace") as file:
            return str(install.ODOO[1]) in file.read()
    except OSError:
        return False


def _stop_process(pid):
    deadline = time.monotonic() + STOP_SECONDS
    sent = signal.SIGTERM
    try:
        while True:
            os.kill(pid, sent)
            pause = time.monotonic() + 3
            while time.monotonic() < pause:
                if not _is_odoo(pid):
                    return
                time.sleep(0.05)
            if time.monotonic() > deadline:
                sent = signal.SIGKILL
    except ProcessLookupError:
        return


def _clear_orphans():
    """Private servers whose owner and keeper both died, as when a machine is switched off."""
    for folder in SERVERS.glob("run-*"):
        owner = folder.name.removeprefix("run-")
        if not pathlib.Path(f"/proc/{owner}").exists():
            _clear(folder)


def _start_keeper(owner, folder):
    code = pathlib.Path(__file__).resolve().parent.parent
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen([sys.executable, "-m", "lab.server", str(owner), str(folder)], cwd=code, start_new_session=True, **quiet)


def keep(owner, folder):
    """Wait for the owner's end, then remove the server; stop PostgreSQL with the last one."""
    try:
        select.select([os.pidfd_open(owner)], [], [])
    except ProcessLookupError:
        pass
    with locked():
        _clear(folder)
        if not any(SERVERS.iterdir()):
            postgres.stop()


if __name__ == "__main__":
    keep(int(sys.argv[1]), pathlib.Path(sys.argv[2]))
