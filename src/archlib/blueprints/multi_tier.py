"""Multi-tier: presentation, application and data, each in its own subnets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from archlib.blueprints.entry import Entry
from archlib.blueprints.entry_settings import RouteSettings
from archlib.blueprints.multi_tier_settings import MultiTierSettings
from archlib.blueprints.serverless import in_network
from archlib.blueprints.serverless_settings import ServerlessSettings, only_one
from archlib.blueprints.services import Services
from archlib.components.compute.instances import Instances
from archlib.components.containers.service import FargateService
from archlib.components.functions.function import Function
from archlib.components.observability.access_logs import AccessLogs
from archlib.components.storage.bucket import Bucket
from archlib.core.app import App
from archlib.core.source import Source
from archlib.wiring.watch import Watched

__all__ = ["MultiTier", "MultiTierSettings"]

_NAME = "application"
_HELLO = """\
cat > /etc/systemd/system/hello.service <<'END'
[Service]
DynamicUser=yes
Restart=always
ExecStart=/usr/bin/python3 -m http.server {{ port }} --directory /usr/share/doc
END
systemctl enable --now hello.service
curl --fail --silent --retry 10 --retry-connrefused --output /dev/null http://localhost:{{ port }}/
"""


class MultiTier(Services):
    """Presentation, application and data tiers: files, code behind a load balancer, databases and caches.

    All of the ``serverless`` blueprint can be used beside them. Stacks, each depending on those above it::

        foundation     the key
        network        the VPC: public subnets for the load balancer, private for code, isolated for data
        data           what holds state, the files of the presentation tier, and the topic that alarms tell
        images         repositories of container images, for a service of containers; images-n1 ... beyond 75
        cluster        its cluster
        ingress        the load balancer, certificate, records, firewall
        edge           in us-east-1: the distribution with its certificate, records and firewall
        application    the code: instances, a service or a function
        app            functions, state machines, APIs, rules and schedules, if there are any
        monitoring     alarms and the dashboard; monitoring-us-east1 those of the edge

    Attributes:
        files: the :class:`Bucket` with the files, or None.
        entry: the :class:`Entry`.
        application: the :class:`Instances`, :class:`FargateService` or :class:`Function`.
        repositories: the repositories by name.
        cluster: the :class:`Cluster` of a service.
    """

    name: ClassVar[str] = "multi-tier"
    Settings: ClassVar[type[ServerlessSettings]] = MultiTierSettings
    starter: ClassVar[Mapping[str, Any]] = {
        "entry": "cloudfront",
        "application": {
            "instances": {
                "user_data": {"text": _HELLO},
                "connects_to": ["orders"],
                "reads": ["sessions"],
                "writes": ["sessions"],
            }
        },
        "databases": {"orders": {"engine": "postgres"}},
        "tables": {"sessions": {"partition_key": "session", "expires_by": "expires-at"}},
    }
    examples: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, app: App, settings: MultiTierSettings, *, source: Source | None = None) -> None:
        self.settings: MultiTierSettings
        super().__init__(app, settings, source=source)

    def choose(self) -> None:
        """Take the one kind of application that is given."""
        with self.at("entry"):
            self.alone("entry")
        with self.at("application"):
            self.kind, self.chosen = only_one(
                self.settings.application, "application: must be", "instances", "service", "function"
            )

    @property
    def needs_network(self) -> bool:
        """Whether something has to be inside a network: the load balancer is."""
        return True

    @property
    def something_to_watch(self) -> bool:
        """Whether there is something that alarms can tell of."""
        return True

    def inside(self) -> Iterator[tuple[tuple[str, str], Any]]:
        """Yield the place in the settings, and the settings there, of all code that runs in the network."""
        yield from super().inside()
        if self.kind != "function" or in_network(self.chosen):
            yield ("application", self.kind), self.chosen

    def network_defaults(self) -> dict[str, Any]:
        """Return what the network has unless its settings say otherwise."""
        return {"public": self.settings.presentation is None and self.settings.entry == "load-balancer"}

    def endpoints(self) -> set[str]:
        """Return the services that the code in the network calls through interface endpoints."""
        needed: set[str] = set()
        if self.kind == "instances" and not self.chosen.internet:
            needed = {*Instances.needs_endpoints, *(("logs", "monitoring") if self.chosen.agent else ())}
        elif self.kind == "service":
            needed = self.endpoints_of(self.chosen)
        return needed | super().endpoints()

    def keep(self) -> None:
        """Make what holds state."""
        super().keep()
        self.files: Bucket | None = None
        if self.settings.presentation is not None:
            with self.at("presentation", "files"):
                AccessLogs.of(self.app, stack=self.data)
                self.files = Bucket(self.data, "files", **self.settings.presentation.files.arguments())
                self.data.output("files-bucket", self.files.bucket_name, "Bucket to put the files into")

    def run(self) -> None:
        """Make what runs."""
        super().run()
        if self.kind == "service":
            self.make_cluster(self.settings)
        where = f"{self.app.name} ({self.app.environment})"
        self.code_of_tier = self.app.stack("application", description=f"Application tier of {where}")
        with self.at("application", self.kind):
            self.application = self._application()
        self.settle()
        chosen = self.settings
        self._routes = chosen.application.routes or (_route("/api/*" if chosen.presentation else "/*"),)
        self.entry = Entry(
            self, chosen, self.network, {_NAME: self._routes}, files=self.files, delivery=chosen.presentation
        )

    def _application(self) -> Instances | FargateService | Function:
        stack, chosen = self.code_of_tier, self.chosen
        match self.kind:
            case "instances":
                mounts = [self.mount(chosen.mounts)] if chosen.mounts else []
                return Instances(
                    stack,
                    _NAME,
                    network=self.network,
                    notify=self.alarm_topic,
                    file_systems=mounts,
                    **chosen.arguments(),
                )
            case "service":
                return self.make_service(stack, _NAME, chosen)
            case _:
                return self.make_function(stack, _NAME, chosen)

    def caller(self, kind: str, name: str) -> Any:
        """Return the code whose settings are at ``kind``, ``name``."""
        return self.application if kind == "application" else super().caller(kind, name)

    def wire(self) -> None:
        """Connect everything by name."""
        super().wire()
        place = ("application", self.kind)
        self.connect(place, self.chosen)
        if self.kind == "function":
            self.consume(place, self.chosen)
        else:
            self.take(place, self.chosen)
        if self.kind == "service":
            self.inject(place, self.chosen)
        for number, route in enumerate(self._routes):
            with self.at("application", "routes", number):
                self.entry.route(self.application, f"route{number + 1}" if number else "", route)

    def tiers(self) -> dict[str, Sequence[Watched]]:
        """Return the components to watch by heading."""
        return {"Entry": self.entry.parts(), "Application": [self.application], **super().tiers()}


def _route(path: str) -> RouteSettings:
    route: RouteSettings = RouteSettings.model_validate({"paths": [path]})
    return route
