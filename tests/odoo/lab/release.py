"""The Odoo series that the laboratory runs: where each one lives in the cache, how it is installed, filled and started."""
import os
import shutil
import sys

from . import CACHE, LabError, apt, run, say, tools


class Release:
    """One series. Odoo 19 was there first and has the plain names in the cache; a `suffix` tells the others apart."""
    version = 0
    suffix = ""
    fill = []  # what asks for demo data
    serve = []  # further options of the server
    key_arguments = ""  # how the administrator makes an API key

    def __init__(self):
        self.install = CACHE / f"install{self.suffix}"
        self.root = self.install / "root"
        self.program = self.root / "usr/bin/odoo"
        # An empty configuration: a developer's own ~/.odoorc has no place here.
        self.configuration = self.install / "odoo.conf"
        self.template = CACHE / f"template{self.suffix}"
        self.template_database = f"odoo_gateway_template{self.suffix.replace('-', '_')}"
        self.variables = f"ODOO_GATEWAY_TEST{self.suffix.replace('-', '_')}"

    def missing_packages(self):
        """Debian packages that this system lacks for it."""
        return []

    def parts(self):
        """What it is made of, by name, in the order of making."""
        return {"root": self._unpack}

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {**os.environ, "PYTHONPATH": str(self.root / "usr/lib/python3/dist-packages"), "LC_ALL": "C.UTF-8", "ODOO_RC": str(self.configuration)}

    def _unpack(self):
        raise NotImplementedError


class Odoo19(Release):
    """Debian sid's newest package, and a Python environment, since sid's Python packages do not fit an older system."""
    version = 19
    fill = ["--with-demo"]
    serve = ["--log-handler=odoo.addons.rpc:ERROR"]
    key_arguments = "'rpc', 'odoo-gateway tests', None"
    python_packages = """
        asn1crypto babel cbor2 chardet cryptography python-dateutil docutils freezegun geoip2 gevent greenlet idna jinja2
        libsass lxml lxml-html-clean markupsafe num2words ofxparse openpyxl passlib pillow polib psutil psycopg2-binary pyopenssl
        pypdf pyserial python-magic python-stdnum pytz pyusb qrcode reportlab requests rjsmin urllib3 vobject werkzeug xlrd
        xlsxwriter xlwt zeep
    """.split()
    # Debian's package points to their files, and without those no page can be made; what is missing of fonts matters to nobody.
    script_packages = ["libjs-jquery", "libjs-jquery-form", "libjs-underscore"]

    def __init__(self):
        super().__init__()
        self.python = self.install / "venv/bin/python"

    def missing_packages(self):
        return tools.environment_packages()

    def parts(self):
        return {**super().parts(), "scripts": self._unpack_scripts, "venv": self._make_environment}

    def command(self):
        return [self.python, self.program]

    def _unpack(self):
        say("downloading odoo-19 from Debian sid (120 MB)")
        work = self.install / "download"
        with apt.suite("sid", work) as apt_get:
            run([*apt_get, "download", "odoo-19"], "downloading odoo-19", cwd=work)
            say("unpacking Odoo 19 (1.2 GB)")
            shutil.rmtree(self.root, ignore_errors=True)
            apt.unpack(work.glob("*.deb"), self.root)

    def _unpack_scripts(self):
        say("downloading the scripts of Odoo 19's pages from Debian sid")
        work = self.install / "download"
        with apt.suite("sid", work) as apt_get:
            run([*apt_get, "download", *self.script_packages], "downloading the scripts of Odoo 19's pages", cwd=work)
            apt.unpack(work.glob("*.deb"), self.root)

    def _make_environment(self):
        say("making a Python environment for Odoo 19")
        shutil.rmtree(self.install / "venv", ignore_errors=True)
        run([sys.executable, "-m", "venv", self.install / "venv"], "making a Python environment")
        run([self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *self.python_packages], "installing Odoo's Python packages")


class Odoo14(Release):
    """Debian bullseye's package with everything beneath it, down to the C library: today's Pythons cannot run it any more.

    It runs as an ordinary process, without a chroot: through its own dynamic loader, with its own Python.
    """
    version = 14
    suffix = "-14"
    # Past these limits Odoo starts itself again, by its Python alone, which does not run without the loader.
    serve = ["--limit-time-real=0", "--limit-memory-soft=0"]
    key_arguments = "'rpc', 'odoo-gateway tests'"

    def command(self):
        loader = next(self.root.glob("lib/*/ld-linux*.so.*"), None)
        if not loader:
            raise LabError(f"{self.root} has no dynamic loader: remove {self.install} and run tests/odoo/up --version 14 again")
        libraries = f"{loader.parent}:{self.root / 'usr/lib' / loader.parent.name}"
        return [loader, "--library-path", libraries, self.root / "usr/bin/python3.9", self.program]

    def environment(self):
        # Its xlsxwriter prints warnings at every start; a user's own packages for a Python 3.9 are not its own.
        return {**super().environment(), "PYTHONHOME": str(self.root / "usr"), "PYTHONUTF8": "1", "PYTHONWARNINGS": "ignore",
                "PYTHONNOUSERSITE": "1", "PYTZ_TZDATADIR": str(self.root / "usr/share/zoneinfo")}

    def _unpack(self):
        say("downloading odoo-14 and what it needs from Debian bullseye (224 MB)")
        work = self.install / "download"
        with apt.suite("bullseye", work) as apt_get:
            run([*apt_get, "install", "-y", "--no-install-recommends", "--download-only", "odoo-14"], "downloading odoo-14")
            say("unpacking Odoo 14 (1.3 GB)")
            shutil.rmtree(self.root, ignore_errors=True)
            apt.unpack((work / "cache/archives").glob("*.deb"), self.root)
        # The one package that looks for its data by an absolute path.
        docutils = self.root / "usr/lib/python3/dist-packages/docutils/__init__.py"
        text = docutils.read_text(encoding="utf8").replace("'/usr/share/docutils/'", repr(f"{self.root}/usr/share/docutils/"))
        docutils.write_text(text, encoding="utf8")


RELEASES = {release.version: release for release in (Odoo19(), Odoo14())}
