"""What the laboratory needs on this machine: PostgreSQL's programs, and an Odoo."""
import glob
import os
import pathlib
import shutil

from . import ROOT, LabError, run, say


def ensure(release):
    """Install what is missing. Each part leaves a mark when it is whole, so an interrupted run goes on where it stopped."""
    _ensure_system_packages(release)
    release.install.mkdir(parents=True, exist_ok=True)
    release.configuration.write_text("[options]\n", encoding="utf8")
    for part, make in release.parts().items():
        done = release.install / f"{part}.done"
        if not done.exists():
            make()
            done.touch()


def ensure_postgres():
    """PostgreSQL's programs alone, for tests that need no Odoo."""
    if not postgres_programs():
        _install(["postgresql"])


def postgres_programs():
    """The newest PostgreSQL's program folder, or None. Debian keeps the server's programs off the PATH."""
    found = [pathlib.Path(p).parent for p in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    if found:
        return max(found, key=lambda p: float(p.parent.name))
    initdb = shutil.which("initdb")
    return pathlib.Path(os.path.realpath(initdb)).parent if initdb else None


def _ensure_system_packages(release):
    if not shutil.which("dpkg-deb") or not shutil.which("apt-get"):
        raise LabError(f"this needs a Debian system (apt-get, dpkg-deb); elsewhere set {release.variables}_URL and its companions")
    missing = release.missing_packages()
    if not postgres_programs():
        missing = ["postgresql", *missing]
    if missing:
        _install(missing)


def _install(missing):
    if not ROOT:
        raise LabError(f"{' and '.join(missing)} must be installed first: sudo apt-get install {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    if "postgresql" in missing:
        # Without this, Debian's package would start a cluster of its own on this machine.
        folder = pathlib.Path("/etc/postgresql-common/createcluster.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "odoo-gateway.conf").write_text("create_main_cluster = false\n", encoding="utf8")
    run(["apt-get", "update"], "apt-get update")
    run(["apt-get", "install", "-y", "--no-install-recommends", *missing], "apt-get install",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
