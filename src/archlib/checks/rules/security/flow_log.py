"""W9207: flow logs show what got through."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources


class FlowLog(Rule):
    """A flow log records only refused traffic, and nothing of an attack that succeeds."""

    id = "W9207"
    shortdesc = "Flow logs record accepted traffic too"
    description = "Set TrafficType to ALL."
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such flow log."""
        for log in resources(cfn, "AWS::EC2::FlowLog").values():
            for path, value in log.find("TrafficType"):
                if value == "REJECT":
                    yield path, f"{log.name} records only refused traffic; set TrafficType to ALL"
