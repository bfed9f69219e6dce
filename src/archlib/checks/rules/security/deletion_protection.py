"""W9202: deletion protection is on for what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, resources
from archlib.checks.rules.security._values import is_false

_PROPERTIES = {
    "AWS::Cognito::UserPool": "DeletionProtection",
    "AWS::DocDB::DBCluster": "DeletionProtection",
    "AWS::DynamoDB::Table": "DeletionProtectionEnabled",
    "AWS::Neptune::DBCluster": "DeletionProtection",
    "AWS::RDS::DBCluster": "DeletionProtection",
    "AWS::RDS::DBInstance": "DeletionProtection",
    "AWS::RDS::GlobalCluster": "DeletionProtection",
}
_REPLICAS, _BALANCER = "AWS::DynamoDB::GlobalTable", "AWS::ElasticLoadBalancingV2::LoadBalancer"
_ATTRIBUTE = "deletion_protection.enabled"


class DeletionProtection(Rule):
    """A call or a mistaken update can delete a table, user pool, database or load balancer.

    A resource whose ``DeletionPolicy`` is ``Delete`` belongs to an environment that is thrown away and needs none.
    """

    id = "W9202"
    shortdesc = "Deletion protection is on"
    description = "Switch deletion protection on, or set DeletionPolicy: Delete in environments that are thrown away."
    source_url = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html"

    def find(self, cfn: Template) -> Found:
        """Yield each one without."""
        for resource in resources(cfn, *_PROPERTIES, _REPLICAS, _BALANCER).values():
            if cfn.template["Resources"][resource.name].get("DeletionPolicy") == "Delete":
                continue
            for path, key in _unprotected(resource):
                message = (
                    f"{resource.name} can be deleted by one mistaken call; set {key}, "
                    "or DeletionPolicy: Delete if it is meant to be thrown away"
                )
                yield path, message


def _unprotected(resource: Resource) -> Iterator[tuple[Sequence[str | int], str]]:
    if resource.type == _BALANCER:
        if resource.get("Type") != "gateway" and _is_balancer_off(resource):
            yield resource.path("LoadBalancerAttributes"), _ATTRIBUTE
    elif resource.type == _REPLICAS:
        for path, replica in resource.find("Replicas", "*"):
            if isinstance(replica, dict) and _is_off(replica.get("DeletionProtectionEnabled")):
                yield path, "DeletionProtectionEnabled"
    elif not any(key in resource.properties for key in ("DBClusterIdentifier", "SourceDBInstanceIdentifier")):
        key = _PROPERTIES[resource.type]
        if _is_off(resource.get(key)):
            yield resource.path(key), key


def _is_balancer_off(balancer: Resource) -> bool:
    attributes = balancer.plain("LoadBalancerAttributes") if "LoadBalancerAttributes" in balancer.properties else []
    if attributes is None or not all(isinstance(item, dict) for item in attributes):
        return False
    if not all(isinstance(item.get("Key"), str) for item in attributes):
        return False
    return all(_is_off(item.get("Value")) for item in attributes if item["Key"] == _ATTRIBUTE)


def _is_off(value: Any) -> bool:
    return value is None or is_false(value) or value == "INACTIVE"
