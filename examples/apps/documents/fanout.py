"""What happens to an indexed document, each in its own time: a preview and a record."""

import json
import logging

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


def preview(event, context):
    """Make previews for the documents of a batch."""
    return _each(event, lambda document: log.info("preview of %s", document["document"]))


def audit(event, context):
    """Note who uploaded what."""
    return _each(event, lambda document: log.info("%s uploaded at %s", document["document"], document["uploaded"]))


def _each(event, work):
    failed = []
    for record in event["Records"]:
        try:
            work(json.loads(record["body"]))
        except (KeyError, ValueError):
            log.exception("message %s failed", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
