"""What components can be to each other, as protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from troposphere import AWSObject

from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant, Source


class Named(Protocol):
    """Anything with a name in a stack."""

    @property
    def name(self) -> str:
        """Kebab-case name."""
        ...

    @property
    def stack(self) -> Stack:
        """The stack it lives in."""
        ...


class Caller(Named, Protocol):
    """A component that runs code: a function, a service, a group of instances."""

    @property
    def security_group(self) -> Value | None:
        """Id of its security group; None when it is not in a network."""
        ...

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the caller's role."""
        ...

    def set_environment(self, key: str, value: Value) -> None:
        """Add an environment variable to the caller's code."""
        ...

    def set_secret(self, key: str, arn: Value) -> None:
        """Make the secret ``arn`` known to the caller's code, by ARN only."""
        ...


class Network(Protocol):
    """A VPC as components inside it see it."""

    @property
    def vpc_id(self) -> Value:
        """Id of the VPC."""
        ...

    @property
    def private_subnets(self) -> Sequence[Value]:
        """Ids of the subnets for code: no address from outside leads there."""
        ...

    @property
    def isolated_subnets(self) -> Sequence[Value]:
        """Ids of the subnets for data: no route leads out of the VPC."""
        ...

    def for_aws_apis(self) -> Binding | None:
        """Return what a caller inside needs to reach AWS APIs privately; None if there is no endpoint."""
        ...


class Target(Named, Protocol):
    """Anything a rule, a schedule, a topic or an API can start or deliver to."""

    @property
    def arn(self) -> Value:
        """What is started or delivered to."""
        ...

    @property
    def resource(self) -> AWSObject:
        """The same as a template resource: its type decides how a service delivers to it."""
        ...

    def admit(self, service: str, source: Value, *, label: str) -> bool:
        """Let AWS service ``service`` (such as ``events``) start this on behalf of the resource ``source``.

        Args:
            service: the service's name before ``.amazonaws.com``.
            source: ARN of the resource that starts it.
            label: PascalCase; tells this permission from the others in logical ids.

        Returns:
            True if a resource policy now allows it; False if the service needs a role with :meth:`start_grants`.
        """
        ...

    def start_grants(self) -> Sequence[Grant]:
        """Return the rights a role needs to start or deliver to this."""
        ...

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not deliver here."""
        ...


class Invocable(Target, Protocol):
    """A function: a target that is invoked, and answers."""

    def admit(self, service: str, source: Value, *, label: str, beside: Stack | None = None) -> bool:
        """Let AWS service ``service`` invoke the function; see :meth:`Target.admit`.

        Args:
            service: the service's name before ``.amazonaws.com``.
            source: ARN of the resource that invokes it.
            label: PascalCase; tells this permission from the others in logical ids.
            beside: the stack of what invokes, where the permission then goes, so that the function's stack does not
                depend on its callers; by default it goes beside the function.
        """
        ...


class EventSource(Named, Protocol):
    """Something whose records a function consumes: a queue or a stream."""

    def as_source(self) -> Source:
        """Return how to consume it."""
        ...


class ObjectStore(Named, Protocol):
    """Where objects are delivered to: a bucket."""

    @property
    def arn(self) -> Value:
        """ARN of the bucket."""
        ...

    @property
    def key_arn(self) -> Value:
        """ARN of the KMS key its objects are encrypted with."""
        ...

    def for_writing(self) -> Binding:
        """Return the rights to put objects there, including the key's."""
        ...


class RecordStream(Named, Protocol):
    """A stream whose records another service reads by itself, with a role."""

    @property
    def arn(self) -> Value:
        """ARN of the stream."""
        ...

    def for_reading(self) -> Binding:
        """Return the rights to read it, including the key's."""
        ...
