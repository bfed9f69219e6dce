"""Response headers that make browsers careful."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from troposphere import cloudfront

from archlib.core.component import Check
from archlib.units import seconds

Referrer = Literal["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"]

_CONTENT = "default-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
_HSTS_MAX = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """What a distribution tells browsers with every answer, whatever the origin says.

    Attributes:
        content_security_policy: from where a page may load scripts, styles, images and data; by default only from its
            own host. None: the origin says it.
        frames: whether other pages may show it in a frame: ``DENY``, or ``SAMEORIGIN`` for pages of its own.
        https_only: how long browsers must not use plain HTTP, up to 10 years.
        https_subdomains: the same for all subdomains.
        preload: ask to be on the list of such hosts that browsers are delivered with; hard to take back.
        referrer: how much other hosts learn about where a visitor came from.
    """

    content_security_policy: str | None = _CONTENT
    frames: Literal["DENY", "SAMEORIGIN"] = "DENY"
    https_only: timedelta = timedelta(days=730)
    https_subdomains: bool = True
    preload: bool = False
    referrer: Referrer = "strict-origin-when-cross-origin"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.one_of(f"{field}.frames", self.frames, ("DENY", "SAMEORIGIN"))
        check.one_of(f"{field}.referrer", self.referrer, get_args(Referrer))
        check.between(f"{field}.https_only", self.https_only, timedelta(days=1), _HSTS_MAX)

    def render(self) -> cloudfront.SecurityHeadersConfig:
        """Return it as CloudFormation has it."""
        config = cloudfront.SecurityHeadersConfig(
            ContentTypeOptions=cloudfront.ContentTypeOptions(Override=True),
            FrameOptions=cloudfront.FrameOptions(FrameOption=self.frames, Override=True),
            ReferrerPolicy=cloudfront.ReferrerPolicy(Override=True, ReferrerPolicy=self.referrer),
            StrictTransportSecurity=cloudfront.StrictTransportSecurity(
                AccessControlMaxAgeSec=seconds(self.https_only),
                IncludeSubdomains=self.https_subdomains,
                Override=True,
                Preload=self.preload,
            ),
        )
        if self.content_security_policy:
            config.ContentSecurityPolicy = cloudfront.ContentSecurityPolicy(
                ContentSecurityPolicy=self.content_security_policy, Override=True
            )
        return config
