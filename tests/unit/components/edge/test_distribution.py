from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.edge.certificate import Certificate
from archlib.components.edge.distribution import Distribution
from archlib.components.edge.firewall import Firewall
from archlib.components.edge.headers import SecurityHeaders
from archlib.components.edge.origins import Behavior, BucketOrigin, HttpsOrigin, InternalOrigin, Origin
from archlib.components.observability.alarm import Alarm
from archlib.components.storage.bucket import Bucket
from archlib.core.values import encode
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
API = HttpsOrigin("abcdef1234.execute-api.eu-west-1.amazonaws.com", path="/live")
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"
ABROAD = CERTIFICATE.replace("us-east-1", "eu-west-1")
CACHED, NOT_CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_OF_REQUEST, ALL_BUT_HOST = "216adef6-5c7f-47e4-b989-5492eafa07d3", "b689b0a8-53d0-40ab-baf2-68738e2966ac"


@dataclass(eq=False)
class Balancer:
    stack: Stack
    port: int
    name: str = "inside"
    arn: str = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/inside/0123456789abcdef"
    dns_name: str = "internal-inside-0123456789.eu-west-1.elb.amazonaws.com"
    admitted: list[str] = field(default_factory=list)

    def admit_cloudfront(self) -> list[str]:
        self.admitted.append("cloudfront")
        return []


@pytest.fixture
def edge(app: App) -> Stack:
    return Stack(app, "edge", region="us-east-1")


@pytest.fixture
def config(rendered: Rendered) -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        found: dict[str, Any] = rendered()["SiteDistribution"]["Properties"]["DistributionConfig"]
        return found

    return read


Config = Callable[[], dict[str, Any]]


