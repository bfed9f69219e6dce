# ruff: noqa: SLF001  (MiniStack has no public names for its stores)
"""What the EC2 of MiniStack has, but not its CloudFormation: addresses, NAT gateways, flow logs, single rules."""

from __future__ import annotations

from typing import Any

from archlib.local.overlay.ministack import Handler, Made, Properties, checked, new_digits, service

_EC2 = service("ec2")
_PROVISIONERS = service("cloudformation.provisioners")


class Rule:
    """A security-group rule beside its group, in the store in which the group keeps its own.

    Args:
        store: the key of the group's record with the rules of this direction.
    """

    def __init__(self, store: str) -> None:
        self._store = store

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Add the rule to its group."""
        del logical_id, stack
        self._rules(properties).append(_permission(properties))
        rule = f"sgr-{new_digits()[:17]}"
        return rule, {"Id": rule}

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        """Change the description: anything else replaces the rule."""
        del stack
        self.delete(physical_id, old)
        self._rules(new).append(_permission(new))
        return physical_id, {"Id": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Take the rule out of its group."""
        del physical_id
        rules, permission = self._rules(properties), _permission(properties)
        if permission in rules:
            rules.remove(permission)

    def _rules(self, properties: Properties) -> list[Any]:
        """Return the rules of the group; those of a group that is not here, such as one a service makes, are lost."""
        group = _EC2._security_groups.get(properties.get("GroupId", ""), {})
        rules: list[Any] = group.setdefault(self._store, [])
        return rules


def _permission(properties: Properties) -> Any:
    (permission,) = _PROVISIONERS._ec2_sg_permissions([properties])
    return permission


class Address:
    """``AWS::EC2::EIP``."""

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Allocate the address."""
        del logical_id, stack
        before = set(_EC2._addresses)
        checked(_EC2._allocate_address({"Domain": ["vpc"]}))
        (allocation,) = set(_EC2._addresses) - before
        _EC2._tags[allocation] = list(properties.get("Tags", ()))
        return self._made(allocation)

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        """Set the tags."""
        del old, stack
        allocation = self._allocation(physical_id)
        _EC2._tags[allocation] = list(new.get("Tags", ()))
        return self._made(allocation)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Release the address."""
        del properties
        checked(_EC2._release_address({"AllocationId": [self._allocation(physical_id)]}))

    def _made(self, allocation: str) -> Made:
        ip = _EC2._addresses[allocation]["PublicIp"]
        return ip, {"PublicIp": ip, "AllocationId": allocation}

    def _allocation(self, ip: str) -> str:
        return next((key for key, address in _EC2._addresses.items() if address["PublicIp"] == ip), "")


class Kept:
    """A resource of EC2 whose record is made by one call and found in one store.

    Args:
        store: name of the store.
        create: name of the function that makes a record.
        delete: name of the function that ends it.
        id_parameter: how that one calls the id.
        parameters: property -> how the call that creates names it.
    """

    def __init__(self, store: str, *, create: str, delete: str, id_parameter: str, parameters: dict[str, str]) -> None:
        self._store = store
        self._create = create
        self._delete = delete
        self._id_parameter = id_parameter
        self._parameters = parameters

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Make the resource."""
        del logical_id, stack
        before = set(self._records())
        given = {name: [str(properties[key])] for key, name in self._parameters.items() if key in properties}
        checked(getattr(_EC2, self._create)(given))
        (made,) = set(self._records()) - before
        return self.update(made, {}, properties, "")

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        """Set the tags: anything else replaces the resource."""
        del old, stack
        _EC2._tags[physical_id] = list(new.get("Tags", ()))
        return physical_id, {"Id": physical_id, "NatGatewayId": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        """End the resource."""
        del properties
        if physical_id in self._records():
            checked(getattr(_EC2, self._delete)({self._id_parameter: [physical_id]}))
        _EC2._tags.pop(physical_id, None)

    def _records(self) -> Any:
        return getattr(_EC2, self._store)


HANDLERS: dict[str, Handler] = {
    "AWS::EC2::EIP": Address(),
    "AWS::EC2::FlowLog": Kept(
        "_flow_logs",
        create="_create_flow_logs",
        delete="_delete_flow_logs",
        id_parameter="FlowLogId.1",
        parameters={
            "ResourceId": "ResourceId.1",
            "ResourceType": "ResourceType",
            "TrafficType": "TrafficType",
            "LogDestinationType": "LogDestinationType",
            "LogDestination": "LogDestination",
            "LogGroupName": "LogGroupName",
        },
    ),
    "AWS::EC2::NatGateway": Kept(
        "_nat_gateways",
        create="_create_nat_gateway",
        delete="_delete_nat_gateway",
        id_parameter="NatGatewayId",
        parameters={name: name for name in ("SubnetId", "AllocationId", "ConnectivityType")},
    ),
    "AWS::EC2::SecurityGroupEgress": Rule("IpPermissionsEgress"),
    "AWS::EC2::SecurityGroupIngress": Rule("IpPermissions"),
}
