"""The addon whose interface the gateway speaks, inside an Odoo: what the gateway is measured against.

It is AGPL-3 and made for Odoo 18. It is fetched as its authors publish it, unpacked in the cache folder, and two lines of
it are changed there so that Odoo 19 takes it; nothing of it is kept in this repository.
"""
import shutil
import zipfile

from . import LabError, run, say, template

PACKAGE = "odoo-addon-usability-webhooks==18.0.2.0.0"
NAME = "usability_webhooks"
EDITS = {
    # Odoo takes addons of its own series alone.
    "__manifest__.py": ('"version": "18.0.', '"version": "19.0.'),
    # The groups of a search view have neither attribute any more.
    "views/api_log.xml": ('<group expand="1" string="Group By">', "<group>"),
}


def install(release, database, data):
    """Into a database that nobody serves yet; returns the options with which a server finds it."""
    options = [f"--addons-path={_ensure(release)}"]
    say(f"installing {NAME} in a copy of the database")
    command = [*release.command(), "server", "-d", database, *template.CONNECTION, "-D", data, "--max-cron-threads=0", "--no-http", *options]
    run([*command, "-i", NAME, "--stop-after-init"], f"installing {NAME}", env=release.environment())
    return options


def _ensure(release):
    """The folder to put on Odoo's addons path; whole or not there at all."""
    folder = release.install / "addon"
    if folder.exists():
        return folder
    say(f"downloading {PACKAGE}")
    work = release.install / "addon.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    run([release.python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", work, PACKAGE], f"downloading {PACKAGE}")
    [wheel] = work.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work)
    addons = work / "odoo/addons"
    for name, (old, new) in EDITS.items():
        file = addons / NAME / name
        text = file.read_text(encoding="utf8")
        if text.count(old) != 1:
            raise LabError(f"{PACKAGE} has changed: {name} has no line with {old}; see {__file__}")
        file.write_text(text.replace(old, new), encoding="utf8")
    addons.rename(folder)
    shutil.rmtree(work)
    return folder
