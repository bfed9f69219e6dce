"""Application load balancers: HTTP and HTTPS, routed by host and path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from troposphere import ec2
from troposphere import elasticloadbalancingv2 as elb

from archlib.components.balancing.rules import PRIORITIES, Condition, Rules
from archlib.components.balancing.target_groups import (
    Balancer,
    HealthCheck,
    Spread,
    add_balancer,
    attributes,
    public_way,
)
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.access_logs import AccessLogs
from archlib.core.component import Component
from archlib.core.formats import check_certificate
from archlib.core.naming import check_name, pascal
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Deferred, Value
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, TargetGroup
from archlib.wiring.connect import open_ports
from archlib.wiring.roles import Backend, Invocable, Named, Network
from archlib.wiring.watch import Overview, Watch

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
HTTPS, HTTP = 443, 80

_IDLE = (timedelta(seconds=1), timedelta(seconds=4000))
_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
_BODY_MAX = 1024
# What scanners say of a listener without TLS.
_TLS_RULES = ("CKV_AWS_2", "CKV_AWS_103", "NIST.800.53.R5-ELBv2ACMCertificateRequired")


class ApplicationLoadBalancer(Balancer, Component):
    """An application load balancer that speaks TLS, answers 404, and passes on what it is given routes for.

    Creates ``<Name>LoadBalancer``, ``<Name>LoadBalancerSecurityGroup`` and ``<Name>Listener``; with
    ``redirect_http`` also ``<Name>RedirectListener``, with ``more_certificates`` ``<Name>ListenerCertificates``.

    :meth:`route` creates ``<Target><Name>TargetGroup`` and ``<Target><Name>Rule`` in the stack of the target, which
    then depends on that of the load balancer and never the other way; for a service whose deployments move requests
    also ``<Target><Name>AlternateTargetGroup``. The access logs go to ``AccessLogsBucket`` in
    the stack ``foundation``, under the load balancer's name.

    See https://docs.aws.amazon.com/elasticloadbalancing/latest/application/introduction.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        network: the VPC; in its public subnets if it faces the internet, else in the private ones.
        certificate: ARN of the certificate, in this region.
        more_certificates: ARNs of further ones, chosen by the name the client asks for; up to 25.
        internal: it is reached from inside the network only, by those who are connected to it.
        redirect_http: also listen on port 80, to redirect to HTTPS and for nothing else.
        plain_http: the reason why it may speak HTTP, at port 80, without a certificate.
        dual_stack: also answer at IPv6 addresses; the network must have them.
        idle_timeout: how long a connection may be silent, 1 to 4000 seconds.
        tls_policy: which versions and ciphers of TLS are offered; TLS 1.2 and 1.3 by default.

    Attributes:
        resource: the ``AWS::ElasticLoadBalancingV2::LoadBalancer``.
        listener: the ``AWS::ElasticLoadBalancingV2::Listener`` that routes requests.
        security_group: id of its security group.
        port: TCP port it answers on.

    Raises:
        SettingsError: a setting is outside its range, or there is neither a certificate nor a reason to have none.
    """

    kind = "LoadBalancer"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        certificate: Value | None = None,
        more_certificates: Sequence[Value] = (),
        internal: bool = False,
        redirect_http: bool = False,
        plain_http: str | None = None,
        dual_stack: bool = False,
        idle_timeout: timedelta = timedelta(seconds=60),
        tls_policy: str = TLS_POLICY,
    ) -> None:
        super().__init__(stack, name)
        subnets = network.private_subnets if internal else network.public_subnets
        with self.checking() as check:
            check.that(
                (certificate is None) != (plain_http is None),
                "certificate", "given, or else plain_http with the reason why it may do without TLS", certificate,
            )  # fmt: skip
            check.that(
                len(subnets) > 1,
                "network", f"one with {'private' if internal else 'public'} subnets in two zones", len(subnets),
            )  # fmt: skip
            check.that(not (redirect_http and not certificate), "redirect_http", "false without certificate", True)
            check.that(certificate or not more_certificates, "more_certificates", "left out without certificate",
                       len(more_certificates))  # fmt: skip
            check.between("more_certificates", len(more_certificates), 0, 25)
            check_certificate(check, "certificate", certificate, region=stack.region)
            for each in more_certificates:
                check_certificate(check, "more_certificates", each, region=stack.region)
            check.between("idle_timeout", idle_timeout, *_IDLE)
        self.network = network
        self.internal = internal
        self.port = HTTPS if certificate else HTTP
        self._rules = Rules(str(self))
        self._made: dict[Backend | Invocable, tuple[TargetGroup, HealthCheck, Spread]] = {}
        logs = AccessLogs.of(stack.app)
        logs.admit_load_balancer(name)

        group = SecurityGroup(stack, f"{name}-load-balancer", vpc_id=network.vpc_id, description=f"Requests to {name}")
        self.security_group = group.group_id
        self.resource = elb.LoadBalancer(
            self.id(),
            IpAddressType="dualstack" if dual_stack else "ipv4",
            LoadBalancerAttributes=attributes(
                elb.LoadBalancerAttributes,
                {
                    "access_logs.s3.bucket": logs.bucket_name,
                    "access_logs.s3.enabled": "true",
                    "access_logs.s3.prefix": name,
                    "deletion_protection.enabled": "true" if stack.app.removal == "Retain" else "false",
                    "idle_timeout.timeout_seconds": str(seconds(idle_timeout)),
                    "routing.http.desync_mitigation_mode": "defensive",
                    "routing.http.drop_invalid_header_fields.enabled": "true",
                    "routing.http2.enabled": "true",
                },
            ),
            Scheme="internal" if internal else "internet-facing",
            SecurityGroups=[group.group_id],
            Subnets=list(subnets),
            Type="application",
            # Elastic Load Balancing tries to write to the bucket when it is told of it.
            DependsOn=[logs.policy, *public_way(network, internal=internal)],
        )
        add_balancer(self, self.resource)
        self.listener = self._listen(certificate, more_certificates, tls_policy)
        if not internal:
            suppress(self.resource, "public-entry-point")
            group.admit_everyone(self.port, ipv6=dual_stack)
        if redirect_http:
            self._redirect()
            if not internal:
                suppress(group.resource, "http-redirect-listener")
                group.admit_everyone(HTTP, ipv6=dual_stack)
        if plain_http is not None:
            for rule in _TLS_RULES:
                stack.app.waive(self.id("Listener"), rule, reason=plain_http)

    def _listen(self, certificate: Value | None, more: Sequence[Value], tls_policy: str) -> elb.Listener:
        listener = elb.Listener(
            self.id("Listener"), DefaultActions=[_answer(elb.Action, 404, "not found")],
            LoadBalancerArn=self.arn, Port=self.port, Protocol="HTTPS" if certificate else "HTTP",
        )  # fmt: skip
        if certificate:
            listener.Certificates = [elb.Certificate(CertificateArn=certificate)]
            listener.SslPolicy = tls_policy
        self.add(listener)
        if more:
            self.add(
                elb.ListenerCertificate(
                    self.id("ListenerCertificates"),
                    Certificates=[elb.Certificate(CertificateArn=each) for each in more],
                    ListenerArn=self.listener_arn,
                )
            )
        return listener

    def _redirect(self) -> None:
        redirect = elb.RedirectConfig(Protocol="HTTPS", Port=str(HTTPS), StatusCode="HTTP_301")
        listener = elb.Listener(
            self.id("RedirectListener"),
            DefaultActions=[elb.Action(Type="redirect", RedirectConfig=redirect)],
            LoadBalancerArn=self.arn,
            Port=HTTP,
            Protocol="HTTP",
        )
        suppress(listener, "http-redirect-listener")
        self.add(listener)

    @property
    def listener_arn(self) -> Value:
        """ARN of the listener that routes requests."""
        return self.ref("Listener")

    def for_calling(self) -> Binding:
        """Return what a caller inside the network needs: its port, and ``<NAME>_HOST``.

        A certificate is for the name of an alias record, which the caller must use then.
        """
        return Binding(
            self.name,
            f"calling {self}",
            environment={"HOST": self.dns_name},
            ports=(self.port,),
            security_group=self.security_group,
        )

    def admit_cloudfront(self) -> Sequence[str]:
        """Let CloudFront in, for distributions that have this load balancer as a VPC origin.

        Creates ``<Name>CloudfrontIngress``, and an internet gateway of the network, which CloudFront asks for but sends
        nothing through. Only addresses of CloudFront get in, and as the load balancer has none that is reachable from
        the internet, only through a VPC origin of this account.

        Returns:
            The logical ids of what must be there before the VPC origin.
        """
        title = self.id("CloudfrontIngress")
        if title not in self.stack.template.resources:
            self.add(
                ec2.SecurityGroupIngress(
                    title,
                    Description=f"CloudFront to {self.name} on port {self.port}",
                    GroupId=self.security_group,
                    IpProtocol="tcp",
                    FromPort=self.port,
                    ToPort=self.port,
                    SourcePrefixListId=self.stack.prefix_list("cloudfront"),
                )
            )
        return [each for each in (self.network.attach(), title, self.id("Listener")) if each]

    def route(
        self,
        target: Backend | Invocable,
        *,
        paths: Sequence[str] = (),
        hosts: Sequence[str] = (),
        methods: Sequence[str] = (),
        headers: Mapping[str, Sequence[str]] | None = None,
        addresses: Sequence[str] = (),
        priority: int | None = None,
        health: HealthCheck | None = None,
        spread: Spread | None = None,
        label: str = "",
    ) -> TargetGroup:
        """Send the requests that meet all the conditions to ``target``.

        Everything this makes is in the stack of the target: the target group, the rule, and the security-group rules
        of both sides.

        Args:
            target: a service, a group of instances, or a function.
            paths: patterns such as ``/orders/*``; one of them must match.
            hosts: patterns such as ``api.example.com``; one of them must match.
            methods: HTTP methods.
            headers: header -> patterns of its value.
            addresses: blocks of addresses (CIDR) the request comes from.
            priority: 1 to 49000; rules are tried from the lowest to the highest. By default rules for hosts and
                deeper paths come first.
            health: how to find out whether a target is well; its path is ``/`` by default.
            spread: how requests are spread over the targets.
            label: kebab-case; tells a second route to the same target from the first.

        Raises:
            SettingsError: a condition is malformed.
            WiringError: two routes clash, or there are over 100.
        """
        name = f"{target.name}-{label}" if label else target.name
        group = self._target_group(target, self._title(name), health or HealthCheck(), spread or Spread())
        condition = Condition(paths, hosts, methods, headers or {}, addresses)
        forward = elb.ListenerRuleAction(Type="forward")
        if group.alternate is None:
            forward.TargetGroupArn = group.arn
        else:
            shares = ((group, 1), (group.alternate, 0))
            forward.ForwardConfig = elb.ForwardConfig(
                TargetGroups=[elb.TargetGroupTuple(TargetGroupArn=each.arn, Weight=weight) for each, weight in shares]
            )
        self._rule(target.stack, name, condition, forward, priority)
        return group

    def split(
        self,
        targets: Mapping[Backend, int],
        *,
        paths: Sequence[str] = (),
        hosts: Sequence[str] = (),
        priority: int | None = None,
        health: HealthCheck | None = None,
        spread: Spread | None = None,
    ) -> None:
        """Send the requests to several targets of one stack by weight, 0 to 999.

        Raises:
            SettingsError: a condition is malformed, or there are fewer than two targets or more than five.
            WiringError: two routes clash, or there are over 100.
        """
        with self.checking() as check:
            check.between("targets", len(targets), 2, 5)
            places = sorted({target.stack.name for target in targets})
            check.that(len(places) == 1, "targets", "in one stack, as each waits for the rule of all", places)
            for target, weight in targets.items():
                check.between(f"weight of {target.name!r}", weight, 0, 999)
        *_, last = targets
        name = f"{last.name}-split"
        groups = [
            elb.TargetGroupTuple(
                TargetGroupArn=self._target_group(
                    target, self._title(name), health or HealthCheck(), spread or Spread()
                ).arn,
                Weight=weight,
            )
            for target, weight in targets.items()
        ]
        forward = elb.ListenerRuleAction(Type="forward", ForwardConfig=elb.ForwardConfig(TargetGroups=groups))
        self._rule(last.stack, name, Condition(paths, hosts), forward, priority)

    def respond(
        self,
        label: str,
        *,
        status: int,
        body: str = "",
        content_type: str = "text/plain",
        paths: Sequence[str] = (),
        hosts: Sequence[str] = (),
        priority: int | None = None,
    ) -> None:
        """Answer the requests at once, as for maintenance or ``/robots.txt``.

        Creates ``<Label><Name>Rule``.

        Raises:
            SettingsError: the answer or a condition is malformed.
            WiringError: two routes clash, or there are over 100.
        """
        with self.checking() as check:
            check.that(200 <= status < 600 and not 300 <= status < 400, "status", "2xx, 4xx or 5xx", status)  # noqa: PLR2004
            check.one_of("content_type", content_type, _TYPES)
            check.that(len(body) <= _BODY_MAX, "body", f"at most {_BODY_MAX} characters", len(body))
        action = _answer(elb.ListenerRuleAction, status, body, content_type)
        self._rule(self.stack, check_name(label, "label"), Condition(paths, hosts), action, priority)

    def _rule(
        self, stack: Stack, name: str, condition: Condition, action: elb.ListenerRuleAction, priority: int | None
    ) -> None:
        with self.checking() as check:
            condition.check(check)
            check.between("priority", priority, *PRIORITIES)
        self._rules.add(name, condition, priority)
        stack.add(
            elb.ListenerRule(
                self._title(name),
                Actions=[action],
                Conditions=condition.render(),
                ListenerArn=self.listener_arn,
                Priority=Deferred(lambda: self._rules.priority(name)),
            )
        )

    def _title(self, rule: str) -> str:
        return f"{pascal(rule)}{pascal(self.name)}Rule"

    def _target_group(self, target: Backend | Invocable, rule: str, health: HealthCheck, spread: Spread) -> TargetGroup:
        """Return the group of ``target``, made and joined the first time, which is then behind ``rule``."""
        if target in self._made:
            group, *known = self._made[target]
            if known != [health, spread]:
                raise WiringError(
                    f"{self}: health and spread of {target.name!r} must be the same for all its routes, got others; "
                    "leave them out of all routes but the first"
                )
            return group
        with self.checking() as check:
            health.check(check)
            spread.check(check)
        group = (
            self._group_in_network(target, rule, health, spread)
            if isinstance(target, Backend)
            else self._group_of_function(target, rule)
        )
        self._made[target] = (group, health, spread)
        return group

    def _group_in_network(self, target: Backend, rule: str, health: HealthCheck, spread: Spread) -> TargetGroup:
        def make(label: str, alternate: TargetGroup | None = None) -> TargetGroup:
            group = elb.TargetGroup(
                f"{_pair(target, self)}{label}TargetGroup",
                Port=target.port,
                Protocol="HTTP",
                ProtocolVersion=spread.version,
                TargetGroupAttributes=attributes(elb.TargetGroupAttribute, dict(spread.attributes())),
                TargetType=target.target_type,
                VpcId=target.network.vpc_id,
            )
            health.apply(group, http=True)
            target.stack.add(group)
            return self._described(group, rule, spread.drain, alternate)

        group = make("", make("Alternate") if target.moves else None)
        way = Binding(
            target.name, f"requests to {target.name!r}", ports=(target.port,), security_group=target.security_group
        )
        open_ports(self.name, self.security_group, way, stack=target.stack)
        target.join(group)
        return group

    def _group_of_function(self, function: Invocable, rule: str) -> TargetGroup:
        before = set(function.stack.template.resources)
        # The group cannot hold the function before it is admitted: so the permission cannot name the group.
        function.admit("elasticloadbalancing", None, label=pascal(self.name), beside=function.stack)
        group = elb.TargetGroup(
            f"{_pair(function, self)}TargetGroup",
            TargetType="lambda",
            Targets=[elb.TargetDescription(Id=function.arn)],
            DependsOn=[title for title in function.stack.template.resources if title not in before],
        )
        function.stack.add(group)
        return self._described(group, rule, timedelta(0))

    def _described(
        self, group: elb.TargetGroup, rule: str, drain: timedelta, alternate: TargetGroup | None = None
    ) -> TargetGroup:
        return TargetGroup(
            group.ref(), group.get_att("TargetGroupFullName"), self.full_name, rule, drain, alternate=alternate
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that requests fail, take long, or are refused; targets are watched where they are."""
        namespace, dimensions = "AWS/ApplicationELB", {"LoadBalancer": self.full_name}
        return [
            Watch("errors", f"Server errors of {self}", namespace, "HTTPCode_ELB_5XX_Count", dimensions, "Sum", 10),
            Watch("latency", f"Slowest hundredth of answers of {self}, seconds", namespace, "TargetResponseTime",
                  dimensions, "p99", 2, periods=3),
            Watch("rejected", f"Refused connections of {self}", namespace, "RejectedConnectionCount", dimensions,
                  "Sum", 1),
        ]  # fmt: skip

    def overviews(self) -> Sequence[Overview]:
        """Return how the targets answer, whichever there are."""
        namespace, dimensions, where = (
            "AWS/ApplicationELB", ("LoadBalancer", "TargetGroup"), {"LoadBalancer": self.full_name},
        )  # fmt: skip
        return (
            Overview(f"Requests through {self} by target", namespace, "RequestCount", dimensions, where, "Sum"),
            Overview(
                f"Response times behind {self}, seconds", namespace, "TargetResponseTime", dimensions, where, "p99"
            ),
            Overview(
                f"Targets of {self} that are not well", namespace, "UnHealthyHostCount", dimensions, where, "Maximum"
            ),
        )


def _pair(target: Named, balancer: Named) -> str:
    return f"{pascal(target.name)}{pascal(balancer.name)}"


def _answer(kind: Any, status: int, body: str, content_type: str = "text/plain") -> Any:
    config = elb.FixedResponseConfig(ContentType=content_type, MessageBody=body, StatusCode=str(status))
    return kind(Type="fixed-response", FixedResponseConfig=config)
