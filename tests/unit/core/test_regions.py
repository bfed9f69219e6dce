from __future__ import annotations

import re

import pytest
from cfnlint import helpers

from archlib.core.regions import REGIONS, check_regions
from archlib.errors import UsageError


def test_the_regions_are_those_of_cfn_lint() -> None:
    assert set(helpers.REGIONS) == REGIONS


def test_regions_that_exist_are_fine() -> None:
    check_regions(["us-east-1", "cn-north-1"])


@pytest.mark.parametrize(
    ("region", "advice"),
    [("eu-wset-1", "did you mean 'eu-west-1'?"), ("nowhere", "name one such as eu-west-1"), ("", "name one such as")],
)
def test_a_region_that_does_not_exist_is_refused(region: str, advice: str) -> None:
    words = f"region must be one that CloudFormation is in, got {region!r}; {advice}"
    with pytest.raises(UsageError, match=re.escape(words)):
        check_regions(["us-east-1", region])
