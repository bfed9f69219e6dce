"""What the CloudWatch agent on each instance sends: memory, disk, and log files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from archlib.components.compute.user_data import mark
from archlib.components.observability.log_group import check_retention
from archlib.core.component import Check
from archlib.core.values import Value
from archlib.wiring.watch import Watch

NAMESPACE = "CWAgent"
_FILES_MAX = 50


@dataclass(frozen=True, slots=True)
class Agent:
    """The CloudWatch agent: it measures memory and disk, and sends log files.

    Attributes:
        logs: log files on the instance, whole paths.
        retention_days: days a log event is kept, one of CloudWatch's values.
    """

    logs: Sequence[str] = ("/var/log/cloud-init-output.log",)
    retention_days: int = 365

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        for file in self.logs:
            check.that(file.startswith("/"), "agent.logs", "whole paths such as /var/log/app.log", file)
        check.between("agent.logs", len(self.logs), 0, _FILES_MAX)
        check_retention(check, self.retention_days, "agent.retention_days")

    def configuration(self, group: str) -> str:
        """Return it as the agent reads it, for the instances ``group``; mark 0 stands for the log group's name."""
        # A dimension of our own: for that of the Auto Scaling group the agent would have to ask EC2.
        ours = {"append_dimensions": {"Group": group}}
        files = [
            {
                "file_path": file,
                "log_group_name": mark(0),
                "log_stream_name": f"{{instance_id}}/{PurePosixPath(file).name}",
            }
            for file in self.logs
        ]
        configuration = {
            "agent": {"metrics_collection_interval": 60, "omit_hostname": True},
            "metrics": {
                "namespace": NAMESPACE,
                "metrics_collected": {
                    "mem": {"measurement": ["mem_used_percent"], **ours},
                    "disk": {"measurement": ["used_percent"], "resources": ["/"], "drop_device": True, **ours},
                },
            },
            "logs": {"logs_collected": {"files": {"collect_list": files}}},
        }
        # JSON would spell the characters of a mark out.
        return json.dumps(configuration, sort_keys=True).replace("\\u0000", "\0")

    def watches(self, title: str, group: str) -> tuple[Watch, Watch]:
        """Return the watches of memory and disk of ``title``."""
        of_group: dict[str, Value] = {"Group": group}
        of_root = {**of_group, "path": "/", "fstype": "xfs"}
        return (
            Watch(
                "memory", f"Memory of {title}, percent", NAMESPACE, "mem_used_percent", of_group, "Average", 90,
                periods=3,
            ),
            Watch("disk", f"Disk of {title}, percent", NAMESPACE, "disk_used_percent", of_root, "Maximum", 85),
        )  # fmt: skip
