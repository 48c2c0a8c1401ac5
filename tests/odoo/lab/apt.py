"""Debian packages of any suite, downloaded beside the system and never installed into it.

A private apt state reaches the suite through the mirror that the system already uses, and takes nothing for installed.
"""
import contextlib
import pathlib
import shutil

from . import LabError, run


@contextlib.contextmanager
def suite(name, work):
    """An apt-get command that knows this suite alone, its package list read. Downloads go with `work` at the end."""
    shutil.rmtree(work, ignore_errors=True)
    try:
        for folder in ("lists/partial", "cache/archives/partial", "state"):
            (work / folder).mkdir(parents=True)
        # apt drops its rights while it downloads and must still reach this folder.
        work.chmod(0o755)
        (work / "status").touch()
        (work / "sources.list").write_text(
            f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {_mirror()} {name} main\n", encoding="utf8")
        apt_get = ["apt-get", "-q", f"-oDir::Etc::SourceList={work}/sources.list", "-oDir::Etc::SourceParts=/dev/null",
                   f"-oDir::State={work}/state", f"-oDir::State::Lists={work}/lists", f"-oDir::Cache={work}/cache",
                   f"-oDir::State::status={work}/status", "-oAPT::Sandbox::User=root", "-oAcquire::Languages=none",
                   # The signature is checked; that a mirror lags behind, or a suite is old, does not matter to a test.
                   "-oAcquire::Check-Valid-Until=false", "-oAcquire::Retries=3"]
        run([*apt_get, "update"], f"reading Debian {name}'s package list")
        yield apt_get
    finally:
        shutil.rmtree(work, ignore_errors=True)


def unpack(packages, root):
    """Into a folder that may hold other packages already."""
    for package in sorted(packages):
        run(["dpkg-deb", "-x", package, root], f"unpacking {package.name}")
    # Nobody updates these programs, so none may lend its owner's rights to whoever runs it.
    run(["chmod", "-R", "ug-s", root], "taking set-user-id bits away")


def _mirror():
    """The Debian mirror in the system's own sources."""
    targets = run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"], "apt-get indextargets")
    sites = [site for line in targets.splitlines() if "security" not in line for site in _addresses(line.split(" ")[0])
             if site.rstrip("/").endswith("/debian")]
    if not sites:
        raise LabError("no Debian mirror stands in this system's apt sources")
    return sites[0]


def _addresses(site):
    """A mirror, or those in a list of mirrors, as Debian's cloud images have it."""
    if site.startswith("mirror+file:"):
        try:
            lines = pathlib.Path(site.removeprefix("mirror+file:")).read_text(encoding="utf8").splitlines()
        except OSError:
            return []
        return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    return [site]