def test_delivers_the_files_of_a_private_bucket(stack: Stack, edge: Stack, rendered: Rendered, config: Config) -> None:
    Distribution(edge, "site", origin=BucketOrigin(Bucket(stack, "files"), path="/live"))

    (origin,) = config()["Origins"]
    assert origin == {
        "DomainName": {"Ref": "FilesBucketRegionalDomainName"},
        "Id": "Origin1",
        "OriginAccessControlId": {"Ref": "SiteOrigin1AccessControl"},
        "OriginPath": "/live",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    control = rendered()["SiteOrigin1AccessControl"]["Properties"]["OriginAccessControlConfig"]
    assert control["Name"] == "shop-test-site-origin1"
    assert (control["SigningBehavior"], control["SigningProtocol"]) == ("always", "sigv4")
    default = config()["DefaultCacheBehavior"]
    assert default["CachePolicyId"] == CACHED
    assert default["AllowedMethods"] == ["GET", "HEAD", "OPTIONS"]
    assert "OriginRequestPolicyId" not in default


def test_the_stack_of_the_bucket_does_not_depend_on_it(app: App, stack: Stack, edge: Stack) -> None:
    Distribution(edge, "site", origin=BucketOrigin(Bucket(stack, "files")))

    depends = {artifact.name: artifact.depends_on for artifact in app.assemble()}

    assert depends["shop-test-main"] == {"shop-test-foundation"}
    assert "shop-test-main" in depends["shop-test-edge"]


def test_is_modern_and_safe_by_default(edge: Stack, config: Config) -> None:
    Distribution(edge, "site", origin=API)

    found = config()

    assert found["HttpVersion"] == "http2and3"
    assert found["IPV6Enabled"] is found["Enabled"] is True
    assert found["PriceClass"] == "PriceClass_100"
    assert found["DefaultRootObject"] == "index.html"
    assert found["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert found["DefaultCacheBehavior"]["Compress"] is True
    assert found["Restrictions"] == {"GeoRestriction": {"RestrictionType": "none"}}
    assert found["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert "WebACLId" not in found
    assert "Aliases" not in found


def test_an_api_answers_every_time_and_gets_the_whole_request(stack: Stack, edge: Stack, config: Config) -> None:
    files = BucketOrigin(Bucket(stack, "files"))
    Distribution(
        edge, "site", origin=files,
        behaviors={"/api/*": Behavior(API), "/api/news": Behavior(API, cached=True, methods="read")},
    )  # fmt: skip

    found = config()

    assert [origin["Id"] for origin in found["Origins"]] == ["Origin1", "Origin2"]
    assert found["Origins"][1] == {
        "CustomOriginConfig": {
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "https-only",
            "OriginReadTimeout": 30,
            "OriginSSLProtocols": ["TLSv1.2"],
        },
        "DomainName": API.host,
        "Id": "Origin2",
        "OriginPath": "/live",
    }
    api, news = found["CacheBehaviors"]
    assert (api["PathPattern"], api["TargetOriginId"]) == ("/api/*", "Origin2")
    assert (api["CachePolicyId"], api["OriginRequestPolicyId"]) == (NOT_CACHED, ALL_BUT_HOST)
    assert len(api["AllowedMethods"]) == 7
    assert (news["CachePolicyId"], news["AllowedMethods"]) == (CACHED, ["GET", "HEAD", "OPTIONS"])
    for behavior in (api, news, found["DefaultCacheBehavior"]):
        assert behavior["ViewerProtocolPolicy"] == "redirect-to-https"
        assert behavior["ResponseHeadersPolicyId"] == {"Ref": "SiteResponseHeaders"}


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        (443, {"HTTPSPort": 443, "OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"]}),
        (80, {"HTTPPort": 80, "OriginProtocolPolicy": "http-only"}),
    ],
)
def test_an_internal_load_balancer_is_reached_by_a_vpc_origin(
    stack: Stack, edge: Stack, rendered: Rendered, port: int, protocol: dict[str, Any]
) -> None:
    inside = Balancer(stack, port)
    Distribution(edge, "site", origin=InternalOrigin(inside, timeout=timedelta(seconds=60)), root="")

    made = rendered()
    endpoint = made["SiteOrigin1VpcOrigin"]["Properties"]["VpcOriginEndpointConfig"]
    config = made["SiteDistribution"]["Properties"]["DistributionConfig"]
    assert endpoint == {"Arn": inside.arn, "Name": "shop-test-site-origin1", **protocol}
    (origin,) = config["Origins"]
    assert origin == {
        "DomainName": inside.dns_name,
        "Id": "Origin1",
        "VpcOriginConfig": {
            "OriginReadTimeout": 60,
            "VpcOriginId": {"Fn::GetAtt": ["SiteOrigin1VpcOrigin", "Id"]},
        },
    }
    assert config["DefaultCacheBehavior"]["OriginRequestPolicyId"] == ALL_OF_REQUEST
    assert "DefaultRootObject" not in config
    assert inside.admitted == ["cloudfront"]


def test_names_need_a_certificate_and_a_firewall_of_its_region(edge: Stack, config: Config) -> None:
    site = Distribution(
        edge, "site", origin=API, domains=["www.example.com", "example.com"], root="",
        certificate=Certificate(edge, "site", domain="example.com", zone_id="Z0123456789ABCDEFGHIJ"),
        firewall=Firewall(edge, "site", scope="cloudfront"),
    )  # fmt: skip

    found = config()

    assert found["Aliases"] == ["www.example.com", "example.com"]
    assert found["ViewerCertificate"] == {
        "AcmCertificateArn": {"Ref": "SiteCertificate"},
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }
    assert found["WebACLId"] == {"Fn::GetAtt": ["SiteFirewall", "Arn"]}
    assert site.url == "https://www.example.com"


def test_arns_of_a_certificate_and_a_firewall_are_taken_as_they_are(stack: Stack, config: Config) -> None:
    Distribution(
        stack, "site", origin=API, domains=["www.example.com"], certificate=CERTIFICATE, firewall="arn:aws:wafv2:acl"
    )

    found = config()

    assert found["ViewerCertificate"]["AcmCertificateArn"] == CERTIFICATE
    assert found["WebACLId"] == "arn:aws:wafv2:acl"


