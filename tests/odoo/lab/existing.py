"""An Odoo that the user already has, named by environment variables instead of being installed."""
import os

from . import LabError

VARIABLES = {
    "url": "ODOO_GATEWAY_TEST_URL",
    "database": "ODOO_GATEWAY_TEST_DB",
    "login": "ODOO_GATEWAY_TEST_LOGIN",
    "password": "ODOO_GATEWAY_TEST_PASSWORD",
    "key": "ODOO_GATEWAY_TEST_KEY",
}


def from_environment():
    """The five values, or None where no URL is set. Half a set is a mistake, not a choice."""
    if not os.environ.get(VARIABLES["url"]):
        return None
    missing = [variable for variable in VARIABLES.values() if not os.environ.get(variable)]
    if missing:
        raise LabError(f"{VARIABLES['url']} is set, so {', '.join(missing)} must be set too")
    return {name: os.environ[variable].rstrip("/") if name == "url" else os.environ[variable]
            for name, variable in VARIABLES.items()}
