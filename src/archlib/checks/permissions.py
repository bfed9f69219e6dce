"""Which actions a resource type needs, as its own schema says."""

from __future__ import annotations

_CHANGING = ("create", "read", "update", "delete")


def permissions_of(resource_type: str) -> tuple[str, ...] | None:
    """Return the actions with which ``resource_type`` is created, read, changed and deleted; None: it does not say."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # noqa: PLC0415  (slow to import)

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    except Exception:  # noqa: BLE001  (of cfn-lint's own, for types that it does not know)
        return None
    handlers = schema.get("handlers") or {}
    actions = {action for name in _CHANGING for action in handlers.get(name, {}).get("permissions", ())}
    return tuple(sorted(actions)) or None
