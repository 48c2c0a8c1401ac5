"""Running Odoos: one of each release for people that stays (`main`), and private ones that end with the process they belong to.

A server's folder holds `state.json` once its database is made, its log, and its file store. An Odoo that was killed is
started again on what it left. A private server has a keeper: a process that waits for the owner's end and then stops
Odoo and removes its database and folder, however the owner died.
"""
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from . import CACHE, LabError, addon, install, locked, postgres, process, say, template
from .release import RELEASES

SERVERS = CACHE / "servers"
START_SECONDS = 120
STOP_SECONDS = 20
PORT_SECONDS = 3
# Below those that outgoing connections take, so that an Odoo that was killed finds its port free again.
PORTS = range(20000, 32768)
VERSION_REQUEST = b'{"jsonrpc": "2.0", "params": {}}'


def up(release, owner=None, name=None, workers=0, with_addon=False, proxy_mode=False):
    """Url, database, login, password, key, version and process of a running Odoo; how it is made holds for a new one."""
    born = None if owner is None else process.born(owner)
    if owner is not None and not born:
        raise LabError(f"there is no process {owner} that this Odoo could be for: give --for-pid a running one")
    folder = SERVERS / _name(release, owner, name)
    with locked(f"tests/odoo/up --version {release.version}"):
        state = _state(folder)
        whole = state.get("ready") and state.get("owner") == born
        if not (whole and _runs(state) and _answers(state["url"])):
            install.ensure(release)
            postgres.ensure()
            _clear_orphans()
            whole = whole and postgres.database_exists(state["database"])
            state = _start_again(release, folder, state) if whole else _make(release, folder, born, workers, with_addon, proxy_mode)
        if owner is not None:
            _ensure_keeper(owner, folder, state)
        return {**{field: state[field] for field in ("url", "database", *template.ACCOUNT)}, "version": release.version, "pid": state["pid"]}


def down():
    """Stop every server, then PostgreSQL."""
    with locked("tests/odoo/down"):
        for folder in sorted(SERVERS.glob("*")):
            say(f"stopping {folder.name}")
            _clear(folder)
        postgres.stop()


def _name(release, owner, name):
    """`main`, `main-14`, `run-PID-19`, `run-PID-14-NAME`: a private one's owner can be read from it."""
    if owner is None:
        return f"main{release.suffix}"
    return "-".join(["run", str(owner), str(release.version), *([name] if name else [])])


def _owner(folder):
    return int(folder.name.split("-")[1])


def _database(folder):
    return f"odoo_gateway_{folder.name.replace('-', '_')}"


def _make(release, folder, born, workers, with_addon, proxy_mode):
    account = template.ensure(release)
    _clear(folder)
    say(f"starting Odoo {release.version} on a fresh copy of the database")
    data = folder / "data"
    data.mkdir(parents=True)
    database = _database(folder)
    postgres.drop_database(database)
    template.copy_to(release, database, data)
    options = addon.install(release, database, data) if with_addon else []
    port, gevent_port = _free_ports(2)
    if workers:
        options += [f"--workers={workers}", f"--gevent-port={gevent_port}", "--limit-time-real=600"]
    if proxy_mode:
        options += ["--proxy-mode"]
    state = {"url": f"http://127.0.0.1:{port}", "database": database, **account, "options": options, "owner": born, "ready": False}
    return _start(release, folder, state)


def _start_again(release, folder, state):
    """The same Odoo on what it left: people keep their data after a reboot, a test gets back the Odoo that it killed."""
    _stop(state)
    port = _port(state)
    # A killed process lets go of its port a moment after it is gone.
    deadline = time.monotonic() + PORT_SECONDS
    while not _is_free(port):
        if time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        raise LabError(f"{folder.name} was killed and another program has taken its port {port}: stop that program, "
                       "or give this Odoo and its data up with tests/odoo/down")
    say(f"starting Odoo {release.version} again on the database that it left")
    return _start(release, folder, state)


