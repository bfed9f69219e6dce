"""The index of products in OpenSearch, and how requests to it are signed."""

import json
import re
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

ID = re.compile("[a-z0-9-]{1,36}")
CONFLICT = 409
NOT_FOUND = 404
FAILED = 400


class UnavailableError(Exception):
    """OpenSearch did not do what it was asked to."""


class Products:
    """Products in the index ``products``.

    Args:
        send: sends a request (method, path, body) to the domain, and returns the status and the text of the answer.
    """

    def __init__(self, send):
        self.send = send

    def search(self, text, limit, offset):
        """Return the products that match best, and how many match."""
        match = {"query": text, "fields": ["name^3", "description"], "fuzziness": "AUTO"}
        query = {"query": {"multi_match": match}, "from": offset, "size": limit, "_source": ["id", "name", "cents"]}
        # Before the first product there is no index.
        status, answer = self.send("POST", "/products/_search?ignore_unavailable=true", query)
        hits = _ok(status, answer)["hits"]
        return [hit["_source"] for hit in hits["hits"]], hits["total"]["value"]

    def keep(self, product):
        """Add or replace a product, unless the index has a newer version of it: messages may come in any order."""
        key = product["id"]
        if not ID.fullmatch(key):
            raise ValueError(f"id must match {ID.pattern}, got {key!r}")
        order = urlencode({"version": product["version"], "version_type": "external"})
        status, answer = self.send("PUT", f"/products/_doc/{key}?{order}", product)
        if status != CONFLICT:
            _ok(status, answer)


def signed(endpoint, session, http):
    """Return a way to send requests to ``endpoint``, signed with the role's credentials.

    Args:
        endpoint: URL of the domain.
        session: a botocore session.
        http: sends a prepared request.
    """

    def send(method, path, body):
        headers = {"Content-Type": "application/json"}
        request = AWSRequest(method, endpoint + path, headers=headers, data=json.dumps(body).encode())
        credentials = session.get_credentials().get_frozen_credentials()
        SigV4Auth(credentials, "es", session.get_config_variable("region")).add_auth(request)
        answer = http(request.prepare())
        return answer.status_code, answer.text

    return send


def _ok(status, answer):
    if status >= FAILED:
        raise UnavailableError(f"{status}: {answer[:500]}")
    return json.loads(answer)
