"""Which key of the template encrypts what."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.read import Resource, resources
from archlib.checks.rules.security._values import reference

_KEY_PROPERTIES = {
    "AWS::CloudTrail::Trail": "KMSKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
}


class Keys:
    """The keys of a template, also behind their aliases."""

    def __init__(self, cfn: Template) -> None:
        self._keys = resources(cfn, "AWS::KMS::Key")
        self._aliases = {
            alias.name: reference(alias.get("TargetKeyId")) for alias in resources(cfn, "AWS::KMS::Alias").values()
        }

    def of(self, resource: Resource) -> Resource | None:
        """Return the key that encrypts ``resource``; None if there is none, or it is not in the template."""
        value: Any = resource.get(_KEY_PROPERTIES[resource.type]) if resource.type in _KEY_PROPERTIES else None
        if resource.type == "AWS::Kinesis::Stream" and isinstance(encryption := resource.get("StreamEncryption"), dict):
            value = encryption.get("KeyId")
        name = reference(value)
        return self._keys.get(self._aliases.get(name or "") or name or "")
