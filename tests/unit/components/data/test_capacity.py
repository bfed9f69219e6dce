from __future__ import annotations

import pytest

from archlib import Stack
from archlib.components.data.capacity import Provisioned
from archlib.components.data.table import Table
from archlib.errors import SettingsError


@pytest.mark.parametrize(
    ("capacity", "message"),
    [
        (Provisioned(0, 1, 1, 1), "capacity.read_min must be 1 to 40000, got 0"),
        (Provisioned(5, 4, 1, 1), "capacity.read_max must be 5 to 40000, got 4"),
        (Provisioned(1, 1, 1, 40_001), "capacity.write_max must be 1 to 40000, got 40001"),
        (Provisioned(1, 1, 2, 1), "capacity.write_max must be 2 to 40000, got 1"),
        (Provisioned(1, 1, 1, 1, utilization_percent=95), "capacity.utilization_percent must be 20 to 90, got 95"),
    ],
)
def test_refuses(stack: Stack, capacity: Provisioned, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Table(stack, "orders", partition_key="customer", capacity=capacity)

    assert message in str(caught.value)
