"""What differs from one database engine to the next."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Literal

from troposphere import rds

from archlib.core.component import Check, Component
from archlib.core.suppression import suppress

GIB = 2**30

EngineName = Literal["postgres", "mysql", "aurora-postgres", "aurora-mysql"]

# Memory that PostgreSQL and MySQL reckon for each connection by default, and what RDS lets PostgreSQL accept at most;
# less on Aurora Serverless that may shrink to half a unit or less.
_POSTGRES_BYTES, _POSTGRES_MAX, _POSTGRES_MAX_SMALL = 9_531_392, 5000, 2000
_MYSQL_BYTES = 12_582_880
_AUDITED = "CONNECT,QUERY_DCL"
_TOO_SMALL = r"db\.t3\.(micro|small)|db\.t4g\.(micro|small)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine and its defaults.

    Attributes:
        name: what RDS calls it.
        version: the current one.
        versions: pattern of versions; its first group is the major one.
        versions_like: the same in words.
        proxy_family: what RDS Proxy calls the protocol.
        proxy_port: the port RDS Proxy listens on, which nobody can choose.
        port: another one than the engine's own.
        logs: all that it can send to CloudWatch Logs.
        tls: the parameter that refuses connections without TLS.
        parameters: what is set by default, among them ``tls``.
        plugin: the option that keeps an audit log, if that takes one, and its settings.
        no_insights: pattern of the instance classes for which there is no Performance Insights.
    """

    name: str
    version: str
    versions: str
    versions_like: str
    proxy_family: Literal["POSTGRESQL", "MYSQL"]
    proxy_port: int
    port: int
    logs: Sequence[str]
    tls: str
    parameters: Mapping[str, str]
    plugin: tuple[str, Mapping[str, str]] | None = None
    no_insights: str = "none"

    @property
    def aurora(self) -> bool:
        """It is an engine of Aurora."""
        return self.name.startswith("aurora")

    def check(self, check: Check, version: str, parameters: Mapping[str, str]) -> None:
        """Note a version that it cannot have, and parameters that would allow connections without TLS."""
        check.that(re.fullmatch(self.versions, version), "version", f"like {self.versions_like}", version)
        check.that(self.tls not in parameters, "parameters", f"without {self.tls}", parameters)

    def connections(self, memory_gib: float, *, shrinks: bool = False) -> int:
        """Return how many connections it accepts by default; ``shrinks`` to half a capacity unit or less."""
        if self.proxy_family == "POSTGRESQL":
            most = _POSTGRES_MAX_SMALL if shrinks else _POSTGRES_MAX
            return min(most, int(memory_gib * GIB / _POSTGRES_BYTES))
        if self.aurora:
            return int(max(45 * log2(memory_gib), 1000 * log2(memory_gib / 8)))
        return int(memory_gib * GIB / _MYSQL_BYTES)


_POSTGRES = Engine(
    name="postgres",
    version="18",
    versions=r"(\d\d)(\.\d+)?",
    versions_like="'18' or '18.4'",
    proxy_family="POSTGRESQL",
    proxy_port=5432,
    port=5433,
    logs=("postgresql", "upgrade"),
    tls="rds.force_ssl",
    parameters={"rds.force_ssl": "1"},
)
_MYSQL = Engine(
    name="mysql",
    # cfn-lint refuses a major version of MySQL; RDS follows minor ones all the same.
    version="8.4.9",
    versions=r"([89]\.\d)\.\d+",
    versions_like="'8.4.9'",
    proxy_family="MYSQL",
    proxy_port=3306,
    port=3307,
    logs=("audit", "error", "general", "slowquery"),
    tls="require_secure_transport",
    # What MySQL logs to a table is not sent anywhere.
    parameters={"log_output": "FILE", "require_secure_transport": "1", "slow_query_log": "1"},
    plugin=("MARIADB_AUDIT_PLUGIN", {"SERVER_AUDIT_EVENTS": _AUDITED}),
    no_insights=_TOO_SMALL,
)

ENGINES: Mapping[EngineName, Engine] = {
    "postgres": _POSTGRES,
    "mysql": _MYSQL,
    "aurora-postgres": replace(_POSTGRES, name="aurora-postgresql", logs=("postgresql",)),
    "aurora-mysql": replace(
        _MYSQL,
        name="aurora-mysql",
        version="8.4",
        versions=r"([89]\.\d)(\.mysql_aurora(\.\d+)+)?",
        versions_like="'8.4' or '8.4.mysql_aurora.8.4.7'",
        parameters={
            "require_secure_transport": "ON",
            "server_audit_events": _AUDITED,
            "server_audit_logging": "1",
            "slow_query_log": "1",
        },
        plugin=None,
        no_insights=r"db\.t3\..*|" + _TOO_SMALL,
    ),
}


def configure(database: Component, engine: Engine, version: str, parameters: Mapping[str, str]) -> None:
    """Add the settings of ``database``, those by default and ``parameters``, and the plugin of the engine if any."""
    major = re.sub(engine.versions, r"\1", version)
    group = rds.DBClusterParameterGroup if engine.aurora else rds.DBParameterGroup
    resource = group(
        database.id("DatabaseParameters"),
        Description=f"Settings of {database}",
        Family=f"{engine.name}{major}",
        Parameters={**engine.parameters, **parameters},
    )
    if engine.aurora:
        suppress(resource, "aurora-instance-inherits")
    database.add(resource)
    if engine.plugin is None:
        return
    option, settings = engine.plugin
    # It cannot be deleted before all snapshots of the database, so it stays where they do.
    database.add(
        rds.OptionGroup(
            database.id("DatabaseOptions"),
            EngineName=engine.name,
            MajorEngineVersion=major,
            OptionConfigurations=[
                rds.OptionConfiguration(
                    OptionName=option,
                    OptionSettings=[rds.OptionSetting(Name=key, Value=value) for key, value in settings.items()],
                )
            ],
            OptionGroupDescription=f"Audit log of {database}",
        ),
        stateful=True,
    )
