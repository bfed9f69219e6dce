# ruff: noqa: SLF001  (MiniStack has no public names for its tables)
"""Answers of MiniStack that differ from those of CloudFormation, put right."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from archlib.local.overlay.ministack import Made, Properties, new_digits, region, service

_COGNITO = service("cognito")
_EC2 = service("ec2")
_IAM = service("iam")
_RDS = service("rds")
_ROUTE53 = service("route53")
_SECRETS = service("secretsmanager")
_SSM = service("ssm")
_PROVISIONERS = service("cloudformation.provisioners")
_STACKS = service("cloudformation.stacks")


def install() -> None:
    """Put every known difference right."""
    handlers = _PROVISIONERS._RESOURCE_HANDLERS
    for name, correction in CORRECTIONS.items():
        corrected = correction(handlers[name])
        actions = {key: getattr(corrected, key) for key in ("create", "update", "delete")}
        handlers[name] = handlers[name] | actions
    # Tags replace nothing in CloudFormation.
    recreation = _STACKS._property_recreation
    _STACKS._property_recreation = lambda kind, name: "Never" if name == "Tags" else recreation(kind, name)
    public_parameter = _SSM._public_parameter
    _SSM._public_parameter = lambda name: public_parameter(name) or _image_parameter(name)
    if _COGNITO._RSA_PRIVATE_KEY is None:
        # Without the package cryptography MiniStack signs the tokens of user pools with noise, and refuses them.
        _COGNITO._signed_jwt = sign
        for service_of_apis in (service("apigateway"), service("apigateway_v1")):
            service_of_apis._verify_rs256_signature = lambda token, key: key and is_signed(token)


class Correction:
    """The handlers of a type that MiniStack has.

    Args:
        original: its own handlers.
    """

    def __init__(self, original: dict[str, Any]) -> None:
        self._original = original

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Create a resource."""
        return self.complete(self._original["create"](logical_id, properties, stack), properties)

    def update(self, physical_id: str, old: Properties, new: Properties, *rest: Any) -> Made:
        """Update it."""
        return self.complete(self._original["update"](physical_id, old, new, *rest), new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete it."""
        self._original["delete"](physical_id, properties)

    def complete(self, made: Made, properties: Properties) -> Made:
        """Return what creating and updating give."""
        del properties
        return made


class Vpc(Correction):
    """``AWS::EC2::VPC``: Fn::GetAtt knows its address ranges."""

    def complete(self, made: Made, properties: Properties) -> Made:
        """Add them."""
        del properties
        physical_id, attributes = made
        block = hashlib.sha256(physical_id.encode()).hexdigest()
        return physical_id, attributes | {
            "CidrBlock": _EC2._vpcs[physical_id]["CidrBlock"],
            "CidrBlockAssociations": [],
            # Known whether or not a block of IPv6 is added to the network: nothing asks unless one is.
            "Ipv6CidrBlocks": [f"2600:1f18:{block[:4]}:{block[4:6]}00::/56"],
        }


class UserPool(Correction):
    """``AWS::Cognito::UserPool``: Fn::GetAtt knows the URL of who issues its tokens."""

    def complete(self, made: Made, properties: Properties) -> Made:
        """Add it."""
        del properties
        physical_id, attributes = made
        return physical_id, attributes | {"ProviderURL": f"https://{attributes['ProviderName']}"}


class InstanceProfile(Correction):
    """``AWS::IAM::InstanceProfile``: Ref is the name, not the ARN."""

    def update(self, physical_id: str, old: Properties, new: Properties, *rest: Any) -> Made:
        """Update the profile."""
        return super().update(self._arn(physical_id), old, new, *rest)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the profile."""
        super().delete(self._arn(physical_id), properties)

    def complete(self, made: Made, properties: Properties) -> Made:
        """Name the profile."""
        del properties
        arn, attributes = made
        return arn.rsplit("/", 1)[1], attributes

    def _arn(self, physical_id: str) -> str:
        # What is deleted after a replacement inside of MiniStack comes with its ARN.
        return str(_IAM._instance_profiles.get(physical_id, {}).get("Arn", physical_id))


class ManagedPassword(Correction):
    """Databases: the secret with the password that RDS manages exists, and goes with the database.

    Args:
        original: the handlers of MiniStack.
        store: name of the store of such databases.
        kind: how the secret's name begins.
    """

    def __init__(self, original: dict[str, Any], *, store: str, kind: str) -> None:
        super().__init__(original)
        self._store = store
        self._kind = kind

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the database and its secret."""
        secret = getattr(_RDS, self._store).get(physical_id, {}).get("MasterUserSecret")
        super().delete(physical_id, properties)
        if secret:
            _SECRETS.delete_secret_in_process(secret["SecretArn"])

    def complete(self, made: Made, properties: Properties) -> Made:
        """Make the secret if it is asked for and not there."""
        physical_id, attributes = made
        record = getattr(_RDS, self._store)[physical_id]
        if str(properties.get("ManageMasterUserPassword")).lower() == "true" and not record.get("MasterUserSecret"):
            login = {"username": properties.get("MasterUsername", "admin"), "password": new_digits()}
            key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId", "alias/aws/secretsmanager")
            name = f"rds!{self._kind}-{new_digits()}"
            secret = _SECRETS.create_secret_in_process(name, json.dumps(login), description=f"Of {physical_id}")
            record["MasterUserSecret"] = {"SecretArn": secret, "SecretStatus": "active", "KmsKeyId": key}
        if secret := record.get("MasterUserSecret"):
            attributes |= {"MasterUserSecret.SecretArn": secret["SecretArn"]}
        return physical_id, attributes


class RecordSet(Correction):
    """``AWS::Route53::RecordSet``: the zone is one of the user's account, and appears when it is named."""

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Create the record, and its zone if that is missing."""
        zone = _PROVISIONERS._r53_resolve_hosted_zone_id(properties)
        if zone not in _ROUTE53._zones and properties.get("HostedZoneId"):
            name = _ROUTE53._normalise_name(properties["Name"].split(".", 1)[-1])
            _ROUTE53._zones[zone] = {
                "id": zone,
                "name": name,
                "caller_reference": zone,
                "comment": "recorded locally",
                "private": False,
                "vpcs": [],
            }
            _ROUTE53._records[zone] = _ROUTE53._default_records(name)
            _ROUTE53._caller_refs[zone] = zone
        return super().create(logical_id, properties, stack)


def _image_parameter(name: str) -> dict[str, Any] | None:
    """Return a parameter in which AWS publishes the newest image of a kind: MiniStack knows two of them."""
    if not re.match("/aws/service/(ami|ecs/optimized-ami|eks/optimized-ami|bottlerocket)", name):
        return None
    return {
        "Name": name,
        "Type": "String",
        "Value": f"ami-{hashlib.sha256(name.encode()).hexdigest()[:17]}",
        "Version": 1,
        "LastModifiedDate": 1_767_225_600,
        "ARN": f"arn:aws:ssm:{region()}::parameter{name}",
    }


def sign(claims: Properties, pool: str = "", use: str = "") -> str:
    """Return a token with ``claims`` that :func:`is_signed` knows again."""
    del pool, use
    header = {"alg": "RS256", "kid": _COGNITO._JWKS_KEY["kid"]}
    content = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{content}.{_signature(content)}"


def is_signed(token: str) -> bool:
    """Say whether :func:`sign` made ``token``."""
    content, _, signature = token.rpartition(".")
    return hmac.compare_digest(signature.encode(), _signature(content).encode())


def _signature(content: str) -> str:
    # No secret is needed: whoever reaches the engine may do everything in it.
    return _base64url(hmac.digest(b"archlib local engine", content.encode(), "sha256"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


CORRECTIONS: dict[str, Callable[[dict[str, Any]], Correction]] = {
    "AWS::Cognito::UserPool": UserPool,
    "AWS::EC2::VPC": Vpc,
    "AWS::IAM::InstanceProfile": InstanceProfile,
    "AWS::RDS::DBCluster": partial(ManagedPassword, store="_clusters", kind="cluster"),
    "AWS::RDS::DBInstance": partial(ManagedPassword, store="_instances", kind="db"),
    "AWS::Route53::RecordSet": RecordSet,
}
