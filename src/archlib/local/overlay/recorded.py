"""Types that are only recorded: the stack keeps their properties, and references get values of the right form."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from archlib.local.overlay.ministack import Made, Properties, account, new_digits, region
from archlib.local.types import ResourceType

# What Ref gives, where it is not the whole identifier of the schema.
_REFS = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("Arn",),
    "AWS::CodeDeploy::DeploymentGroup": ("DeploymentGroupName",),
    "AWS::Cognito::UserPoolIdentityProvider": ("ProviderName",),
}
# How the ids of EC2 begin, where it is not the initials of the type.
_EC2_IDS = {
    "EgressOnlyInternetGateway": "eigw",
    "Instance": "i",
    "KeyPair": "key",
    "NetworkAcl": "acl",
    "NetworkInterface": "eni",
    "PrefixList": "pl",
    "TransitGateway": "tgw",
    "TransitGatewayAttachment": "tgw-attach",
    "TransitGatewayRouteTable": "tgw-rtb",
    "VPCCidrBlock": "vpc-cidr-assoc",
    "VPCEndpointService": "vpce-svc",
    "VPCPeeringConnection": "pcx",
    "Volume": "vol",
}
# The names of services in ARNs and host names, where they are not the service of the type in small letters.
_SERVICES = {
    "ApplicationAutoScaling": "application-autoscaling",
    "CodeStarConnections": "codestar-connections",
    "ElasticLoadBalancingV2": "elasticloadbalancing",
    "EventSchemas": "schemas",
    "OpenSearchService": "es",
}
_GLOBAL = frozenset({"cloudfront", "iam", "route53"})
_WHEN = "2026-01-01T00:00:00Z"


class Recorded:
    """The handlers of one recorded type.

    Args:
        kind: what its schema says.
    """

    def __init__(self, kind: ResourceType) -> None:
        self._kind = kind
        _, service, self._resource = kind.name.split("::")
        self._service = _SERVICES.get(service, service.lower())

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Give a new resource its identity."""
        digits = new_digits()
        made = self._attributes(digits)
        named = f"{stack}-{logical_id}-{digits[:12]}"
        ref = (str(properties.get(part) or made.get(part) or named) for part in self._refs())
        physical_id = "|".join(ref)
        return physical_id, self._all_attributes(physical_id)

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        """Keep the identity: the stack keeps the new properties by itself."""
        del old, new, stack
        return physical_id, self._all_attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Forget the resource: the stack does it by itself."""

    def _refs(self) -> tuple[str, ...]:
        return _REFS.get(self._kind.name, self._kind.ref)

    def _all_attributes(self, physical_id: str) -> dict[str, Any]:
        """Return what Fn::GetAtt answers: the same for the same resource, whatever happens to it in between."""
        parts = dict(zip(self._refs(), physical_id.split("|"), strict=False))
        digits = hashlib.sha256(f"{self._kind.name} {physical_id}".encode()).hexdigest()
        attributes = self._attributes(digits, parts.get("Name") or next(iter(parts.values()), ""))
        return {**attributes, **{name: value for name, value in parts.items() if name in attributes}}

    def _attributes(self, digits: str, name: str = "") -> dict[str, Any]:
        return {attribute: self._value(attribute, digits, name) for attribute in self._kind.attributes}

    def _value(self, attribute: str, digits: str, name: str) -> str:
        """Return a value in the form that the name of ``attribute`` promises."""
        last = attribute.rsplit(".", 1)[-1]
        match last.lower():
            case word if word.endswith("accountid") or word == "ownerid":
                return account()
            case word if word.endswith("arn"):
                where = "" if self._service in _GLOBAL else region()
                named = name if name and not name.startswith("arn:") else digits[:12]
                return f"arn:aws:{self._service}:{where}:{account()}:{_kebab(self._resource)}/{named}"
            case word if word.endswith("port"):
                return "443"
            case word if word.endswith(("time", "timestamp", "createdat", "updatedat", "date")):
                return _WHEN
            case word if word.endswith(("status", "state")):
                return "ACTIVE"
            case word if word.endswith(("endpoint", "address", "domainname", "dnsname")):
                return f"{digits[:12]}.{self._service}.{region()}.amazonaws.com"
            case word if word.endswith(("url", "uri")):
                return f"https://{digits[:12]}.{self._service}.{region()}.amazonaws.com"
            case word if "version" in word:
                return "1"
            case _:
                return self._id(last, digits)

    def _id(self, attribute: str, digits: str) -> str:
        if self._service != "ec2" or not attribute.endswith("Id"):
            return digits[:12]
        initials = "".join(re.findall("[A-Z]", self._resource)).lower()
        return f"{_EC2_IDS.get(self._resource, initials)}-{digits[:17]}"


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
