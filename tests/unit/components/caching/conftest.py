from __future__ import annotations

import pytest

from archlib.components.network.vpc import Vpc
from archlib.wiring.roles import Network


@pytest.fixture
def network() -> Network:
    return Vpc.lookup(
        vpc_id="vpc-01234567",
        private_subnets=["subnet-01234567"],
        isolated_subnets=["subnet-11111111", "subnet-22222222", "subnet-33333333", "subnet-44444444"],
    )
