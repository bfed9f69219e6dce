"""Forms of text that AWS takes, checked before it sees them: names of hosts, paths, blocks of addresses, ARNs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from archlib.core.component import Check

DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:(?P<region>[a-z0-9-]+):\d{12}:certificate/[\w-]+")
_EXAMPLE = "arn:aws:acm:{}:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"
_PATH = re.compile(r"/[!-~]*")


def _known(got: Any) -> bool:
    """Whether ``got`` is text whose form can be told before it is deployed."""
    return isinstance(got, str) and "{{resolve:" not in got


def check_domain(check: Check, field: str, got: Any, *, wildcard: bool = True) -> None:
    """Note what is no host name in lower case; with ``wildcard`` it may be one for all below: ``*.example.com``."""
    if _known(got):
        below = "*." if wildcard and got.startswith("*.") else ""
        plain = got.removeprefix(below)
        close = re.sub(r"^[a-z]+://|[/:].*$|\.$", "", plain.lower())
        advice = f"write '{below}{close}'" if DOMAIN.fullmatch(close) else ""
        check.that(DOMAIN.fullmatch(plain), field, "a host name such as shop.example.com", got, advice)


def check_path(check: Check, field: str, got: Any, *, most: int) -> None:
    """Note what is no path of a request of up to ``most`` characters."""
    check.that(
        not _known(got) or (_PATH.fullmatch(got) and len(got) <= most),
        field, f"a path such as '/health', with a leading '/' and without spaces, up to {most} characters", got,
    )  # fmt: skip


def check_block(check: Check, field: str, got: str) -> None:
    """Note what is no block of addresses (CIDR), for IPv4 or IPv6."""
    try:
        network = ip_network(got, strict=False)
    except ValueError:
        ok, advice = False, ""
    else:
        ok = "/" in got and ip_address(got.partition("/")[0]) == network.network_address
        advice = f"write '{network}'"
    check.that(ok, field, "a block of addresses (CIDR) such as 203.0.113.0/24", got, advice)


def check_certificate(check: Check, field: str, got: Any, *, region: str | None = None) -> None:
    """Note what is no ARN of a certificate, or of one in another region than ``region``, where that is known."""
    if _known(got):
        found = _CERTIFICATE.fullmatch(got)
        allowed = f"the ARN of a certificate in {region or 'the same region'}"
        ok = found is not None and region in {None, found["region"]}
        check.that(ok, field, f"{allowed}, such as {_EXAMPLE.format(region or 'eu-west-1')}", got)


def check_variables(check: Check, names: Iterable[str], field: str = "environment") -> None:
    """Note variables whose names no shell can read."""
    for name in names:
        check.that(VARIABLE.fullmatch(name), f"{field}.{name}", "named by letters, digits and _", name, "rename it")
