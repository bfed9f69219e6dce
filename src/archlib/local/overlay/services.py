# ruff: noqa: SLF001  (MiniStack has no public names for its stores)
"""What other services of MiniStack have, but not its CloudFormation: archives, health checks, firewall associations."""

from __future__ import annotations

import copy
import json

from archlib.local.overlay.ministack import Handler, Made, Properties, checked, json_of, new_digits, service

_EVENTS = service("eventbridge")
_ROUTE53 = service("route53")
_WAF = service("waf")


class Archive:
    """``AWS::Events::Archive``."""

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Create the archive."""
        name = properties.get("ArchiveName") or f"{stack}-{logical_id}"[:35] + f"-{new_digits()[:12]}"
        made = json_of(_EVENTS._create_archive(self._request(name, properties)))
        return name, {"Arn": made["ArchiveArn"]}

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        """Change pattern, description, retention or key."""
        del old, stack
        made = json_of(_EVENTS._update_archive(self._request(physical_id, new)))
        return physical_id, {"Arn": made["ArchiveArn"]}

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the archive."""
        del properties
        checked(_EVENTS._delete_archive({"ArchiveName": physical_id}))

    def _request(self, name: str, properties: Properties) -> Properties:
        pattern = properties.get("EventPattern", "")
        return {
            **{key: value for key, value in properties.items() if key not in {"ArchiveName", "SourceArn"}},
            "ArchiveName": name,
            "EventSourceArn": properties.get("SourceArn", ""),
            "EventPattern": pattern if isinstance(pattern, str) else json.dumps(pattern),
            "RetentionDays": int(properties.get("RetentionDays", 0)),
        }


class HealthCheck:
    """``AWS::Route53::HealthCheck``."""

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Keep the health check where Route 53 finds it."""
        del logical_id, stack
        made = _ROUTE53._hc_id()
        config = copy.deepcopy(properties["HealthCheckConfig"])
        reference = new_digits()
        _ROUTE53._health_checks[made] = {"id": made, "caller_reference": reference, "config": config, "version": 1}
        _ROUTE53._hc_caller_refs[reference] = made
        return made, {"HealthCheckId": made}

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        """Change what is checked."""
        del old, stack
        record = _ROUTE53._health_checks[physical_id]
        record["config"] = copy.deepcopy(new["HealthCheckConfig"])
        record["version"] += 1
        return physical_id, {"HealthCheckId": physical_id}

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the health check."""
        del properties
        checked(_ROUTE53._delete_health_check(physical_id))


class FirewallAssociation:
    """``AWS::WAFv2::WebACLAssociation``."""

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        """Put the firewall in front of the resource."""
        del logical_id, stack
        checked(_WAF._associate_web_acl({key: properties[key] for key in ("ResourceArn", "WebACLArn")}))
        return f"{properties['ResourceArn']}|{properties['WebACLArn']}", {}

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        """Change nothing: every property replaces the association."""
        del old, new, stack
        return physical_id, {}

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Take the firewall away, unless another one has taken its place."""
        del physical_id
        if _WAF._associations.get(properties["ResourceArn"]) == properties["WebACLArn"]:
            _WAF._disassociate_web_acl(properties)


HANDLERS: dict[str, Handler] = {
    "AWS::Events::Archive": Archive(),
    "AWS::Route53::HealthCheck": HealthCheck(),
    "AWS::WAFv2::WebACLAssociation": FirewallAssociation(),
}
