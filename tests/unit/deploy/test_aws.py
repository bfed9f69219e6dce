"""Which account and region, and with whose credentials."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from archlib.deploy.aws import Aws, Identity, _assume
from archlib.errors import CredentialsError
from fakes import ScriptedServices, ServiceError

ROLE = "arn:aws:iam::999999999999:role/deploy"


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no configuration of the user in."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def configure(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_of_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "eu-north-1")

    assert Aws().region == "eu-north-1"
    assert Aws(endpoint="http://local").region == "eu-north-1"
    assert Aws(region="eu-west-1").region == "eu-west-1"


def test_what_every_tool_reads_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    assert Aws().region == "eu-north-1"


def test_the_region_of_a_profile(tmp_path: Path) -> None:
    configure(tmp_path, "[profile shop]\nregion = ap-south-1\n")

    assert Aws(profile="shop").region == "ap-south-1"


def test_without_a_region_it_says_what_to_do() -> None:
    with pytest.raises(CredentialsError, match=r"no region is known; set AWS_REGION .* --region, .* --local"):
        Aws()
    assert Aws(endpoint="http://local").region == "us-east-1"


def test_a_profile_that_is_missing() -> None:
    with pytest.raises(CredentialsError, match=r"profile \(nobody\) could not be found; log in .*--local"):
        Aws(region="eu-west-1", profile="nobody")


def test_clients_are_made_once_for_each_service_and_region() -> None:
    aws = Aws(region="eu-west-1", endpoint="http://local")

    assert aws.client("s3") is aws.client("s3", "eu-west-1")
    assert aws.client("s3") is not aws.client("s3", "us-east-1")
    assert aws.client("sqs", "us-east-1").meta.region_name == "us-east-1"
    assert aws.client("sqs").meta.endpoint_url == "http://local"


def test_only_calls_to_cloudformation_are_not_repeated_behind_our_back() -> None:
    aws = Aws(region="eu-west-1", endpoint="http://local")

    assert aws.client("cloudformation").meta.config.retries["total_max_attempts"] == 1
    assert aws.client("s3").meta.config.retries["total_max_attempts"] == 10


def test_buckets_of_a_local_engine_are_part_of_the_path() -> None:
    assert Aws(region="eu-west-1", endpoint="http://local").client("s3").meta.config.s3["addressing_style"] == "path"


class Scripted(Aws):
    """Clients of real sessions, with answers of a table."""

    def __init__(self, services: ScriptedServices, **how: Any) -> None:
        super().__init__(**how)
        self.services = services

    def client(self, service: str, region: str | None = None) -> Any:
        key = (service, region or self.region)
        if key not in self._clients:
            self.services.attach(super().client(service, region))
        return super().client(service, region)


def test_who_it_is_is_asked_once() -> None:
    services = ScriptedServices(account="111122223333")
    aws = Scripted(services, region="eu-west-1", endpoint="http://local")

    assert aws.identity() == Identity("111122223333", "arn:aws:sts::111122223333:assumed-role/ci/run", "aws")
    assert aws.identity() is aws.identity()
    assert services.count("sts", "GetCallerIdentity") == 1


def test_nobody_knows_who_it_is() -> None:
    services = ScriptedServices()
    services.reply("sts", "GetCallerIdentity", ServiceError("InvalidClientTokenId", "It is invalid", status=403))

    with pytest.raises(CredentialsError, match=r"AWS does not know who asks: .*It is invalid; log in \(aws sso login"):
        Scripted(services, region="eu-west-1", endpoint="http://local").identity()


def test_no_credentials_at_all() -> None:
    with pytest.raises(CredentialsError, match="Unable to locate credentials; log in"):
        Aws(region="eu-west-1").identity()


def test_renewing_reads_the_credentials_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    aws = Aws(region="eu-west-1")
    before = aws.client("sqs")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    aws.renew()

    assert aws.client("sqs") is not before
    assert aws._session.get_credentials().access_key == "second"
    assert (aws.region, aws.client("sqs").meta.region_name) == ("eu-west-1", "eu-west-1")


def test_credentials_that_do_not_say_how_long_they_hold() -> None:
    assert Aws(region="eu-west-1", endpoint="http://local").seconds_left() is None
    assert Aws(region="eu-west-1").seconds_left() is None


def test_credentials_that_end_say_when() -> None:
    aws = Aws(region="eu-west-1", endpoint="http://local")

    class Ending:
        _expiry_time = datetime.now(UTC) + timedelta(minutes=10)

    class Session:
        def get_credentials(self) -> Ending:
            return Ending()

    aws._session = Session()
    left = aws.seconds_left()

    assert left is not None
    assert 590 < left <= 600


class Source:
    """A session whose STS answers from a table."""

    region_name = "eu-west-1"

    def __init__(self, services: ScriptedServices) -> None:
        self._services = services
        self._real = boto3.Session("AKIDOURS", "x", region_name=self.region_name)

    def get_credentials(self) -> Any:
        return self._real.get_credentials()

    def client(self, service: str, **how: Any) -> Any:
        return self._services.attach(self._real.client(service, **how))


def test_a_role_is_taken_on_and_renewed_before_it_ends() -> None:
    services = ScriptedServices()
    number = iter(range(10))

    def assume(parameters: dict[str, Any]) -> dict[str, Any]:
        assert (parameters["RoleArn"], parameters["RoleSessionName"]) == (ROLE, "archlib")
        # The first one is about to end.
        each = next(number)
        ends = (datetime.now(UTC) + timedelta(minutes=1 if each == 0 else 60)).timestamp()
        key = {"AccessKeyId": f"ASIAEXAMPLE{each:05}", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": ends}
        return {"Credentials": key}

    services.reply("sts", "AssumeRole", assume)

    session = _assume(Source(services), ROLE)
    assert services.count("sts", "AssumeRole") == 0  # only when it is needed
    credentials = session.get_credentials()

    assert session.region_name == "eu-west-1"
    assert credentials.get_frozen_credentials().access_key == "ASIAEXAMPLE00000"
    assert credentials.get_frozen_credentials().access_key == "ASIAEXAMPLE00001"
    assert credentials.get_frozen_credentials().access_key == "ASIAEXAMPLE00001"


def test_a_role_renews_itself_so_nobody_counts_the_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ours")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    assert Aws(region="eu-west-1", assume_role=ROLE).seconds_left() is None
