"""The filled database that every other one is copied from: sale, purchase, stock, crm, contacts, demo data, an API key.

Filling takes a minute, a copy a second. Nobody ever serves the template itself.
"""
import json
import os
import shutil

from . import CACHE, LabError, install, postgres, run, say

DATABASE = "odoo_gateway_template"
MODULES = "sale_management,purchase,stock,crm,contacts"
FOLDER = CACHE / "template"
STATE = FOLDER / "state.json"
CONNECTION = [f"--db_host={postgres.FOLDER}", f"--db_port={postgres.PORT}", "-r", postgres.ROLE]
# Demo data's administrator. The key has no end: it opens a throw-away database on this machine and nothing else.
MAKE_KEY = """
user = env.ref('base.user_admin')
key = env['res.users.apikeys'].with_user(user)._generate('rpc', 'odoo-gateway tests', None)
env.cr.commit()
print('KEY=' + key)
"""
# What the template was made of: another recipe makes another template.
RECIPE = MODULES + MAKE_KEY


def ensure():
    """Fill the template where there is none; returns login, password and key."""
    state = json.loads(STATE.read_text(encoding="utf8")) if STATE.exists() else {}
    if state.get("recipe") == RECIPE and postgres.database_exists(DATABASE):
        return {name: state[name] for name in ("login", "password", "key")}
    say("filling a database with sale, purchase, stock, crm and demo data (about a minute)")
    STATE.unlink(missing_ok=True)
    postgres.drop_database(DATABASE)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    common = ["-d", DATABASE, *CONNECTION, "-D", FOLDER, "--max-cron-threads=0", "--no-http"]
    run([*install.ODOO, "server", *common, "-i", MODULES, "--with-demo", "--stop-after-init"], "filling the database", env=install.ENVIRONMENT)
    state = {"login": "admin", "password": "admin", "key": _make_key(common), "recipe": RECIPE}
    with open(os.open(STATE, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf8") as file:
        json.dump(state, file)
    return {name: state[name] for name in ("login", "password", "key")}


def _make_key(common):
    script = FOLDER / "make_key.py"
    script.write_text(MAKE_KEY, encoding="utf8")
    said = run(["sh", "-c", 'exec "$@" < ' + f"'{script}'", "sh", *install.ODOO, "shell", *common], "making an API key", env=install.ENVIRONMENT)
    for line in said.splitlines():
        if line.startswith("KEY="):
            return line.removeprefix("KEY=")
    raise LabError(f"making an API key failed:\n{said[-1500:]}")


def copy_to(database, data):
    """A copy of the database and of its file store, whose files are never changed in place and so can be linked."""
    postgres.copy_database(DATABASE, database)
    store = FOLDER / "filestore" / DATABASE
    if store.exists():
        shutil.copytree(store, data / "filestore" / database, copy_function=os.link)
