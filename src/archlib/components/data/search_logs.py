"""Where a search domain writes its logs."""

from __future__ import annotations

from typing import Any

from troposphere import logs, opensearchservice

from archlib.components.identity.key import Key
from archlib.components.observability.log_group import LogGroup
from archlib.core.component import Component
from archlib.core.values import ACCOUNT, Deferred, Value
from archlib.wiring.policies import VERSION, service_principal

# what logical ids call it -> what OpenSearch Service calls it
_KINDS = {
    "application": "ES_APPLICATION_LOGS",
    "audit": "AUDIT_LOGS",
    "index-slow": "INDEX_SLOW_LOGS",
    "search-slow": "SEARCH_SLOW_LOGS",
}
_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")


def publish_logs(
    domain: Component, physical_name: str, domain_arn: Value, *, retention_days: int, key: Key
) -> tuple[dict[str, Any], str]:
    """Add a log group for each kind of log, and the policy that lets ``domain`` alone write to them.

    Returns:
        what the domain publishes, and the logical id of the policy, which must exist before the domain.
    """
    groups = {
        kind: LogGroup(domain.stack, f"{domain.name}-search-domain-{kind}", retention_days=retention_days, key=key)
        for kind in _KINDS
    }
    statement = {
        "Effect": "Allow",
        "Principal": service_principal("es"),
        "Action": list(_ACTIONS),
        "Resource": [group.attribute("Arn") for group in groups.values()],
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": domain_arn}},
    }
    policy = domain.add(
        logs.ResourcePolicy(
            domain.id("SearchDomainLogsPolicy"),
            PolicyDocument=Deferred(lambda: {"Version": VERSION, "Statement": [statement]}),
            PolicyName=f"{physical_name}-logs",
        )
    )
    published = {
        _KINDS[kind]: opensearchservice.LogPublishingOption(
            CloudWatchLogsLogGroupArn=group.attribute("Arn"), Enabled=True
        )
        for kind, group in groups.items()
    }
    return published, str(policy.title)
