"""What components can be to each other, as protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from troposphere import AWSObject

from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant, Source, TargetGroup


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

    @property
    def public_subnets(self) -> Sequence[Value]:
        """Ids of the subnets for load balancers that face the internet."""
        ...

    def for_aws_apis(self) -> Binding | None:
        """Return what a caller inside needs to reach AWS APIs privately; None if there is no endpoint."""
        ...

    def attach(self) -> str | None:
        """Make sure that there is an internet gateway, and return the logical id to wait for, if it is known."""
        ...

    def for_gateway(self, service: Literal["s3", "dynamodb"]) -> Binding:
        """Return what a caller inside needs to reach ``service`` by the free gateway endpoint."""
        ...

    def for_internet(self) -> Binding:
        """Return what a caller inside needs to open HTTPS connections to the internet."""
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

    def admit(self, service: str, source: Value | None, *, label: str, beside: Stack | None = None) -> bool:
        """Let AWS service ``service`` invoke the function; see :meth:`Target.admit`.

        Args:
            service: the service's name before ``.amazonaws.com``.
            source: ARN of the resource that invokes it; None: any of this account, for what can only be made once
                the function admits it.
            label: PascalCase; tells this permission from the others in logical ids.
            beside: the stack of what invokes, where the permission then goes, so that the function's stack does not
                depend on its callers; by default it goes beside the function.
        """
        ...


@runtime_checkable
class Backend(Named, Protocol):
    """What answers the requests of a load balancer inside a network: a service, a group of instances."""

    @property
    def target_type(self) -> Literal["instance", "ip"]:
        """How it registers with target groups."""
        ...

    @property
    def port(self) -> int:
        """TCP port it answers on."""
        ...

    @property
    def network(self) -> Network:
        """The network it is in."""
        ...

    @property
    def security_group(self) -> Value:
        """Id of its security group."""
        ...

    @property
    def moves(self) -> bool:
        """Whether its deployments move requests from one target group to an alternate one."""
        ...

    def join(self, group: TargetGroup) -> None:
        """Register with ``group``, and scale by what it measures where that was asked for."""
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
    def bucket_name(self) -> Value:
        """Name of the bucket in AWS."""
        ...

    @property
    def key_arn(self) -> Value:
        """ARN of the KMS key its objects are encrypted with."""
        ...

    def for_writing(self) -> Binding:
        """Return the rights to put objects there, including the key's."""
        ...


class DocumentStore(Named, Protocol):
    """Where documents are delivered to: a search domain inside a network."""

    @property
    def arn(self) -> Value:
        """ARN of the domain."""
        ...

    @property
    def network(self) -> Network:
        """The network it is in."""
        ...

    def for_delivering(self, index: str) -> Binding:
        """Return what a service needs to write documents to ``index`` and what rotation makes of it."""
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


class Website(Named, Protocol):
    """What CloudFront reads files from: a bucket."""

    @property
    def domain_name(self) -> Value:
        """Host name CloudFront reads from."""
        ...

    def admit_cloudfront(self) -> None:
        """Let the distributions of this account read."""
        ...


class HiddenEntry(Named, Protocol):
    """What CloudFront sends requests to inside a network: an internal load balancer."""

    @property
    def arn(self) -> Value:
        """ARN of the load balancer."""
        ...

    @property
    def dns_name(self) -> Value:
        """Its host name."""
        ...

    @property
    def port(self) -> int:
        """TCP port it answers on: 443 speaks TLS."""
        ...

    def admit_cloudfront(self) -> Sequence[str]:
        """Let CloudFront in, and return the logical ids of what must be there first."""
        ...


class Addressed(Protocol):
    """What a name in DNS can stand for: a load balancer, a distribution, the custom domain of an API."""

    @property
    def dns_name(self) -> Value:
        """Its own host name."""
        ...

    @property
    def hosted_zone_id(self) -> Value:
        """Id of the zone that host name is in."""
        ...
