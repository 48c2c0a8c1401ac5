"""An Odoo that the user already has, named by environment variables instead of being installed."""
import os

from . import LabError

VARIABLES = {"url": "URL", "database": "DB", "login": "LOGIN", "password": "PASSWORD", "key": "KEY"}


def from_environment(release):
    """The five values, or None where no URL is set. Half a set is a mistake, not a choice."""
    variables = {name: f"{release.variables}_{variable}" for name, variable in VARIABLES.items()}
    if not os.environ.get(variables["url"]):
        return None
    missing = [variable for variable in variables.values() if not os.environ.get(variable)]
    if missing:
        raise LabError(f"{variables['url']} is set, so {', '.join(missing)} must be set too")
    values = {name: os.environ[variable] for name, variable in variables.items()}
    return {**values, "url": values["url"].rstrip("/"), "version": release.version, "pid": None}
