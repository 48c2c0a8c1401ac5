"""Processes by their numbers, which are used again: what tells one from another."""
import os
import pathlib
import signal


def command_line(pid):
    """A process's arguments; none where it has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf8", errors="replace").split("\0")
    except OSError:
        return []


def born(pid):
    """When a process began, or None where it has ended: with its number this names it, across reboots too."""
    fields = _fields(pid)
    if not fields or fields[0] in "ZX":
        return None
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf8").strip()
    return f"{boot} {fields[19]}"


def parent(pid):
    """The number of the process that started it; None where it has ended."""
    fields = _fields(pid)
    return int(fields[1]) if fields else None


def kill_group(leader, mark):
    """Kill what is left of the process group that a process led, as far as it bears this mark among its arguments."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        fields = _fields(pid)
        if fields and fields[2] == str(leader) and mark in command_line(pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _fields(pid):
    """What /proc says of a process after its name: state, parent, group and so on."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
