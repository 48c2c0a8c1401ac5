"""What the laboratory needs on this machine: PostgreSQL's programs, the newest Odoo 19, and a Python environment for it.

Odoo is taken from Debian's `odoo-19` package, unpacked beside the system and never installed into it: a private apt
state reaches the suite that carries it through the mirror that the system already uses.
"""
import glob
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from . import CACHE, ROOT, LabError, run, say

SUITE = "sid"
PACKAGE = "odoo-19"
PYTHON_PACKAGES = """
    asn1crypto babel cbor2 chardet cryptography python-dateutil docutils freezegun geoip2 gevent greenlet idna jinja2
    libsass lxml lxml-html-clean markupsafe num2words ofxparse openpyxl passlib pillow polib psutil psycopg2-binary pyopenssl
    pypdf pyserial python-magic python-stdnum pytz pyusb qrcode reportlab requests rjsmin urllib3 vobject werkzeug xlrd
    xlsxwriter xlwt zeep
""".split()

INSTALL = CACHE / "install"
PYTHON = INSTALL / "venv/bin/python"
ODOO = [PYTHON, INSTALL / "root/usr/bin/odoo"]
# An empty configuration: a developer's own ~/.odoorc has no place here.
CONFIGURATION = INSTALL / "odoo.conf"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(INSTALL / "root/usr/lib/python3/dist-packages"), "LC_ALL": "C.UTF-8",
               "ODOO_RC": str(CONFIGURATION)}


def ensure():
    """Install what is missing. Each half leaves a mark when it is whole, so an interrupted run goes on where it stopped."""
    _ensure_system_packages()
    INSTALL.mkdir(parents=True, exist_ok=True)
    CONFIGURATION.write_text("[options]\n", encoding="utf8")
    if not (INSTALL / "root.done").exists():
        _unpack_odoo()
        (INSTALL / "root.done").touch()
    if not (INSTALL / "venv.done").exists():
        _make_environment()
        (INSTALL / "venv.done").touch()


def postgres_programs():
    """The newest PostgreSQL's program folder, or None. Debian keeps the server's programs off the PATH."""
    found = [pathlib.Path(p).parent for p in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    if found:
        return max(found, key=lambda p: float(p.parent.name))
    initdb = shutil.which("initdb")
    return pathlib.Path(os.path.realpath(initdb)).parent if initdb else None


def _ensure_system_packages():
    missing = []
    if not postgres_programs():
        missing += ["postgresql"]
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        missing += ["python3-venv"]
    if not shutil.which("dpkg-deb") or not shutil.which("apt-get"):
        raise LabError("this needs a Debian system (apt-get, dpkg-deb); elsewhere set ODOO_GATEWAY_TEST_URL and its companions")
    if not missing:
        return
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


def _unpack_odoo():
    say(f"downloading {PACKAGE} from Debian {SUITE} (120 MB)")
    with tempfile.TemporaryDirectory(dir=INSTALL) as work:
        work = pathlib.Path(work)
        # apt drops its rights while it downloads and must still reach this folder.
        work.chmod(0o755)
        for folder in ("lists/partial", "cache/archives/partial", "state"):
            (work / folder).mkdir(parents=True)
        (work / "sources.list").write_text(
            f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {_mirror()} {SUITE} main\n", encoding="utf8")
        apt = ["apt-get", "-q", f"-oDir::Etc::SourceList={work}/sources.list", "-oDir::Etc::SourceParts=/dev/null",
               f"-oDir::State={work}/state", f"-oDir::State::Lists={work}/lists", f"-oDir::Cache={work}/cache",
               "-oDir::State::status=/var/lib/dpkg/status", "-oAPT::Sandbox::User=root", "-oAcquire::Languages=none",
               # The signature is checked; that a mirror lags behind does not matter to a test.
               "-oAcquire::Check-Valid-Until=false", "-oAcquire::Retries=3"]
        run([*apt, "update"], f"reading Debian {SUITE}'s package list")
        run([*apt, "download", PACKAGE], f"downloading {PACKAGE}", cwd=work)
        say("unpacking Odoo (1.2 GB)")
        package = next(work.glob(f"{PACKAGE}_*.deb"))
        shutil.rmtree(INSTALL / "root", ignore_errors=True)
        run(["dpkg-deb", "-x", package, INSTALL / "root"], "unpacking Odoo")


def _make_environment():
    say("making a Python environment for Odoo")
    shutil.rmtree(INSTALL / "venv", ignore_errors=True)
    run([sys.executable, "-m", "venv", INSTALL / "venv"], "making a Python environment")
    run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PYTHON_PACKAGES], "installing Odoo's Python packages")
