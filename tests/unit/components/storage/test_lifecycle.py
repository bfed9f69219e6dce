from __future__ import annotations

from typing import Any

import pytest

from archlib import Stack
from archlib.components.storage.bucket import Bucket
from archlib.components.storage.lifecycle import Lifecycle
from archlib.errors import SettingsError


@pytest.mark.parametrize(
    "rule",
    [
        Lifecycle(expire_days=1),
        Lifecycle(move_days={"GLACIER_IR": 0}),
        Lifecycle(move_days={"DEEP_ARCHIVE": 200, "GLACIER": 100, "STANDARD_IA": 30}, expire_days=201),
    ],
)
def test_takes(stack: Stack, rule: Lifecycle) -> None:
    bucket = Bucket(stack, "photos", lifecycle=[rule])

    assert len(bucket.resource.properties["LifecycleConfiguration"].Rules) == 2


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Lifecycle("in/"), "lifecycle[0] must be a rule that does something"),
        (Lifecycle(expire_days=-1), "lifecycle[0].expire_days must be 1 or more, got -1"),
        (Lifecycle(move_days={"ICE": 1}), "lifecycle[0].move_days must be one of STANDARD_IA"),  # type: ignore[dict-item]
        (Lifecycle(move_days={"STANDARD_IA": 29}), "lifecycle[0].move_days[STANDARD_IA] must be 30 or more, got 29"),
        (Lifecycle(move_days={"GLACIER": -1}), "lifecycle[0].move_days[GLACIER] must be 0 or more, got -1"),
        (Lifecycle(move_days={"GLACIER": 90, "DEEP_ARCHIVE": 90}), "must be more days for each colder storage class"),
        (Lifecycle(move_days={"GLACIER": 90}, expire_days=90), "and fewer than expire_days"),
    ],
)
def test_refuses(stack: Stack, rule: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Bucket(stack, "photos", lifecycle=[rule])

    assert message in str(caught.value)
