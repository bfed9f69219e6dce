"""One CloudFormation stack while it is being built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from troposphere import AWSObject, Output, Parameter, Ref, Template

from archlib.core.artifact import Asset, ParameterSource, Permission
from archlib.core.naming import check_name, pascal, stack_name
from archlib.core.origin import Origin, here
from archlib.core.values import Value
from archlib.errors import Problem, SettingsError

if TYPE_CHECKING:
    from archlib.core.app import App

R = TypeVar("R", bound=AWSObject)
Removal = Literal["Retain", "Delete"]

ASSET_BUCKET = "AssetBucket"
_PREFIX_LISTS = {
    "cloudfront": "com.amazonaws.global.cloudfront.origin-facing",
    "dynamodb": "com.amazonaws.<region>.dynamodb",
    "s3": "com.amazonaws.<region>.s3",
}

_SNAPSHOT_TYPES = frozenset(
    {
        "AWS::EC2::Volume",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::Neptune::DBCluster",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Redshift::Cluster",
    }
)


class Stack:
    """One CloudFormation stack of an :class:`~archlib.App`.

    Args:
        app: the app the stack belongs to.
        name: kebab-case, unique in the app; the stack is called ``<app>-<environment>-<name>`` in AWS.
        description: one sentence for the console; at most 1024 bytes.
        region: the one region it can be in, such as ``us-east-1`` for what CloudFront uses; by default that of the
            deployment.

    Attributes:
        template: the troposphere ``Template``, for anything archlib does not offer.

    Raises:
        SettingsError: the name is taken, malformed or too long.
    """

    def __init__(self, app: App, name: str, *, description: str = "", region: str | None = None) -> None:
        self.app = app
        self.region = region
        self.name = check_name(name, "stack")
        self.origin = here()
        self.physical_name = stack_name(app.name, app.environment, name)
        self.template = Template(Description=description or f"{pascal(name)} of {app.name} ({app.environment})")
        self.origins: dict[str, Origin] = {}
        self.permissions: dict[str, list[Permission]] = {}
        self.assets: dict[str, Asset] = {}
        self.sources: dict[str, ParameterSource] = {}
        self.published: list[Value] = []
        self.renewed: dict[str, Sequence[str]] = {}
        app.register(self)

    def __repr__(self) -> str:
        return f"Stack({self.physical_name!r})"

    def add(self, resource: R, *, stateful: bool = False) -> R:
        """Add any troposphere resource and return it.

        Args:
            resource: the resource; its title is its logical id, unique in the whole app so that any layout works.
            stateful: it holds data: the app's removal policy decides what happens to it (``Retain``, or
                ``Snapshot`` where the type can, unless the app says ``Delete``).

        Raises:
            SettingsError: the logical id is taken.
        """
        title = str(resource.title)
        other = self.app.homes.setdefault(title, self)
        if title in other.template.resources:
            first = other.origins.get(title)
            raise SettingsError(
                Problem(
                    f"resource {title!r}: logical id must be unique in the app, but stack {other.name!r} has it "
                    f"already{f' (from {first})' if first else ''}; rename one of the two",
                    here(),
                )
            )
        self.app.homes[title] = self
        if stateful:
            policy: str = self.app.removal
            if policy == "Retain" and resource.resource_type in _SNAPSHOT_TYPES:
                policy = "Snapshot"
            resource.DeletionPolicy = policy
            resource.UpdateReplacePolicy = policy
        origin = here()
        if origin:
            self.origins[title] = origin
        try:
            self.template.add_resource(resource)
        except ValueError as error:
            raise SettingsError(Problem(f"stack {self.name!r}: {error}; split the stack", origin)) from None
        return resource

    def renew(self, title: str, following: Sequence[str]) -> None:
        """Make the resource ``title`` anew whenever one of the resources ``following`` changes.

        For the few types that AWS never updates in place and that no property replaces: assembly puts a tail behind
        the logical id that changes with the content of those resources. References go on using ``title``.
        """
        self.renewed[title] = following

    def output(self, name: str, value: Value, description: str) -> None:
        """Publish ``value`` as output ``name`` (kebab-case), for people and for ``archlib deploy`` to print."""
        self.template.add_output(Output(pascal(check_name(name, "output")), Value=value, Description=description))

    def publish(self, *values: Value) -> None:
        """Have ``values`` ready for other stacks, so that the first one that refers to them does not change this one.

        Each reference to a resource of another stack needs an output there. Without this, it comes and goes with the
        stacks that use it.
        """
        self.published.extend(values)

    def parameter(self, name: str, *, description: str, default: str | None = None, type: str = "String") -> Ref:  # noqa: A002
        """Add a template parameter (kebab-case) that the deployer asks for, and return the ``Ref`` to it."""
        parameter = Parameter(pascal(check_name(name, "parameter")), Type=type, Description=description)
        if default is not None:
            parameter.Default = default
        return Ref(self.template.add_parameter(parameter))

    def asset(self, asset: Asset) -> Ref:
        """Have the deployer upload ``asset`` first, and return the ``Ref`` to the bucket it will be in."""
        self.assets[asset.key] = asset
        return self._supplied(ASSET_BUCKET, ParameterSource("asset-bucket"), "Bucket that holds the uploaded code")

    def prefix_list(self, service: str) -> Ref:
        """Return the ``Ref`` to the id of the prefix list of ``service``, which differs from region to region.

        Args:
            service: ``s3``, ``dynamodb`` or ``cloudfront``.
        """
        return self._supplied(
            f"{service.capitalize()}PrefixList",
            ParameterSource("prefix-list", output=service),
            f"Id of the prefix list {_PREFIX_LISTS[service]}, from: aws ec2 describe-managed-prefix-lists",
        )

    def _supplied(self, name: str, source: ParameterSource, description: str) -> Ref:
        """Add a parameter whose value the deployer finds out by itself."""
        if name not in self.sources:
            self.sources[name] = source
            self.template.add_parameter(Parameter(name, Type="String", Description=description))
        return Ref(name)
