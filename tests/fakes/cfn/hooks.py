"""Hooks that look at resources before they are made."""

from __future__ import annotations

from typing import Any

from fakes.cfn.requests import Parameters, forward_page, present
from fakes.cfn.world import World


def list_hook_results(world: World, request: Parameters) -> dict[str, Any]:
    """ListHookResults."""
    wanted = request.get("TargetId")
    chosen = [item for item in world.store.hook_results if wanted in (None, item["TargetId"])]
    shown, token = forward_page(chosen, request, world.page_size)
    return present(TargetType=request.get("TargetType"), TargetId=wanted, HookResults=shown, **token)


OPERATIONS = {"ListHookResults": list_hook_results}
