from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import Stack
from archlib.components.edge.certificate import Certificate
from archlib.core.values import encode
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
ZONE = "Z0123456789ABCDEFGHIJ"


def properties(rendered: Rendered, title: str) -> dict[str, Any]:
    found = rendered()[title]["Properties"]
    return {name: value for name, value in found.items() if name != "Tags"}


def test_the_zone_proves_every_name_once(stack: Stack, rendered: Rendered) -> None:
    made = Certificate(
        stack, "shop", domain="example.com", more_domains=["*.example.com", "example.com"], zone_id=ZONE,
        key_algorithm="EC_prime256v1",
    )  # fmt: skip

    assert properties(rendered, "ShopCertificate") == {
        "CertificateTransparencyLoggingPreference": "ENABLED",
        "DomainName": "example.com",
        "DomainValidationOptions": [
            {"DomainName": "example.com", "HostedZoneId": ZONE},
            {"DomainName": "*.example.com", "HostedZoneId": ZONE},
        ],
        "KeyAlgorithm": "EC_prime256v1",
        "SubjectAlternativeNames": ["*.example.com"],
        "ValidationMethod": "DNS",
    }
    assert encode(made.arn) == {"Ref": "ShopCertificate"}


def test_it_can_stay_out_of_the_public_logs(stack: Stack, rendered: Rendered) -> None:
    Certificate(stack, "shop", domain="shop.example.com", zone_id=ZONE, transparency=False)

    found = properties(rendered, "ShopCertificate")

    assert found["CertificateTransparencyLoggingPreference"] == "DISABLED"
    assert "SubjectAlternativeNames" not in found


def test_the_end_of_its_life_is_worth_an_alarm(stack: Stack) -> None:
    (watch,) = Certificate(stack, "shop", domain="shop.example.com", zone_id=ZONE).watches()

    assert (watch.metric, watch.comparison, watch.threshold) == ("DaysToExpiry", "<=", 30)
    assert encode(watch.dimensions) == {"CertificateArn": {"Ref": "ShopCertificate"}}


def test_all_wrong_settings_are_told_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        Certificate(
            stack, "shop", domain="https://shop", zone_id=ZONE, key_algorithm="RSA_1024",  # type: ignore[arg-type]
            more_domains=[f"n{number}.example.com" for number in range(10)],
        )  # fmt: skip

    assert [problem.message for problem in caught.value.problems] == [
        "certificate 'shop': domain must be a host name such as shop.example.com, got 'https://shop'",
        "certificate 'shop': more_domains must be 0 to 9, got 10",
        "certificate 'shop': key_algorithm must be one of RSA_2048, EC_prime256v1, EC_secp384r1, got 'RSA_1024'",
    ]
