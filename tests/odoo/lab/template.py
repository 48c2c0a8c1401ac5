"""The filled database that every other one is copied from: sale, purchase, stock, crm, contacts, demo data, an API key.

Filling takes a minute, a copy a second. Nobody ever serves the template itself. Each release has its own.
"""
import json
import os
import shutil

from . import LabError, postgres, run, say

MODULES = "sale_management,purchase,stock,crm,contacts"
CONNECTION = [f"--db_host={postgres.FOLDER}", f"--db_port={postgres.PORT}", "-r", postgres.ROLE]
# Demo data's administrator. The key has no end: it opens a throw-away database on this machine and nothing else.
MAKE_KEY = """
user = env.ref('base.user_admin')
key = env['res.users.apikeys'].with_user(user)._generate({arguments})
env.cr.commit()
print('KEY=' + key)
"""
ACCOUNT = ("login", "password", "key")


def ensure(release):
    """Fill the template where there is none; returns login, password and key."""
    file = release.template / "state.json"
    make_key = MAKE_KEY.format(arguments=release.key_arguments)
    # What the template was made of: another recipe makes another template.
    recipe = MODULES + make_key
    state = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
    if state.get("recipe") == recipe and postgres.database_exists(release.template_database):
        return {name: state[name] for name in ACCOUNT}
    say(f"filling an Odoo {release.version} database with sale, purchase, stock, crm and demo data (about a minute)")
    file.unlink(missing_ok=True)
    postgres.drop_database(release.template_database)
    shutil.rmtree(release.template, ignore_errors=True)
    release.template.mkdir(parents=True)
    common = ["-d", release.template_database, *CONNECTION, "-D", release.template, "--max-cron-threads=0", "--no-http"]
    run([*release.command(), "server", *common, "-i", MODULES, *release.fill, "--stop-after-init"], "filling the database", env=release.environment())
    state = {"login": "admin", "password": "admin", "key": _make_key(release, make_key, common), "recipe": recipe}
    with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf8") as opened:
        json.dump(state, opened)
    return {name: state[name] for name in ACCOUNT}


def _make_key(release, make_key, common):
    script = release.template / "make_key.py"
    script.write_text(make_key, encoding="utf8")
    shell = ["sh", "-c", 'exec "$@" < ' + f"'{script}'", "sh", *release.command(), "shell", *common]
    said = run(shell, "making an API key", env=release.environment())
    for line in said.splitlines():
        if line.startswith("KEY="):
            return line.removeprefix("KEY=")
    raise LabError(f"making an API key failed:\n{said[-1500:]}")


def copy_to(release, database, data):
    """A copy of the database and of its file store, whose files are never changed in place and so can be linked."""
    postgres.copy_database(release.template_database, database)
    store = release.template / "filestore" / release.template_database
    if store.exists():
        shutil.copytree(store, data / "filestore" / database, copy_function=os.link)
