"""E9108: listeners name a TLS policy that exists."""

from __future__ import annotations

import re

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources

_PREFIX = "ELBSecurityPolicy-"
_PLAIN = {
    "2015-05", "2016-08",
    "TLS-1-0-2015-04", "TLS-1-0-2015-05", "TLS-1-1-2017-01", "TLS-1-2-2017-01", "TLS-1-2-Ext-2018-06",
    "FS-2018-06", "FS-1-1-2019-08", "FS-1-2-2019-08", "FS-1-2-Res-2019-08", "FS-1-2-Res-2020-10",
}  # fmt: skip
_TLS13 = ("1-0", "1-1", "1-2", "1-2-Ext1", "1-2-Ext2", "1-2-Res", "1-3")
_TLS13_FIPS = ("1-0", "1-1", "1-2", "1-2-Ext0", "1-2-Ext1", "1-2-Ext2", "1-2-Res", "1-3")
_POLICIES = (
    _PLAIN
    | {f"TLS13-{versions}-2021-06" for versions in _TLS13}
    | {f"TLS13-{versions}-FIPS-2023-04" for versions in _TLS13_FIPS}
    | {f"TLS13-{versions}-PQ-2025-09" for versions in _TLS13}
    | {f"TLS13-{versions}-FIPS-PQ-2025-09" for versions in _TLS13_FIPS}
)
_NEWEST = "2025-09"


class SslPolicy(Rule):
    """A listener names a security policy that Elastic Load Balancing does not have."""

    id = "E9108"
    shortdesc = "SslPolicy names an existing policy"
    description = "Use a predefined policy, for example ELBSecurityPolicy-TLS13-1-2-Res-2021-06."
    source_url = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html"

    def find(self, cfn: Template) -> Found:
        """Yield each unknown policy, except those with a later date than the ones known here."""
        for listener in resources(cfn, "AWS::ElasticLoadBalancingV2::Listener").values():
            for path, value in listener.find("SslPolicy"):
                if isinstance(value, str) and not value.startswith("{{resolve:") and not _exists(value):
                    yield path, f"there is no policy {value}; use for example {_PREFIX}TLS13-1-2-Res-2021-06"


def _exists(policy: str) -> bool:
    date = re.search(r"\d{4}-\d{2}$", policy)
    return policy.startswith(_PREFIX) and (
        policy.removeprefix(_PREFIX) in _POLICIES or (date is not None and date[0] > _NEWEST)
    )