def test_what_cloudfront_cannot_use_is_refused(stack: Stack, edge: Stack) -> None:
    certificate = Certificate(stack, "site", domain="example.com", zone_id="Z0123456789ABCDEFGHIJ")

    with pytest.raises(SettingsError) as caught:
        Distribution(
            edge, "site", origin=API, domains=["example.com"], certificate=certificate, firewall=Firewall(stack, "site")
        )

    there = "make its stack with Stack(app, name, region='us-east-1')"
    assert [problem.message for problem in caught.value.problems] == [
        f"distribution 'site': certificate must be in a stack of region us-east-1, got \"the deployment's\"; {there}",
        f"distribution 'site': firewall must be in a stack of region us-east-1, got \"the deployment's\"; {there}",
        "distribution 'site': firewall must be one with scope 'cloudfront', got 'regional'",
    ]


def test_every_answer_carries_security_headers(edge: Stack, rendered: Rendered) -> None:
    Distribution(edge, "site", origin=API)

    found = rendered()["SiteResponseHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]

    assert found["Name"] == "shop-test-site"
    headers = found["SecurityHeadersConfig"]
    assert "default-src 'self'" in headers["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert headers["ContentTypeOptions"] == {"Override": True}
    assert headers["FrameOptions"] == {"FrameOption": "DENY", "Override": True}
    assert headers["StrictTransportSecurity"] == {
        "AccessControlMaxAgeSec": 63072000,
        "IncludeSubdomains": True,
        "Override": True,
        "Preload": False,
    }
    assert headers["ReferrerPolicy"] == {"Override": True, "ReferrerPolicy": "strict-origin-when-cross-origin"}


def test_the_origin_can_say_what_a_page_may_load(edge: Stack, rendered: Rendered) -> None:
    Distribution(edge, "site", origin=API, headers=SecurityHeaders(None, frames="SAMEORIGIN"))

    headers = rendered()["SiteResponseHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]

    assert "ContentSecurityPolicy" not in headers
    assert headers["FrameOptions"]["FrameOption"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"folders": True}, "request.uri += 'home.html'"),
        ({"single_page": True}, "request.uri = '/home.html'"),
    ],
)
def test_paths_without_a_file_can_be_answered(
    edge: Stack, rendered: Rendered, config: Config, settings: dict[str, Any], code: str
) -> None:
    Distribution(edge, "site", origin=API, root="home.html", behaviors={"/api/*": Behavior(API)}, **settings)

    function = rendered()["SitePathsFunction"]["Properties"]
    assert code in function["FunctionCode"]
    assert function["AutoPublish"] is True
    assert config()["DefaultCacheBehavior"]["FunctionAssociations"] == [
        {
            "EventType": "viewer-request",
            "FunctionARN": {"Fn::GetAtt": ["SitePathsFunction", "FunctionMetadata.FunctionARN"]},
        }
    ]
    assert "FunctionAssociations" not in config()["CacheBehaviors"][0]


def test_errors_have_pages(edge: Stack, config: Config) -> None:
    Distribution(edge, "site", origin=API, error_pages={"503": "/busy.html", "404": "/lost.html"})

    assert config()["CustomErrorResponses"] == [
        {"ErrorCode": 404, "ResponseCode": 404, "ResponsePagePath": "/lost.html"},
        {"ErrorCode": 503, "ResponseCode": 503, "ResponsePagePath": "/busy.html"},
    ]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"allowed_countries": ["DE", "AT"]}, {"Locations": ["AT", "DE"], "RestrictionType": "whitelist"}),
        ({"denied_countries": ["AQ"]}, {"Locations": ["AQ"], "RestrictionType": "blacklist"}),
    ],
)
def test_countries_can_be_chosen(
    edge: Stack, rendered: Rendered, config: Config, settings: dict[str, Any], wanted: dict[str, Any]
) -> None:
    Distribution(edge, "site", origin=API, **settings)

    assert config()["Restrictions"]["GeoRestriction"] == wanted
    assert "AwsSolutions-CFR1" not in str(rendered()["SiteDistribution"]["Metadata"])


def test_the_access_logs_are_in_its_region(edge: Stack, rendered: Rendered, config: Config) -> None:
    Distribution(edge, "site", origin=API)

    assert config()["Logging"] == {
        "Bucket": {"Ref": "AccessLogsUsEast1BucketDomainName"},
        "IncludeCookies": False,
        "Prefix": "site/",
    }
    ownership = rendered()["AccessLogsUsEast1Bucket"]["Properties"]["OwnershipControls"]
    assert ownership == {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}


