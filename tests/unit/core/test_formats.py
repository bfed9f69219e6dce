from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from troposphere import Ref

from archlib.core.component import Check
from archlib.core.formats import check_block, check_certificate, check_domain, check_path, check_variables

ARN = "arn:aws:acm:eu-west-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"


def problems(check: Callable[..., None], *given: Any, **options: Any) -> list[str]:
    found = Check("thing 'x'")
    check(found, *given, **options)
    return [problem.message for problem in found.problems]


@pytest.mark.parametrize(
    ("check", "got", "options"),
    [
        (check_domain, "shop.example.com", {}),
        (check_domain, "*.example.com", {}),
        (check_domain, Ref("Name"), {}),
        (check_domain, "{{resolve:ssm:/name}}", {}),
        (check_path, "/", {"most": 1}),
        (check_path, "/health?deep=true", {"most": 255}),
        (check_block, "203.0.113.0/24", {}),
        (check_block, "203.0.113.7/32", {}),
        (check_block, "2001:DB8::/32", {}),
        (check_certificate, ARN, {}),
        (check_certificate, ARN, {"region": "eu-west-1"}),
        (check_certificate, ARN.replace("aws:", "aws-cn:"), {}),
        (check_certificate, Ref("Certificate"), {"region": "us-east-1"}),
        (check_certificate, None, {}),
    ],
)
def test_takes_what_aws_takes(check: Callable[..., None], got: Any, options: dict[str, Any]) -> None:
    assert problems(check, "field", got, **options) == []


@pytest.mark.parametrize(
    ("got", "advice"),
    [
        ("Shop.Example.com", "; write 'shop.example.com'"),
        ("https://shop.example.com/", "; write 'shop.example.com'"),
        ("shop.example.com.", "; write 'shop.example.com'"),
        ("*.Example.com", "; write '*.example.com'"),
        ("shop", ""),
        ("shop example.com", ""),
        (f"{'a' * 64}.com", ""),
        ("", ""),
    ],
)
def test_a_host_name_is_in_lower_case(got: str, advice: str) -> None:
    message = f"thing 'x': host must be a host name such as shop.example.com, got {got!r}{advice}"
    assert problems(check_domain, "host", got) == [message]


def test_not_every_host_name_may_stand_for_all_below() -> None:
    assert len(problems(check_domain, "host", "*.example.com", wildcard=False)) == 1


@pytest.mark.parametrize("got", ["health", "", "/he alth", "/gesund\u00e4", "/" + "a" * 20, "/a\n"])
def test_a_path_can_be_asked_for(got: str) -> None:
    (found,) = problems(check_path, "health_path", got, most=20)

    words = "health_path must be a path such as '/health', with a leading '/' and without spaces, up to 20 characters"
    assert found == f"thing 'x': {words}, got {got!r}"


@pytest.mark.parametrize(
    ("got", "advice"),
    [
        ("203.0.113.7", "; write '203.0.113.7/32'"),
        ("203.0.113.7/24", "; write '203.0.113.0/24'"),
        ("2001:db8::1/32", "; write '2001:db8::/32'"),
        ("203.0.113.0/33", ""),
        ("example.com/24", ""),
    ],
)
def test_a_block_of_addresses_has_no_host_bits(got: str, advice: str) -> None:
    message = f"thing 'x': addresses must be a block of addresses (CIDR) such as 203.0.113.0/24, got {got!r}{advice}"
    assert problems(check_block, "addresses", got) == [message]


@pytest.mark.parametrize("got", [f"{ARN} ", "shop", "arn:aws:iam::111122223333:server-certificate/x", f"{ARN[:20]}"])
def test_a_certificate_is_one_of_certificate_manager(got: str) -> None:
    (found,) = problems(check_certificate, "certificate", got)

    assert found.startswith(
        f"thing 'x': certificate must be the ARN of a certificate in the same region, such as {ARN}"
    )


def test_a_certificate_is_in_the_region() -> None:
    (found,) = problems(check_certificate, "certificate", ARN, region="us-east-1")

    assert "certificate must be the ARN of a certificate in us-east-1, such as arn:aws:acm:us-east-1:" in found


def test_every_variable_has_its_own_problem() -> None:
    assert problems(check_variables, ["A", "_b2", "A-B", "2A", ""]) == [
        f"thing 'x': environment.{name} must be named by letters, digits and _, got {name!r}; rename it"
        for name in ("A-B", "2A", "")
    ]
