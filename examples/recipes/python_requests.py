#!/usr/bin/env python3
"""An order from a webshop goes to Odoo: Python 3.9 or later with requests.

    GATEWAY_URL=http://127.0.0.1:8080 GATEWAY_KEY=… python3 python_requests.py

CUSTOMER and ORDER are the webshop's own numbers. A second run with the same numbers changes nothing.
"""
import base64
import os
import time

import requests

URL = os.environ["GATEWAY_URL"].rstrip("/")
CUSTOMER = os.environ.get("CUSTOMER", "C-1001")
ORDER = os.environ.get("ORDER", "4711")
TRIES = 5

session = requests.Session()
session.headers["x-api-key"] = os.environ["GATEWAY_KEY"]


class GatewayError(Exception):
    """A call that was refused. `code` is stable and listed in docs/errors.md; `retry` is safe, unsafe or no."""

    def __init__(self, message, code, retry, path=None, call_id=None, pause=None):
        super().__init__(message)
        self.code, self.retry, self.path, self.call_id, self.pause = code, retry, path, call_id, pause


def call(route, model, vals, key=None):
    """Makes a call and gives its result. With a key, it is repeated without being done twice."""
    for attempt in range(1, TRIES + 1):
        pause = attempt
        try:
            return _call_once(route, model, vals, key)
        except GatewayError as error:
            if error.retry != "safe" or attempt == TRIES:
                raise
            pause = error.pause or attempt
        except requests.RequestException:
            # It is not known whether the gateway did it. With the key it may be asked again, without it may not.
            if key is None or attempt == TRIES:
                raise
        time.sleep(pause)


def _call_once(route, model, vals, key):
    headers = {"Idempotency-Key": key} if key else {}
    response = session.post(f"{URL}/api/{route}", json={"model": model, "vals": vals}, headers=headers, timeout=120)
    try:
        body = response.json()
    except ValueError:
        # What is no JSON comes from a proxy between this program and the gateway.
        response.raise_for_status()
        raise
    result = body.get("result") or {}
    if result.get("is_success"):
        for warning in result.get("warnings", []):
            print("warning:", warning["code"], warning["message"])
        return result["result"]
    error = result.get("error") or body["error"]["data"]
    message = result.get("messages") or body["error"]["message"]
    pause = float(response.headers.get("Retry-After", 0))
    raise GatewayError(message, error["code"], error["retry"], error.get("path"), response.headers.get("Gateway-Call-Id"), pause)


# A customer, by the webshop's number: made the first time, written into after that.
customer = call("create_update_data", "res.partner", {
    "search_key": {"ref": CUSTOMER},
    "payload": {"name": "Ada Byron", "email": "ada@example.com", "country_id": {"code": "BE"}},
})
print("customer", customer)

# An order with lines. Customer and products are named by fields that the webshop knows.
order = call("create_data", "sale.order", {
    "payload": {
        "partner_id": {"ref": CUSTOMER},
        "client_order_ref": ORDER,
        "order_line": [
            {"product_id": {"default_code": "FURN_7777"}, "product_uom_qty": 2, "price_unit": 115},
            {"product_id": {"default_code": "FURN_8888"}, "product_uom_qty": 8},
        ],
    },
    "result_field": ["name"],
}, key=f"order-{ORDER}")
print("order", order["id"], order["name"])

# A change of that order.
call("update_data", "sale.order", {
    "search_key": {"client_order_ref": ORDER},
    "payload": {"commitment_date": "2026-12-24T10:00:00+01:00"},
}, key=f"order-{ORDER}-date")

# A file of that order. Files are added, so the key keeps a second one away.
call("update_data", "sale.order", {
    "search_key": {"client_order_ref": ORDER},
    "payload": {"attachment_ids": [{"name": "order.txt", "datas": base64.b64encode(b"As ordered.").decode()}]},
}, key=f"order-{ORDER}-file")

# A search.
[found] = call("search_data", "sale.order", {
    "payload": {
        "search_domain": [["client_order_ref", "=", ORDER]],
        "search_field": ["name", "state", "amount_untaxed", "order_line{product_uom_qty, product_id{default_code}}"],
    },
})
print("found", found["name"], found["state"], found["amount_untaxed"], len(found["order_line"]), "lines")

# A mistake: nothing of this order is written, and the error says what to mend.
try:
    call("create_data", "sale.order", {
        "payload": {"partner_id": {"ref": CUSTOMER}, "order_line": [{"product_id": {"default_code": "NO-SUCH-PRODUCT"}}]},
    }, key=f"order-{ORDER}-mistake")
except GatewayError as error:
    print("refused", error.code, error.path, error.call_id)
