"""What a caller needs to use a component, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from archlib.core.values import Value


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
        ranges: label -> where a target without a security group answers: a CIDR block, or the id of a prefix list.
    """

    target: str
    access: str
    grants: Sequence[Grant] = ()
    environment: Mapping[str, Value] = field(default_factory=dict)
    secrets: Mapping[str, Value] = field(default_factory=dict)
    ports: Sequence[int] = ()
    security_group: Value | None = None
    ranges: Mapping[str, str] = field(default_factory=dict)


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
