"""Web firewalls: AWS WAF before REST APIs, load balancers, user pools and CloudFront."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Literal

from troposphere import wafv2

from archlib.components.identity.key import Key
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Component
from archlib.core.formats import check_block
from archlib.core.naming import check_name, pascal
from archlib.core.regions import GLOBAL_REGION
from archlib.core.stack import Stack
from archlib.core.values import REGION, Value
from archlib.errors import WiringError
from archlib.wiring.watch import Watch

MANAGED_GROUPS = {
    "ip-reputation": "AWSManagedRulesAmazonIpReputationList",
    "common": "AWSManagedRulesCommonRuleSet",
    "known-bad-inputs": "AWSManagedRulesKnownBadInputsRuleSet",
    "sql-injection": "AWSManagedRulesSQLiRuleSet",
}

_ALWAYS = ("ip-reputation", "common", "known-bad-inputs")
_SCOPES = {"regional": "REGIONAL", "cloudfront": "CLOUDFRONT"}
_RATE = (10, 2_000_000_000)
_RATE_WINDOW_S = 300
_ADDRESSES_MAX = 10_000
_BLOCKED = 1000
_REDACTED = ("authorization", "cookie")


class Firewall(Component):
    """An AWS WAF web ACL: AWS's managed rules, a limit of requests per address, and lists of addresses.

    Creates ``<Name>Firewall``, ``<Name>FirewallLogGroup``, ``<Name>FirewallLogging``, for each address list and kind of
    address ``<Name>DeniedIpv4``, ``<Name>DeniedIpv6``, ``<Name>AllowedIpv4`` and ``<Name>AllowedIpv6``, and
    ``<Name><Label>Association`` for each thing it protects. The header ``Authorization`` and cookies are kept out of
    the log and of samples.

    See https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html

    Args:
        stack: where the resources go; for ``cloudfront`` it must be deployed to us-east-1.
        name: kebab-case.
        scope: ``regional`` for REST APIs, load balancers and user pools; ``cloudfront`` for distributions.
        rate_limit: requests from one address in 5 minutes, 10 or more.
        sql_injection: also look for SQL in requests; for applications with a SQL database.
        counted: managed group (``common``, ``known-bad-inputs``, ``ip-reputation``, ``sql-injection``) -> names of its
            rules that only count instead of blocking, such as ``SizeRestrictions_BODY`` for uploads.
        denied: blocks of addresses (CIDR) that are always refused.
        allowed: blocks of addresses (CIDR) that are let through without any further look, unless denied.
        log_retention_days: days a log event is kept.
        key: the KMS key of the log; the app's by default.

    Attributes:
        resource: the ``AWS::WAFv2::WebACL``.
        log_group: its :class:`LogGroup`.

    Raises:
        SettingsError: a setting is outside its range, or an address block is malformed.
    """

    kind = "Firewall"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        scope: Literal["regional", "cloudfront"] = "regional",
        rate_limit: int = 2000,
        sql_injection: bool = False,
        counted: Mapping[str, Sequence[str]] | None = None,
        denied: Sequence[str] = (),
        allowed: Sequence[str] = (),
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        groups = (*_ALWAYS, "sql-injection") if sql_injection else _ALWAYS
        with self.checking() as check:
            check.one_of("scope", scope, _SCOPES)
            check.between("rate_limit", rate_limit, *_RATE)
            check_retention(check, log_retention_days)
            for group in counted or ():
                check.one_of("counted", group, groups)
            for field, blocks in (("denied", denied), ("allowed", allowed)):
                check.that(len(blocks) <= _ADDRESSES_MAX, field, f"at most {_ADDRESSES_MAX} blocks", len(blocks))
                for block in blocks:
                    check_block(check, field, block)
                    check.that(not block.endswith("/0"), field, "narrower than all addresses", block)
        self.scope = scope
        self._rules: list[wafv2.WebACLRule] = []
        self._refer("Denied", denied, wafv2.RuleAction(Block=wafv2.BlockAction()))
        self._refer("Allowed", allowed, wafv2.RuleAction(Allow=wafv2.AllowAction()))
        self._rule(
            "rate-limit",
            wafv2.Statement(
                RateBasedStatement=wafv2.RateBasedStatement(
                    AggregateKeyType="IP", EvaluationWindowSec=_RATE_WINDOW_S, Limit=rate_limit
                )
            ),
            wafv2.RuleAction(Block=wafv2.BlockAction()),
        )
        for group in groups:
            self._manage(group, (counted or {}).get(group, ()))
        self.resource = wafv2.WebACL(
            self.id(),
            DataProtectionConfig=wafv2.DataProtectionConfig(
                DataProtections=[
                    wafv2.DataProtect(Action="SUBSTITUTION", Field=field)
                    for field in (
                        wafv2.FieldToProtect(FieldKeys=["authorization"], FieldType="SINGLE_HEADER"),
                        wafv2.FieldToProtect(FieldType="SINGLE_COOKIE"),
                    )
                ]
            ),
            DefaultAction=wafv2.DefaultAction(Allow=wafv2.AllowAction()),
            Description=f"Protects {stack.app.name}, {stack.app.environment}",
            Rules=self._rules,
            Scope=_SCOPES[scope],
            VisibilityConfig=_visible(self.name),
        )
        self.add(self.resource)
        self.log_group = LogGroup(
            stack,
            f"{name}-firewall",
            # AWS WAF delivers only to groups with this prefix.
            physical_name=f"aws-waf-logs-{stack.app.name}-{stack.app.environment}-{name}",
            retention_days=log_retention_days,
            key=key,
        )
        self.add(
            wafv2.LoggingConfiguration(
                self.id("FirewallLogging"),
                LogDestinationConfigs=[self.log_group.arn],
                RedactedFields=[
                    wafv2.LoggingConfigurationFieldToMatch(SingleHeader=wafv2.SingleHeader(Name=header))
                    for header in _REDACTED
                ],
                ResourceArn=self.arn,
            )
        )

    def _rule(self, name: str, statement: wafv2.Statement, action: wafv2.RuleAction | None) -> None:
        rule = wafv2.WebACLRule(
            Name=name, Priority=len(self._rules), Statement=statement, VisibilityConfig=_visible(name)
        )
        if action is not None:
            rule.Action = action
        else:
            rule.OverrideAction = wafv2.OverrideAction()
            rule.OverrideAction.properties["None"] = {}
        self._rules.append(rule)

    def _refer(self, label: str, blocks: Sequence[str], action: wafv2.RuleAction) -> None:
        """Add a rule for the addresses ``blocks``, with a set for each kind of address among them."""
        for version in (4, 6):
            mine = sorted({block for block in blocks if ip_network(block).version == version})
            if mine:
                role = f"{label}Ipv{version}"
                self.add(
                    wafv2.IPSet(
                        self.id(role),
                        Addresses=mine,
                        Description=f"{label} addresses of {self.name}",
                        IPAddressVersion=f"IPV{version}",
                        Scope=_SCOPES[self.scope],
                    )
                )
                reference = wafv2.IPSetReferenceStatement(Arn=self.attribute("Arn", role))
                self._rule(f"{label.lower()}-ipv{version}", wafv2.Statement(IPSetReferenceStatement=reference), action)

    def _manage(self, group: str, counted: Sequence[str]) -> None:
        managed = wafv2.ManagedRuleGroupStatement(Name=MANAGED_GROUPS[group], VendorName="AWS")
        if counted:
            managed.RuleActionOverrides = [
                wafv2.RuleActionOverride(ActionToUse=wafv2.RuleAction(Count=wafv2.CountAction()), Name=rule)
                for rule in counted
            ]
        self._rule(group, wafv2.Statement(ManagedRuleGroupStatement=managed), None)

    @property
    def arn(self) -> Value:
        """ARN of the web ACL; what a CloudFront distribution refers to."""
        return self.attribute("Arn")

    def protect(self, arn: Value, *, label: str) -> wafv2.WebACLAssociation:
        """Stand before the resource ``arn``, such as ``api.protected_arn``, and return the association.

        Creates ``<Name><Label>Association`` in the firewall's stack.

        Args:
            arn: ARN of the stage of a REST API, a load balancer, a user pool or an AppSync API.
            label: kebab-case; tells this association from the others.

        Raises:
            WiringError: the firewall is for CloudFront, whose distributions refer to the firewall themselves.
        """
        if self.scope != "regional":
            raise WiringError(f"{self}: scope must be 'regional' for {label!r}, got {self.scope!r}; make another one")
        return self.add(
            wafv2.WebACLAssociation(
                self.id(f"{pascal(check_name(label, 'label'))}Association"), ResourceArn=arn, WebACLArn=self.arn
            )
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows an attack, or rules that block what they should not."""
        dimensions: dict[str, Value] = {"Rule": "ALL", "WebACL": self.name}
        if self.scope == "regional":
            dimensions["Region"] = REGION
        return (
            Watch(
                "blocked", f"Requests blocked by {self}", "AWS/WAFV2", "BlockedRequests", dimensions, "Sum", _BLOCKED,
                region=None if self.scope == "regional" else GLOBAL_REGION,
            ),
        )  # fmt: skip


def _visible(metric: str) -> wafv2.VisibilityConfig:
    return wafv2.VisibilityConfig(CloudWatchMetricsEnabled=True, MetricName=metric, SampledRequestsEnabled=True)
