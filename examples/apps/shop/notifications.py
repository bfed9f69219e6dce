"""Tell customers about their orders, one queue message each."""

import json
import logging

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


def handler(event, context):
    """Notify for each message; only those that failed come back."""
    return handle(event, send=_send)


def handle(event, *, send):
    """Notify for each message by ``send``; only those that failed come back."""
    failed = []
    for record in event["Records"]:
        try:
            order = json.loads(record["body"])
            send(order["customer"], f"Order {order['order']} is {order['status']}")
        except (KeyError, ValueError):
            log.exception("message %s cannot be sent", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _send(customer, text):
    log.info("to %s: %s", customer, text)
