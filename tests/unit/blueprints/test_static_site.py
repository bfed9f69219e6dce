from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archlib import App, load
from archlib.blueprints.registry import blueprint
from archlib.blueprints.starter import starter
from archlib.blueprints.static_site import StaticSite, StaticSiteSettings
from archlib.core.artifact import StackArtifact
from archlib.errors import SettingsError

DOMAIN = {"name": "www.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"}


def build(settings: dict[str, Any]) -> StaticSite:
    return StaticSite(App("web", "test"), StaticSiteSettings.model_validate(settings))


def resources(site: StaticSite) -> dict[str, Any]:
    return {name: node for stack in site.app.assemble() for name, node in stack.template["Resources"].items()}


def of_type(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: node["Properties"] for name, node in found.items() if node["Type"] == kind}


def by_name(site: StaticSite) -> dict[str, StackArtifact]:
    return {stack.name: stack for stack in site.app.assemble()}


def test_without_a_domain_it_has_the_name_cloudfront_gives_it() -> None:
    site = build({})

    found = resources(site)

    config = found["SiteDistribution"]["Properties"]["DistributionConfig"]
    assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert site.certificate is None
    assert site.records == []
    assert not of_type(found, "AWS::Route53::RecordSet")
    assert found["SiteCanary"]["Properties"]["RunConfig"]["EnvironmentVariables"] == {
        "URL": {"Fn::Sub": "https://${SiteDistribution.DomainName}/"}
    }


def test_a_domain_brings_certificate_and_records() -> None:
    found = resources(build({"domain": {**DOMAIN, "more_names": ["example.com"], "key_algorithm": "EC_prime256v1"}}))

    certificate = found["SiteCertificate"]["Properties"]
    assert (certificate["DomainName"], certificate["KeyAlgorithm"]) == ("www.example.com", "EC_prime256v1")
    names = [record["Name"] for record in of_type(found, "AWS::Route53::RecordSet").values()]
    assert sorted(names) == ["example.com", "example.com", "www.example.com", "www.example.com"]
    assert found["SiteCanary"]["Properties"]["RunConfig"]["EnvironmentVariables"] == {"URL": "https://www.example.com/"}


def test_a_certificate_can_be_given() -> None:
    arn = "arn:aws:acm:us-east-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"
    site = build({"domain": {**DOMAIN, "certificate": arn}})

    found = resources(site)

    assert site.certificate is None
    assert not of_type(found, "AWS::CertificateManager::Certificate")
    viewer = found["SiteDistribution"]["Properties"]["DistributionConfig"]["ViewerCertificate"]
    assert viewer["AcmCertificateArn"] == arn


def test_everything_but_the_files_is_where_cloudfront_wants_it() -> None:
    found = by_name(build({"domain": DOMAIN}))

    assert {name: stack.region for name, stack in found.items()} == {
        "web-test-foundation": None,
        "web-test-data": None,
        "web-test-foundation-us-east1": "us-east-1",
        "web-test-edge": "us-east-1",
        "web-test-monitoring": "us-east-1",
    }
    assert set(of_type(found["web-test-data"].template["Resources"], "AWS::S3::Bucket")) == {
        "AccessLogsBucket",
        "SiteBucket",
    }
    outputs = {**found["web-test-data"].template["Outputs"], **found["web-test-edge"].template["Outputs"]}
    assert {"SiteBucket", "SiteDistribution", "SiteUrl"} <= set(outputs)


def test_what_is_stored_is_private_kept_and_encrypted_with_the_key_of_its_region() -> None:
    for name, stack in by_name(build({"domain": DOMAIN})).items():
        resources = stack.template["Resources"]
        keys = [{"Ref": "AppUsEast1KeyArn"}, {"Ref": "AppKeyArn"}]
        wanted = keys[0] if stack.region else keys[1]
        for title, node in resources.items():
            properties = node.get("Properties", {})
            match node["Type"]:
                case "AWS::Logs::LogGroup":
                    assert properties["KmsKeyId"] == wanted, (name, title)
                case "AWS::SNS::Topic" | "AWS::SQS::Queue":
                    assert properties["KmsMasterKeyId"] == wanted, (name, title)
                case "AWS::S3::Bucket" if not title.startswith("AccessLogs"):
                    assert node["DeletionPolicy"] == "Retain"
                    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
                    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
                    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == wanted, (name, title)


def test_every_part_is_watched_and_shown() -> None:
    site = build({"domain": DOMAIN, "monitoring": {"emails": ["oncall@example.com"]}})

    found = resources(site)

    alarms = of_type(found, "AWS::CloudWatch::Alarm")
    assert set(alarms) == {
        "SiteCanarySuccessAlarm",
        "SiteCertificateDaysLeftAlarm",
        "SiteDistributionClientErrorsAlarm",
        "SiteDistributionServerErrorsAlarm",
        "SiteFirewallBlockedAlarm",
    }
    assert all(alarm["AlarmActions"] == [{"Ref": "AlarmsTopic"}] for alarm in alarms.values())
    assert [each["Endpoint"] for each in of_type(found, "AWS::SNS::Subscription").values()] == ["oncall@example.com"]
    body = str(found["WebDashboard"]["Properties"]["DashboardBody"])
    assert "## Delivery" in body
    assert "## Protection" in body


def test_what_is_not_wanted_is_left_out() -> None:
    site = build({"firewall": None, "canary": None, "monitoring": {"alarms": False, "dashboard": False}})

    kinds = {node["Type"] for node in resources(site).values()}

    assert not kinds & {
        *("AWS::WAFv2::WebACL", "AWS::Synthetics::Canary", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"),
        "AWS::SNS::Topic",
    }
    assert (site.firewall, site.canary, site.alarm_topic, site.dashboard, site.alarms) == (None, None, None, None, [])


def test_both_layouts_hold_the_same() -> None:
    layered = build({"domain": DOMAIN})
    single = StaticSite(App("web", "test", layout="single"), StaticSiteSettings.model_validate({"domain": DOMAIN}))

    assert [stack.name for stack in single.app.assemble()] == ["web-test", "web-test-us-east-1"]
    assert set(resources(single)) == set(resources(layered))


def test_what_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "blueprint: static-site\n"
        "app: web\n"
        "settings:\n"
        "  delivery:\n"
        "    denied_countries: [Germany]\n"
        "    root: ''\n"
        "    folders: true\n"
    )

    with pytest.raises(SettingsError) as caught:
        load(file)

    assert [(problem.message, problem.origin and problem.origin.line) for problem in caught.value.problems] == [
        ("distribution 'site': folders must be false without root, got true", 7),
        ("distribution 'site': denied_countries must be two-letter codes such as DE, got 'Germany'", 5),
    ]


def test_a_name_outside_its_zone_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"record 'site-name2': host must be a name in the zone example\.com"):
        build({"domain": {**DOMAIN, "more_names": ["www.example.org"]}})


def test_the_starter_is_a_working_site(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(starter(blueprint("static-site"), "web"))

    assert "SiteDistribution" in {
        title for stack in load(file).assemble() for title in stack.template["Resources"]
    }  # fmt: skip