def test_it_is_known_by_its_own_name(edge: Stack) -> None:
    site = Distribution(edge, "site", origin=API)

    assert encode([site.distribution_id, site.dns_name, site.url, site.hosted_zone_id]) == [
        {"Ref": "SiteDistribution"},
        {"Fn::GetAtt": ["SiteDistribution", "DomainName"]},
        {"Fn::Sub": "https://${SiteDistribution.DomainName}"},
        "Z2FDTNDATAQYW2",
    ]


def test_its_alarms_are_where_its_metrics_are(app: App, stack: Stack, edge: Stack, rendered: Rendered) -> None:
    watches = Distribution(edge, "site", origin=API).watches()

    assert {watch.region for watch in watches} == {"us-east-1"}
    with pytest.raises(SettingsError, match="alarm 'errors': stack must be one of region us-east-1, where the metric"):
        Alarm(stack, "errors", watch=watches[0])
    Alarm(edge, "errors", watch=watches[0])
    alarm = rendered()["ErrorsAlarm"]["Properties"]
    assert {each["Name"]: each["Value"] for each in alarm["Dimensions"]} == {
        "DistributionId": {"Ref": "SiteDistribution"},
        "Region": "Global",
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"domains": ["example.com"]}, "certificate must be given for domains, got nothing"),
        ({"certificate": CERTIFICATE}, "domains must be the names that the certificate is for, got []"),
        ({"domains": ["example"], "certificate": CERTIFICATE}, ("domains must be a host name such as shop.example.com, "
         "got 'example'")),
        ({"domains": ["example.com"], "certificate": ABROAD},
         f"certificate must be the ARN of a certificate in us-east-1, such as {CERTIFICATE}, got {ABROAD!r}"),
        ({"origin": HttpsOrigin("https://x.example.com")}, ("origin.host must be a host name such as shop.example.com, "
         "got 'https://x.example.com'; write 'x.example.com'")),
        ({"root": "/index.html"}, "root must be a file such as index.html, without a leading '/', got '/index.html'"),
        ({"root": "", "folders": True}, "folders must be false without root, got true"),
        ({"root": "", "single_page": True}, "single_page must be false without root, got true"),
        ({"single_page": True, "folders": True}, "folders must be false for single_page, got true"),
        ({"error_pages": {"418": "/tea.html"}}, ("error_pages must be one of 400, 403, 404, 405, 414, 416, 500, 501, "
         "502, 503, 504, got '418'")),
        ({"error_pages": {"404": "lost.html"}}, "error_pages must be paths with a leading '/', got 'lost.html'"),
        ({"behaviors": {"/a b": Behavior(API)}}, "behaviors must be patterns of paths such as /api/*, got '/a b'"),
        ({"behaviors": {"/a": Behavior(HttpsOrigin("x.example.com", path="live"))}}, ("/a.path must be a path such as "
         "/live, without '/' at the end, got 'live'")),
        ({"origin": HttpsOrigin("x.example.com", timeout=timedelta(minutes=2))}, ("origin.timeout must be 1s to 1m, "
         "got 2m")),
        ({"headers": SecurityHeaders(https_only=timedelta(0))}, "headers.https_only must be 1d to 3650d, got 0s"),
        ({"reach": "moon"}, "reach must be one of north-america-and-europe, most, all, got 'moon'"),
        ({"allowed_countries": ["DE"], "denied_countries": ["AQ"]}, ("allowed_countries must be empty if "
         "denied_countries are given, got ['DE']")),
        ({"denied_countries": ["Germany"]}, "denied_countries must be two-letter codes such as DE, got 'Germany'"),
    ],
)  # fmt: skip
def test_says_what_is_wrong(edge: Stack, settings: dict[str, Any], message: str) -> None:
    origin: Origin = settings.get("origin", API)

    with pytest.raises(SettingsError) as caught:
        Distribution(edge, "site", **{**settings, "origin": origin})

    assert [problem.message for problem in caught.value.problems] == [f"distribution 'site': {message}"]