def _start(release, folder, state):
    command = [*release.command(), "server", "-d", state["database"], _filter(state), *template.CONNECTION, "-D", folder / "data",
               "--http-interface=127.0.0.1", "-p", _port(state), "--max-cron-threads=0", *release.serve, *state.get("options", [])]
    with open(folder / "odoo.log", "a", encoding="utf8") as log:
        odoo = subprocess.Popen([str(part) for part in command], env=release.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True)
    state = {**state, "pid": odoo.pid}
    _write_state(folder, state)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(state["url"]):
        if odoo.poll() is not None or time.monotonic() > deadline:
            tail = (folder / "odoo.log").read_text(encoding="utf8", errors="replace")[-2000:]
            _stop(state)
            advice = "; tests/odoo/down gives it and its data up" if state["ready"] else ""
            raise LabError(f"Odoo {release.version} did not start{advice}:\n{tail}")
        time.sleep(0.1)
    state = {**state, "ready": True}
    _write_state(folder, state)
    return state


def _write_state(folder, state):
    """Written before Odoo answers too, so that an Odoo whose start was interrupted is found and stopped; whole or not at all."""
    unfinished = folder / "state.json.new"
    with open(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf8") as file:
        json.dump(state, file)
    unfinished.replace(folder / "state.json")


def _state(folder):
    """What is known of a server; nothing where its making did not come that far."""
    try:
        return json.loads((folder / "state.json").read_text(encoding="utf8"))
    except (OSError, ValueError):
        return {}


def _answers(url):
    """Every release has this route, and answers it to anybody."""
    request = urllib.request.Request(f"{url}/web/webclient/version_info", VERSION_REQUEST, {"Content-Type": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return "result" in json.load(answer)
    except (OSError, ValueError):
        return False


def _port(state):
    return urllib.parse.urlsplit(state["url"]).port


def _free_ports(count):
    return list(itertools.islice((port for port in random.sample(PORTS, len(PORTS)) if _is_free(port)), count))


def _is_free(port):
    with socket.socket() as probe:
        # As Odoo does: connections that a killed one had do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _clear(folder):
    """Stop a server and remove its database and folder; half-made ones too."""
    if not folder.exists():
        return
    state = _state(folder)
    _stop(state)
    if postgres.is_running():
        postgres.drop_database(state.get("database") or _database(folder))
    shutil.rmtree(folder, ignore_errors=True)


def _filter(state):
    """Names one server alone on this machine, so that its process can be told from others by it."""
    return f"--db-filter=^{state['database']}$"


def _runs(state):
    """Process numbers are used again: only what is still an Odoo of this laboratory, on this very database, is meant."""
    if "pid" not in state:
        return False
    command = process.command_line(state["pid"])
    return _filter(state) in command and any(str(release.program) in command for release in RELEASES.values())


def _stop(state):
    """In order, or else with force; no worker outlives the process that the others belong to."""
    deadline = time.monotonic() + STOP_SECONDS
    sent = signal.SIGTERM
    while _runs(state):
        try:
            os.kill(state["pid"], sent)
        except ProcessLookupError:
            break
        pause = time.monotonic() + 3
        while _runs(state) and time.monotonic() < pause:
            time.sleep(0.05)
        if time.monotonic() > deadline:
            sent = signal.SIGKILL
    if "pid" in state:
        process.kill_group(state["pid"], _filter(state))


def _is_orphan(folder):
    """Its owner has ended, even if another process has the owner's number by now."""
    born = process.born(_owner(folder))
    return born is None or _state(folder).get("owner", born) != born


def _clear_orphans():
    """Private servers whose owner and keeper both died, as when a machine is switched off."""
    for folder in SERVERS.glob("run-*"):
        if _is_orphan(folder):
            _clear(folder)


def _ensure_keeper(owner, folder, state):
    """One for each server: an Odoo that was killed has left its keeper behind."""
    if str(folder) in process.command_line(state.get("keeper")):
        return
    code = pathlib.Path(__file__).resolve().parent.parent
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    keeper = subprocess.Popen([sys.executable, "-m", "lab.server", str(owner), str(folder)], cwd=code, start_new_session=True, **quiet)
    _write_state(folder, {**state, "keeper": keeper.pid})


def keep(owner, folder):
    """Wait for the owner's end, then remove the server; stop PostgreSQL with the last one."""
    try:
        select.select([os.pidfd_open(owner)], [], [])
    except ProcessLookupError:
        pass
    with locked(f"the removal of {folder.name}"):
        if _is_orphan(folder):
            _clear(folder)
        if not any(SERVERS.iterdir()):
            postgres.stop()


if __name__ == "__main__":
    keep(int(sys.argv[1]), pathlib.Path(sys.argv[2]))
