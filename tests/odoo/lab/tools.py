"""Programs that tests run and that Debian lacks or has too old: from PyPI and npm, in the cache folder, in one version each.

    programs/python-HASH/   a Python environment with tools.txt, which has Node.js and axe-core in it as well
    programs/node-HASH/     what npm installs

HASH is that of what is installed, so that clones with different lists do not install over each other.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from . import CACHE, LabError, run, say

REQUIREMENTS = pathlib.Path(__file__).with_name("tools.txt")
# npm's packages are pinned themselves; what they need is of that day at the latest.
NPM_PACKAGES = ["newman@6.2.2", "@usebruno/cli@4.1.0"]
NPM_BEFORE = "2026-11-30"

PYTHON = {"python": "bin/python", "schemathesis": "bin/schemathesis", "openapi-spec-validator": "bin/openapi-spec-validator", "node": "bin/node",
          "axe": "lib/python*/site-packages/axe_playwright_python/axe.min.js"}
NODE = {"newman": "node_modules/.bin/newman", "bru": "node_modules/.bin/bru"}


def is_one(name):
    return name in PYTHON or name in NODE


def missing_packages(names):
    """Debian packages that this system lacks for these programs."""
    return environment_packages() if any(is_one(name) for name in names) else []


def environment_packages():
    """Debian has the part of Python that makes environments in a package of its own."""
    lacks = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode
    return ["python3-venv"] if lacks else []


def ensure(name):
    """Installs the program where it is not there; gives its path."""
    folder = _python() if name in PYTHON else _node()
    pattern = PYTHON.get(name) or NODE[name]
    found = next(folder.glob(pattern), None)
    if not found:
        raise LabError(f"{folder} has no {pattern}: remove {folder} and try again")
    return found


def environment():
    """Programs of npm look for `node` on the PATH."""
    return {**os.environ, "PATH": f"{_python() / 'bin'}:{os.environ['PATH']}"}


def _python():
    return _made("python", REQUIREMENTS.read_text(encoding="utf8"), _make_python)


def _make_python(folder):
    say("installing schemathesis, axe-core and Node.js")
    run([sys.executable, "-m", "venv", folder], "making a Python environment")
    run([folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", REQUIREMENTS],
        "installing schemathesis, axe-core and Node.js")


def _node():
    return _made("node", " ".join([*NPM_PACKAGES, NPM_BEFORE]), _make_node)


def _make_node(folder):
    environ = environment()
    say(f"installing {' and '.join(NPM_PACKAGES)}")
    folder.mkdir(parents=True)
    npm = _python() / "bin/npm"
    run([npm, "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", f"--before={NPM_BEFORE}", "--prefix", folder,
         *NPM_PACKAGES], f"installing {' and '.join(NPM_PACKAGES)}", env=environ, cwd=folder)


def _made(kind, contents, make):
    """The folder with these contents; whole, or made again."""
    folder = CACHE / "programs" / f"{kind}-{hashlib.sha256(contents.encode()).hexdigest()[:12]}"
    done = folder.with_suffix(".done")
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)
        done.touch()
    return folder
