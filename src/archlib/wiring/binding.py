"""What a caller needs to use a component, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from archlib.core.values import Value, join


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to perform ``actions`` on ``resources``.

    Attributes:
        actions: IAM actions, awacs ones or text such as ``sqs:SendMessage``; never with a wildcard.
        resources: ARNs; ``("*",)`` only for actions that AWS offers no resource-level form for.
        conditions: condition operator -> key -> value.
    """

    actions: Sequence[Any]
    resources: Sequence[Value]
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A list of address blocks that AWS keeps for one of its services in each region.

    Attributes:
        service: ``s3``, ``dynamodb`` or ``cloudfront``.
        id: its id, ``pl-...``; by default a parameter of the caller's stack, which the deployer fills in.
    """

    service: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """What a caller needs to use ``target``: rights, addresses, ports and secrets.

    Attributes:
        target: name of the component; prefix of the caller's environment variables.
        access: how it is used, in words, for people who ask why a permission exists: ``sending to queue 'emails'``.
        grants: rights the caller's role gets.
        environment: suffix -> value; ``QUEUE_URL`` of ``emails`` becomes ``EMAILS_QUEUE_URL``.
        secrets: suffix -> ARN of a secret; the caller gets the ARN and resolves it at run time.
        ports: TCP ports the target listens on.
        security_group: id of the target's security group, if it is inside a network.
        ranges: label -> where a target without a security group answers: a CIDR block, or a prefix list.
    """

    target: str
    access: str
    grants: Sequence[Grant] = ()
    environment: Mapping[str, Value] = field(default_factory=dict)
    secrets: Mapping[str, Value] = field(default_factory=dict)
    ports: Sequence[int] = ()
    security_group: Value | None = None
    ranges: Mapping[str, str | PrefixList] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Where a load balancer sends the requests of one route.

    Attributes:
        arn: ARN of the group.
        full_name: its name in metrics: ``targetgroup/...``.
        load_balancer: the load balancer's name in metrics: ``app/...``; None for gateway load balancers.
        ready: logical id of what must exist before anything registers, such as the listener's rule.
        drain: how long a target goes on with what it has begun after no more is sent to it.
        requests: it counts requests; groups of network and gateway load balancers do not.
        alternate: a second group of the same listener or rule, for deployments that move requests between the two.
    """

    arn: Value
    full_name: Value
    load_balancer: Value | None
    ready: str
    drain: timedelta
    requests: bool = True
    alternate: TargetGroup | None = None

    @property
    def dimensions(self) -> dict[str, Value]:
        """What the group's metrics are told apart by."""
        found = {"TargetGroup": self.full_name}
        return found if self.load_balancer is None else {"LoadBalancer": self.load_balancer, **found}

    @property
    def resource_label(self) -> Value:
        """How a scaling policy that counts requests names the group."""
        return self.full_name if self.load_balancer is None else join(self.load_balancer, "/", self.full_name)


@dataclass(frozen=True, slots=True)
class Source:
    """How a function consumes a queue, a stream or a message broker.

    Attributes:
        binding: the rights to read it.
        arn: ARN of the queue, stream or broker.
        stream: it is read in order from a position, and fails over to a destination of the mapping; a queue is not.
        fifo: for a queue, messages arrive in order, which rules out a batching window.
        visibility: for a queue, how long a received message stays hidden.
        broker_queue: for a broker, name of the queue inside it; this is what makes the source a broker.
        credentials: for a broker, ARN of the secret with user name and password.
        virtual_host: for a RabbitMQ broker, the virtual host the queue is in.
    """

    binding: Binding
    arn: Value
    stream: bool = False
    fifo: bool = False
    visibility: timedelta | None = None
    broker_queue: str | None = None
    credentials: Value | None = None
    virtual_host: str | None = None
