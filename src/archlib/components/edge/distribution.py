"""CloudFront distributions: the public entry, near everybody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from troposphere import cloudfront

from archlib.components.edge.certificate import Certificate
from archlib.components.edge.firewall import Firewall
from archlib.components.edge.headers import SecurityHeaders
from archlib.components.edge.origins import Behavior, BucketOrigin, Origin
from archlib.components.edge.zone import CLOUDFRONT_ZONE
from archlib.components.observability.access_logs import AccessLogs
from archlib.core.component import Check, Component
from archlib.core.formats import check_certificate, check_domain
from archlib.core.naming import fixed_name
from archlib.core.regions import GLOBAL_REGION
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value, join
from archlib.wiring.watch import Watch

Reach = Literal["north-america-and-europe", "most", "all"]

_REACHES = {"north-america-and-europe": "PriceClass_100", "most": "PriceClass_200", "all": "PriceClass_All"}
_TLS_POLICY = "TLSv1.2_2021"
_PATTERN = re.compile(r"/?[A-Za-z0-9_\-.*$/~\"'@:+&?]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_ERRORS = ("400", "403", "404", "405", "414", "416", "500", "501", "502", "503", "504")
_NAME_MAX = 64
_POLICY_NAME_MAX = 128
_PERCENT_4XX, _PERCENT_5XX = 25, 5
_FOLDERS = """\
function handler(event) {
  var request = event.request;
  if (request.uri.endsWith('/')) {
    request.uri += 'ROOT';
  }
  return request;
}
"""
_SINGLE_PAGE = """\
function handler(event) {
  var request = event.request;
  if (!request.uri.split('/').pop().includes('.')) {
    request.uri = '/ROOT';
  }
  return request;
}
"""


class Distribution(Component):
    """A CloudFront distribution: HTTPS with TLS 1.2, HTTP/2 and 3, IPv6, compression, security headers and access logs.

    Creates ``<Name>Distribution``, ``<Name>ResponseHeaders``, for each origin ``<Name>Origin<Number>AccessControl`` (a
    bucket) or ``<Name>Origin<Number>VpcOrigin`` (an internal load balancer), and with ``folders`` or ``single_page``
    ``<Name>PathsFunction``. The access logs go to the access-log bucket of the stack's region, under the
    distribution's name.

    Its metrics, its certificate and its firewall are in us-east-1 only. So put it into a stack with
    ``region="us-east-1"`` together with them and its alarms; its origins may be anywhere.

    See https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-web-values-specify.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        origin: where answers come from: a :class:`BucketOrigin`, :class:`HttpsOrigin` or :class:`InternalOrigin`.
        behaviors: pattern of paths, such as ``/api/*`` -> what answers those instead; the first that fits counts.
        domains: host names it answers to, which the certificate is for; by default only its own name.
        certificate: a :class:`Certificate` of a stack with ``region="us-east-1"``, or the ARN of one there.
        firewall: a :class:`Firewall` with scope ``cloudfront`` of a stack with ``region="us-east-1"``, or the ARN of
            one there.
        root: file that answers for ``/``; empty if the origin does it.
        single_page: answer every path whose last part has no dot with ``root``, for applications in the browser that
            read the path themselves. The paths of ``behaviors`` are left alone.
        error_pages: status code -> path of the page that is shown for it, such as ``{"404": "/404.html"}``.
        folders: answer ``/docs/`` with ``/docs/index.html``, the file called like ``root``; not with ``single_page``.
        headers: the security headers of every answer; strict ones by default.
        reach: where it has servers, cheapest first: ``north-america-and-europe``, ``most``, ``all`` places.
        allowed_countries: two-letter codes of the only countries that get answers, such as ``DE``.
        denied_countries: two-letter codes of countries that get none.

    Attributes:
        resource: the ``AWS::CloudFront::Distribution``.

    Raises:
        SettingsError: a setting is malformed, or the certificate or the firewall is not one CloudFront can use.
    """

    kind = "Distribution"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        origin: Origin,
        behaviors: Mapping[str, Behavior] | None = None,
        domains: Sequence[str] = (),
        certificate: Certificate | Value | None = None,
        firewall: Firewall | Value | None = None,
        root: str = "index.html",
        single_page: bool = False,
        error_pages: Mapping[str, str] | None = None,
        folders: bool = False,
        headers: SecurityHeaders | None = None,
        reach: Reach = "north-america-and-europe",
        allowed_countries: Sequence[str] = (),
        denied_countries: Sequence[str] = (),
    ) -> None:
        super().__init__(stack, name)
        behaviors, pages, headers = behaviors or {}, error_pages or {}, headers or SecurityHeaders()
        with self.checking() as check:
            _check_region(check, certificate=certificate, firewall=firewall)
            _check_names(check, domains, certificate)
            _check_paths(check, root, pages, behaviors)
            for field, wanted in (("single_page", single_page), ("folders", folders)):
                check.that(root or not wanted, field, "false without root", wanted)
            check.that(not (single_page and folders), "folders", "false for single_page", folders)
            for field, each in (("origin", origin), *((path, behaviors[path].origin) for path in behaviors)):
                each.check(check, field)
            headers.check(check, "headers")
            check.one_of("reach", reach, get_args(Reach))
            _check_countries(check, allowed_countries, denied_countries)
        self.domains = tuple(domains)
        self._origins: list[tuple[Origin, cloudfront.Origin]] = []
        policy = self.add(
            cloudfront.ResponseHeadersPolicy(
                self.id("ResponseHeaders"),
                ResponseHeadersPolicyConfig=cloudfront.ResponseHeadersPolicyConfig(
                    Name=self._global_name(_POLICY_NAME_MAX), SecurityHeadersConfig=headers.render()
                ),
            )
        )
        shared: dict[str, Any] = {"ResponseHeadersPolicyId": policy.ref()}
        default = {**Behavior(origin).settings(self._origin(origin)), **shared}
        if single_page or folders:
            default["FunctionAssociations"] = [self._rewrite(_SINGLE_PAGE if single_page else _FOLDERS, root)]
        others = [
            cloudfront.CacheBehavior(PathPattern=pattern, **behavior.settings(self._origin(behavior.origin)), **shared)
            for pattern, behavior in behaviors.items()
        ]
        logs = AccessLogs.of(stack.app, region=stack.region)
        logs.admit_cloudfront()
        config = cloudfront.DistributionConfig(
            CacheBehaviors=others,
            Comment=f"{name} of {stack.app.name} ({stack.app.environment})",
            CustomErrorResponses=[
                cloudfront.CustomErrorResponse(ErrorCode=int(code), ResponseCode=int(code), ResponsePagePath=page)
                for code, page in sorted(pages.items())
            ],
            DefaultCacheBehavior=cloudfront.DefaultCacheBehavior(**default),
            Enabled=True,
            HttpVersion="http2and3",
            IPV6Enabled=True,
            Logging=cloudfront.Logging(Bucket=logs.domain_name, IncludeCookies=False, Prefix=f"{name}/"),
            Origins=[made for _, made in self._origins],
            PriceClass=_REACHES[reach],
        )
        if root:
            config.DefaultRootObject = root
        if firewall is not None:
            config.WebACLId = firewall.arn if isinstance(firewall, Firewall) else firewall
        self.resource = cloudfront.Distribution(self.id(), DistributionConfig=config)
        self._restrict(config, allowed_countries, denied_countries)
        self._identify(config, certificate)
        self._explain()
        self.add(self.resource)

    def _origin(self, origin: Origin) -> str:
        """Return the id of ``origin``, made the first time."""
        for known, made in self._origins:
            if known == origin:
                return str(made.Id)
        label = f"Origin{len(self._origins) + 1}"
        self._origins.append((origin, origin.render(self, label)))
        return label

    def _rewrite(self, code: str, root: str) -> cloudfront.FunctionAssociation:
        function = self.add(
            cloudfront.Function(
                self.id("PathsFunction"),
                AutoPublish=True,
                FunctionCode=code.replace("ROOT", root),
                FunctionConfig=cloudfront.FunctionConfig(
                    Comment=f"Paths that {root} answers", Runtime="cloudfront-js-2.0"
                ),
                Name=self._global_name(_NAME_MAX),
            )
        )
        return cloudfront.FunctionAssociation(
            EventType="viewer-request", FunctionARN=function.get_att("FunctionMetadata.FunctionARN")
        )

    def _explain(self) -> None:
        buckets = [isinstance(origin, BucketOrigin) for origin, _ in self._origins]
        if any(buckets):
            suppress(self.resource, "guard-wants-oai")
        if all(buckets):
            suppress(self.resource, "no-origin-failover")

    def _restrict(self, config: cloudfront.DistributionConfig, allowed: Sequence[str], denied: Sequence[str]) -> None:
        kind = "whitelist" if allowed else "blacklist" if denied else "none"
        restriction = cloudfront.GeoRestriction(RestrictionType=kind)
        if kind == "none":
            suppress(self.resource, "no-geo-restriction")
        else:
            restriction.Locations = sorted({*allowed, *denied})
        config.Restrictions = cloudfront.Restrictions(GeoRestriction=restriction)

    def _identify(self, config: cloudfront.DistributionConfig, certificate: Certificate | Value | None) -> None:
        if certificate is None:
            suppress(self.resource, "certificate-of-cloudfront")
            config.ViewerCertificate = cloudfront.ViewerCertificate(CloudFrontDefaultCertificate=True)
            return
        config.Aliases = list(self.domains)
        config.ViewerCertificate = cloudfront.ViewerCertificate(
            AcmCertificateArn=certificate.arn if isinstance(certificate, Certificate) else certificate,
            MinimumProtocolVersion=_TLS_POLICY,
            SslSupportMethod="sni-only",
        )

    def _global_name(self, most: int) -> str:
        return fixed_name(self.stack.app.name, self.stack.app.environment, self.name, most=most)

    @property
    def distribution_id(self) -> Value:
        """Id of the distribution, which an invalidation of its cache names."""
        return self.ref()

    @property
    def dns_name(self) -> Value:
        """Its own host name, ``d111111abcdef8.cloudfront.net``, which alias records name."""
        return self.attribute("DomainName")

    @property
    def hosted_zone_id(self) -> Value:
        """Id of the zone its own host name is in, which alias records name."""
        return CLOUDFRONT_ZONE

    @property
    def url(self) -> Value:
        """Address for people: of the first of its domains, or of its own host name."""
        return join("https://", self.domains[0] if self.domains else self.dns_name)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that requests fail."""
        namespace, dimensions = "AWS/CloudFront", {"DistributionId": self.distribution_id, "Region": "Global"}
        return (
            Watch("server-errors", f"Server errors of {self}, percent", namespace, "5xxErrorRate", dimensions,
                  "Average", _PERCENT_5XX, region=GLOBAL_REGION),
            Watch("client-errors", f"Refused and missing requests of {self}, percent", namespace, "4xxErrorRate",
                  dimensions, "Average", _PERCENT_4XX, periods=3, region=GLOBAL_REGION),
        )  # fmt: skip


def _check_region(check: Check, **parts: Certificate | Firewall | Value | None) -> None:
    for field, part in parts.items():
        where = part.stack.region if isinstance(part, Component) else GLOBAL_REGION
        check.that(
            where == GLOBAL_REGION, field, f"in a stack of region {GLOBAL_REGION}", where or "the deployment's",
            f"make its stack with Stack(app, name, region={GLOBAL_REGION!r})",
        )  # fmt: skip
        if isinstance(part, Firewall):
            check.that(part.scope == "cloudfront", field, "one with scope 'cloudfront'", part.scope)


def _check_names(check: Check, domains: Sequence[str], certificate: Certificate | Value | None) -> None:
    check.that(certificate is not None or not domains, "certificate", "given for domains", None)
    check_certificate(check, "certificate", certificate, region=GLOBAL_REGION)
    check.that(certificate is None or domains, "domains", "the names that the certificate is for", list(domains))
    for domain in domains:
        check_domain(check, "domains", domain)


def _check_paths(check: Check, root: str, pages: Mapping[str, str], behaviors: Mapping[str, Behavior]) -> None:
    check.that(not root.startswith("/"), "root", "a file such as index.html, without a leading '/'", root)
    for code, page in pages.items():
        check.one_of("error_pages", code, _ERRORS)
        check.that(page.startswith("/"), "error_pages", "paths with a leading '/'", page)
    for pattern in behaviors:
        check.that(_PATTERN.fullmatch(pattern), "behaviors", "patterns of paths such as /api/*", pattern)


def _check_countries(check: Check, allowed: Sequence[str], denied: Sequence[str]) -> None:
    check.that(not (allowed and denied), "allowed_countries", "empty if denied_countries are given", list(allowed))
    for field, countries in (("allowed_countries", allowed), ("denied_countries", denied)):
        for country in countries:
            check.that(_COUNTRY.fullmatch(country), field, "two-letter codes such as DE", country)
