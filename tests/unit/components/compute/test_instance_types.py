from __future__ import annotations

import pytest

from archlib.components.compute.instance_types import architecture_of, instance_types


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("t4g.small", "arm64"),
        ("c7gn.large", "arm64"),
        ("im4gn.large", "arm64"),
        ("is4gen.large", "arm64"),
        ("g5g.xlarge", "arm64"),
        ("t3.small", "x86_64"),
        ("g4dn.xlarge", "x86_64"),
        ("gr6.4xlarge", "x86_64"),
        ("m7i-flex.large", "x86_64"),
    ],
)
def test_knows_what_a_type_runs(name: str, architecture: str) -> None:
    assert name in instance_types()
    assert architecture_of(name) == architecture


@pytest.mark.parametrize("name", ["t2.micro", "m4.large", "t3.mciro", "t4g", "mac2.metal"])
def test_leaves_out_what_is_not_on_nitro_or_does_not_exist(name: str) -> None:
    assert name not in instance_types()
