from datetime import timedelta

import pytest
from troposphere import GetAtt

from archlib.components.apis.cors import Cors
from archlib.core.component import Check
from archlib.core.values import encode, join


@pytest.mark.parametrize(
    ("cors", "expected"),
    [
        (Cors([]), "cors.origins must be at least one origin"),
        (Cors(["*"]), "cors.origins must be named origins such as https://shop.example.com, got '*'"),
        (Cors(["http://shop.example.com"]), "cors.origins must be named origins"),
        (Cors(["https://*.example.com"]), "cors.origins must be named origins"),
        (Cors(["https://shop.example.com/"]), "cors.origins must be named origins"),
        (Cors(["https://shop.example.com"], headers=("*",)), "cors.headers must be named headers"),
        (Cors(["https://shop.example.com"], max_age=timedelta(days=2)), "cors.max_age must be 0s to 1d, got 2d"),
    ],
)
def test_refuses_origins_and_headers_that_are_not_named(cors: Cors, expected: str) -> None:
    check = Check("rest api 'shop'")
    cors.check(check)

    assert expected in check.problems[0].message


def test_accepts_this_machine_and_addresses_known_later() -> None:
    check = Check("rest api 'shop'")
    Cors(["http://localhost:3000", join("https://", GetAtt("SiteDistribution", "DomainName"))]).check(check)

    assert check.problems == []


def test_the_template_names_only_listed_origins_back() -> None:
    template = encode(Cors(["https://a.example.com", "https://b.example.com"]).origin_template())

    assert '#if($origin == "https://a.example.com" || $origin == "https://b.example.com")' in template
    assert template.endswith("responseOverride.header.Access-Control-Allow-Origin = $origin)#end")
